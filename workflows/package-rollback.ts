import {
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  setCurrentDetails,
  setDefaultSignalHandler,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { Survey } from '../src/contract/activities.js';
import { FAILURE } from '../src/contract/failures.js';
import { CLUSTER_WORKFLOW_ID, packageRollbackId, packageRolloutId } from '../src/contract/ids.js';
import * as messages from '../src/contract/messages.js';
import type { Problem } from '../src/contract/problem.js';
import type { LeftOnPackage, RollbackAnswer } from '../src/contract/returning.js';
import { CELLS_STATE, CELLS_VERSION } from '../src/contract/search-attributes.js';
import type { PackageRollbackStatus } from '../src/contract/status.js';
import { alertOfLeft } from '../src/domain/alerts/rollback.js';
import { COORDINATOR } from '../src/domain/brake.js';
import { markdownOfRollout } from '../src/domain/details.js';
import { decisionOfRollbackEnd } from '../src/domain/ledger/decisions.js';
import { OUST_AFTER_MS } from '../src/domain/ousting.js';
import {
  leftOf,
  nextRollbackStep,
  noteAnswer,
  noteSurvey,
  noteTrouble,
  type RollbackState,
} from '../src/domain/rollback/state.js';
import { dropSkip, noteSkip, whyNoSkip } from '../src/domain/rollout/skips.js';
import { tracksOf, trim } from '../src/domain/rollout/state.js';
import { CLUSTER_ANSWERS_MS } from './package/cluster-link.js';
import { Passes } from './package/passes.js';
import { Alone } from './rollback/alone.js';
import { RollbackContext } from './rollback/context.js';
import { raiseAlert, surveyPackage } from './shared/activities.js';
import { whenCancelled } from './shared/cancelled.js';
import { handle, handleOurs } from './shared/handle.js';
import * as signals from './shared/signals.js';
import { troubleOf, troublePauseMs } from './shared/trouble.js';
import { problemsOf, rejectedBecause, validated } from './shared/validation.js';

export interface PackageRollbackInput extends messages.PackageRollbackArgument {
  /** What an earlier run carried over. */
  state?: RollbackState;
  /** Events after which it continues as new; only tests set it. */
  continueAsNewAfter?: number;
  /** How long it waits for a pass to make room where no cluster answers; only tests set it. */
  oustAfterMs?: number;
}

const CONTINUE_AFTER_EVENTS = 6_000;
const CLUSTER_AGAIN_MS = 10_000;

/**
 * Takes a package back from every cell that runs it, to what that cell ran before: outermost ring first, past gates,
 * windows, approvals and brakes. Ends when each cell went back, or is listed with the reason why not.
 */
export async function PackageRollback(input: PackageRollbackInput): Promise<PackageRollbackStatus> {
  const run = new RollbackRun(input, orderOf(input));
  whenCancelled(() => run.cancelledByHand());
  return await CancellationScope.nonCancellable(() => run.toTheEnd());
}

/** Reads the argument; fails the run where it is none, or not for this workflow. */
function orderOf(input: unknown): messages.PackageRollbackArgument {
  const { state: _s, continueAsNewAfter: _c, oustAfterMs: _o, ...argument } = (input ?? {}) as PackageRollbackInput;
  const parsed = messages.packageRollbackArgument().safeParse(argument);
  if (!parsed.success) throw ApplicationFailure.nonRetryable(parsed.error.message, FAILURE.badArgument);
  const { workflowId } = workflowInfo();
  if (workflowId !== packageRollbackId(parsed.data.version)) {
    const expected = packageRollbackId(parsed.data.version);
    throw ApplicationFailure.nonRetryable(`its id is ${workflowId}; expected ${expected}`, FAILURE.badArgument);
  }
  return parsed.data;
}

class RollbackRun {
  private readonly ctx: RollbackContext;
  private readonly passes: Passes;
  private readonly alone: Alone;
  private readonly oustAfterMs: number;
  private readonly knownCells = new Map<string, boolean>();
  private shownState = '';

  constructor(
    private readonly input: PackageRollbackInput,
    private readonly order: messages.PackageRollbackArgument,
  ) {
    this.oustAfterMs = input.oustAfterMs ?? OUST_AFTER_MS;
    this.ctx = new RollbackContext(order, input.state);
    this.passes = new Passes(this.ctx, this.oustAfterMs);
    this.alone = new Alone(this.ctx, this.passes, this.oustAfterMs);
    upsertSearchAttributes([{ key: CELLS_VERSION, value: order.version }]);
    this.listen();
  }

  async toTheEnd(): Promise<PackageRollbackStatus> {
    while (!this.ctx.state.end) await this.goOn();
    return await this.finish();
  }

  private async goOn(): Promise<void> {
    const { ctx } = this;
    ctx.woken = false;
    this.show();
    const step = nextRollbackStep(ctx.rollback, Date.now(), this.oustAfterMs);
    if (step.do === 'announce') return await this.announce();
    if (step.do === 'survey') return await this.survey();
    if (step.do === 'end') return ctx.end(step.state, null);
    if (step.do === 'return') {
      this.passes.drive(0);
      this.alone.keep();
    }
    this.show();
    if (this.mayContinueAsNew()) await this.continueAsNew();
    await condition(() => ctx.woken || this.mayContinueAsNew());
  }

  // ── before the first ring ──────────────────────────────────────────────────

  /**
   * The cluster blocks the package, and says what it knows; then its rollout ends. Who does not answer holds nothing up, and
   * is heard later.
   */
  private async announce(): Promise<void> {
    const { ctx } = this;
    const { rollback } = ctx;
    const { by, reason, url, version, dryRun } = this.order;
    ctx.record(
      'rollback',
      { by, reason, url },
      dryRun ? 'asked what it would do' : 'every cell that runs it is looked at',
    );
    await this.ask();
    await condition(() => rollback.word !== null || rollback.givenUp !== null, CLUSTER_ANSWERS_MS);
    // What the cluster has accepted its rollout is told, and be it given up in the same moment.
    if (rollback.givenUp && rollback.word !== 'accepted') return;
    rollback.stage = 'survey';
    if (dryRun) return;
    const told = { by, reason, url: url ?? null };
    await ctx.mail.send(packageRolloutId(version), signals.takenBackSignal, told);
  }

  private async ask(): Promise<void> {
    const { version, by, reason, url = null, ring = null, block = true, dryRun = false } = this.order;
    const run = workflowInfo().firstExecutionRunId;
    const message = { version, run, by, reason, url, ring, block, dryRun };
    await this.ctx.mail.send(CLUSTER_WORKFLOW_ID, signals.askRollbackSignal, message);
  }

  /** Looks at every cell, whatever is remembered of it. */
  private async survey(): Promise<void> {
    const { ctx } = this;
    const { rollback } = ctx;
    const { version, ring = null, allowDowntime = [], toBlocked = false, dryRun } = this.order;
    for (let tries = 1; rollback.givenUp === null; tries += 1) {
      ctx.woken = false;
      try {
        const survey = await surveyPackage({ version, ring, allowDowntime, toBlocked });
        if (rollback.plan === null) this.nameUnknown(survey);
        noteSurvey(rollback, survey);
        if (dryRun && rollback.givenUp === null) ctx.end('waiting', null);
        return;
      } catch (error) {
        const trouble = troubleOf(error);
        if (!trouble) throw error;
        noteTrouble(rollback, trouble, Date.now());
        this.show();
        // A cluster that is slow answers again without a word to anybody.
        const pauseMs = trouble.kind === 'cluster' ? CLUSTER_AGAIN_MS : troublePauseMs(tries);
        await condition(() => ctx.woken || rollback.givenUp !== null, pauseMs);
        if (this.mayContinueAsNew()) await this.continueAsNew();
      }
    }
  }

  /** What it does to the cells that there are it does all the same. */
  private nameUnknown({ unknownCells: value }: Survey): void {
    if (value === undefined) return;
    const { by, ring } = this.order;
    const expected = ring === undefined ? 'cells of the topology' : `cells of ring ${ring}`;
    this.ctx.fileRejection('rollback', { path: 'allowDowntime', value, expected }, by);
  }

  // ── the end ────────────────────────────────────────────────────────────────

  private async finish(): Promise<PackageRollbackStatus> {
    const { ctx } = this;
    ctx.state.finishedAtMs = Date.now();
    if (!this.order.dryRun) {
      const { version } = this.order;
      const left = leftOf(ctx.rollback);
      ctx.enter(decisionOfRollbackEnd(ctx.seen(), left, ctx.rollback.givenUp, Date.now()));
      const ended = { version, run: workflowInfo().firstExecutionRunId, left };
      const isThere = await ctx.mail.send(CLUSTER_WORKFLOW_ID, signals.rollbackEndedSignal, ended);
      // Else the cluster tells people of it, for as long as it lasts; what it refused it knows nothing of.
      const isKnown = isThere && ctx.rollback.word !== 'refused';
      if (!isKnown && left.total > 0) await this.tellOfLeft(left);
    }
    await condition(() => this.isQuiet() && ctx.ledger.isEmpty);
    this.show();
    return ctx.seen();
  }

  private async tellOfLeft(left: LeftOnPackage): Promise<void> {
    const alert = alertOfLeft(this.ctx.state.cluster ?? '', this.order.version, left, Date.now());
    await raiseAlert(alert).catch(() => undefined);
  }

  private isQuiet(): boolean {
    return this.ctx.pending === 0 && this.ctx.mail.onItsWay === 0 && allHandlersFinished();
  }

  private show(): void {
    trim(this.ctx.state);
    const view = this.ctx.seen();
    setCurrentDetails(markdownOfRollout(view));
    if (view.state === this.shownState) return;
    this.shownState = view.state;
    upsertSearchAttributes([{ key: CELLS_STATE, value: view.state }]);
  }

  cancelledByHand(): void {
    this.giveUp({ by: 'temporal cancel', reason: 'cancelled through Temporal' });
  }

  // ── acts ───────────────────────────────────────────────────────────────────

  private giveUp(message: messages.AbortRollback): void {
    const { ctx } = this;
    if (ctx.state.end || ctx.rollback.givenUp) return;
    const { by, reason } = message;
    ctx.rollback.givenUp = { by, reason };
    ctx.record('abort', message, 'no further cell goes back');
    this.passes.giveUp(by, reason);
    ctx.wake();
  }

  /** Counts at once; whether there is such a cell only the cluster knows, and one that is away holds no skip back. */
  private async skipCell(message: messages.SkipCell): Promise<void> {
    const { ctx } = this;
    const { cell } = message;
    const skip = noteSkip(ctx.state, message);
    for (const track of tracksOf(ctx.state)) ctx.tellOnceThere(track, signals.skipInPassSignal, skip);
    ctx.wake();
    if (!(await this.mayBeACell(cell))) {
      dropSkip(ctx.state, cell);
      throw rejectedBecause('cell', cell, 'a cell of the topology');
    }
    ctx.record('skipCell', message, `${cell} stays on the package`, JSON.stringify({ cell }));
    ctx.wake();
  }

  private async mayBeACell(cell: string): Promise<boolean> {
    const asked = { version: this.order.version, cell, rollback: true as const };
    this.knownCells.delete(cell);
    const isThere = await this.ctx.mail.send(CLUSTER_WORKFLOW_ID, signals.askCellSignal, asked);
    if (isThere) await condition(() => this.knownCells.has(cell), CLUSTER_ANSWERS_MS);
    return this.knownCells.get(cell) ?? true;
  }

  private judgeSkip(payload: unknown): void {
    const { cell } = validated(messages.skipCell, payload);
    this.mustGoOn();
    const problem = whyNoSkip(this.ctx.state, cell);
    if (problem) throw rejectedBecause('cell', cell, problem);
  }

  private judgeAbort(payload: unknown): void {
    validated(messages.abortRollback, payload);
    this.mustGoOn();
  }

  private mustGoOn(): void {
    const { end, version } = this.ctx.state;
    if (end) throw rejectedBecause('version', version, `a rollback that goes on; this one is ${end.state}`);
  }

  // ── messages ───────────────────────────────────────────────────────────────

  private listen(): void {
    const { ctx } = this;
    this.listenToOurs();
    this.on(
      signals.skipRollbackCellUpdate,
      'Leaves a cell on the package: {cell, by, reason, url?}.',
      (m) => this.judgeSkip(m),
      (m) => this.skipCell(validated(messages.skipCell, m)),
    );
    this.on(
      signals.abortRollbackUpdate,
      'No further cell goes back; cells in flight settle: {by, reason, url?}.',
      (m) => this.judgeAbort(m),
      (m) => this.giveUp(validated(messages.abortRollback, m)),
    );
    setHandler(signals.rollbackStatusQuery, () => ctx.seen(), {
      description: 'Which cells went back, which did not and why.',
    });
    setDefaultSignalHandler((name, ...args) => {
      const expected = 'a signal of the contract: skipCell, abort';
      ctx.fileRejection(name, { path: '', value: JSON.stringify(args)?.slice(0, 200) ?? '', expected });
    });
  }

  private listenToOurs(): void {
    const { ctx, passes } = this;
    const file = (message: string, problem: Problem) => ctx.fileRejection(message, problem);
    handleOurs(signals.rollbackAnswerSignal, (m) => this.takeAnswer(m), file);
    const hear = (m: Parameters<Passes['takeAnswer']>[0]) => {
      this.alone.hear();
      passes.takeAnswer(m);
    };
    handleOurs(signals.ringAnswerSignal, hear, file);
    handleOurs(signals.ringReportSignal, (m) => passes.takeReport(m), file);
    handleOurs(signals.cellAnswerSignal, ({ cell, isKnown }) => this.knownCells.set(cell, isKnown), file);
    handleOurs(signals.passLostSignal, (m) => passes.passLost(m), file);
    handleOurs(signals.clusterStartedSignal, () => this.clusterStarted(), file);
  }

  private takeAnswer(answer: RollbackAnswer): void {
    const { ctx } = this;
    if (answer.run !== workflowInfo().firstExecutionRunId) return;
    ctx.state.cluster = answer.cluster;
    ctx.ledger.flush();
    this.alone.hear();
    const refused = noteAnswer(ctx.rollback, answer);
    if (refused) {
      ctx.fileRejection('rollback', refused, this.order.by);
      this.passes.giveUp(COORDINATOR, refused.expected);
    }
    ctx.wake();
  }

  /** The cluster began anew, without its memory: it is told again what goes back, and from which rings. */
  private async clusterStarted(): Promise<void> {
    if (this.order.dryRun) return;
    await this.ask();
    this.passes.tellAll();
  }

  /** An act that is told as an update, which answers the status after it, or as a signal; what makes no sense is filed. */
  private on(
    update: typeof signals.abortRollbackUpdate,
    description: string,
    validator: (m: unknown) => void,
    act: (m: unknown) => void | Promise<void>,
  ): void {
    const file = (m: unknown, error: unknown): void => {
      const by = (m as { by?: unknown } | undefined)?.by;
      for (const problem of problemsOf(error)) {
        this.ctx.fileRejection(update.name, problem, typeof by === 'string' ? by : undefined);
      }
    };
    const perform = async (m: unknown): Promise<PackageRollbackStatus> => {
      try {
        await act(m);
      } catch (error) {
        file(m, error);
        throw error;
      }
      return this.ctx.seen();
    };
    handle(update, perform, { description, validator });
    const take = async (m: unknown): Promise<void> => {
      try {
        validator(m);
        await act(m);
      } catch (error) {
        file(m, error);
      }
    };
    handle(update.name === 'abort' ? signals.abortSignal : signals.skipCellSignal, take, { description });
  }

  // ── continuing as new ──────────────────────────────────────────────────────

  /** What ends a pass that nobody granted only this run hears. */
  private mayContinueAsNew(): boolean {
    const { continueAsNewSuggested, historyLength } = workflowInfo();
    const isLong = continueAsNewSuggested || historyLength > (this.input.continueAsNewAfter ?? CONTINUE_AFTER_EVENTS);
    return isLong && !this.ctx.state.end && this.isQuiet();
  }

  private async continueAsNew(): Promise<never> {
    return await continueAsNew<typeof PackageRollback>({ ...this.input, state: this.ctx.rollback });
  }
}
