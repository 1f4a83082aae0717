import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  condition,
  log,
  ParentClosePolicy,
  sleep,
  startChild,
  WorkflowIdReusePolicy,
  workflowInfo,
} from '@temporalio/workflow';
import type { CalendarWait } from '../../src/contract/calendar.js';
import { CLUSTER_WORKFLOW_ID, ringRolloutId } from '../../src/contract/ids.js';
import type { PassLost, RequestRing, RingAnswer, RingEntry, RingReport } from '../../src/contract/internal.js';
import { CELLS_RING, CELLS_STATE, CELLS_VERSION } from '../../src/contract/search-attributes.js';
import type { CellException, PassPurpose } from '../../src/contract/status.js';
import { OUST_AFTER_MS } from '../../src/domain/ousting.js';
import { nextOust, nextStep } from '../../src/domain/rollout/plan.js';
import { failedChecks, isOpen, migrationHold, newTrack, type Track, tracksOf } from '../../src/domain/rollout/state.js';
import {
  missedRetry,
  noteNext,
  noteReport,
  noteStarted,
  refusedNow,
  settleTrack,
} from '../../src/domain/rollout/tracks.js';
import { ringResult } from '../../src/domain/rollout/view.js';
import { forgetOverrides, noteApproval, noteWaiver } from '../../src/domain/rollout/waits.js';
import { RingRollout } from '../ring-rollout.js';
import { terminatePass } from '../shared/activities.js';
import { Alarm } from '../shared/alarm.js';
import * as signals from '../shared/signals.js';
import type { PackageContext } from './context.js';

const MAX_LOST_IN_A_ROW = 3;
const MAX_STEPS = 100;

/** Asks the cluster for rings, starts a pass where it has the turn, and hears what becomes of it. */
export class Passes {
  /** Passes that know of every ring's bake. */
  private readonly toldBaked = new Set<string>();
  /** What the pass of a request works on that nobody granted. */
  private readonly entries = new Map<string, RingEntry>();
  /** Requests whose pass is being terminated. */
  private readonly ousting = new Set<string>();
  private readonly alarm: Alarm;

  constructor(
    private readonly ctx: PackageContext,
    private readonly oustAfterMs = OUST_AFTER_MS,
  ) {
    this.alarm = new Alarm(() => ctx.wake());
  }

  /** Does what the plan says, until it waits for somebody. */
  drive(callers: number): void {
    this.doSteps(callers);
    this.alarm.set(nextOust(this.ctx.state, Date.now(), this.oustAfterMs));
  }

  private doSteps(callers: number): void {
    this.refuseAsked();
    for (let i = 0; i < MAX_STEPS; i += 1) {
      const step = nextStep(this.ctx.state, Date.now(), callers, this.oustAfterMs);
      if (step.do === 'request-next') return this.requestNext(step.after);
      if (step.do === 'roll-back') return void this.ask(step.ring, 'rollback');
      if (step.do === 'stop-passes') return this.stopAll(step.outcome);
      if (step.do === 'oust') return this.oust(step.ring);
      if (step.do === 'end') return this.ctx.end(step.state, null);
      if (step.do !== 'withdraw') return;
      this.withdraw(step.requestId);
    }
  }

  /** Asks for a ring by its number; where a pass of this package is on it, that one is the answer. */
  ask(ring: number, purpose: PassPurpose): Track {
    const before = this.ctx.state.tracks[ring];
    if (before && isOpen(before)) return before;
    const track = newTrack(this.ctx.state.tracks[ring] ?? { ring }, purpose, this.newRequestId(), Date.now());
    this.ctx.state.tracks[ring] = track;
    this.send(this.requestOf(track.requestId, ring, purpose, track.sinceMs));
    return track;
  }

  /** @param mend a person wants PDM that failed there to run again */
  askAgain(track: Track, mend = false): void {
    track.mend = mend;
    if (track.perimeter || track.purpose === 'rollback') {
      this.ask(track.ring, track.purpose);
    } else {
      track.stage = 'over';
      track.again = true;
    }
    this.ctx.wake();
  }

