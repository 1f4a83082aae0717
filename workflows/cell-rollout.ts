import {
  CancellationScope,
  defineQuery,
  defineSignal,
  setCurrentDetails,
  setHandler,
  sleep,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { JobFacts, JobOrder, JobReport, TenantFacts, Verification } from '../src/contract/activities.js';
import { cellRolloutId, type JobKeyParts, jobKey } from '../src/contract/ids.js';
import type { CellResult, CellRolloutInput } from '../src/contract/internal.js';
import { CELLS_STATE } from '../src/contract/search-attributes.js';
import type { CellState } from '../src/contract/status.js';
import { alertOfCell } from '../src/domain/alerts/cell.js';
import { cancellable, hasMigrated, isElsewhere, judgeSeen, type Target, targetBefore } from '../src/domain/cell.js';
import { isBlockedBy, rangeText } from '../src/domain/cluster/blocks.js';
import { sameVersion } from '../src/domain/package-version.js';
import { returnsWithoutDowntime } from '../src/domain/return-rule.js';
import { tooFarBehind } from '../src/domain/upgrade-path.js';
import { Errands } from './cell/errands.js';
import { CellHealth } from './cell/health.js';
import { raiseAlert } from './shared/activities.js';
import { mustBeStartedRightly } from './shared/argument.js';
import { whenCancelled } from './shared/cancelled.js';
import { handleOurs } from './shared/handle.js';
import { standDownSignal } from './shared/signals.js';

export const cellStatusQuery = defineQuery<CellResult & { doing: string }>('status');
export const hurrySignal = defineSignal('hurry');

const RETRY_TROUBLE_MS = 5_000;
const MAX_LOOKS_AGAIN = 3;
/** What nobody knows to be sane: people are told, whether or not a pass is there to hear of it. */
const UNSURE: CellState[] = ['rollback-failed', 'migration-failed', 'cancel-unconfirmed'];
const FINDINGS = 2;
const UNKNOWN = { isUnknown: true } as const;

/**
 * One cell, from the order to the verdict: deploys, migrates or takes back one package, and goes back by itself where
 * the deployment did not end well. Always ends with a `CellResult`; a Temporal cancel means: cancel the job, go back.
 */
export function CellRollout(input: CellRolloutInput): Promise<CellResult> {
  mustBeStartedRightly('CellRollout', input, () => cellRolloutId(input.cell.id));
  const root = CancellationScope.current();
  const run = new CellRun(input, root);
  whenCancelled(() => run.cancel());
  return CancellationScope.nonCancellable(() => run.toTheEnd());
}

class CellRun {
  private readonly errands: Errands;
  private readonly health: CellHealth;
  /** The cancel, and nothing else, kept the deployment from its end. */
  private wasCancelled = false;
  private hurried = false;
  /** Its job may be ordered from now on. */
  private isOrdering = false;
  private stoodDown = false;
  private doing: CellState = 'pending';
  private jobId: string | null = null;
  private from: string | null;
  private now: string | null;
  private chart: string | null = null;

  constructor(
    private readonly input: CellRolloutInput,
    root: CancellationScope,
  ) {
    this.errands = new Errands(input, root);
    this.health = new CellHealth(input, this.errands, () => this.smokeTest());
    if (input.cancelled) this.cancel();
    this.from = input.expectedVersion;
    this.now = input.expectedVersion;
    handleOurs(hurrySignal, () => {
      this.hurried = true;
      if (input.purpose === 'deploy') this.errands.drop();
    });
    handleOurs(standDownSignal, () => this.standDown());
    setHandler(cellStatusQuery, () => ({ ...this.result(this.doing, ''), doing: this.doing }), {
      description: 'What this cell is doing.',
    });
  }

  cancel(): void {
    this.errands.cancel();
  }

  /** A brake has come. What has gone too far is in flight; nothing else may order anything after it. */
  private standDown(): void {
    if (this.isOrdering || this.input.purpose !== 'deploy') {
      void this.errands.tellThatItOrders();
      return;
    }
    this.stoodDown = true;
    this.errands.drop();
  }

  async toTheEnd(): Promise<CellResult> {
    const { purpose } = this.input;
    const result = await (purpose === 'deploy'
      ? this.deploy()
      : purpose === 'migrate'
        ? this.migrate()
        : this.takeBack());
    this.show(result.state, result.reason);
    // On the good path nothing is said: one action a cell less, and a closed run needs no state to be found by.
    if (result.state !== 'converged') upsertSearchAttributes([{ key: CELLS_STATE, value: result.state }]);
    if (UNSURE.includes(result.state)) await this.alert(result);
    return result;
  }

  // ── deployment ─────────────────────────────────────────────────────────────

  private async deploy(): Promise<CellResult> {
    const against = await this.health.speaksAgainst();
    if (this.hurried) return this.result('pending', 'gave way to a newer package before its job was ordered');
    if (this.stoodDown) {
      return { ...this.result('pending', 'a brake came before its job was ordered'), stoodDown: true };
    }
    if (against) return { ...this.deferred('failed', against.why), ...(against.isUnknown ? UNKNOWN : {}) };
    this.isOrdering = true;
    this.show('deploying');
    const report = await this.orderDeployment();
    if (report === 'already') return await this.verifyUnordered();
    if (report.outcome === 'not-ordered') return this.notDeployed(report);
    this.remember(report.job);
    const stopped = this.errands.cancelAsked && cancellable('deploy', this.input.policy);
    // What failed by itself before the cancel came has failed all the same.
    this.wasCancelled = stopped && (report.outcome === 'canceled' || report.outcome === 'succeeded');
    if (report.outcome === 'cancel-unconfirmed') return this.unconfirmed(report.job);
    if (this.hurried && report.outcome !== 'succeeded') return this.result('pending', 'gave way to a newer package');
    if (report.outcome !== 'succeeded') return await this.goBack(jobProblem(report), report.job);
    if (stopped) return await this.goBack('cancelled when its job had just ended', report.job);
    if (this.hurried) return this.result('pending', 'gave way to a newer package before it was verified');
    return await this.judgeDeployment(report.job);
  }

  /** The job has succeeded: now the cell itself is asked, and its health watched. */
  private async judgeDeployment(job: JobFacts): Promise<CellResult> {
    const { policy } = this.input;
    const withPdm = policy.postDeployMigrations === 'with-deploy';
    this.show('verifying');
    const verdict = this.seen(await this.health.verify(this.target(), withPdm, job));
    this.wasCancelled = verdict?.verified !== false && this.errands.cancelAsked && cancellable('deploy', policy);
    if (this.wasCancelled) return await this.goBack('cancelled while it was verified', job);
    if (this.hurried && !verdict?.verified) return this.result('pending', 'gave way to a newer package');
    if (!verdict?.verified)
      return await this.goBack(`not verified after its job: ${verdict?.problem ?? 'dropped'}`, job);
    const ruling = this.health.ruling();
    if (ruling.does === 'go-back') return await this.goBack(ruling.why, job);
    if (ruling.does === 'stay') return { ...this.result('failed', ruling.why), ...UNKNOWN };
    return this.result('converged', '');
  }

  /** Orders the job; where somebody changed the cell since the pass looked, judges it anew, a few times. */
  private async orderDeployment(): Promise<JobReport | 'already'> {
    let expectedVersion = this.input.expectedVersion;
    for (let look = 1; ; look += 1) {
      const report = await this.errands.order(this.deploymentOrder(expectedVersion, look));
      if (report.outcome !== 'not-ordered' || report.why !== 'changed' || look === MAX_LOOKS_AGAIN) return report;
      const seen = report.seen;
      const verdict = judgeSeen(seen, this.target());
      if (verdict === 'newer') return { ...report, detail: `runs ${seen?.version}, a newer package` };
      if (verdict === 'target' && this.isDone(seen)) return 'already';
      const tooOld = seen && tooFarBehind(seen, this.input.version);
      if (tooOld) return { ...report, detail: tooOld };
      expectedVersion = seen?.version ?? null;
    }
  }

  /** Where PDM goes with the deployment, a cell on the package is only done with its PDM. */
  private isDone(seen: TenantFacts | null): boolean {
    return this.input.policy.postDeployMigrations === 'separate' || hasMigrated(seen, this.input.version);
  }

  /** Somebody else brought it here: nothing of ours to take back, so it converges or is put off. */
  private async verifyUnordered(): Promise<CellResult> {
    this.from = this.input.version;
    const withPdm = this.input.policy.postDeployMigrations === 'with-deploy';
    const verdict = await this.verify(this.target(), withPdm);
    return verdict.verified ? this.result('converged', '') : this.deferred('failed', verdict.problem);
  }

  private deploymentOrder(expectedVersion: string | null, look: number): JobOrder {
    const { policy, version, chartVersion } = this.input;
    return {
      ...this.orderBase('configure', version, look),
      chartVersion,
      expectedVersion,
      scope: policy.scope,
      postDeployMigrations: policy.postDeployMigrations === 'with-deploy' ? 'include' : 'skip',
      requireReady: !policy.deployToUnhealthy,
      ...this.fence(),
    };
  }

  private notDeployed(report: Extract<JobReport, { outcome: 'not-ordered' }>): CellResult {
    if (report.seen) this.now = report.seen.version;
    this.wasCancelled = report.why === 'cancelled';
    if (this.wasCancelled) return this.result('pending', 'cancelled before its job was ordered');
    if (report.why === 'closed') return this.tooLate(report.detail);
    if (report.why === 'busy') return this.deferred('busy', report.detail);
    if (report.why === 'silent') return this.deferred('unreachable', report.detail);
    if (report.why === 'not-ready') return this.deferred('failed', `unhealthy before its deployment: ${report.detail}`);
    return this.result('failed', `not deployed: ${report.detail}`);
  }

  /**
   * Takes the cell back to what it ran before, while the rule of return says that this needs no downtime or the
   * policy allows it, and verifies that. A job that never started changed nothing and needs no rollback.
   */
  private async goBack(why: string, job: JobFacts): Promise<CellResult> {
    const { policy } = this.input;
    // `never` is about failures: what a person or a brake cancelled goes back all the same.
    if (policy.autoRollback === 'never' && !this.errands.cancelAsked) {
      return this.result('failed', `${why}; autoRollback is never`);
    }
    this.show('rolling-back', why);
    const facts = await this.errands.look();
    this.now = facts?.version ?? null;
    const target = targetBefore(job, facts, this.target());
    if (target === null) return this.result('failed', `${why}; what it ran before is unknown`);
    if (job.startedAt === null && facts?.version === target.version) return await this.verifyBack(target, why);
    return await this.rollBack(target, facts, why);
  }

  private async rollBack(target: Target, facts: TenantFacts | null, why: string): Promise<CellResult> {
    const report = this.whyItStays(target, facts, why) ?? (await this.orderRollback(target, facts, why));
    if ('state' in report) return report;
    if (report.outcome !== 'succeeded') return this.rollbackFailed(`${why}; ${rollbackProblem(report)}`, report);
    this.remember({ ...report.job, fromVersion: this.from });
    return await this.verifyBack(target, why);
  }

  /** How it ends where nothing may be ordered; null: it may go back. */
  private whyItStays(target: Target, facts: TenantFacts | null, why: string): CellResult | null {
    const { purpose, version, policy, back } = this.input;
    const runs = facts?.version ?? null;
    if (runs !== null && isElsewhere(runs, version, target.version)) {
      this.now = runs;
      if (purpose === 'rollback') return this.result('left', `runs ${runs}`);
      return this.result('failed', `${why}; somebody has brought it to ${runs} meanwhile`);
    }
    const allowed = policy.downtimeRollback === 'allowed' || back?.mayTakeDown === true;
    if (allowed || returnsWithoutDowntime(facts?.migratedVersion ?? null, target.version)) return null;
    const migrated = facts?.migratedVersion ?? 'unknown';
    const reason = `${why}; rollback needs downtime: migrated_version is ${migrated}, it came from ${target.version}`;
    return { ...this.result('failed', reason), needsDowntime: true };
  }

  /**
   * A rollback waits for nothing but another's job on the same cell, and for that only as long as one job may take. What
   * that job did to the cell is judged before the rollback is ordered again.
   */
  private async orderRollback(target: Target, seen: TenantFacts | null, why: string): Promise<JobReport | CellResult> {
    let facts = seen;
    const tries = Math.max(3, Math.ceil(this.input.policy.deployTimeoutMs / RETRY_TROUBLE_MS));
    let failuresLeft = (this.input.back?.tries ?? 1) - 1;
    for (let look = 1; ; look += 1) {
      const report = await this.errands.order({
        ...this.orderBase('rollback', target.version, look),
        chartVersion: target.chartVersion,
        expectedVersion: facts?.version ?? null,
        scope: this.input.policy.scope,
        postDeployMigrations: 'skip',
        requireReady: false,
      });
      if (hasFailed(report) && failuresLeft > 0) {
        failuresLeft -= 1;
        await sleep(RETRY_TROUBLE_MS);
        // A rollback that failed half way may have left either version; AMP installs the target over both.
        facts = await this.errands.look();
      } else {
        if (report.outcome !== 'not-ordered' || look >= tries) return report;
        if (report.why === 'busy') await sleep(RETRY_TROUBLE_MS);
        else if (report.why !== 'changed') return report;
        facts = report.seen?.version ? report.seen : await this.errands.look();
      }
      const stays = this.whyItStays(target, facts, why);
      if (stays) return stays;
    }
  }

  private async verifyBack(target: Target, why: string): Promise<CellResult> {
    const verdict = await this.verify(target, false);
    this.now = verdict.facts.version;
    if (verdict.verified) return this.result('rolled-back', why);
    const isBack = verdict.facts.version === target.version;
    // Where an unhealthy cell may be deployed to, it may be as unhealthy as before once it is back.
    if (isBack && this.input.policy.deployToUnhealthy) return this.result('rolled-back', `${why}; ${verdict.problem}`);
    return this.rollbackFailed(`${why}; rolled back, but ${verdict.problem}`, null);
  }

  private rollbackFailed(reason: string, report: JobReport | null): CellResult {
    if (report && report.outcome !== 'not-ordered') this.jobId = report.job.id;
    const unconfirmed = report?.outcome === 'cancel-unconfirmed';
    return this.result(unconfirmed ? 'cancel-unconfirmed' : 'rollback-failed', reason);
  }

  private unconfirmed(job: JobFacts): CellResult {
    const reason = `AMP did not confirm the cancel of job ${job.id}: it may still be changing the cell`;
    return this.result('cancel-unconfirmed', reason);
  }

  // ── post-deployment migrations ─────────────────────────────────────────────

  private async migrate(): Promise<CellResult> {
    this.show('migrating');
    const { policy, version, chartVersion } = this.input;
    const report = await this.errands.order({
      ...this.orderBase('post_deploy_migrations', version, 1),
      chartVersion,
      expectedVersion: version,
      scope: policy.scope,
      postDeployMigrations: 'include',
      requireReady: true,
      ...this.fence(),
    });
    if (report.outcome === 'not-ordered') return this.notMigrated(report);
    this.remember({ ...report.job, fromVersion: version });
    if (report.outcome !== 'succeeded') return this.result('migration-failed', jobProblem(report));
    const verdict = this.seen(await this.health.verify(this.target(), true, report.job));
    if (!verdict?.verified) return this.result('migration-failed', verdict?.problem ?? 'dropped');
    const ruling = this.health.ruling();
    if (ruling.does === 'converge') return this.result('converged', '');
    // Going back would take the cell down: only a person decides that.
    return { ...this.result('migration-failed', `${ruling.why}; rollback needs downtime`), needsDowntime: true };
  }

  private notMigrated(report: Extract<JobReport, { outcome: 'not-ordered' }>): CellResult {
    if (report.why === 'closed') return this.tooLate(report.detail);
    if (report.why === 'busy') return this.deferred('busy', report.detail);
    if (report.why === 'silent') return this.deferred('unreachable', report.detail);
    if (report.why === 'not-ready') return this.deferred('failed', `unhealthy before its PDM: ${report.detail}`);
    return this.result('failed', `PDM not run: ${report.detail}`);
  }

  // ── taking a package back ──────────────────────────────────────────────────

  private async takeBack(): Promise<CellResult> {
    this.show('rolling-back');
    const { version } = this.input;
    const { facts, stuck } = await this.errands.lookWhenIdle();
    if (!facts?.version) return this.result('failed', 'what it runs is unknown');
    this.from = facts.version;
    this.now = facts.version;
    if (stuck && !stuck.ours) return this.result('failed', `busy: job ${stuck.id} of somebody else does not end`);
    if (!sameVersion(facts.version, version)) return this.result('left', `runs ${facts.version}`);
    if (facts.previousVersion === null || sameVersion(facts.previousVersion, version)) {
      return this.result('failed', `what it ran before ${version} is unknown: AMP remembers ${facts.previousVersion}`);
    }
    const target = { version: facts.previousVersion, chartVersion: facts.previousChartVersion };
    const block = this.input.back?.notTo.find((range) => isBlockedBy(range, target.version));
    if (block)
      return this.result('failed', `it would go back to ${target.version}, which is blocked: ${rangeText(block)}`);
    return await this.rollBack(target, facts, this.input.reason);
  }

  // ── what all of them use ───────────────────────────────────────────────────

  private orderBase(kind: JobKeyParts['kind'] & JobOrder['kind'], version: string, look: number) {
    const { cluster, pass, ring, cell, order, policy, reason } = this.input;
    const base = jobKey({ cluster, pass, cell: cell.id, kind, version, order });
    return {
      cluster,
      ring,
      cell,
      kind,
      version,
      reason,
      // A look again is another order: AMP keeps a key for one body only.
      key: look === 1 ? base : `${base}.${look}`,
      jobTimeoutMs: policy.deployTimeoutMs,
      cancelTimeoutMs: policy.cancelTimeoutMs,
      pollIntervalMs: policy.pollIntervalMs,
    };
  }

  private async verify(target: Target, migrated: boolean): Promise<Verification> {
    if (this.doing !== 'rolling-back') this.show('verifying');
    return this.seen(await this.errands.verify(target, migrated));
  }

  private seen<V extends Verification | null>(verdict: V): V {
    if (verdict === null) return verdict;
    this.now = verdict.facts.version ?? this.now;
    this.chart = verdict.facts.chartVersion;
    return verdict;
  }

  private async smokeTest(): Promise<'passed' | 'failed' | null> {
    const { version, chartVersion, policy } = this.input;
    const report = await this.errands.order({
      ...this.orderBase('smoke_tests', version, 1),
      chartVersion,
      expectedVersion: version,
      scope: policy.scope,
      postDeployMigrations: 'skip',
      requireReady: false,
    });
    if (report.outcome === 'not-ordered') return null;
    return report.outcome === 'succeeded' ? 'passed' : 'failed';
  }

  private target(): Target {
    return { version: this.input.version, chartVersion: this.input.chartVersion };
  }

  private remember(job: JobFacts): void {
    this.jobId = job.id;
    this.health.note(job);
    this.from = job.fromVersion ?? this.from;
    this.now = null;
  }

  private result(state: CellState, reason: string): CellResult {
    const to = state === 'converged' ? this.input.version : this.now;
    return {
      cell: this.input.cell.id,
      version: this.input.version,
      purpose: this.input.purpose,
      state,
      reason,
      jobId: this.jobId,
      from: this.from,
      to,
      ...(state === 'converged' ? { chartVersion: this.chart } : {}),
      ...this.health.record(),
      deferred: false,
      needsDowntime: false,
      cancelled: this.wasCancelled,
    };
  }

  private deferred(state: CellState, reason: string): CellResult {
    return { ...this.result(state, reason), deferred: true };
  }

  private tooLate(reason: string): CellResult {
    return { ...this.result('pending', reason), closed: true };
  }

  /** What is ordered late, because AMP or the cell's health had to be waited for, must not begin when the ring is closed. */
  private fence(): Pick<JobOrder, 'notAfterMs'> {
    const { notAfterMs } = this.input;
    return notAfterMs === undefined ? {} : { notAfterMs };
  }

  /** Its pass raises the same, where it is there to hear how this ended. */
  private async alert({ state, reason, jobId, health }: CellResult): Promise<void> {
    const { cluster, ring, cell, version, soft = false, perimeter = false } = this.input;
    const evidence = health?.evidence.filter(({ verdict }) => verdict !== 'healthy').slice(0, FINDINGS) ?? [];
    const ended = { cell: cell.id, state, reason, ...(jobId === null ? {} : { jobId }), evidence };
    const alert = alertOfCell({ cluster, ring, version, soft, perimeter }, ended);
    if (alert) await raiseAlert(alert).catch(() => undefined);
  }

  private show(state: CellState, detail = ''): void {
    this.doing = state;
    const { cell, version, purpose, ring } = this.input;
    const job = this.jobId === null ? '' : `\n\nAMP job \`${this.jobId}\``;
    setCurrentDetails(`**${cell.id}** (ring ${ring}): **${state}**, ${purpose} of \`${version}\`. ${detail}${job}`);
  }
}

const hasFailed = ({ outcome }: JobReport): boolean => outcome === 'failed' || outcome === 'timed-out';

function jobProblem(report: Exclude<JobReport, { outcome: 'not-ordered' }>): string {
  const { id, error } = report.job;
  if (report.outcome === 'timed-out') return `job ${id} ran past its time`;
  if (report.outcome === 'canceled') return `job ${id} was cancelled`;
  return `job ${id} failed${error ? `: ${error}` : ''}`;
}

function rollbackProblem(report: JobReport): string {
  return `the rollback did not work: ${report.outcome === 'not-ordered' ? report.detail : jobProblem(report)}`;
}
