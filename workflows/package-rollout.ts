import {
  type ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  setDefaultSignalHandler,
  setHandler,
  sleep,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { CLUSTER_WORKFLOW_ID } from '../src/contract/ids.js';
import type { Registered, RingReport } from '../src/contract/internal.js';
import * as messages from '../src/contract/messages.js';
import type { Problem } from '../src/contract/problem.js';
import { CELLS_VERSION } from '../src/contract/search-attributes.js';
import type { BrakeResult, GraduateResult, PackageRolloutStatus, RingResult } from '../src/contract/status.js';
import type { z } from '../src/contract/zod.js';
import { isCalendarWait } from '../src/domain/calendar/gate.js';
import { OUTCOMES, outcomeOfCall } from '../src/domain/rollout/outcomes.js';
import { noteSkip } from '../src/domain/rollout/skips.js';
import { noteAbort, ring0Verdict, tracksOf } from '../src/domain/rollout/state.js';
import { noteOverride } from '../src/domain/rollout/waits.js';
import { ACTS, detailOf } from './package/acts.js';
import { argumentOf, type PackageRolloutInput } from './package/argument.js';
import { brakeAfterMigration, brakeAlerts, ClusterHold, packageBrakes } from './package/brakes.js';
import { Callers } from './package/callers.js';
import { CLUSTER_ANSWERS_MS, ClusterLink } from './package/cluster-link.js';
import { PackageContext, type Person } from './package/context.js';
import { Judge } from './package/judge.js';
import { Passes } from './package/passes.js';
import { Shown } from './package/shown.js';
import { TakeOver } from './package/take-over.js';
import { takeBack } from './package/taken-back.js';
import { AlertDesk } from './shared/alert-desk.js';
import type { BrakeDesk } from './shared/brake-desk.js';
import { whenCancelled } from './shared/cancelled.js';
import { handle, handleOurs } from './shared/handle.js';
import * as signals from './shared/signals.js';
import { problemsOf, rejected, validated } from './shared/validation.js';

const NOTHING_ACCEPTED_MS = 60_000;
const CONTINUE_AFTER_EVENTS = 6_000;

/**
 * The life of one package: rings inside the perimeter on command; then, once it has graduated, ring after ring by
 * itself, the next one starting when the last has baked. Ends when the last ring's PDM has run, or otherwise.
 */
export async function PackageRollout(input: PackageRolloutInput): Promise<PackageRolloutStatus> {
  const { version, chartVersion } = argumentOf(input);
  const run = new PackageRun(input, version, chartVersion);
  whenCancelled(() => run.cancelledByHand());
  return await CancellationScope.nonCancellable(() => run.toTheEnd());
}

class PackageRun {
  private readonly ctx: PackageContext;
  private readonly link: ClusterLink;
  private readonly passes: Passes;
  private readonly callers: Callers;
  private readonly brakes: BrakeDesk;
  private readonly clusterHold: ClusterHold;
  private readonly takeOver: TakeOver;
  private readonly alerts: AlertDesk;
  private readonly judge: Judge;
  private graduationTimer = false;
  /** Updates that were not answered yet. */
  private asking = 0;
  private readonly knownCells = new Map<string, boolean>();
  private readonly shown: Shown;

  constructor(
    private readonly input: PackageRolloutInput,
    version: string,
    chartVersion: string | null,
  ) {
    this.ctx = new PackageContext(version, chartVersion, input.state);
    this.shown = new Shown(this.ctx);
    this.link = new ClusterLink(this.ctx);
    this.passes = new Passes(this.ctx, input.oustAfterMs);
    this.callers = new Callers(this.ctx, this.passes);
    this.clusterHold = new ClusterHold(this.ctx, () => this.knowsItsPasses());
    this.brakes = packageBrakes(this.ctx, () => this.knowsItsPasses(), this.clusterHold);
    this.takeOver = new TakeOver(this.ctx, this.brakes);
    this.alerts = new AlertDesk(
      () => (this.ctx.state.alerts ??= {}),
      () => this.ctx.wake(),
    );
    this.judge = new Judge(this.ctx, this.callers, this.brakes);
    upsertSearchAttributes([{ key: CELLS_VERSION, value: version }]);
    this.listen();
  }

  async toTheEnd(): Promise<PackageRolloutStatus> {
    void this.endWhereNothingIsAccepted();
    void this.link.registerUntilAnswered();
    while (!this.isOver()) await this.goOn();
    return await this.finish();
  }

  /** Does what is to be done now, and waits until something happens. */
  private async goOn(): Promise<void> {
    this.ctx.woken = false;
    this.brakes.expire();
    this.alerts.keep(brakeAlerts(this.ctx, this.brakes));
    this.expireGraduation();
    this.takeOver.take();
    if (this.isKnown()) this.passes.drive(this.callers.waiting);
    this.shown.show();
    if (this.mayContinueAsNew()) await this.continueAsNew();
    if (!this.isOver()) await condition(() => this.ctx.woken || this.mayContinueAsNew());
  }

  /** The cluster knows of this rollout: what it would end as before that, nobody would remember. */
  private isKnown(): boolean {
    const { registered, end } = this.ctx.state;
    return (registered && this.takeOver.isDone) || end !== null;
  }

  /** An earlier run may have left passes, of which the cluster knows. Where that does not answer there are none. */
  private knowsItsPasses(): boolean {
    return this.isKnown() || this.link.unanswered;
  }

  private isOver(): boolean {
    const { end, next, tracks } = this.ctx.state;
    return end !== null && next === null && Object.values(tracks).every((t) => t.stage === 'over');
  }

  private async finish(): Promise<PackageRolloutStatus> {
    const { state } = this.ctx;
    state.finishedAtMs = state.endedBeforeMs ?? Date.now();
    await this.link.finish();
    await this.alerts.finish([]);
    await condition(() => this.isQuiet() && this.ctx.ledger.isEmpty);
    this.shown.show();
    return this.ctx.view();
  }

  /** Nothing is under way that only this run can hear, and nothing that it said is still to be carried out. */
  private isQuiet(): boolean {
    return this.ctx.pending === 0 && this.ctx.mail.onItsWay === 0 && allHandlersFinished();
  }

  cancelledByHand(): void {
    const act = { by: 'temporal cancel', reason: 'cancelled through Temporal' };
    this.abort(act);
    this.ctx.record('abort', act, OUTCOMES.abort(act));
  }

  // ── clocks ─────────────────────────────────────────────────────────────────

  private async endWhereNothingIsAccepted(): Promise<void> {
    const { state } = this.ctx;
    if (state.accepted) return;
    await sleep(NOTHING_ACCEPTED_MS);
    await condition(() => state.accepted || this.asking === 0);
    if (!state.accepted) this.ctx.end('aborted', null);
  }

  private expireGraduation(): void {
    const { registered, graduation, startedAtMs, graduationTimeoutMs, end, abort } = this.ctx.state;
    // An abort brings its own end.
    if (!registered || graduation || end || abort) return;
    const leftMs = startedAtMs + graduationTimeoutMs - Date.now();
    if (leftMs <= 0) return this.ctx.end('expired', null);
    if (this.graduationTimer) return;
    this.graduationTimer = true;
    void sleep(leftMs).then(() => {
      this.graduationTimer = false;
      this.ctx.wake();
    });
  }

  // ── brakes ─────────────────────────────────────────────────────────────────

  private engage(payload: unknown) {
    const { mode = 'finish-cells', ...message } = validated(messages.engageBrake, payload);
    return this.brakes.engage({ ...message, mode, scope: 'package' });
  }

  private async engageBrake(payload: unknown): Promise<BrakeResult> {
    return await this.brakes.confirmed(this.engage(payload));
  }

  // ── acts ───────────────────────────────────────────────────────────────────

  private async deployRing(payload: unknown): Promise<RingResult> {
    const message = validated(messages.deployRing, payload);
    const outcome = outcomeOfCall(this.ctx.state, message.ring, Date.now());
    this.ctx.record('deployRing', message, outcome, message.fixes);
    if (message.fixes !== undefined) {
      const { state } = this.ctx;
      state.fixes = { ...state.fixes, [message.ring]: message.fixes };
    }
    return await this.callers.drive('deploy', message.ring);
  }

  private async migrateRing(payload: unknown): Promise<RingResult> {
    const message = validated(messages.migrateRing, payload);
    this.ctx.record('migrateRing', message, outcomeOfCall(this.ctx.state, message.ring, Date.now()));
    return await this.callers.drive('migrate', message.ring);
  }

  private recordGraduation(payload: unknown): void {
    const { state } = this.ctx;
    state.named += 1;
    this.link.graduate(validated(messages.graduate, payload), `${workflowInfo().firstExecutionRunId}/${state.named}`);
  }

  private async graduate(payload: unknown): Promise<GraduateResult> {
    this.recordGraduation(payload);
    const { ctx } = this;
    await condition(() => ctx.state.graduation?.accepted !== null || ctx.state.end !== null, CLUSTER_ANSWERS_MS);
    const { end, graduation, version, endedBeforeMs } = ctx.state;
    const isAccepted = graduation?.accepted === true;
    if (ctx.refusal && ctx.refusal.path !== 'ring' && (end || !isAccepted)) throw rejected([ctx.refusal]);
    const isLate = end && end.state !== 'converged' && (endedBeforeMs !== null || !isAccepted);
    if (isLate) throw this.refuseEnded('graduate', version, end.state);
    return { ring0: ring0Verdict(ctx.state), ...(graduation?.accepted === null ? { accepted: false } : {}) };
  }

  private recordCheck({ ring, name, outcome, by }: messages.RecordCheck): void {
    const { state } = this.ctx;
    const at = new Date(Date.now()).toISOString();
    state.checks.push({ ring, name, outcome, by, at });
    const track = state.tracks[ring];
    if (track) this.ctx.tellOnceThere(track, signals.checkInPassSignal, { name, outcome, by });
    if (outcome === 'failed' && !track?.soft) {
      this.ctx.fail({ ring, reason: `check ${name} failed, says ${by}` });
    }
  }

  private override({ wait, ring, by, reason }: messages.Override): void {
    if (wait === 'approval') return this.passes.approve(ring);
    if (isCalendarWait(wait)) return this.passes.waive(wait, ring, { by, reason });
    noteOverride(this.ctx.state, ring, wait);
    for (const check of this.ctx.state.checks) {
      if (wait === 'check' && check.ring === ring && check.outcome === 'failed') check.overriddenBy ??= by;
    }
    const track = this.ctx.state.tracks[ring];
    if (track) this.ctx.tellOnceThere(track, signals.overrideInPassSignal, { wait, by, reason });
  }

  private retryRing({ ring, cells, by }: messages.RetryRing): void {
    const track = this.ctx.state.tracks[ring];
    if (!track) return;
    track.settled = null;
    if (track.stage === 'running') {
      track.retries = (track.retries ?? 0) + 1;
      void this.ctx.tellPass(track, signals.retryPassSignal, { by, cells: cells ?? null });
    } else if (track.stage === 'over') {
      this.passes.retryAnew(track);
    }
  }

  /** Whether there is such a cell only the cluster knows; one that is away holds no skip back. */
  private async skipCell(payload: unknown): Promise<PackageRolloutStatus> {
    const message = validated(messages.skipCell, payload);
    const { cell } = message;
    const { version } = this.ctx.state;
    this.knownCells.delete(cell);
    await this.ctx.mail.send(CLUSTER_WORKFLOW_ID, signals.askCellSignal, { version, cell });
    await condition(() => this.knownCells.has(cell), CLUSTER_ANSWERS_MS);
    if (this.knownCells.get(cell) === false) {
      throw this.refused('skipCell', { path: 'cell', value: cell, expected: 'a cell of the topology' });
    }
    this.leaveOut(message);
    this.ctx.record('skipCell', message, OUTCOMES.skipCell(message), detailOf(message));
    return this.ctx.view();
  }

  private leaveOut(message: messages.SkipCell): void {
    const skip = noteSkip(this.ctx.state, message);
    for (const track of tracksOf(this.ctx.state)) this.ctx.tellOnceThere(track, signals.skipInPassSignal, skip);
    this.ctx.wake();
  }

  private abort({ by, reason, rollback = false }: messages.Abort): void {
    if (this.ctx.state.end) return;
    noteAbort(this.ctx.state, { by, reason, rollback }, Date.now());
    void this.ctx.detached(() => this.link.tellAbort());
    this.ctx.wake();
  }

  private recordRestart(payload: unknown): void {
    const message = validated(messages.restart, payload);
    this.ctx.state.reopened = true;
    this.ctx.record('restart', message, OUTCOMES.restart());
    void this.ctx.detached(() => this.link.register());
  }

  /** Whether an ended rollout may be opened again only the cluster knows. */
  private async restart(payload: unknown): Promise<PackageRolloutStatus> {
    this.recordRestart(payload);
    const { state, view } = this.ctx;
    await condition(() => state.registered || state.end !== null, CLUSTER_ANSWERS_MS);
    if (!state.end) return view();
    const expected = `an aborted, rolled-back or expired rollout; this one is ${state.end.state}`;
    throw this.refused('restart', { path: 'version', value: state.version, expected });
  }

  private refuseEnded(message: string, version: string, state: string): ApplicationFailure {
    const expected = `a rollout that goes on; this one is ${state}: cellctl restart ${version} --reason "…"`;
    return this.refused(message, { path: 'version', value: version, expected });
  }

  /** What was accepted and then turned out wrong is filed, and fails. */
  private refused(message: string, problem: Problem): ApplicationFailure {
    this.ctx.fileRejection(message, problem);
    return rejected([problem]);
  }

  // ── messages ───────────────────────────────────────────────────────────────

  private listen(): void {
    this.listenToOurs();
    handle(signals.deployRingUpdate, (m) => this.accepted(() => this.deployRing(m)), {
      description: 'Deploys a ring inside the perimeter: {ring, by, fixes?}. Answers when its pass is done.',
      validator: (m) => this.judge.drive(messages.deployRing, m),
    });
    handle(signals.migrateRingUpdate, (m) => this.accepted(() => this.migrateRing(m)), {
      description: 'Runs PDM on a ring inside the perimeter: {ring, by}.',
      validator: (m) => this.judge.drive(messages.migrateRing, m),
    });
    this.listenToGraduation();
    this.listenToBrake();
    this.listenToActs();
    this.listenToRestart();
    this.listenToSkip();
    setHandler(signals.rolloutStatusQuery, () => this.ctx.view(), {
      description: 'Where this package is, and why it waits.',
    });
    setDefaultSignalHandler((name, ...args) => {
      const expected = 'a signal of the contract, such as graduate, engageBrake, abort';
      this.ctx.fileRejection(name, { path: '', value: JSON.stringify(args)?.slice(0, 200) ?? '', expected });
    });
  }

  private listenToOurs(): void {
    const file = (message: string, problem: Problem) => this.ctx.fileRejection(message, problem);
    handleOurs(signals.registeredSignal, (m) => this.registered(m), file);
    handleOurs(signals.graduationAnswerSignal, (m) => this.link.takeGraduationAnswer(m), file);
    handleOurs(signals.ringAnswerSignal, (m) => this.passes.takeAnswer(m), file);
    handleOurs(signals.ringReportSignal, (m) => this.reported(m), file);
    handleOurs(signals.brakesHoldSignal, (m) => this.brakes.noteHold(m), file);
    handleOurs(signals.packageBrakesKnownSignal, (m) => this.clusterHold.note(m), file);
    handleOurs(signals.cellAnswerSignal, ({ cell, isKnown }) => this.knownCells.set(cell, isKnown), file);
    handleOurs(signals.ringKnownSignal, (m) => this.callers.takeRingKnown(m), file);
    handleOurs(signals.supersededSignal, ({ by }) => this.ctx.supersede(by), file);
    handleOurs(signals.passLostSignal, (m) => this.passes.passLost(m), file);
    handleOurs(signals.takenBackSignal, (m) => takeBack(this.ctx, m), file);
    handleOurs(signals.clusterStartedSignal, () => this.clusterStarted(), file);
  }

  private registered(message: Registered): void {
    const isFirst = !this.ctx.state.registered;
    this.link.takeRegistered(message);
    if (message.braked) this.takeOver.takeEarlier(message.braked, isFirst);
    this.takeOver.offer(message.holds);
  }

  private reported(report: RingReport): void {
    this.takeOver.noteReport(report);
    this.passes.takeReport(report);
    if (report.needsDowntime !== null)
      brakeAfterMigration(this.ctx.state, this.brakes, report.view.ring, report.needsDowntime);
  }

  /** The cluster began anew, without its memory: it is told again what this rollout is, has and waits for. */
  private async clusterStarted(): Promise<void> {
    if (this.ctx.state.finishedAtMs !== null) return void (await this.link.tellEnd());
    await this.link.register();
    this.link.askGraduation();
    this.passes.tellAll();
    void this.clusterHold.tell(this.brakes);
  }

  private listenToGraduation(): void {
    const text = 'The package may leave the perimeter: {by, lane?, chartVersion?, preempt?, pdmCompletedAt?}.';
    const validator = (m: unknown) => this.judge.graduate(m);
    handle(signals.graduateUpdate, (m) => this.accepted(() => this.graduate(m)), { description: text, validator });
    this.onSignal(signals.graduateSignal, text, validator, (m) => this.recordGraduation(m));
  }

  private listenToBrake(): void {
    const text = 'Stops this package: {by, reason, brakeId?, mode?, expiresAt?}.';
    const validator = (m: unknown) => this.judge.engageBrake(m);
    handle(signals.engageBrakeUpdate, (m) => this.accepted(() => this.engageBrake(m)), {
      description: text,
      validator,
    });
    this.onSignal(signals.engageBrakeSignal, text, validator, (m) => this.engage(m));
  }

  private listenToSkip(): void {
    const text = 'Leaves a cell out of the way for this package: {cell, by, reason}.';
    const validator = (m: unknown) => this.judge.skipCell(m);
    handle(signals.skipCellUpdate, (m) => this.accepted(() => this.skipCell(m)), { description: text, validator });
    const skip = async (m: unknown): Promise<void> => {
      // What it was refused for is filed by then.
      await this.skipCell(m).catch(problemsOf);
    };
    this.onSignal(signals.skipCellSignal, text, validator, (m) => void this.ctx.detached(() => skip(m)));
  }

  private listenToRestart(): void {
    const text = 'Opens an aborted, rolled-back or expired rollout again: {by, reason}.';
    const validator = (m: unknown) => this.judge.restart(m);
    handle(signals.restartUpdate, (m) => this.accepted(() => this.restart(m)), { description: text, validator });
    this.onSignal(signals.restartSignal, text, validator, (m) => this.recordRestart(m));
  }

  /** Acts that are told as a signal or as an update, and answer the status after them. */
  private listenToActs(): void {
    const { judge } = this;
    this.on(
      'releaseBrake',
      (m: messages.ReleaseBrake) => this.brakes.release(m.brakeId as string),
      (m) => judge.releaseBrake(m),
      // Without a name it is the only one there is: by its name it is found in the record.
      (m) => ({ ...m, brakeId: this.brakes.toRelease(m.brakeId).brakeId }),
    );
    this.on('recordCheck', (m: messages.RecordCheck) => this.recordCheck(m));
    this.on('approveRing', (m: messages.ApproveRing) => this.passes.approve(m.ring));
    this.on(
      'override',
      (m: messages.Override) => this.override(m),
      (m) => judge.override(m),
    );
    this.on(
      'retryRing',
      (m: messages.RetryRing) => this.retryRing(m),
      (m) => judge.retryRing(m),
    );
    this.on('abort', (m: messages.Abort) => this.abort(m));
  }

  private on<M extends Person>(
    name: keyof typeof ACTS,
    act: (m: M) => void,
    validator: (m: unknown) => void = (m) => this.judge.other(ACTS[name].schema, m),
    named: (message: M) => M = (message) => message,
  ): void {
    const { schema, update, signal, text } = ACTS[name];
    const outcomeOf = OUTCOMES[name] as unknown as (message: M) => string;
    const perform = (payload: unknown): PackageRolloutStatus => {
      const message = named(validated(schema as unknown as () => z.ZodType<M>, payload));
      act(message);
      this.ctx.record(name, message, outcomeOf(message), detailOf(message));
      this.ctx.wake();
      return this.ctx.view();
    };
    handle(update, (m: unknown) => this.accepted(() => perform(m)), { description: text, validator });
    this.onSignal(signal, text, validator, perform);
  }

  /** Only what did not fail counts as accepted: a rollout of which nothing was ends by itself. */
  private async accepted<T>(act: () => T | Promise<T>): Promise<T> {
    this.asking += 1;
    try {
      const answer = await act();
      this.ctx.state.accepted = true;
      return answer;
    } finally {
      this.asking -= 1;
    }
  }

  /** A signal that makes no sense changes nothing, and is filed. */
  private onSignal(
    signal: (typeof signals)['graduateSignal'],
    description: string,
    judge: (m: unknown) => void,
    act: (m: unknown) => unknown,
  ): void {
    const take = (payload: unknown): void => {
      try {
        judge(payload);
        act(payload);
        this.ctx.state.accepted = true;
      } catch (error) {
        const by = (payload as { by?: unknown } | undefined)?.by;
        const who = typeof by === 'string' ? by : undefined;
        for (const problem of problemsOf(error)) this.ctx.fileRejection(signal.name, problem, who);
      }
    };
    handle(signal, take, { description });
  }

  // ── continuing as new ──────────────────────────────────────────────────────

  /** Somebody who waits for an answer is not left without one: the next quiet moment will do. */
  private mayContinueAsNew(): boolean {
    const { continueAsNewSuggested, historyLength } = workflowInfo();
    const isLong = continueAsNewSuggested || historyLength > (this.input.continueAsNewAfter ?? CONTINUE_AFTER_EVENTS);
    return isLong && this.callers.waiting === 0 && this.isQuiet();
  }

  private async continueAsNew(): Promise<never> {
    return await continueAsNew<typeof PackageRollout>({ ...this.input, state: this.ctx.state });
  }
}