  /** A person wants a ring retried whose pass is over. */
  retryAnew(track: Track): void {
    track.lost = 0;
    forgetOverrides(this.ctx.state, track.ring);
    this.askAgain(track, true);
  }

  /** Every ring that is waited for is asked for again, with what has changed meanwhile. */
  resend(): void {
    this.resendNext();
    for (const { stage, requestId, ring, purpose, sinceMs } of tracksOf(this.ctx.state)) {
      if (stage === 'asked') this.send(this.requestOf(requestId, ring, purpose, sinceMs));
    }
  }

  /** A person's yes to this package in one ring. */
  approve(ring: number): void {
    noteApproval(this.ctx.state, ring, Date.now());
    this.resend();
  }

  /** A person ends one wait for the calendar: the cluster, or the pass that is in the ring, is told. */
  waive(wait: CalendarWait, ring: number, { by, reason }: { by: string; reason: string }): void {
    const { state } = this.ctx;
    const waiver = noteWaiver(state, ring, wait);
    this.resend();
    const track = state.tracks[ring];
    if (track) this.ctx.tellOnceThere(track, signals.overrideInPassSignal, { wait, waiver, by, reason });
  }

  private resendNext(): void {
    const { next } = this.ctx.state;
    if (next) this.send(this.requestOf(next.requestId, { after: next.after }, 'deploy', next.sinceMs));
  }

  /** Tells a cluster that lost its memory what this rollout has and waits for. */
  tellAll(): void {
    this.resend();
    for (const { requestId, ring, purpose, sinceMs, pass } of tracksOf(this.ctx.state).filter(isOpen)) {
      const request = { ...this.requestOf(requestId, ring, purpose, sinceMs), ring, pass };
      void this.ctx.mail.send(CLUSTER_WORKFLOW_ID, signals.claimRingSignal, request);
    }
  }

  /** Nobody answers for the ring that a rollback asks for: it is entered without a turn. */
  enterUnasked(track: Track, entry: RingEntry): void {
    const { name, soft, perimeter } = entry;
    Object.assign(track, { name, soft, perimeter, held: null, stage: 'granted' });
    this.entries.set(track.requestId, entry);
    void this.ctx.detached(() => this.startPass(track));
  }

  /** What waits for its ring is wanted no more, and a pass under way is to end. */
  giveUp(by: string, reason: string): void {
    for (const track of tracksOf(this.ctx.state)) {
      if (track.stage === 'asked') this.withdraw(track.requestId);
      if (!isOpen(track)) continue;
      // One that waits for the pass before it to close is not started any more.
      if (track.stage === 'granted') track.stopped = true;
      void this.ctx.detached(() => this.stopReturn(track, by, reason));
    }
  }

  /** A pass that is just being started is told once it is there. */
  private async stopReturn(track: Track, by: string, reason: string): Promise<void> {
    await condition(() => track.stage !== 'granted');
    if (track.stage !== 'running') return;
    const stop = { outcome: 'aborted' as const, by, reason, hurry: false, evenRollback: true };
    await this.ctx.tellPass(track, signals.stopPassSignal, stop);
  }

  takeAnswer(answer: RingAnswer): void {
    const { state } = this.ctx;
    const { requestId } = answer;
    const asked = tracksOf(state).find((t) => t.requestId === requestId && t.stage === 'asked');
    if (state.next?.requestId === requestId) this.takeAnswerToNext(answer);
    else if (asked) this.takeAnswerTo(asked, answer);
    // Taken back meanwhile: a turn that nobody wants any more is given back.
    else if (answer.kind === 'granted' && !this.runs(requestId)) this.withdraw(requestId);
    this.ctx.wake();
  }

