import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  log,
  ParentClosePolicy,
  setCurrentDetails,
  setDefaultSignalHandler,
  setHandler,
  sleep,
  startChild,
  upsertSearchAttributes,
  WorkflowIdReusePolicy,
  workflowInfo,
} from '@temporalio/workflow';
import { FAILURE } from '../src/contract/failures.js';
import { CLUSTER_WORKFLOW_ID, packageRolloutId, ringRolloutId } from '../src/contract/ids.js';
import type {
  BrakesHold,
  GraduationAnswer,
  PassLost,
  Registered,
  RequestRing,
  RingAnswer,
  RingReport,
} from '../src/contract/internal.js';
import * as messages from '../src/contract/messages.js';
import type { Problem } from '../src/contract/problem.js';
import { CELLS_RING, CELLS_STATE, CELLS_VERSION } from '../src/contract/search-attributes.js';
import type {
  BrakeResult,
  BrakeStatus,
  GraduateResult,
  PackageRolloutStatus,
  PassPurpose,
  RingResult,
  RolloutState,
} from '../src/contract/status.js';
import { brakeToRelease, engage, hasExpired, holding, nextExpiry, release } from '../src/domain/brake.js';
import { chartConflict } from '../src/domain/cluster/packages.js';
import { markdownOfRollout } from '../src/domain/details.js';
import { waitForBrake } from '../src/domain/ring/view.js';
import { nextStep } from '../src/domain/rollout/plan.js';
import {
  isOpen,
  newPackageState,
  type PackageState,
  ring0Verdict,
  type Track,
  tracksOf,
  trim,
} from '../src/domain/rollout/state.js';
import { noteReport, settleTrack } from '../src/domain/rollout/tracks.js';
import { ringResult, viewOfRollout } from '../src/domain/rollout/view.js';
import { RingRollout } from './ring-rollout.js';
import { signalTo } from './shared/signal-to.js';
import * as signals from './shared/signals.js';
import { problemsOf, rejected, rejectedBecause, validated } from './shared/validation.js';

export interface PackageRolloutInput {
  version: string;
  chartVersion?: string;
  /** What an earlier run carried over. */
  state?: PackageState;
  continueAsNewAfter?: number;
}

const NOTHING_ACCEPTED_MS = 60_000;
const CLUSTER_ANSWERS_MS = 15_000;
const BRAKE_DEADLINE_MS = 10_000;
const MAX_CALLERS = 5;
const MAX_LOST_IN_A_ROW = 3;
const CONTINUE_AFTER_EVENTS = 6_000;

/**
 * The life of one package: rings inside the perimeter on command; then, once it has graduated, ring after ring by
 * itself, the next one starting when the last has baked. Ends when the last ring's PDM has run, or otherwise.
 */
export async function PackageRollout(input: PackageRolloutInput): Promise<PackageRolloutStatus> {
  const { version, chartVersion } = argumentOf(input);
  const run = new PackageRun(input, version, chartVersion);
  CancellationScope.current().cancelRequested.catch(() => run.cancelledByHand());
  return await CancellationScope.nonCancellable(() => run.toTheEnd());
}

function argumentOf(input: unknown): { version: string; chartVersion: string | null } {
  const { state: _state, continueAsNewAfter: _after, ...argument } = (input ?? {}) as Record<string, unknown>;
  const parsed = messages.packageRolloutArgument.safeParse(argument);
  const { workflowId } = workflowInfo();
  if (!parsed.success) throw ApplicationFailure.nonRetryable(parsed.error.message, FAILURE.badArgument);
  const { version, chartVersion } = parsed.data;
  if (workflowId === packageRolloutId(version)) return { version, chartVersion: chartVersion ?? null };
  const message = `the workflow of ${version} has the id ${packageRolloutId(version)}, not ${workflowId}`;
  throw ApplicationFailure.nonRetryable(message, FAILURE.badArgument);
}

class PackageRun {
  private readonly state: PackageState;
  private woken = false;
  private callers = 0;
  /** Detached work that a continue-as-new would lose. */
  private pending = 0;
  private readonly holds = new Map<number, { seq: number; inFlight: string[] }>();
  private expiryTimer: number | null = null;
  private expiryOfGraduation = false;
  private shown = '';
  private conflict: Problem | null = null;

  constructor(
    private readonly input: PackageRolloutInput,
    version: string,
    chartVersion: string | null,
  ) {
    this.state = input.state ?? newPackageState(version, chartVersion, Date.now());
    upsertSearchAttributes([{ key: CELLS_VERSION, value: version }]);
    this.listen();
  }

  async toTheEnd(): Promise<PackageRolloutStatus> {
    void this.endWhereNothingIsAccepted();
    void this.registerUntilAnswered();
    for (;;) {
      this.expireBrakes();
      this.expireGraduation();
      this.drive();
      this.show();
      if (this.state.end && this.nothingOpen()) break;
      if (this.shouldContinueAsNew()) await this.continueAsNew();
      await condition(() => this.woken);
      this.woken = false;
    }
    return await this.finish();
  }

  cancelledByHand(): void {
    this.abort({ by: 'temporal cancel', reason: 'cancelled through Temporal' });
  }

  private async finish(): Promise<PackageRolloutStatus> {
    const end = this.state.end;
    this.state.finishedAtMs = Date.now();
    if (end && this.state.registered) {
      const { version } = this.state;
      await signalTo(CLUSTER_WORKFLOW_ID, signals.rolloutEndedSignal, { version, ...end });
    }
    this.wake();
    await condition(allHandlersFinished);
    this.show();
    return this.view();
  }

