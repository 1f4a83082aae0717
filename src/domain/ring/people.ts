import type { CheckInPass } from '../../contract/internal.js';
import type { OverridableWait } from '../../contract/messages.js';
import type { RingPolicy } from '../../contract/policy.js';
import { drop, markQuarantined, markSkipped, mayTryAgain } from './cell-ended.js';
import { waiveOutside } from './checks.js';
import { endHaltWithinBudget, haltForExceptions } from './halts.js';
import { endWaiver, type Waiting, waiveHealth } from './health.js';
import { converged, isPastDeploy, setMark } from './marks.js';
import type { Halt, Mark, PassState } from './pass.js';

/** What people say to a pass: skips, checks, overrides, retries. */

/** Leaves a cell out of the way, or notes to do so when its run has ended. Answers why not where it cannot be. */
export function skip(s: PassState, index: number, by: string, reason: string, policy: RingPolicy): string | null {
  const mark = s.marks[index];
  if (s.purpose === 'rollback') return leaveOnIt(s, index, by, reason);
  // Out of the way is not mended: what a failed PDM stops stays stopped until it has succeeded.
  if (s.pdmFailed[index]) return 'a cell whose PDM has not failed';
  if (mark === undefined || mark === 'L') return 'a cell of this pass';
  if (mark === 'C' || mark === 'D' || mark === 'm' || mark === 'M' || mark === 'Q')
    return 'a cell that has not converged yet';
  if (mark === 's') return null;
  if (s.inFlight[index]) {
    s.skips[index] = { by, reason };
    return null;
  }
  if (s.exceptions[index] && !mayTryAgain(s.exceptions[index].state)) s.again[index] = true;
  markSkipped(s, index, `skipped by ${by}: ${reason}`);
  endHaltWithinBudget(s, policy);
  return null;
}

/** Another pass's run, for whose end a skip waited, is over: the skip counts before anything is ordered. */
export function skipAfterOther(s: PassState, index: number, policy: RingPolicy): void {
  const asked = s.skips[index];
  delete s.skips[index];
  if (asked) skip(s, index, asked.by, asked.reason, policy);
}

/** Leaves a cell on the package that is taken back; one that is going back comes to its end. */
function leaveOnIt(s: PassState, index: number, by: string, reason: string): string | null {
  const mark = s.marks[index];
  if (mark === undefined || mark === 'L' || mark === 'R') return 'a cell that is still to go back';
  if (mark === 'C') markSkipped(s, index, `left on it by ${by}: ${reason}`);
  // Another pass's run is in the way still: nothing was begun to take the cell back.
  else if (s.inFlight[index]?.foreign) s.skips[index] = { by, reason };
  return null;
}

/**
 * The ring has the cell no more: it is none of this pass's business, and is named. One with a run of its own is let come
 * to its end first.
 */
export function leave(s: PassState, index: number, policy: RingPolicy): void {
  const mark = s.marks[index];
  if (mark === undefined) return;
  if (s.inFlight[index]) {
    s.leaving = { ...s.leaving, [index]: true };
    return;
  }
  drop(s, index);
  endHaltWithinBudget(s, policy);
}

/** Takes a cell out of the pass, or notes to do so when its run has ended, going back included. */
export function quarantine(s: PassState, index: number, by: string, reason: string, policy: RingPolicy): void {
  const mark = s.marks[index];
  if (mark === undefined || mark === 'L' || mark === 'Q') return;
  s.quarantines[index] = `quarantined by ${by}: ${reason}`;
  if (!s.inFlight[index]) markQuarantined(s, index, policy);
}

/** Back before its run has ended: it had not left yet. One that has left comes with the next pass. */
export function readmit(s: PassState, index: number): void {
  delete s.quarantines[index];
}

/** Notes the last word of a check. */
export function noteCheck(s: PassState, { name, outcome, by }: CheckInPass): void {
  if (outcome === 'failed') s.failedChecks[name] = by;
  else delete s.failedChecks[name];
}

/** Ends one wait of this pass by a person's word, the one that there is now; what fails or is missing later is another. */
export function override(s: PassState, wait: OverridableWait, waiting: Waiting): void {
  if (wait === 'health') return waiveHealth(s, waiting);
  if (wait !== 'check') s.overridden.push(wait);
  else {
    s.failedChecks = {};
    waiveOutside(s);
  }
}

/** What a fresh look says of a cell that a person wants retried. */
export type RetryVerdict =
  | { on: 'target' }
  | { on: 'migrated' }
  | { on: 'other' }
  /** What is to go back has gone. */
  | { on: 'gone' }
  | { on: 'bad'; reason: string };

/** Cells that `retryRing` speaks of: those named, or all that did not converge; where cells go back, those that did not. */
export function retryable(s: PassState, named: number[] | null): number[] {
  const unfinished: Mark[] = s.purpose === 'rollback' ? ['X'] : ['X', 'R', 'd', 'D'];
  const wanted = new Set<Mark>(named === null ? unfinished : [...unfinished, 's']);
  const among = named ?? s.marks.map((_, index) => index);
  return among.filter((index) => wanted.has(s.marks[index] as Mark) && s.quarantines[index] === undefined);
}

/** Puts a cell back to work, or keeps it as it is where the look does not find it sane. */
export function retried(s: PassState, index: number, verdict: RetryVerdict): void {
  if (verdict.on === 'bad') {
    const had = s.exceptions[index];
    s.exceptions[index] = { ...had, state: had?.state ?? 'failed', reason: verdict.reason };
    return;
  }
  if (s.exceptions[index]?.state === 'migration-failed') s.mending[index] = true;
  // Beside a bake it comes to the package by its next try, which is now: the bake is not begun anew for it.
  if (isBeside(s, index) && verdict.on !== 'migrated') return;
  delete s.exceptions[index];
  delete s.again[index];
  delete s.health?.bad[index];
  setMark(s, index, RETRIED[verdict.on]);
}

/** Put off, while others of the ring bake. */
const isBeside = (s: PassState, index: number): boolean =>
  s.marks[index] === 'd' && isPastDeploy(s) && converged(s) > 0;

const RETRIED: Record<Exclude<RetryVerdict['on'], 'bad'>, Mark> = { target: 'C', migrated: 'M', other: '.', gone: 'L' };

/**
 * After the cells of a retry were looked at: the halt is over, and the pass goes back to the stage that has work; what is
 * put off is tried at once.
 *
 * @param answered the halt that the person saw: one that came while the cells were looked at waits for its own answer
 */
export function resume(s: PassState, policy: RingPolicy, now: number, answered: Halt | null = s.halt): void {
  if (s.halt === answered) s.halt = null;
  else endHaltWithinBudget(s, policy);
  s.cursor = 0;
  if (isPastDeploy(s) && s.putOff) s.putOff.nextAtMs = now;
  if (s.purpose === 'deploy' && s.counts['.'] > 0) backToDeploy(s);
  haltForExceptions(s, policy, now);
}

/** Clocks begin anew with the cells that are deployed now: a bake or a grace period is for what runs, not for what ran. */
function backToDeploy(s: PassState): void {
  s.stage = 'deploy';
  // What a person ended was a wait of what ran then.
  s.overridden = [];
  endWaiver(s);
  s.graceUntilMs = null;
  if (s.bakedAtMs !== null) return;
  s.convergedAtMs = null;
  s.bakeUntilMs = null;
}