  takeReport(report: RingReport): void {
    const track = this.ctx.state.tracks[report.view.ring];
    if (!track || track.requestId !== report.requestId || track.stage === 'over') return;
    const failedBefore = track.migrationFailed.length > 0;
    noteReport(this.ctx.state, track, report, Date.now());
    if (track.migrationFailed.length > 0 !== failedBefore) this.holdForward(track);
    if (report.ended) this.passEnded(track, report);
    if (track.baked) this.tellBakedEverywhere();
    this.ctx.wake();
  }

  /** Its pass ended without saying so: the ring is asked for again, and the next pass takes over what is in flight. */
  passLost({ ring, requestId }: PassLost): void {
    const { state } = this.ctx;
    const track = state.tracks[ring];
    if (!track || track.requestId !== requestId || track.stage === 'over') return;
    log.warn('a pass was lost', { ring });
    this.withdraw(requestId);
    track.lost += 1;
    track.entered = true;
    this.ctx.wake();
    if (state.end || (state.abort && track.purpose !== 'rollback')) return;
    if (track.lost <= MAX_LOST_IN_A_ROW) return this.askAgain(track);
    const reason = `the pass over ring ${ring} ended ${track.lost} times without a result`;
    track.result = { outcome: 'lost', code: null, supersededBy: null, reason };
    track.settled = ringResult(state, track, track.result, Date.now());
    this.ctx.fail({ ring, reason });
  }

  // ── asking ─────────────────────────────────────────────────────────────────

  private requestNext(after: number | null): void {
    const requestId = this.newRequestId();
    this.ctx.state.next = { requestId, after, sinceMs: Date.now(), held: null };
    this.resendNext();
  }

  private requestOf(requestId: string, ring: RequestRing['ring'], purpose: PassPurpose, sinceMs: number): RequestRing {
    const {
      version,
      chartVersion,
      lane,
      approved,
      approvedAtMs = {},
      graduation,
      fixes,
      waivers = [],
      back,
    } = this.ctx.state;
    const waived = waivers.length > 0 ? { waivers } : {};
    const preempt = graduation?.accepted && graduation.preempt ? { preempt: true } : {};
    const mends = typeof ring === 'number' && fixes?.[ring] !== undefined ? { fixes: fixes[ring] } : {};
    return {
      requestId,
      version,
      chartVersion,
      ring,
      purpose,
      lane,
      approved,
      approvedAtMs,
      ...waived,
      sinceMs,
      ...preempt,
      ...mends,
      ...(back ? { sender: workflowInfo().workflowId } : {}),
    };
  }

  private newRequestId(): string {
    this.ctx.state.named += 1;
    return `${workflowInfo().firstExecutionRunId}/${this.ctx.state.named}`;
  }

  private send(request: RequestRing): void {
    void this.ctx.mail.send(CLUSTER_WORKFLOW_ID, signals.requestRingSignal, request);
  }

  /** Takes a request, or the turn that it was granted, back. */
  private withdraw(requestId: string): void {
    const { state } = this.ctx;
    void this.ctx.mail.send(CLUSTER_WORKFLOW_ID, signals.withdrawRequestSignal, { requestId });
    if (state.next?.requestId === requestId) state.next = null;
    const track = tracksOf(state).find((t) => t.requestId === requestId);
    if (track) track.stage = 'over';
  }

  private runs(requestId: string): boolean {
    return tracksOf(this.ctx.state).some((t) => t.requestId === requestId && isOpen(t));
  }

  // ── answers ────────────────────────────────────────────────────────────────

  private takeAnswerToNext(answer: RingAnswer): void {
    const { state } = this.ctx;
    if (answer.kind === 'held' && state.next) {
      state.next.held = { ring: answer.ring, waiting: answer.waiting };
      return;
    }
    const after = state.next?.after ?? null;
    state.next = null;
    if (answer.kind === 'none') {
      state.noMoreRings = true;
      noteNext(state, after, null);
      this.tellBakedEverywhere();
    }
    if (answer.kind === 'refused') this.ctx.supersede(answer.supersededBy);
    if (answer.kind !== 'granted') return;
    noteNext(state, after, answer.ring);
    const known = state.tracks[answer.ring] ?? { ring: answer.ring, perimeter: false };
    this.takeTurn(newTrack(known, 'deploy', answer.requestId, Date.now()), answer);
  }