  private nothingOpen(): boolean {
    const { tracks, next } = this.state;
    return next === null && Object.values(tracks).every((t) => t.stage === 'over');
  }

  // ── what is done next ──────────────────────────────────────────────────────

  private drive(): void {
    for (let turn = 0; turn < 100; turn += 1) {
      const step = nextStep(this.state, Date.now());
      if (step.do === 'request-next') return this.requestNext(step.after);
      if (step.do === 'roll-back') return void this.ask(step.ring, 'rollback');
      if (step.do === 'stop-passes') return this.stopPasses(step.outcome);
      if (step.do === 'end') return this.end(step.state, null);
      if (step.do !== 'withdraw') return;
      this.withdraw(step.requestId);
    }
  }

  private end(state: RolloutState, supersededBy: string | null): void {
    if (this.state.end) return;
    this.state.end = { state, supersededBy };
    this.wake();
  }

  private requestNext(after: number | null): void {
    const requestId = this.newRequestId();
    this.state.next = { requestId, after, held: null };
    this.send(this.requestOf(requestId, { after }, 'deploy', Date.now()));
  }

  private ask(ring: number, purpose: PassPurpose): Track {
    const before = this.state.tracks[ring];
    const requestId = this.newRequestId();
    const track: Track = {
      ring,
      name: before?.name ?? `ring-${ring}`,
      perimeter: before?.perimeter ?? true,
      soft: before?.soft ?? false,
      purpose,
      requestId,
      sinceMs: Date.now(),
      stage: 'asked',
      held: null,
      view: null,
      result: null,
      baked: before?.baked ?? false,
      migrationFailed: [],
      lost: before?.lost ?? 0,
      settled: null,
      stopped: false,
    };
    this.state.tracks[ring] = track;
    this.send(this.requestOf(requestId, ring, purpose, track.sinceMs));
    return track;
  }

  private requestOf(requestId: string, ring: RequestRing['ring'], purpose: PassPurpose, sinceMs: number): RequestRing {
    const { version, chartVersion, lane, approved } = this.state;
    return { requestId, version, chartVersion, ring, purpose, lane, approved, sinceMs };
  }

  private newRequestId(): string {
    this.state.named += 1;
    return `${workflowInfo().firstExecutionRunId}/${this.state.named}`;
  }

  private send(request: RequestRing): void {
    void signalTo(CLUSTER_WORKFLOW_ID, signals.requestRingSignal, request);
  }

  private withdraw(requestId: string): void {
    void signalTo(CLUSTER_WORKFLOW_ID, signals.withdrawRequestSignal, { requestId });
    if (this.state.next?.requestId === requestId) this.state.next = null;
    const track = tracksOf(this.state).find((t) => t.requestId === requestId);
    if (track) track.stage = 'over';
  }

  private stopPasses(outcome: 'aborted' | 'superseded'): void {
    const by = this.state.end?.supersededBy ?? this.state.abort?.by ?? '';
    const reason = this.state.abort?.reason ?? `the rollout is ${this.state.end?.state}`;
    for (const track of tracksOf(this.state).filter((t) => isOpen(t) && t.purpose !== 'rollback')) {
      track.stopped = true;
      const stop = { outcome, by, reason, hurry: false };
      // A pass that is just being started is told once it is there.
      if (track.stage === 'running') void signalTo(ringRolloutId(track.ring), signals.stopPassSignal, stop);
    }
  }

  // ── passes ─────────────────────────────────────────────────────────────────

  private takeAnswer(answer: RingAnswer): void {
    const { requestId } = answer;
    const asNext = this.state.next?.requestId === requestId;
    const track = tracksOf(this.state).find((t) => t.requestId === requestId && t.stage === 'asked');
    if (!asNext && !track) {
      // Taken back meanwhile: a turn that nobody wants any more is given back.
      if (answer.kind === 'granted' && !this.runs(requestId)) this.withdraw(requestId);
      return;
    }
    if (answer.kind === 'none') this.state.noMoreRings = true;
    if (answer.kind === 'none' || (asNext && answer.kind !== 'held')) this.state.next = null;
    if (answer.kind === 'held' && asNext && this.state.next) {
      this.state.next.held = { ring: answer.ring, waiting: answer.waiting };
    }
    if (answer.kind === 'granted') this.granted(answer, track ?? null);
    else if (track) settleTrack(this.state, track, answer, Date.now());
    else if (answer.kind === 'refused') this.end('superseded', answer.supersededBy);
    if (answer.kind === 'rejected') this.fileRejection('deployRing', answer);
    if (answer.kind === 'none') this.tellBakedEverywhere();
    this.wake();
  }

  private runs(requestId: string): boolean {
    return tracksOf(this.state).some((t) => t.requestId === requestId && isOpen(t));
  }

  private granted(answer: Extract<RingAnswer, { kind: 'granted' }>, asked: Track | null): void {
    const rollback = asked?.purpose === 'rollback';
    const unwanted = this.state.end || (this.state.abort && !rollback) || (!rollback && this.isBraked());
    if (unwanted) {
      this.withdraw(answer.requestId);
      if (asked && !asked.settled && this.isBraked()) this.refuseTrack(asked);
      return;
    }
    const track = asked ?? this.newOuterTrack(answer);
    Object.assign(track, {
      name: answer.name,
      perimeter: answer.perimeter,
      soft: answer.soft,
      stage: 'granted',
      held: null,
    });
    void this.detached(() => this.startPass(track));
  }

