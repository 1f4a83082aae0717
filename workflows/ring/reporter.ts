import { setCurrentDetails, sleep, upsertSearchAttributes } from '@temporalio/workflow';
import { CLUSTER_WORKFLOW_ID } from '../../src/contract/ids.js';
import type { RingReport } from '../../src/contract/internal.js';
import { CELLS_STATE } from '../../src/contract/search-attributes.js';
import type { RingState, RolloutRing } from '../../src/contract/status.js';
import { medianOf } from '../../src/domain/cluster/forecast.js';
import { markdownOfRing } from '../../src/domain/details.js';
import { unhealthyAfterMigration } from '../../src/domain/ring/cell-ended.js';
import { quarantinedCells } from '../../src/domain/ring/marks.js';
import { resultOf, viewOf, wouldStart } from '../../src/domain/ring/view.js';
import { ringReportSignal } from '../shared/signals.js';
import { PassAlerts } from './alerts.js';
import type { PassCalendar } from './calendar.js';
import type { PassContext } from './context.js';

const REPORT_EVERY_MS = 5_000;

/**
 * Tells starter, cluster and Web UI what changed: at once where it matters, otherwise gathered, and the more rarely the
 * longer nothing of importance did, so that telling costs a small, bounded part of the history.
 */
export class Reporter {
  private important = '';
  private importantAtMs = Date.now();
  private counted = '';
  private timerRuns = false;
  private shown: RingState | null = null;
  private readonly alerts: PassAlerts;

  constructor(
    private readonly ctx: PassContext,
    private readonly calendar: PassCalendar,
  ) {
    this.alerts = new PassAlerts(ctx);
  }

  view(): RolloutRing {
    const { ctx } = this;
    const { entry, input } = ctx;
    return viewOf(ctx.state, {
      ring: input.ring,
      name: entry?.name ?? `ring-${input.ring}`,
      version: input.version,
      perimeter: entry?.perimeter ?? false,
      soft: ctx.endsAnyhow,
      idOf: ctx.roster.idOf,
      versionOf: ctx.roster.versionOf,
      leftOut: entry?.leftOut ?? [],
      brakes: ctx.holdingBrakes(),
      trouble: ctx.trouble,
      // A cell that comes late holds nothing up.
      calendar: wouldStart(ctx.state, Date.now()) ? this.calendar.wait : null,
      startedAtMs: ctx.startedAtMs,
      nowMs: Date.now(),
    });
  }

  publish(): void {
    const report = this.report(false);
    this.show(report.view);
    const { state, waitingFor, exceptionsTotal } = report.view;
    const { since: _, ...waits } = waitingFor ?? {};
    // No instant may make a report important: a view of the time of day would report without end.
    const important = JSON.stringify([
      state,
      waits,
      exceptionsTotal,
      report.baked,
      report.result,
      report.migrationFailed,
      Object.keys(report.alerts ?? {}),
    ]);
    if (important !== this.important) {
      this.important = important;
      this.importantAtMs = Date.now();
      void this.send(report);
    } else if (!this.timerRuns && countsOf(report) !== this.counted) {
      void this.sendLater();
    }
  }

  /** Whoever took this pass over knows nothing of it yet. */
  async reportNow(): Promise<void> {
    await this.send(this.report(this.ctx.isOver));
  }

  /** The last report: the pass is over, and its ring free. */
  async end(): Promise<void> {
    const report = this.report(true);
    this.show(report.view);
    await this.send(report);
    await this.alerts.finish();
  }

  private report(ended: boolean): RingReport {
    const { ctx } = this;
    const view = this.view();
    this.alerts.keep(view);
    const result = resultOf(ctx.state, ctx.endsAnyhow);
    const { halt } = ctx.state;
    const refused = result !== null && ctx.refusal === 'newer_running';
    return {
      requestId: ctx.input.requestId,
      pass: ctx.pass,
      version: ctx.input.version,
      purpose: ctx.input.purpose,
      starter: ctx.input.starter,
      view,
      observed: ctx.roster.observed,
      ...(ctx.state.counts.Q > 0 ? { observedOut: ctx.roster.observedOf(quarantinedCells(ctx.state)) } : {}),
      runsWith: ctx.input.chartVersion === null ? ctx.state.runsWith : null,
      baked: ctx.state.bakedAtMs !== null,
      systemic: halt?.kind === 'systemic',
      ...(halt?.kind === 'systemic' ? { systemicSinceMs: halt.sinceMs } : {}),
      needsDowntime: unhealthyAfterMigration(ctx.state),
      migrationFailed: this.migrationFailed(),
      result: refused ? { ...result, outcome: 'refused', code: 'newer_running' } : result,
      ended,
      retries: ctx.state.retries ?? 0,
      cellMs: medianOf(ctx.state.timesMs ?? []),
      alerts: this.alerts.lasting,
      packageBrakes: { epoch: ctx.brakes.packageNumber.epoch, brakes: ctx.brakes.package },
    };
  }

  /** Before it has looked, a pass knows of no more than the one before it. */
  private migrationFailed(): string[] {
    const { state, roster, looked, input } = this.ctx;
    return looked ? Object.keys(state.pdmFailed).map((index) => roster.idOf(Number(index))) : input.migrationFailed;
  }

  private async send(report: RingReport): Promise<void> {
    this.counted = countsOf(report);
    // Alerts are none of the package's business.
    const { alerts: _, ...toStarter } = report;
    const { starter } = this.ctx.input;
    await Promise.all([
      starter === CLUSTER_WORKFLOW_ID ? null : this.ctx.mail.send(starter, ringReportSignal, toStarter),
      this.ctx.mail.send(CLUSTER_WORKFLOW_ID, ringReportSignal, report),
    ]);
  }

  private async sendLater(): Promise<void> {
    this.timerRuns = true;
    await sleep(Math.max(REPORT_EVERY_MS, (Date.now() - this.importantAtMs) / 10));
    this.timerRuns = false;
    if (this.ctx.state.stage !== 'done') await this.send(this.report(false));
  }

  private show(view: RolloutRing): void {
    setCurrentDetails(markdownOfRing(this.ctx.input.version, view));
    if (view.state === this.shown) return;
    this.shown = view.state;
    upsertSearchAttributes([{ key: CELLS_STATE, value: view.state }]);
  }
}

/** What readers see change while nothing of importance does. */
function countsOf({ view, observed }: RingReport): string {
  return JSON.stringify([view.converged, view.inFlight, view.failed, view.skipped, view.pending, observed]);
}
