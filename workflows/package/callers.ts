import { condition } from '@temporalio/workflow';
import { CLUSTER_WORKFLOW_ID } from '../../src/contract/ids.js';
import type { RingKnown } from '../../src/contract/internal.js';
import type { Problem } from '../../src/contract/problem.js';
import type { RingResult } from '../../src/contract/status.js';
import type { Track } from '../../src/domain/rollout/state.js';
import { heldResult, isHeld, refusedNow, refusedResult } from '../../src/domain/rollout/tracks.js';
import * as signals from '../shared/signals.js';
import { rejected, rejectedBecause } from '../shared/validation.js';
import { CLUSTER_ANSWERS_MS } from './cluster-link.js';
import type { PackageContext } from './context.js';
import type { Passes } from './passes.js';

/** Temporal lets ten updates be in flight: these leave room for brakes and other acts. */
const MAX_CALLERS = 5;

/** Those who drive a ring inside the perimeter, and wait for its result. */
export class Callers {
  waiting = 0;
  /** What the cluster said of rings that it was asked about. */
  private readonly known = new Map<number, Problem | null>();

  constructor(
    private readonly ctx: PackageContext,
    private readonly passes: Passes,
  ) {}

  mustHaveRoom(ring: number): void {
    if (this.waiting < MAX_CALLERS) return;
    throw rejectedBecause('ring', ring, `at most ${MAX_CALLERS} callers waiting on one rollout; ask again later`);
  }

  /**
   * Joins the pass under way, or begins one that looks again; answers when it is done, or when only a person or the
   * calendar could go on.
   */
  async drive(purpose: 'deploy' | 'migrate', ring: number): Promise<RingResult> {
    this.waiting += 1;
    try {
      await this.untilRegistered();
      this.mustBeInside(ring, purpose);
      const refused = this.refuse(ring);
      // A package that is held asks for no turn; that there is no such ring it says all the same.
      if (refused && refused.code !== 'ended') await this.mustBeKnown(ring, purpose);
      if (refused) return refused;
      await this.untilFree(ring, purpose);
      const other = this.otherPass(ring, purpose);
      const stuck = other && this.stuckResult(other);
      if (stuck) return stuck;
      if (!this.joins(ring, purpose) && !this.isEnding()) this.passes.ask(ring, purpose);
      this.ctx.wake();
      await condition(() => this.isAnswered(ring));
      return this.answer(ring);
    } finally {
      this.waiting -= 1;
      this.ctx.wake();
    }
  }

  /** Outer rings move by themselves; one that this package is in is known without asking the cluster. */
  private mustBeInside(ring: number, purpose: 'deploy' | 'migrate'): void {
    const track = this.ctx.state.tracks[ring];
    if (!track || track.perimeter) return;
    this.refuseRing(purpose, { path: 'ring', value: String(ring), expected: 'a ring inside the perimeter' });
  }

  /** Which rings there are only the cluster knows; one that is away answers for none. */
  private async mustBeKnown(ring: number, purpose: 'deploy' | 'migrate'): Promise<void> {
    const { version } = this.ctx.state;
    this.known.delete(ring);
    await this.ctx.mail.send(CLUSTER_WORKFLOW_ID, signals.askRingSignal, { version, ring });
    await condition(() => this.known.has(ring), CLUSTER_ANSWERS_MS);
    const problem = this.known.get(ring);
    if (problem) this.refuseRing(purpose, problem);
  }

  takeRingKnown({ ring, problem }: RingKnown): void {
    this.known.set(ring, problem);
  }

  private refuseRing(purpose: 'deploy' | 'migrate', problem: Problem): never {
    this.ctx.fileRejection(`${purpose}Ring`, problem);
    throw rejected([problem]);
  }

  private isEnding(): boolean {
    return this.ctx.state.end !== null || this.ctx.state.abort !== null;
  }

  private async untilRegistered(): Promise<void> {
    const { state } = this.ctx;
    if (await condition(() => state.registered || state.end !== null, CLUSTER_ANSWERS_MS)) return;
    const problem = { path: 'cluster', value: 'no answer', expected: 'a cell cluster: cellctl cluster apply FILE' };
    this.ctx.fileRejection('deployRing', problem);
    throw rejected([problem]);
  }

  private refuse(ring: number): RingResult | null {
    const { state, refusal } = this.ctx;
    if (refusal && state.end) throw rejected([refusal]);
    return refusedNow(state, ring, Date.now());
  }

  /**
   * Another kind of pass of this package on the same ring comes first, and so does one that has finished and is about
   * to end: who asks now wants a look from now on. A pass that waits for a person itself is not waited for.
   */
  private async untilFree(ring: number, purpose: Track['purpose']): Promise<void> {
    await condition(() => {
      const open = this.otherPass(ring, purpose) ?? this.finishedPass(ring);
      return open === null || this.stuckResult(open) !== null || this.isEnding();
    });
  }

  private finishedPass(ring: number): Track | null {
    const track = this.ctx.state.tracks[ring];
    return track && track.stage === 'running' && track.settled !== null ? track : null;
  }

  private otherPass(ring: number, purpose: Track['purpose']): Track | null {
    const track = this.ctx.state.tracks[ring];
    return track && track.stage !== 'over' && track.purpose !== purpose ? track : null;
  }

  /** What a pass that only a person moves on answers to everybody; null: it will end, or go on, by itself. */
  private stuckResult(track: Track): RingResult | null {
    if (track.settled?.outcome === 'halted') return track.settled;
    return isHeld(track) ? heldResult(this.ctx.state, track, Date.now()) : null;
  }

  private joins(ring: number, purpose: Track['purpose']): boolean {
    const track = this.ctx.state.tracks[ring];
    return track !== undefined && track.stage !== 'over' && track.purpose === purpose;
  }

  private isAnswered(ring: number): boolean {
    const track = this.ctx.state.tracks[ring];
    return !track || track.settled !== null || track.stage === 'over' || isHeld(track);
  }

  private answer(ring: number): RingResult {
    const { state, refusal } = this.ctx;
    const track = state.tracks[ring];
    if (track?.settled) return track.settled;
    if (track?.stage === 'over' && refusal?.path === 'ring') throw rejected([refusal]);
    if (track && track.stage !== 'over') return heldResult(state, track, Date.now());
    // The rollout ended, or was aborted, while the caller waited.
    const outcome = state.end?.state === 'superseded' ? 'superseded' : 'aborted';
    return { ...refusedResult(state, ring, 'ended', null, Date.now()), outcome };
  }
}