  private newOuterTrack({ ring, name, requestId, soft }: Extract<RingAnswer, { kind: 'granted' }>): Track {
    const track: Track = {
      ring,
      name,
      perimeter: false,
      soft,
      purpose: 'deploy',
      requestId,
      sinceMs: Date.now(),
      stage: 'granted',
      held: null,
      view: null,
      result: null,
      baked: false,
      migrationFailed: [],
      lost: this.state.tracks[ring]?.lost ?? 0,
      settled: null,
      stopped: false,
    };
    this.state.tracks[ring] = track;
    return track;
  }

  private refuseTrack(track: Track): void {
    const brake = holding(this.state.brakes, Date.now())[0] as BrakeStatus;
    track.settled = this.refusedResult(track.ring, 'braked', brake);
  }

  /** Starts the pass; the one before it on this ring may take a moment to close. */
  private async startPass(track: Track): Promise<void> {
    for (let waitMs = 100; track.stage === 'granted'; waitMs = Math.min(waitMs * 2, 5_000)) {
      if (track.stopped || this.state.end) return this.withdraw(track.requestId);
      try {
        const handle = await startChild(RingRollout, this.passOptions(track));
        track.stage = 'running';
        if (track.stopped) {
          track.stopped = false;
          this.wake();
        }
        handle.result().catch(() => this.passLost({ ring: track.ring, requestId: track.requestId }));
        return;
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        await sleep(waitMs);
      }
    }
  }

  private passOptions(track: Track) {
    const { version, chartVersion, lane, brakes, brakesSeq, skips, abort } = this.state;
    const { ring, purpose, requestId } = track;
    const reason = purpose === 'rollback' ? (abort?.reason ?? 'rollback') : `${purpose} of ${version}`;
    return {
      workflowId: ringRolloutId(ring),
      args: [
        {
          ring,
          version,
          chartVersion,
          purpose,
          lane,
          requestId,
          starter: workflowInfo().workflowId,
          packageBrakes: brakes,
          packageBrakesSeq: brakesSeq,
          skips,
          reason,
        },
      ] as Parameters<typeof RingRollout>,
      // With the default policy a continue-as-new of this rollout would kill its passes.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      staticSummary: `${purpose} ${version} on ring ${ring} ${track.name}`,
      typedSearchAttributes: [
        { key: CELLS_VERSION, value: version },
        { key: CELLS_RING, value: ring },
        { key: CELLS_STATE, value: 'rolling' },
      ] as never,
    };
  }

  private takeReport(report: RingReport): void {
    const track = this.state.tracks[report.view.ring];
    if (!track || track.requestId !== report.requestId || track.stage === 'over') return;
    const failedBefore = track.migrationFailed.length > 0;
    noteReport(this.state, track, report, Date.now());
    if (track.migrationFailed.length > 0 !== failedBefore) this.holdForward(track);
    if (report.ended) this.passEnded(track);
    if (track.baked) this.tellBakedEverywhere();
    this.wake();
  }

  private passEnded(track: Track): void {
    track.lost = 0;
    if (track.purpose === 'rollback') {
      const stuck = track.view?.exceptions.filter((e) => e.state !== 'rolled-back') ?? [];
      this.state.needsDowntime.push(...stuck);
      return;
    }
    if (track.perimeter || this.state.end || this.state.abort) return;
    if (track.result?.outcome === 'refused') this.end('superseded', null);
    // A rollback took the ring: this package asks for it again.
    const outermost = tracksOf(this.state).at(-1);
    if (track.result?.outcome === 'yielded' && outermost === track) delete this.state.tracks[track.ring];
  }

  /** Its pass ended without saying so: the ring is asked for again, and the next pass takes over what is in flight. */
  private passLost({ ring, requestId }: PassLost): void {
    const track = this.state.tracks[ring];
    if (!track || track.requestId !== requestId || track.stage === 'over') return;
    log.warn('a pass was lost', { ring });
    this.withdraw(requestId);
    track.lost += 1;
    const { end, abort } = this.state;
    if (end || (abort && track.purpose !== 'rollback')) return;
    if (track.lost > MAX_LOST_IN_A_ROW) {
      const reason = `the pass over ring ${ring} ended ${track.lost} times without a result`;
      track.result = { outcome: 'lost', code: null, supersededBy: null, reason };
      track.settled = ringResult(this.state, track, track.result, Date.now());
      this.state.failures.push({ at: new Date(Date.now()).toISOString(), ring, reason });
      return this.wake();
    }
    this.askAgain(track);
  }

  private askAgain(track: Track): void {
    if (track.perimeter || track.purpose === 'rollback') {
      this.ask(track.ring, track.purpose);
    } else {
      const inner = tracksOf(this.state).findLast((t) => !t.perimeter && t.ring < track.ring);
      const { lost, view } = track;
      this.requestNext(inner?.ring ?? null);
      Object.assign(track, { stage: 'over', lost, view });
    }
    this.wake();
  }

  private holdForward(failed: Track): void {
    const cells = failed.migrationFailed.join(', ');
    const reason = cells ? `PDM failed on ${cells} in ring ${failed.ring}` : null;
    for (const track of tracksOf(this.state).filter((t) => t !== failed && t.stage === 'running')) {
      void signalTo(ringRolloutId(track.ring), signals.holdForwardSignal, { reason });
    }
  }

  private tellBakedEverywhere(): void {
    const outer = tracksOf(this.state).filter((t) => !t.perimeter);
    if (!this.state.noMoreRings || !outer.every((t) => t.baked)) return;
    for (const track of outer.filter((t) => t.stage === 'running')) {
      void signalTo(ringRolloutId(track.ring), signals.bakedEverywhereSignal);
    }
  }