  private takeAnswerTo(track: Track, answer: RingAnswer): void {
    if (answer.kind === 'granted') return this.takeTurn(track, answer);
    settleTrack(this.ctx.state, track, answer, Date.now());
    if (answer.kind !== 'rejected') return;
    const { path, value, expected } = answer;
    this.ctx.refusal = { path, value, expected };
    this.ctx.fileRejection(`${track.purpose}Ring`, this.ctx.refusal);
  }

  /** A turn is used at once or given back: where the rollout ends, is aborted or braked, it is wanted no more. */
  private takeTurn(track: Track, { name, soft, perimeter }: Extract<RingAnswer, { kind: 'granted' }>): void {
    const { state } = this.ctx;
    const isForward = track.purpose !== 'rollback';
    const refused = isForward ? refusedNow(state, track.ring, Date.now()) : null;
    Object.assign(track, { name, soft, perimeter, held: null });
    if (state.end || refused) {
      // Whoever waits for a rollout that is ending is answered how it ends.
      if (refused && refused.code !== 'ended' && track.stage === 'asked') track.settled = refused;
      this.withdraw(track.requestId);
      return;
    }
    track.stage = 'granted';
    state.tracks[track.ring] = track;
    void this.ctx.detached(() => this.startPass(track));
  }

  /** Who waits for a turn that could not be used by now waits for a person: that is answered at once. */
  private refuseAsked(): void {
    const { state } = this.ctx;
    for (const track of tracksOf(state).filter((t) => t.stage === 'asked' && t.purpose !== 'rollback')) {
      const refused = refusedNow(state, track.ring, Date.now());
      // Where the rollout ends, its own steps take back what it asked for.
      if (!refused || refused.code === 'ended') continue;
      track.settled = refused;
      this.withdraw(track.requestId);
    }
  }

  // ── passes ─────────────────────────────────────────────────────────────────

  /** Starts the pass; the one before it on this ring may take a moment to close. */
  private async startPass(track: Track): Promise<void> {
    for (let waitMs = 100; track.stage === 'granted'; waitMs = Math.min(waitMs * 2, 5_000)) {
      if (track.stopped || this.ctx.state.end) return this.withdraw(track.requestId);
      try {
        const handle = await startChild(RingRollout, this.passOptions(track));
        noteStarted(track, handle.firstExecutionRunId);
        handle.result().catch(() => this.passLost({ ring: track.ring, requestId: track.requestId }));
        return;
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        await sleep(waitMs);
      }
    }
  }

