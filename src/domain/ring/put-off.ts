import type { RingPolicy } from '../../contract/policy.js';
import { lacksPdm } from './cell-ended.js';
import { haltOf } from './halts.js';
import { converged, failures, flying, isBusy, isMending, isPastDeploy, setMark } from './marks.js';
import { type Hold, type Mark, type PassState, type PutOff, roomFor, takeOff } from './pass.js';
import type { Advance } from './stages.js';

/**
 * Skip and come back: cells that are busy or unreachable are tried again by the clock, off the ring's critical path while
 * its failure budget bears them. Beyond that the ring waits for them, and halts for a person only in the end.
 */

/** In polls of a job, so that whoever looks often comes back often: 30 s and 5 min with the defaults. */
const FIRST_PAUSE_POLLS = 6;
const LONGEST_PAUSE_POLLS = 60;

/** Where put-off cells stand in the stage, and where they go to be tried. */
const marksOf = ({ stage }: PassState): { off: Mark; on: Mark } =>
  stage === 'migrate' ? { off: 'D', on: 'C' } : { off: 'd', on: '.' };

/**
 * Whether the pass goes no further because of cells that are put off. They are tried again when their time has come; once
 * the ring should have converged they count as failed. A soft ring waits for nobody.
 */
export function waitsForPutOff(s: PassState, a: Advance): boolean {
  const waiting = s.counts[marksOf(s).off];
  if (waiting === 0 && flying(s) === 0) s.putOff = null;
  if (waiting === 0 && !s.putOff) return false;
  s.putOff ??= { sinceMs: a.now, tries: 0, nextAtMs: null, untilMs: null };
  const { putOff } = s;
  const waits = isTooMany(s, a.policy);
  // Not from when the pass began: what held it until then (a brake, a night, a halt) is no time in which they were tried.
  putOff.untilMs = waits ? putOff.sinceMs + a.policy.convergeWithinMs : null;
  return waiting === 0 ? waits : plan(s, putOff, a);
}

/** What becomes of them now; answers whether the pass goes no further. */
function plan(s: PassState, putOff: PutOff, a: Advance): boolean {
  const { nextAtMs, untilMs } = putOff;
  const isOver = untilMs !== null && a.now >= untilMs;
  // What kept them from every try by the clock (a brake, a window) is nothing that says that they are busy still.
  const isTried = nextAtMs === null && putOff.tries > 0;
  if (a.soft || (isOver && isTried)) return giveUp(s, a);
  if (!isPastDeploy(s) && isDue(s, a.now)) return comeBack(s);
  const next = nextAtMs ?? a.now + pauseOf(putOff.tries, a);
  // One last try is made when the time is up.
  putOff.nextAtMs = untilMs === null || isOver ? next : Math.min(next, untilMs);
  return untilMs !== null;
}

/** PDM is wanted on every cell that runs the package; of cells without it the failure budget bears some. */
function isTooMany(s: PassState, { failureBudget }: RingPolicy): boolean {
  const missing = failures(s) + s.counts.d + s.counts['>'];
  return s.stage === 'migrate' || converged(s) === 0 || missing > failureBudget;
}

function pauseOf(tries: number, { policy, random }: Advance): number {
  const polls = Math.min(LONGEST_PAUSE_POLLS, FIRST_PAUSE_POLLS * 2 ** tries);
  return Math.round(polls * policy.pollIntervalMs * (0.75 + random() / 2));
}

function isDue({ putOff }: PassState, now: number): boolean {
  const nextAtMs = putOff?.nextAtMs ?? null;
  return nextAtMs !== null && now >= nextAtMs;
}

/** Whether cells are to be deployed now, although their ring bakes or waits out its grace period. */
export const isDueBeside = (s: PassState, now: number): boolean => isPastDeploy(s) && isDue(s, now);

function noteTry({ putOff }: PassState): void {
  if (putOff) Object.assign(putOff, { tries: putOff.tries + 1, nextAtMs: null, turns: 0 });
}

/** Beside a bake they may be more than are tried at once: the pause grows when as many as there are had their turn. */
function noteTurns(s: PassState, taken: number): void {
  if (!s.putOff || taken === 0) return;
  s.putOff.turns = (s.putOff.turns ?? 0) + taken;
  s.putOff.nextAtMs = null;
  if (s.putOff.turns >= s.counts.d + s.counts['>']) noteTry(s);
}

function comeBack(s: PassState): true {
  const { off, on } = marksOf(s);
  noteTry(s);
  for (const index of standingOn(s, off)) setMark(s, index, on);
  return true;
}

const standingOn = (s: PassState, mark: Mark): number[] => s.marks.flatMap((m, index) => (m === mark ? [index] : []));

/** Takes put-off cells whose time has come while their ring bakes, or waits out its grace period; its clock runs on. */
export function takePutOff(s: PassState, policy: RingPolicy, hold: Hold, now: number): number[] {
  if (!isDueBeside(s, now)) return [];
  const isHeld = hold.braked || hold.trouble || hold.closed === true;
  if (isHeld || s.stop || s.halt || s.holdForward || isMending(s)) return [];
  const taken = inTurn(s).slice(0, roomFor(s, policy, false));
  for (const index of taken) {
    setMark(s, index, '>');
    takeOff(s, index, 'deploy');
  }
  noteTurns(s, taken.length);
  return taken;
}

/** Who was ordered least comes first, so that none of many waits for ever. */
function inTurn(s: PassState): number[] {
  const ordered = (index: number) => s.orders[index] ?? 0;
  return standingOn(s, 'd').sort((a, b) => ordered(a) - ordered(b));
}

/** Answers whether the pass is halted for it. */
function giveUp(s: PassState, a: Advance): boolean {
  const isPdm = s.stage === 'migrate';
  const left = standingOn(s, marksOf(s).off);
  for (const index of left) {
    setMark(s, index, 'X');
    if (isPdm) lacksPdm(s, index);
  }
  s.putOff = null;
  const last = left.at(-1) ?? -1;
  const why = s.exceptions[last]?.reason ?? 'put off';
  const reason = a.soft ? why : `${why}; tried until ${new Date(a.now).toISOString()}`;
  const cause = isPdm ? `PDM on ${a.idOf(last)}: ${reason}` : haltOf(s, a.policy, false, a.idOf(last), reason);
  if (cause !== null) s.halt ??= { kind: isPdm ? 'migration' : 'put-off', reason: cause, sinceMs: a.now };
  return s.halt !== null;
}

/** The cells that are waited for; one that is just tried again among them. */
export function putOffCells(s: PassState): number[] {
  const waited: Mark[] = s.stage === 'migrate' ? ['D', 'C', 'm'] : ['d', '.', '>'];
  const named = Object.keys(s.exceptions).map(Number);
  return named.filter((index) => waited.includes(s.marks[index] as Mark) && isBusy(s.exceptions[index]?.state));
}