  // ── the cluster ────────────────────────────────────────────────────────────

  /** Says again and again that this rollout is open, until the cluster is there to answer. */
  private async registerUntilAnswered(): Promise<void> {
    while (!this.state.registered && !this.state.end) {
      await this.register();
      await condition(() => this.state.registered || this.state.end !== null, CLUSTER_ANSWERS_MS);
    }
  }

  private async register(): Promise<void> {
    const { version, chartVersion, reopened, graduation } = this.state;
    const graduatedAt = graduation?.accepted ? graduation.at : null;
    const register = { version, chartVersion, reopen: reopened, graduatedAt };
    await signalTo(CLUSTER_WORKFLOW_ID, signals.registerRolloutSignal, register);
  }

  private takeRegistered(m: Registered): void {
    if (m.conflict) {
      this.conflict = m.conflict;
      this.fileRejection('register', m.conflict);
      this.end('aborted', null);
      return;
    }
    if (m.endedAs && !this.state.reopened && !this.state.registered) return this.endedBefore(m);
    this.state.registered = true;
    this.state.chartVersion = m.chartVersion ?? this.state.chartVersion;
    this.state.graduationTimeoutMs = m.graduationTimeoutMs;
    if (this.state.graduation?.accepted === null) this.askGraduation();
    this.wake();
  }

  /** Another run of this version has ended: only `restart` opens it again. One that converged may be looked at again. */
  private endedBefore({ endedAs, supersededBy, chartVersion }: Registered): void {
    if (endedAs !== 'converged') {
      this.end(endedAs as RolloutState, supersededBy);
      return;
    }
    this.state.registered = true;
    this.state.chartVersion = chartVersion ?? this.state.chartVersion;
    this.state.noMoreRings = true;
    const at = this.state.graduation?.at ?? new Date(this.state.startedAtMs).toISOString();
    this.state.graduation = { requestId: '', by: 'an earlier run', at, accepted: true };
    this.wake();
  }

  private askGraduation(): void {
    const { graduation, version, chartVersion, lane } = this.state;
    if (!graduation) return;
    const { requestId, by, at } = graduation;
    const ask = { requestId, version, chartVersion, lane, by, at };
    void signalTo(CLUSTER_WORKFLOW_ID, signals.askGraduationSignal, ask);
  }

  private takeGraduationAnswer(m: GraduationAnswer): void {
    const { graduation } = this.state;
    if (graduation?.requestId !== m.requestId || graduation.accepted) return;
    graduation.accepted = m.accepted;
    if (m.rejection) {
      this.fileRejection('graduate', m.rejection, graduation.by);
      this.state.graduation = null;
      this.conflict = m.rejection;
    }
    this.wake();
  }

  /** The cluster began anew, without its memory: it is told again what this rollout is, has and waits for. */
  private async clusterStarted(): Promise<void> {
    await this.register();
    if (this.state.graduation) this.askGraduation();
    const { next } = this.state;
    if (next) this.send(this.requestOf(next.requestId, { after: next.after }, 'deploy', Date.now()));
    for (const { stage, requestId, ring, purpose, sinceMs } of tracksOf(this.state)) {
      const request = { ...this.requestOf(requestId, ring, purpose, sinceMs), ring };
      if (stage === 'asked') this.send(request);
      else if (stage !== 'over') void signalTo(CLUSTER_WORKFLOW_ID, signals.claimRingSignal, request);
    }
  }

  // ── clocks ─────────────────────────────────────────────────────────────────

  private async endWhereNothingIsAccepted(): Promise<void> {
    if (this.state.accepted) return;
    await sleep(NOTHING_ACCEPTED_MS);
    if (!this.state.accepted) this.end('aborted', null);
  }

  private expireGraduation(): void {
    const { registered, graduation, startedAtMs, graduationTimeoutMs, end } = this.state;
    if (!registered || graduation || end) return;
    const leftMs = startedAtMs + graduationTimeoutMs - Date.now();
    if (leftMs <= 0) return this.end('expired', null);
    if (this.expiryOfGraduation) return;
    this.expiryOfGraduation = true;
    void sleep(leftMs).then(() => {
      this.expiryOfGraduation = false;
      this.wake();
    });
  }

  private expireBrakes(): void {
    const over = this.state.brakes.filter((b) => hasExpired(b, Date.now()));
    for (const b of over) this.act('expired', { by: 'coordinator', reason: b.reason }, `brake ${b.brakeId} expired`);
    if (over.length > 0) this.setBrakes(holding(this.state.brakes, Date.now()));
    const next = nextExpiry(this.state.brakes);
    if (next === null || next === this.expiryTimer) return;
    this.expiryTimer = next;
    void sleep(Math.max(1, next - Date.now())).then(() => {
      if (this.expiryTimer === next) this.expiryTimer = null;
      this.wake();
    });
  }

  // ── brakes ─────────────────────────────────────────────────────────────────

  private isBraked(): boolean {
    return holding(this.state.brakes, Date.now()).length > 0;
  }

  private setBrakes(brakes: BrakeStatus[]): void {
    this.state.brakes = brakes;
    this.state.brakesSeq += 1;
    for (const track of tracksOf(this.state).filter(isOpen)) void this.detached(() => this.tellBrakes(track));
    this.wake();
  }

