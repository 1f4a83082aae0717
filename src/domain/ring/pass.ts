import type { CellPurpose } from '../../contract/internal.js';
import type { RingPolicy } from '../../contract/policy.js';
import { leaveOutQuarantined } from './cell-ended.js';
import { haltOf } from './halts.js';
import { judgeAnew } from './health.js';
import { concerned, converged, failures, flying, isMending, START, setMark, stagePurpose } from './marks.js';
import type { FlightRecord, PassState } from './pass-state.js';

export * from './pass-state.js';

/** One pass over one ring: what starts next. */

export interface Hold {
  /** A brake stops what goes forward. */
  braked: boolean;
  /** AMP's own trouble: nothing new is ordered until it answers again. */
  trouble: boolean;
  /** Outside its deploy windows, or frozen. */
  closed?: boolean;
}

/** What halts the pass, or holds it because of another ring, must not hold the PDM that is to mend it. */
function isHeld(s: PassState, hold: Hold): boolean {
  if (s.stop || hold.braked || hold.trouble || hold.closed) return true;
  return !isMending(s) && (stagePurpose(s) === null || s.halt !== null || s.holdForward !== null);
}

/** How many more cells may start now. */
export function room(s: PassState, policy: RingPolicy, hold: Hold): number {
  // A rollback waits for nothing but its own width.
  if (s.stage === 'rollback') return Math.max(0, policy.maxParallel - flying(s));
  return isHeld(s, hold) ? 0 : roomFor(s, policy, s.stage === 'migrate' || isMending(s));
}

/**
 * First cells go alone: until so many have passed, no other cell starts, whatever the failure budget. Then a further cell
 * starts only while the failures are within the budget; with a strict budget cells in flight count as failed.
 */
export function roomFor(s: PassState, policy: RingPolicy, migrates: boolean): number {
  const free = policy.maxParallel - flying(s);
  const passed = migrates ? s.counts.M : converged(s);
  const first = Math.min(policy.firstCells, concerned(s));
  if (passed < first) return Math.max(0, Math.min(free, first - passed - flying(s)));
  if (migrates) return Math.max(0, free);
  const left = policy.failureBudget - failures(s) - (policy.strictBudget ? flying(s) : 0);
  if (left < 0) return 0;
  return Math.max(0, policy.strictBudget ? Math.min(free, left + 1) : free);
}

/** Takes the next cells that may start now, marks them as in flight, and answers their indices. */
export function takeNext(s: PassState, policy: RingPolicy, hold: Hold): number[] {
  leaveOutQuarantined(s, policy);
  if (isMending(s)) return takeMending(s, room(s, policy, hold));
  const purpose = stagePurpose(s);
  if (purpose === null) return [];
  const { from, to } = START[purpose];
  const taken: number[] = [];
  for (let left = room(s, policy, hold); left > 0 && s.counts[from] > 0 && s.cursor < s.marks.length; s.cursor += 1) {
    if (s.marks[s.cursor] !== from) continue;
    taken.push(s.cursor);
    left -= 1;
    s.counts[from] -= 1;
    s.counts[to] += 1;
    s.marks[s.cursor] = to;
  }
  for (const index of taken) takeOff(s, index, purpose);
  return taken;
}

function takeMending(s: PassState, most: number): number[] {
  const waiting = Object.keys(s.mending).map(Number);
  const taken = waiting.filter((index) => s.marks[index] === 'C').slice(0, most);
  for (const index of taken) {
    setMark(s, index, 'm');
    takeOff(s, index, 'migrate');
  }
  return taken;
}

export function takeOff(s: PassState, index: number, purpose: CellPurpose): void {
  s.inFlight[index] = { purpose, runId: null, carried: false, foreign: false, cancelled: false };
  s.orders[index] = (s.orders[index] ?? 0) + 1;
  judgeAnew(s, index, purpose);
}

/**
 * A verified cell turned bad while it was watched. It goes back, outside the stage's own order, unless the policy says
 * that nothing does; answers whether it does.
 */
export function turnedBad(
  s: PassState,
  index: number,
  bad: { cell: string; reason: string },
  a: { policy: RingPolicy; now: number },
): boolean {
  if (a.policy.autoRollback !== 'never') {
    sendBack(s, index);
    return true;
  }
  s.exceptions[index] = { state: 'failed', reason: `${bad.reason}; autoRollback is never` };
  setMark(s, index, 'X');
  const cause = haltOf(s, a.policy, false, bad.cell, bad.reason);
  if (cause && !s.halt) s.halt = { kind: 'cells', reason: cause, sinceMs: a.now };
  return false;
}

/**
 * A run that a lost pass left behind works on the cell: it is in flight in this one too, and stands where that run leaves
 * it, whatever a look finds meanwhile.
 */
export function joinRun(s: PassState, index: number): void {
  const purpose = s.purpose === 'migrate' ? 'migrate' : 'deploy';
  setMark(s, index, START[purpose].to);
  takeOff(s, index, purpose);
  Object.assign(s.inFlight[index] as FlightRecord, { foreign: true, carried: true });
}

/** Sends one cell back, outside the stage's own order. */
export function sendBack(s: PassState, index: number): void {
  setMark(s, index, '<');
  takeOff(s, index, 'rollback');
}
