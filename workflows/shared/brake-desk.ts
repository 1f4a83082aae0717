import { ApplicationFailure, condition } from '@temporalio/workflow';
import { FAILURE } from '../../src/contract/failures.js';
import { CLUSTER_WORKFLOW_ID, ringRolloutId } from '../../src/contract/ids.js';
import type { BrakesHold, BrakesNumber } from '../../src/contract/internal.js';
import type { BrakeResult, BrakeStatus } from '../../src/contract/status.js';
import { stillTold } from '../../src/domain/alerts/brakes.js';
import {
  brakeToRelease,
  COORDINATOR,
  engage,
  hasExpired,
  holding,
  isSameBrake,
  type NewBrake,
  nextExpiry,
  noteHold,
  release,
  whyNoRoom,
} from '../../src/domain/brake.js';
import { judgeExpiry } from '../../src/domain/instant.js';
import { Alarm } from './alarm.js';
import { rejected, rejectedBecause } from './validation.js';

const DEADLINE_MS = 10_000;

/** The part of a workflow's state that its brakes live in. */
export interface BrakeState {
  brakes: BrakeStatus[];
  /** Grows with every change of the brakes. */
  brakesSeq: number;
  /** Brakes that have expired of late: people are told of them for a while. */
  lately?: BrakeStatus[];
  /** Names given so far to what came without one. */
  named: number;
}

export interface BrakeHost {
  readonly state: BrakeState;
  /** First run id of the workflow: what it counts begins with it. */
  readonly epoch: string;
  /** Rings with a pass that may start something forward, and that this brake covers; null: that is not known yet. */
  coveredRings(brake: BrakeStatus): number[] | null;
  /** Who else has to answer, and speaks for passes of its own; absent: nobody. */
  readonly other?: OtherHold;
  /** Tells every pass the brakes that hold for it now. */
  tellPasses(): void;
  /** `brake` says who did it and why, and what it is about. */
  record(act: string, brake: BrakeStatus, outcome: string): void;
  wake(): void;
}

export interface OtherHold {
  readonly workflowId: string;
  /** Cells that its passes had in flight when they came to go by this list, or a later one; null: it has not answered. */
  inFlight(seq: number): string[] | null;
}

/**
 * The brakes of one workflow. Each pass is told the whole list with a number that grows, so that the order of messages
 * does not matter; and each answers with the cells that it had in flight, after which it starts nothing they stop.
 */
export class BrakeDesk {
  private readonly holds = new Map<number, BrakesHold>();
  private readonly expiry: Alarm;

  constructor(private readonly host: BrakeHost) {
    this.expiry = new Alarm(() => host.wake());
  }

  get holding(): BrakeStatus[] {
    return holding(this.host.state.brakes, Date.now());
  }

  engage(asked: Omit<NewBrake, 'brakeId'> & { brakeId?: string | undefined }): BrakeStatus {
    const { state } = this.host;
    if (asked.brakeId === undefined) state.named += 1;
    const brakeId = asked.brakeId ?? `brake-${state.named}`;
    const before = state.brakes.find((b) => b.brakeId === brakeId);
    const brakes = engage(state.brakes, { ...asked, brakeId }, Date.now());
    const brake = brakes.at(-1) as BrakeStatus;
    // The same brake again, as a signal and then as an update, is one act of one person; the passes are told again.
    const isSame = before !== undefined && isSameBrake(before, brake);
    this.set(isSame ? state.brakes : brakes);
    if (!isSame) this.host.record('engageBrake', brake, `brake ${brakeId} is on`);
    return isSame ? before : brake;
  }

  /** Brakes of a run before this one, which nobody has released; the pass that tells them is told all that hold. */
  takeOver(brakes: BrakeStatus[]): void {
    const known = new Set(this.host.state.brakes.map((b) => b.brakeId));
    const others = holding(brakes, Date.now()).filter((b) => !known.has(b.brakeId));
    const all = [...others, ...this.host.state.brakes];
    if (all.length > 0) this.set(all);
  }

  /** Which list of brakes holds now. */
  get number(): BrakesNumber {
    return { epoch: this.host.epoch, seq: this.host.state.brakesSeq };
  }