  /** A pass that is just being started began with older brakes: it is told once it is there. */
  private async tellBrakes(track: Track): Promise<void> {
    await condition(() => track.stage !== 'granted');
    if (track.stage !== 'running') return;
    const { brakes, brakesSeq: seq } = this.state;
    await signalTo(ringRolloutId(track.ring), signals.setBrakesSignal, { from: 'package', seq, brakes });
  }

  private engage(message: messages.EngageBrake): BrakeStatus {
    this.state.named += message.brakeId === undefined ? 1 : 0;
    const brakeId = message.brakeId ?? `brake-${this.state.named}`;
    const { mode = 'finish-cells', by, reason, expiresAt, url } = message;
    const brake = { brakeId, scope: 'package' as const, mode, by, reason, expiresAt, url };
    this.setBrakes(engage(this.state.brakes, brake, Date.now()));
    this.act('engageBrake', message, `brake ${brakeId} is on`);
    return this.state.brakes.find((b) => b.brakeId === brakeId) as BrakeStatus;
  }

  /** Acknowledged once every pass of this package has answered that no further cell can start. */
  private async engageAndConfirm(payload: unknown): Promise<BrakeResult> {
    const { brakeId } = this.engage(validated(messages.engageBrake, payload));
    const seq = this.state.brakesSeq;
    const covered = tracksOf(this.state).filter((t) => isOpen(t) && t.purpose !== 'rollback');
    const silent = () => covered.filter((t) => isOpen(t) && (this.holds.get(t.ring)?.seq ?? 0) < seq);
    if (!(await condition(() => silent().length === 0, BRAKE_DEADLINE_MS))) {
      const who = silent().map((t) => ringRolloutId(t.ring));
      const message = `brake ${brakeId} is on, but ${who.join(', ')} did not answer; it stays on`;
      throw ApplicationFailure.nonRetryable(message, FAILURE.brakeUnconfirmed, { brakeId, silent: who });
    }
    return { brakeId, inFlight: covered.flatMap((t) => this.holds.get(t.ring)?.inFlight ?? []) };
  }

  private noteHold({ ring, seq, inFlight }: BrakesHold): void {
    this.holds.set(ring, { seq, inFlight });
    this.wake();
  }

  // ── acts of people ─────────────────────────────────────────────────────────

  /** Drives one ring inside the perimeter, and answers when its pass is done, or needs a person. */
  private async driveRing(purpose: 'deploy' | 'migrate', ring: number): Promise<RingResult> {
    this.callers += 1;
    try {
      await this.untilRegistered();
      const refused = this.refuseDrive(ring);
      if (refused) return refused;
      await this.untilFree(ring, purpose);
      const under = this.state.tracks[ring];
      const joins = under && under.stage !== 'over' && under.purpose === purpose;
      if (!joins && !this.state.end) this.ask(ring, purpose);
      this.wake();
      return await this.resultOf(ring);
    } finally {
      this.callers -= 1;
    }
  }

  private async untilRegistered(): Promise<void> {
    const known = () => this.state.registered || this.state.end !== null;
    if (await condition(known, CLUSTER_ANSWERS_MS)) return;
    const problem = { path: 'cluster', value: 'no answer', expected: 'a cell cluster: cellctl cluster apply FILE' };
    this.fileRejection('deployRing', problem);
    throw rejected([problem]);
  }

  /** Another kind of pass of this package on the same ring comes first. */
  private async untilFree(ring: number, purpose: PassPurpose): Promise<void> {
    const other = () => {
      const track = this.state.tracks[ring];
      return track !== undefined && track.stage !== 'over' && track.purpose !== purpose && track.settled === null;
    };
    await condition(() => !other() || this.state.end !== null);
  }

  private refuseDrive(ring: number): RingResult | null {
    if (this.conflict && this.state.end) throw rejected([this.conflict]);
    if (this.state.end || this.state.abort) return this.refusedResult(ring, 'ended', null);
    const brake = holding(this.state.brakes, Date.now())[0];
    return brake ? this.refusedResult(ring, 'braked', brake) : null;
  }

  private refusedResult(ring: number, code: 'ended' | 'braked', brake: BrakeStatus | null): RingResult {
    const { version, end } = this.state;
    const wait = brake ? waitForBrake(brake, ring, version) : null;
    const at = new Date(Date.now()).toISOString();
    const restart = `cellctl restart ${version} --reason "…"`;
    return {
      ring,
      version,
      outcome: 'refused',
      blocking: this.state.tracks[ring]?.soft !== true,
      code,
      ...(wait?.until ? { until: wait.until } : {}),
      next: wait?.next ?? [restart],
      ...(end?.supersededBy ? { supersededBy: end.supersededBy } : {}),
      startedAt: at,
      finishedAt: at,
      cells: { total: 0, converged: 0, failed: 0, rolledBack: 0, quarantined: 0, skipped: 0 },
      exceptions: [],
      checks: this.state.checks.filter((c) => c.ring === ring),
    };
  }

  private async resultOf(ring: number): Promise<RingResult> {
    const ready = () => {
      const track = this.state.tracks[ring];
      if (!track || track.settled || this.isOver(track)) return true;
      return track.view?.state === 'braked' || (this.conflict !== null && track.stage === 'over');
    };
    await condition(ready);
    const track = this.state.tracks[ring];
    if (track?.settled) return track.settled;
    const rejection = this.state.rejected.at(-1);
    if (track?.stage === 'over' && rejection?.path === 'ring') throw rejected([rejection]);
    if (track?.view?.state === 'braked' && !this.isOver(track)) return this.brakedResult(track);
    return this.refusedResult(ring, 'ended', null);
  }

