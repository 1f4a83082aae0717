import type { RingPolicy } from '../../contract/policy.js';
import { haltForMigration } from './halts.js';
import { endWaiver, unwatched } from './health.js';
import { concerned, converged, isMending, setMark, settled } from './marks.js';
import type { Mark, PassState, Stage } from './pass.js';
import { waitsForPutOff } from './put-off.js';

/** From stage to stage: what must be over before a pass goes on. */

export interface Advance {
  policy: RingPolicy;
  soft: boolean;
  /** It is over when it has baked: inside the perimeter, where PDM is on command. */
  endsBaked: boolean;
  /** Cells of the ring that automation leaves alone (quarantined, pinned): they make it not empty. */
  leftOut: number;
  idOf: (index: number) => string;
  /** At least 0, below 1: so that not every ring comes back to its cells at one moment. */
  random: () => number;
  now: number;
}

/** Moves the pass to its next stage where the present one is over; answers whether anything changed. */
export function advance(s: PassState, a: Advance): boolean {
  const before = s.stage;
  const marksBefore = s.counts['.'] + s.counts.C;
  step(s, a);
  return s.stage !== before || s.counts['.'] + s.counts.C !== marksBefore;
}

function step(s: PassState, a: Advance): void {
  if (s.stage === 'done') return;
  if (s.stop) return stopped(s);
  if (s.stage === 'rollback') return rollbackStage(s, a);
  if (isMending(s)) return;
  haltForMigration(s, a.now);
  haltForChecks(s, a);
  if (s.halt) return halted(s, a);
  if (s.stage === 'deploy') return deployStage(s, a);
  if (s.stage === 'bake') return bakeStage(s, a);
  if (s.stage === 'grace') return graceStage(s, a);
  migrateStage(s, a);
}

function enter(s: PassState, stage: Stage): void {
  s.stage = stage;
  s.cursor = 0;
  // What a person made up for in one stage is another silence in the next.
  endWaiver(s);
}

function stopped(s: PassState): void {
  if (settled(s)) enter(s, 'done');
}

function halted(s: PassState, a: Advance): void {
  if (!settled(s)) return;
  if (isToGoBack(s, a.policy) && s.counts.C + s.counts.D > 0) return goBackWhole(s);
  // A soft ring is never left halted: its turn is free.
  if (a.soft) enter(s, 'done');
}

/** Whether the ring goes back as a whole, once nothing of it is under way any more. */
export function isToGoBack(s: PassState, { autoRollback }: RingPolicy): boolean {
  const isFault = s.halt?.kind === 'cells' || s.halt?.kind === 'systemic';
  return autoRollback === 'ring' && isFault && s.stop === null && s.purpose === 'deploy' && s.stage !== 'rollback';
}

/** Every cell without PDM, one whose PDM was put off among them. */
function goBackWhole(s: PassState): void {
  s.marks.forEach((mark, index) => {
    if (mark === 'D') setMark(s, index, 'C');
  });
  enter(s, 'rollback');
}

/** A check that failed is the ring's failure where its policy says so; it is over when that check has passed. */
function haltForChecks(s: PassState, { soft, now }: Advance): void {
  const [failed] = Object.entries(s.failedChecks);
  if (s.halt?.kind === 'check' && !failed) s.halt = null;
  if (!failed || soft || s.halt) return;
  s.halt = { kind: 'check', reason: `check ${failed[0]} failed, says ${failed[1]}`, sinceMs: now };
}

/**
 * A ring that has cells but none converged is halted, never converged; answers whether it is so. One that comes late may
 * be the first: that is seen when it has landed.
 */
function haltForNone(s: PassState, a: Advance): boolean {
  if (concerned(s) + a.leftOut === 0 || converged(s) > 0) return false;
  if (!settled(s)) return true;
  s.halt = { kind: 'none-converged', reason: 'not one cell of the ring converged', sinceMs: a.now };
  halted(s, a);
  return true;
}

function deployStage(s: PassState, a: Advance): void {
  if (!settled(s) || s.counts['.'] > 0) return;
  if (tryAgain(s, ['d', 's'], '.') || isHeldUp(s, a)) return;
  const cells = concerned(s) + a.leftOut;
  if (haltForNone(s, a)) return;
  if (s.bakedAtMs !== null) s.wholeAgainMs = a.now;
  s.convergedAtMs ??= a.now;
  if (cells === 0) {
    s.bakedAtMs = a.now;
    return enter(s, 'done');
  }
  s.bakeUntilMs ??= s.convergedAtMs + a.policy.bakeTimeMs;
  enter(s, 'bake');
  bakeStage(s, a);
}

/** Gives cells that were put off one more try; answers whether there were any. */
function tryAgain(s: PassState, from: Mark[], to: Mark): boolean {
  if (from.every((m) => s.counts[m] === 0)) return false;
  let any = false;
  s.marks.forEach((mark, index) => {
    if (!from.includes(mark) || s.again[index]) return;
    s.again[index] = true;
    setMark(s, index, to);
    any = true;
  });
  return any;
}

/** Busy or unreachable cells keep the pass from going on, or have halted it. */
function isHeldUp(s: PassState, a: Advance): boolean {
  if (!waitsForPutOff(s, a)) return false;
  if (s.halt) halted(s, a);
  return true;
}

function bakeStage(s: PassState, a: Advance): void {
  // The ring's bake waits for no cell that comes late.
  if (s.counts.m + s.counts['<'] > 0 || haltForNone(s, a)) return;
  const isWaiting = isHeldUp(s, a);
  const over = s.overridden.includes('bake') || s.bakedAtMs !== null;
  if (!over && (a.now < (s.bakeUntilMs ?? 0) || unwatched(s, a.policy.bakeTimeMs))) return;
  if (isWaiting) return;
  s.bakedAtMs ??= a.now;
  if (!settled(s)) return;
  if (a.endsBaked || s.counts.C + s.counts.D === 0) return enter(s, 'done');
  // Counted from the bake's end; after a retry from when the ring was whole again.
  const since = s.wholeAgainMs ?? s.bakedAtMs;
  s.graceUntilMs ??= since + a.policy.gracePeriodMs;
  enter(s, 'grace');
  graceStage(s, a);
}

function graceStage(s: PassState, a: Advance): void {
  if (!settled(s) || haltForNone(s, a) || isHeldUp(s, a)) return;
  const waitsForAll = a.policy.migrateWhen === 'everywhere' && !s.bakedEverywhere;
  const over = s.overridden.includes('grace-period');
  if (!over && (waitsForAll || a.now < (s.graceUntilMs ?? 0) || unwatched(s, a.policy.gracePeriodMs))) return;
  s.again = {};
  s.putOff = null;
  enter(s, 'migrate');
  migrateStage(s, a);
}

function migrateStage(s: PassState, a: Advance): void {
  if (!settled(s) || s.counts.C > 0) return;
  if (tryAgain(s, ['D'], 'C') || isHeldUp(s, a)) return;
  if (concerned(s) + a.leftOut > 0 && s.counts.M === 0) {
    s.halt = { kind: 'none-converged', reason: 'PDM ran on not one cell of the ring', sinceMs: a.now };
    return halted(s, a);
  }
  s.convergedAtMs ??= a.now;
  enter(s, 'done');
}

function rollbackStage(s: PassState, a: Advance): void {
  if (!settled(s) || s.counts.C > 0) return;
  if (s.purpose === 'rollback' || a.soft) return enter(s, 'done');
  enter(s, 'deploy');
}