  /** Waits until every pass that the brake covers has answered; fails with `BrakeUnconfirmed`, and the brake stays on. */
  async confirmed(brake: BrakeStatus): Promise<BrakeResult> {
    const { brakeId } = brake;
    const { seq } = this.number;
    let covered: number[] | null = null;
    const hold = (): boolean => {
      covered ??= this.host.coveredRings(brake);
      return covered !== null && this.silent(covered, brake, seq).length === 0 && this.others(seq) !== null;
    };
    if (await condition(hold, DEADLINE_MS)) {
      const own = (covered ?? []).flatMap((ring: number) => this.holds.get(ring)?.inFlight ?? []);
      return { brakeId, inFlight: [...new Set([...own, ...(this.others(seq) ?? [])])] };
    }
    const silent = covered === null ? [CLUSTER_WORKFLOW_ID] : this.silent(covered, brake, seq).map(ringRolloutId);
    const { other } = this.host;
    const who = [...new Set([...silent, ...(other && this.others(seq) === null ? [other.workflowId] : [])])];
    const message = `brake ${brakeId} is on, but ${who.join(', ')} did not answer; it stays on`;
    throw ApplicationFailure.nonRetryable(message, FAILURE.brakeUnconfirmed, { brakeId, silent: who });
  }

  /** What passes of others had in flight; null: that is not known yet. */
  private others(seq: number): string[] | null {
    return this.host.other ? this.host.other.inFlight(seq) : [];
  }

  /** Who of those that the brake covered has not answered, and is still there. */
  private silent(covered: number[], brake: BrakeStatus, seq: number): number[] {
    const still = this.host.coveredRings(brake) ?? covered;
    return covered.filter((ring) => still.includes(ring) && (this.holds.get(ring)?.seq ?? -1) < seq);
  }

  /** Throws `Rejected` where so many brakes are on that no more can be. */
  mustHaveRoom(brakeId: string | undefined): void {
    const problem = whyNoRoom(this.holding, brakeId);
    if (problem) throw rejectedBecause('brakeId', brakeId ?? 'none named', problem);
  }

  /** The brake that a release speaks of; throws `Rejected` where there is no such one. */
  toRelease(brakeId: string | undefined): BrakeStatus {
    const found = brakeToRelease(this.host.state.brakes, brakeId);
    if ('expected' in found) throw rejectedBecause('brakeId', brakeId ?? 'none named', found.expected);
    return found.brake;
  }

  /** Tells the passes again what holds: what else than brakes stops them has changed. */
  renew(): void {
    this.set(this.host.state.brakes);
  }

  release(brakeId: string): void {
    this.set(release(this.host.state.brakes, brakeId));
  }

  /** Takes expired brakes off, and wakes the workflow when the next one expires. */
  expire(): void {
    const { state } = this.host;
    const over = state.brakes.filter((b) => hasExpired(b, Date.now()));
    state.lately = stillTold(this.holding, [...(state.lately ?? []), ...over], Date.now());
    for (const b of over) this.host.record('brakeExpired', { ...b, by: COORDINATOR }, `brake ${b.brakeId} expired`);
    if (over.length > 0) this.set(this.holding);
    this.expiry.set(nextExpiry(state.brakes));
  }

  /** What a pass says of another's brakes, such as those of a run before this one, is no answer to this one. */
  noteHold(hold: BrakesHold): void {
    if (hold.epoch !== this.host.epoch) return;
    noteHold(this.holds, hold);
    this.host.wake();
  }

  /** Another pass may enter the ring: what an earlier one answered says nothing of it. */
  forget(ring: number): void {
    this.holds.delete(ring);
  }

  private set(brakes: BrakeStatus[]): void {
    this.host.state.brakes = brakes;
    // Of a run that was reset, which counts on from where it was put back to, no list is taken for an older one.
    this.host.state.brakesSeq = Math.max(this.host.state.brakesSeq + 1, Date.now());
    this.host.tellPasses();
    this.host.wake();
  }
}

/** Throws `Rejected` where a brake would expire before it begins. */
export function mustExpireLater(expiresAt: string | undefined): void {
  const problem = judgeExpiry(expiresAt, Date.now());
  if (problem) throw rejected([problem]);
}