  private isOver(track: Track): boolean {
    return track.stage === 'over' && (this.state.end !== null || this.state.abort !== null || track.result === null);
  }

  private brakedResult(track: Track): RingResult {
    const pass = { outcome: 'refused' as const, code: 'braked' as const, supersededBy: null, reason: 'braked' };
    const until = track.view?.waitingFor?.until;
    return { ...ringResult(this.state, track, pass, Date.now()), ...(until ? { until } : {}) };
  }

  private async graduate(payload: unknown): Promise<GraduateResult> {
    this.recordGraduation(payload);
    const answered = () => this.state.graduation?.accepted !== null || this.state.end !== null;
    await condition(answered, CLUSTER_ANSWERS_MS);
    if (this.conflict && this.state.graduation === null) throw rejected([this.conflict]);
    return { ring0: ring0Verdict(this.state) };
  }

  private recordGraduation(payload: unknown): void {
    const message = validated(messages.graduate, payload);
    if (this.state.graduation) return;
    this.conflict = null;
    this.state.chartVersion = message.chartVersion ?? this.state.chartVersion;
    this.state.lane = message.lane ?? null;
    const at = new Date(Date.now()).toISOString();
    this.state.graduation = { requestId: this.newRequestId(), by: message.by, at, accepted: null };
    this.act('graduate', message, 'asked the cluster', message.lane ? `lane ${message.lane}` : undefined);
    if (this.state.registered) this.askGraduation();
    this.wake();
  }

  private recordCheck({ ring, name, outcome, by }: messages.RecordCheck): void {
    const at = new Date(Date.now()).toISOString();
    this.state.checks.push({ ring, name, outcome, by, at });
    const track = this.state.tracks[ring];
    if (track?.stage === 'running') {
      void signalTo(ringRolloutId(ring), signals.checkInPassSignal, { name, outcome, by });
    }
    if (outcome === 'failed' && !track?.soft) {
      this.state.failures.push({ at, ring, reason: `check ${name} failed, says ${by}` });
    }
  }

  private approve(ring: number): void {
    if (!this.state.approved.includes(ring)) this.state.approved.push(ring);
    const { next } = this.state;
    if (next?.held?.waiting.kind === 'approval') {
      this.send(this.requestOf(next.requestId, { after: next.after }, 'deploy', Date.now()));
    }
  }

  private override({ wait, ring, by, reason }: messages.Override): void {
    if (wait === 'approval') return this.approve(ring);
    void signalTo(ringRolloutId(ring), signals.overrideInPassSignal, { wait, by, reason });
  }

  private retry({ ring, cells, by }: messages.RetryRing): void {
    const track = this.state.tracks[ring] as Track;
    track.settled = null;
    if (track.stage === 'running') {
      void signalTo(ringRolloutId(ring), signals.retryPassSignal, { by, cells: cells ?? null });
    } else if (track.stage === 'over') {
      track.lost = 0;
      this.askAgain(track);
    }
  }

  private skipCell({ cell, by, reason }: messages.SkipCell): void {
    this.state.skips.push({ cell, by, reason });
    for (const track of tracksOf(this.state).filter((t) => t.stage === 'running')) {
      void signalTo(ringRolloutId(track.ring), signals.skipInPassSignal, { cell, by, reason });
    }
  }

  private abort({ by, reason, rollback = false }: messages.Abort): void {
    if (this.state.end) return;
    this.state.abort = { by, reason, rollback: rollback || this.state.abort?.rollback === true };
    this.wake();
  }

  private restart(): void {
    this.state.reopened = true;
    void this.detached(() => this.register());
  }

  // ── validators: what payload and state at hand show to be wrong ─────────────

  private mustGoOn(): void {
    const { end, version } = this.state;
    if (!end) return;
    throw rejectedBecause('version', version, `a rollout that goes on; this one is ${end.state}: cellctl restart`);
  }

  private judgeDrive(schema: typeof messages.deployRing | typeof messages.migrateRing, payload: unknown): void {
    validated(schema, payload);
    if (this.callers < MAX_CALLERS) return;
    throw rejectedBecause('ring', payload, `at most ${MAX_CALLERS} callers waiting on one rollout; ask again later`);
  }

  private judgeGraduate(payload: unknown): void {
    const { chartVersion } = validated(messages.graduate, payload);
    this.mustGoOn();
    if (this.state.abort) throw rejectedBecause('version', this.state.version, 'a rollout that is not being aborted');
    const conflict = chartConflict(this.state.chartVersion, chartVersion ?? null);
    if (conflict) throw rejected([conflict]);
  }

  private judgeBrake(payload: unknown): void {
    const { expiresAt } = validated(messages.engageBrake, payload);
    this.mustGoOn();
    if (expiresAt === undefined || Date.parse(expiresAt) > Date.now()) return;
    throw rejectedBecause('expiresAt', expiresAt, 'an instant in the future');
  }

  private judgeRelease(payload: unknown): void {
    const found = brakeToRelease(this.state.brakes, validated(messages.releaseBrake, payload).brakeId);
    if ('expected' in found) throw rejectedBecause('brakeId', payload, found.expected);
  }

  private judgeOverride(payload: unknown): void {
    const { wait, ring } = validated(messages.override, payload);
    this.mustGoOn();
    if (wait === 'deploy-window' || wait === 'freeze') {
      throw rejectedBecause('wait', wait, 'a wait that is in force: bake, grace-period, health, check, approval');
    }
    if (wait === 'approval') return;
    this.mustBeEntered(ring, (t) => t.stage === 'running');
  }