  private passOptions(track: Track) {
    const { version, chartVersion, lane, brakes, brakesSeq, skips, abort, overridden, waivers, back } = this.ctx.state;
    const entry = this.entries.get(track.requestId);
    const { ring, purpose, requestId, leftBehind, lost, migrationFailed, mend } = track;
    const reason = purpose === 'rollback' ? (abort?.reason ?? 'rollback') : `${purpose} of ${version}`;
    const input = {
      ring,
      version,
      chartVersion,
      purpose,
      lane,
      requestId,
      starter: workflowInfo().workflowId,
      packageBrakes: brakes,
      packageBrakesNumber: { epoch: workflowInfo().firstExecutionRunId, seq: brakesSeq },
      skips,
      failedChecks: failedChecks(this.ctx.state, ring),
      overridden: overridden.filter((o) => o.ring === ring).map((o) => o.wait),
      ...(waivers ? { waivers: waivers.filter((w) => w.ring === ring) } : {}),
      holdForward: migrationHold(this.ctx.state, ring),
      leftBehind,
      migrationFailed,
      mend,
      afterLoss: lost > 0,
      reason,
      ...(back ? { back } : {}),
      ...(entry ? { entry } : {}),
    };
    return {
      workflowId: ringRolloutId(ring),
      args: [input] as Parameters<typeof RingRollout>,
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

  private stopAll(outcome: 'aborted' | 'superseded'): void {
    const { end, abort } = this.ctx.state;
    const by = end?.supersededBy ?? abort?.by ?? '';
    const reason = abort?.reason ?? `the rollout is ${end?.state}`;
    for (const track of tracksOf(this.ctx.state).filter((t) => isOpen(t) && t.purpose !== 'rollback')) {
      if (!track.stopped) track.stoppedAtMs = Date.now();
      track.stopped = true;
      // A pass that is just being started is told once it is there.
      if (track.stage !== 'running') continue;
      void this.ctx.tellPass(track, signals.stopPassSignal, { outcome, by, reason, hurry: false });
    }
  }

  /** A pass that does not end keeps no rollback waiting: what it leaves in flight the next pass takes over. */
  private oust(ring: number): void {
    const track = this.ctx.state.tracks[ring];
    if (!track?.pass || this.ousting.has(track.requestId)) return;
    const { pass, requestId } = track;
    const reason = `it has not ended for the rollback of ${this.ctx.state.version}`;
    this.ousting.add(requestId);
    void this.ctx.detached(async () => {
      await terminatePass({ ring, pass, reason });
      this.ousting.delete(requestId);
      this.passLost({ ring, requestId });
    });
  }

  private passEnded(track: Track, report: RingReport): void {
    const { state } = this.ctx;
    track.lost = 0;
    if (track.purpose === 'rollback') {
      const isNamed = (e: CellException) => (state.back ? e.needsDowntime === true : e.state !== 'rolled-back');
      const stayed = track.view?.exceptions.filter(isNamed) ?? [];
      const others = state.needsDowntime.filter(({ cell }) => !stayed.some((e) => e.cell === cell));
      state.needsDowntime = [...others, ...stayed];
      return;
    }
    if (state.end || state.abort) return;
    const { outcome, supersededBy = null } = track.result ?? {};
    // A rollback took the ring: this package asks for it again, and its callers wait on.
    if (outcome === 'yielded') return this.askAgain(track);
    if (missedRetry(track, report)) return this.retryAnew(track);
    if (track.perimeter) return;
    if (outcome === 'refused' || outcome === 'superseded') this.ctx.supersede(supersededBy);
  }

  /** A failed PDM stops everything of this package that goes forward, in whichever ring; until it has succeeded. */
  private holdForward(failed: Track): void {
    const others = tracksOf(this.ctx.state).filter((t) => t.ring !== failed.ring && isOpen(t));
    for (const track of others) void this.ctx.detached(() => this.tellHold(track));
  }

  /** A pass that is just being started is told once it is there. */
  private async tellHold(track: Track): Promise<void> {
    await condition(() => track.stage !== 'granted');
    const held = migrationHold(this.ctx.state, track.ring);
    await this.ctx.tellPass(track, signals.holdForwardSignal, { held });
  }

  private tellBakedEverywhere(): void {
    const outer = tracksOf(this.ctx.state).filter((t) => !t.perimeter);
    if (!this.ctx.state.noMoreRings || !outer.every((t) => t.baked)) return;
    for (const track of outer.filter((t) => t.stage === 'running')) {
      const { pass } = track;
      if (pass !== null && !this.toldBaked.has(pass)) void this.sendBakedEverywhere(track, pass);
    }
  }

  private async sendBakedEverywhere(track: Track, pass: string): Promise<void> {
    this.toldBaked.add(pass);
    const arrived = await this.ctx.tellPass(track, signals.bakedEverywhereSignal, {});
    if (!arrived) this.toldBaked.delete(pass);
  }
}