  private judgeRetry(payload: unknown): void {
    const { ring } = validated(messages.retryRing, payload);
    this.mustGoOn();
    this.mustBeEntered(ring, (t) => t.stage === 'running' || (t.stage === 'over' && !t.baked));
  }

  private mustBeEntered(ring: number, fits: (t: Track) => boolean): void {
    const rings = tracksOf(this.state)
      .filter(fits)
      .map((t) => t.ring);
    if (rings.includes(ring)) return;
    const expected = `a ring that this package is in: ${rings.join(', ') || 'there is none now'}`;
    throw rejectedBecause('ring', ring, expected);
  }

  private judgeRestart(payload: unknown): void {
    validated(messages.restart, payload);
    if (!this.state.registered && !this.state.end) return;
    const expected = 'an aborted, rolled-back or expired rollout; this one goes on';
    throw rejectedBecause('version', this.state.version, expected);
  }

  private judge(schema: Parameters<typeof validated>[0]): (payload: unknown) => void {
    return (payload) => {
      validated(schema, payload);
      this.mustGoOn();
    };
  }

  // ── messages ───────────────────────────────────────────────────────────────

  private listen(): void {
    this.listenToOurs();
    setHandler(signals.deployRingUpdate, (m) => this.deployRing(m), {
      description: 'Deploys a ring inside the perimeter: {ring, by, fixes?}. Answers when its pass is done.',
      validator: (m) => this.judgeDrive(messages.deployRing, m),
    });
    setHandler(signals.migrateRingUpdate, (m) => this.migrateRing(m), {
      description: 'Runs PDM on a ring inside the perimeter: {ring, by}.',
      validator: (m) => this.judgeDrive(messages.migrateRing, m),
    });
    const graduateText = 'The package may leave the perimeter: {by, lane?, chartVersion?, preempt?, pdmCompletedAt?}.';
    const graduateJudge = (m: unknown) => this.judgeGraduate(m);
    setHandler(signals.graduateUpdate, (m) => this.accepted(() => this.graduate(m)), {
      description: graduateText,
      validator: graduateJudge,
    });
    this.onSignal(signals.graduateSignal, graduateText, graduateJudge, (m) => this.recordGraduation(m));
    const brakeText = 'Stops this package: {by, reason, brakeId?, mode?, expiresAt?}.';
    const brakeJudge = (m: unknown) => this.judgeBrake(m);
    setHandler(signals.engageBrakeUpdate, (m) => this.accepted(() => this.engageAndConfirm(m)), {
      description: brakeText,
      validator: brakeJudge,
    });
    this.onSignal(signals.engageBrakeSignal, brakeText, brakeJudge, (m) =>
      this.engage(validated(messages.engageBrake, m)),
    );
    this.listenToActs();
    setHandler(signals.rolloutStatusQuery, () => this.view(), {
      description: 'Where this package is, and why it waits.',
    });
    setDefaultSignalHandler((name, ...args) => {
      const expected = 'a signal of the contract, such as graduate, engageBrake, abort';
      this.fileRejection(name, { path: '', value: JSON.stringify(args)?.slice(0, 200) ?? '', expected });
    });
  }

  private listenToOurs(): void {
    const internal = { description: 'Between the coordinator’s own workflows.' };
    setHandler(signals.registeredSignal, (m) => this.takeRegistered(m), internal);
    setHandler(signals.graduationAnswerSignal, (m) => this.takeGraduationAnswer(m), internal);
    setHandler(signals.ringAnswerSignal, (m) => this.takeAnswer(m), internal);
    setHandler(signals.ringReportSignal, (m) => this.takeReport(m), internal);
    setHandler(signals.brakesHoldSignal, (m) => this.noteHold(m), internal);
    setHandler(signals.supersededSignal, ({ by }) => this.end('superseded', by), internal);
    setHandler(signals.passLostSignal, (m) => this.passLost(m), internal);
    setHandler(signals.clusterStartedSignal, () => this.clusterStarted(), internal);
  }

  /** Acts that are told as a signal or as an update, and answer the status after them. */
  private listenToActs(): void {
    type Act = { by: string; reason?: string | undefined; url?: string | undefined };
    const on = <M extends Act>(
      name: keyof typeof ACTS,
      act: (m: M) => void,
      judge: (m: unknown) => void = this.judge(ACTS[name].schema),
    ): void => {
      const { schema, update, signal, text } = ACTS[name];
      const perform = (m: unknown): PackageRolloutStatus => {
        const message = validated(schema, m) as M;
        act(message);
        this.act(name, message, 'recorded', detailOf(message));
        this.wake();
        return this.view();
      };
      setHandler(update, (m: unknown) => this.accepted(() => perform(m)), {
        description: text,
        validator: judge,
      });
      this.onSignal(signal, text, judge, perform);
    };
    on(
      'releaseBrake',
      (m: messages.ReleaseBrake) => this.release(m),
      (m) => this.judgeRelease(m),
    );
    on('recordCheck', (m: messages.RecordCheck) => this.recordCheck(m));
    on('approveRing', (m: messages.ApproveRing) => this.approve(m.ring));
    on(
      'override',
      (m: messages.Override) => this.override(m),
      (m) => this.judgeOverride(m),
    );
    on(
      'retryRing',
      (m: messages.RetryRing) => this.retry(m),
      (m) => this.judgeRetry(m),
    );
    on('skipCell', (m: messages.SkipCell) => this.skipCell(m));
    on('abort', (m: messages.Abort) => this.abort(m));
    on(
      'restart',
      () => this.restart(),
      (m) => this.judgeRestart(m),
    );
  }

  private release({ brakeId }: messages.ReleaseBrake): void {
    const found = brakeToRelease(this.state.brakes, brakeId);
    if ('brake' in found) this.setBrakes(release(this.state.brakes, found.brake.brakeId));
  }

  private async deployRing(payload: unknown): Promise<RingResult> {
    const message = validated(messages.deployRing, payload);
    this.act('deployRing', message, `ring ${message.ring}`, message.fixes);
    return await this.accepted(() => this.driveRing('deploy', message.ring));
  }

  private async migrateRing(payload: unknown): Promise<RingResult> {
    const message = validated(messages.migrateRing, payload);
    this.act('migrateRing', message, `ring ${message.ring}`);
    return await this.accepted(() => this.driveRing('migrate', message.ring));
  }

  private accepted<T>(act: () => T): T {
    this.state.accepted = true;
    return act();
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
        this.accepted(() => act(payload));
      } catch (error) {
        const by = (payload as { by?: unknown } | undefined)?.by;
        for (const p of problemsOf(error)) this.fileRejection(signal.name, p, typeof by === 'string' ? by : undefined);
      }
    };
    setHandler(signal, take, { description });
  }

  private fileRejection(message: string, { path, value, expected }: Problem, by?: string): void {
    log.warn('a message was rejected', { message, path, value, expected });
    const at = new Date(Date.now()).toISOString();
    this.state.rejected.push({ at, message, path, value, expected, ...(by === undefined ? {} : { by }) });
    this.wake();
  }

  private act(
    act: string,
    m: { by: string; reason?: string | undefined; url?: string | undefined },
    outcome: string,
    detail?: string,
  ): void {
    const at = new Date(Date.now()).toISOString();
    const { by, reason, url } = m;
    const more = { ...(reason ? { reason } : {}), ...(url ? { url } : {}), ...(detail ? { detail } : {}) };
    this.state.acts.push({ at, act, by, outcome, ...more });
  }

  private view(): PackageRolloutStatus {
    return viewOfRollout(this.state, Date.now());
  }

  private show(): void {
    trim(this.state);
    const view = this.view();
    setCurrentDetails(markdownOfRollout(view));
    const ring = view.rings.at(-1)?.ring;
    const shown = `${view.state} ${ring}`;
    if (shown === this.shown) return;
    this.shown = shown;
    const state = { key: CELLS_STATE, value: view.state };
    if (ring === undefined) upsertSearchAttributes([state]);
    else upsertSearchAttributes([state, { key: CELLS_RING, value: ring }]);
  }

  // ── continuing as new ──────────────────────────────────────────────────────

  private shouldContinueAsNew(): boolean {
    const { continueAsNewSuggested, historyLength } = workflowInfo();
    const long = continueAsNewSuggested || historyLength > (this.input.continueAsNewAfter ?? CONTINUE_AFTER_EVENTS);
    // Somebody who waits for an answer is not left without one: the next quiet moment will do.
    return long && this.callers === 0;
  }

  private async continueAsNew(): Promise<void> {
    await condition(() => this.callers > 0 || (this.pending === 0 && allHandlersFinished()));
    if (this.callers > 0) return;
    await continueAsNew<typeof PackageRollout>({ ...this.input, state: this.state });
  }

  private async detached(work: () => Promise<void>): Promise<void> {
    this.pending += 1;
    try {
      await work();
    } finally {
      this.pending -= 1;
      this.wake();
    }
  }

  private wake(): void {
    this.woken = true;
  }
}

const ACTS = {
  releaseBrake: {
    schema: messages.releaseBrake,
    update: signals.releaseBrakeUpdate,
    signal: signals.releaseBrakeSignal,
    text: 'Takes a brake of this package off: {by, brakeId?, reason?}.',
  },
  recordCheck: {
    schema: messages.recordCheck,
    update: signals.recordCheckUpdate,
    signal: signals.recordCheckSignal,
    text: 'What release-tools’ own QA of a ring said: {ring, name, outcome, by}.',
  },
  approveRing: {
    schema: messages.approveRing,
    update: signals.approveRingUpdate,
    signal: signals.approveRingSignal,
    text: 'Approves this package for a ring: {ring, by, reason?}.',
  },
  override: {
    schema: messages.override,
    update: signals.overrideUpdate,
    signal: signals.overrideSignal,
    text: 'Ends one wait in one ring: {wait, ring, by, reason}.',
  },
  retryRing: {
    schema: messages.retryRing,
    update: signals.retryRingUpdate,
    signal: signals.retryRingSignal,
    text: 'Looks again, and goes on with what did not converge: {ring, by, cells?}.',
  },
  skipCell: {
    schema: messages.skipCell,
    update: signals.skipCellUpdate,
    signal: signals.skipCellSignal,
    text: 'Leaves a cell out of the way for this package: {cell, by, reason}.',
  },
  abort: {
    schema: messages.abort,
    update: signals.abortUpdate,
    signal: signals.abortSignal,
    text: 'No further cell; with rollback the cells on it go back: {by, reason, rollback?}.',
  },
  restart: {
    schema: messages.restart,
    update: signals.restartUpdate,
    signal: signals.restartSignal,
    text: 'Opens an aborted, rolled-back or expired rollout again: {by, reason}.',
  },
} as const;

/** What an act was about, for the record. */
function detailOf(message: object): string {
  const { by: _by, reason: _reason, url: _url, ...rest } = message as Record<string, unknown>;
  return JSON.stringify(rest);
}
