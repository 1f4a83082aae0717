import type { CellPurpose, CellResult, CheckInPass, StopPass } from '../../contract/internal.js';
import type { OverridableWait } from '../../contract/messages.js';
import type { RingPolicy } from '../../contract/policy.js';
import type { CellException, CellState, PassPurpose } from '../../contract/status.js';

/**
 * One pass over one ring, as plain data. A cell is its index in the pass's snapshot, and its standing is one mark:
 *
 *   .  to be deployed           d  put off: could not take it now, tried again at the ring's end
 *   >  being deployed           s  skipped by a person
 *   C  deployed and verified    D  its PDM was put off
 *   m  its PDM runs             M  PDM done: nothing is left to do
 *   <  going back               R  went back
 *   X  ended badly, see its exception       L  none of this pass's business
 */
export type Mark = '.' | 'd' | 's' | '>' | 'C' | 'D' | 'm' | 'M' | '<' | 'R' | 'X' | 'L';

export type Stage = 'deploy' | 'bake' | 'grace' | 'migrate' | 'rollback' | 'done';

export interface FlightRecord {
  purpose: CellPurpose;
  /** First run id of the cell's run; null until Temporal has started it. */
  runId: string | null;
  /** Its end cannot reach this run of the pass: it was started by an earlier run, or by another pass. */
  carried: boolean;
  /** Another pass's run holds the cell: when it ends, this pass starts its own. */
  foreign: boolean;
  cancelled: boolean;
}

export interface Halt {
  kind: 'cells' | 'migration' | 'check' | 'none-converged';
  reason: string;
  sinceMs: number;
}

export interface Held {
  reason: string;
  sinceMs: number;
}

export interface PassState {
  purpose: PassPurpose;
  stage: Stage;
  marks: Mark[];
  counts: Record<Mark, number>;
  /** No cell that may start stands before this index. */
  cursor: number;
  inFlight: Record<number, FlightRecord>;
  exceptions: Record<number, { state: CellState; reason: string; jobId?: string; needsDowntime?: boolean }>;
  /** How often this pass has ordered work for a cell; absent: never. */
  orders: Record<number, number>;
  /** Runs of this order that died without a result. */
  deaths: Record<number, number>;
  /** Cells on their second, last try of this pass. */
  again: Record<number, true>;
  /** Skips that wait for the cell's run to end, and their words. */
  skips: Record<number, { by: string; reason: string }>;
  halt: Halt | null;
  stop: StopPass | null;
  convergedAtMs: number | null;
  bakeUntilMs: number | null;
  bakedAtMs: number | null;
  graceUntilMs: number | null;
  /** When a ring that had baked was converged again after a retry. */
  wholeAgainMs: number | null;
  /** Waits that a person ended before they began or while they ran. */
  overridden: string[];
  /** Checks whose last word is that they failed, and who said so. */
  failedChecks: Record<string, string>;
  /** `migrateWhen: everywhere`: the package has baked in every ring. */
  bakedEverywhere: boolean;
  /** A failed PDM of this package in another ring, which holds everything that goes forward. */
  holdForward: Held | null;
  /** Cells whose PDM failed, until it has succeeded: a retry that is under way has not mended anything yet. */
  pdmFailed: Record<number, true>;
  /** Cells that gave no answer when the bake should have ended. */
  silent: string[];
  /** Watches over the cells that are under way: what they watch is not over before they are. */
  watching: number;
}

const MARKS: Mark[] = ['.', 'd', 's', '>', 'C', 'D', 'm', 'M', '<', 'R', 'X', 'L'];

export function newPass(purpose: PassPurpose, cells: number): PassState {
  const counts = Object.fromEntries(MARKS.map((m) => [m, 0])) as Record<Mark, number>;
  counts['.'] = cells;
  return {
    purpose,
    stage: purpose === 'deploy' ? 'deploy' : purpose === 'migrate' ? 'migrate' : 'rollback',
    marks: Array.from({ length: cells }, () => '.' as Mark),
    counts,
    cursor: 0,
    inFlight: {},
    exceptions: {},
    orders: {},
    deaths: {},
    again: {},
    skips: {},
    halt: null,
    stop: null,
    convergedAtMs: null,
    bakeUntilMs: null,
    bakedAtMs: null,
    graceUntilMs: null,
    wholeAgainMs: null,
    overridden: [],
    failedChecks: {},
    bakedEverywhere: false,
    holdForward: null,
    pdmFailed: {},
    silent: [],
    watching: 0,
  };
}

export function setMark(s: PassState, index: number, mark: Mark): void {
  const before = s.marks[index];
  if (before === undefined) throw new RangeError(`no cell ${index} in this pass`);
  s.counts[before] -= 1;
  s.counts[mark] += 1;
  s.marks[index] = mark;
  const purpose = stagePurpose(s);
  if (index < s.cursor && purpose !== null && mark === START[purpose].from) s.cursor = index;
}

export const flying = (s: PassState): number => s.counts['>'] + s.counts.m + s.counts['<'];

/** Cells that spent the failure budget. */
export const failures = (s: PassState): number => s.counts.X + s.counts.R;

/** Cells that run the package, verified. */
export const converged = (s: PassState): number => s.counts.C + s.counts.D + s.counts.m + s.counts.M;

/** Cells that this pass is about. */
export const concerned = (s: PassState): number => s.marks.length - s.counts.L;

export interface Hold {
  /** A brake stops what goes forward. */
  braked: boolean;
  /** AMP's own trouble: nothing new is ordered until it answers again. */
  trouble: boolean;
}

const START: Record<'deploy' | 'migrate' | 'rollback', { from: Mark; to: Mark }> = {
  deploy: { from: '.', to: '>' },
  migrate: { from: 'C', to: 'm' },
  rollback: { from: 'C', to: '<' },
};

/** Which purpose the present stage has for its cells; null where it starts none. */
export function stagePurpose(s: PassState): CellPurpose | null {
  if (s.stage === 'deploy' || s.stage === 'migrate' || s.stage === 'rollback') return s.stage;
  return null;
}

/**
 * How many more cells may start now. First cells go alone: until so many have passed, no other cell starts, whatever
 * the failure budget. Then a further cell starts only while the failures are within the budget; with a strict budget
 * cells in flight count as failed.
 */
export function room(s: PassState, policy: RingPolicy, hold: Hold): number {
  const free = policy.maxParallel - flying(s);
  // A rollback waits for nothing but its own width.
  if (s.stage === 'rollback') return Math.max(0, free);
  if (stagePurpose(s) === null || s.halt || s.stop || s.holdForward || hold.braked || hold.trouble) return 0;
  const passed = s.stage === 'migrate' ? s.counts.M : converged(s);
  const first = Math.min(policy.firstCells, concerned(s));
  if (passed < first) return Math.max(0, Math.min(free, first - passed - flying(s)));
  if (s.stage === 'migrate') return Math.max(0, free);
  const left = policy.failureBudget - failures(s) - (policy.strictBudget ? flying(s) : 0);
  if (left < 0) return 0;
  return Math.max(0, policy.strictBudget ? Math.min(free, left + 1) : free);
}

/** Takes the next cells that may start now, marks them as in flight, and answers their indices. */
export function takeNext(s: PassState, policy: RingPolicy, hold: Hold): number[] {
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

function takeOff(s: PassState, index: number, purpose: CellPurpose): void {
  s.inFlight[index] = { purpose, runId: null, carried: false, foreign: false, cancelled: false };
  s.orders[index] = (s.orders[index] ?? 0) + 1;
}

/**
 * A verified cell turned bad while it was watched. It goes back, outside the stage's own order, unless the policy says
 * that nothing does; answers whether it does.
 */
export function turnedBad(s: PassState, index: number, bad: { cell: string; reason: string }, a: Advance): boolean {
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

/** Sends one cell back, outside the stage's own order. */
export function sendBack(s: PassState, index: number): void {
  setMark(s, index, '<');
  takeOff(s, index, 'rollback');
}

function except(s: PassState, index: number, result: CellResult, state: CellState = result.state): void {
  s.exceptions[index] = {
    state,
    reason: result.reason,
    ...(result.jobId === null ? {} : { jobId: result.jobId }),
    ...(result.needsDowntime ? { needsDowntime: true } : {}),
  };
}

/** Why a cell's failure ends the pass's going forward, or null where the budget bears it. */
function haltOf(s: PassState, policy: RingPolicy, wasFirst: boolean, cell: string, reason: string): string | null {
  if (wasFirst) return `first cell ${cell} did not pass: ${reason}`;
  if (failures(s) <= policy.failureBudget) return null;
  return `${failures(s)} failed, the budget is ${policy.failureBudget}; the last was ${cell}: ${reason}`;
}

/** Notes how a cell's run ended. A failed cell keeps its slot until this has decided what it means. */
export function cellEnded(s: PassState, index: number, result: CellResult, policy: RingPolicy, now: number): void {
  const flight = s.inFlight[index];
  if (!flight) return;
  delete s.inFlight[index];
  delete s.deaths[index];
  const skip = s.skips[index];
  delete s.skips[index];
  if (flight.purpose === 'rollback') return wentBack(s, index, result, policy, now);
  if (flight.purpose === 'migrate') return migrated(s, index, result, now);
  deployed(s, index, result, { policy, now, cancelled: flight.cancelled, skip });
}

interface DeployedContext {
  policy: RingPolicy;
  now: number;
  cancelled: boolean;
  skip: { by: string; reason: string } | undefined;
}

function deployed(s: PassState, index: number, result: CellResult, ctx: DeployedContext): void {
  const wasFirst = converged(s) < Math.min(ctx.policy.firstCells, concerned(s));
  if (result.state === 'converged') {
    delete s.exceptions[index];
    return setMark(s, index, ctx.policy.postDeployMigrations === 'with-deploy' ? 'M' : 'C');
  }
  if (ctx.skip) {
    s.again[index] = true;
    return markSkipped(s, index, `skipped by ${ctx.skip.by}: ${ctx.skip.reason}; its run ended ${result.state}`);
  }
  if (wasSkipped(s, index)) {
    return markSkipped(s, index, `skipped; tried again at the end of its ring: ${result.state}, ${result.reason}`);
  }
  const clean = result.state === 'pending' || result.state === 'rolled-back';
  if (ctx.cancelled && result.cancelled && clean) {
    // Cancelled by a brake: no fault of the cell's, so it spends nothing and can start again.
    delete s.exceptions[index];
    return setMark(s, index, '.');
  }
  if (result.deferred && !s.again[index]) {
    except(s, index, result);
    return setMark(s, index, 'd');
  }
  if (s.stop && result.state === 'pending') {
    return setMark(s, index, '.');
  }
  except(s, index, result, result.state === 'pending' ? 'failed' : result.state);
  setMark(s, index, result.state === 'rolled-back' ? 'R' : 'X');
  // A cell that nothing was ordered for proves nothing about the package: another one goes first in its place.
  const cause = haltOf(s, ctx.policy, wasFirst && result.jobId !== null, result.cell, result.reason);
  if (cause && !s.halt) s.halt = { kind: 'cells', reason: cause, sinceMs: ctx.now };
}

const SKIP_WORD = 'skipped';

function markSkipped(s: PassState, index: number, reason: string): void {
  s.exceptions[index] = { state: 'skipped', reason };
  setMark(s, index, 's');
}

/** On its second try after a skip: whatever comes of it spends no budget. */
function wasSkipped(s: PassState, index: number): boolean {
  return s.again[index] === true && s.exceptions[index]?.state === SKIP_WORD;
}

function migrated(s: PassState, index: number, result: CellResult, now: number): void {
  if (result.state === 'converged') {
    delete s.exceptions[index];
    delete s.pdmFailed[index];
    return setMark(s, index, 'M');
  }
  except(s, index, result, result.state === 'pending' ? 'failed' : result.state);
  if (result.state === 'migration-failed') s.pdmFailed[index] = true;
  if (result.deferred && !s.again[index]) return setMark(s, index, 'D');
  setMark(s, index, 'X');
  if (!s.halt) s.halt = { kind: 'migration', reason: `PDM on ${result.cell}: ${result.reason}`, sinceMs: now };
}

function wentBack(s: PassState, index: number, result: CellResult, policy: RingPolicy, now: number): void {
  const hadLeft = result.state === 'left';
  if (hadLeft && s.purpose === 'rollback') {
    delete s.exceptions[index];
    return setMark(s, index, 'L');
  }
  // A cell of the pass that turned bad stays one of its failures, whoever took it back.
  except(s, index, result, hadLeft ? 'rolled-back' : result.state);
  setMark(s, index, hadLeft || result.state === 'rolled-back' ? 'R' : 'X');
  if (s.purpose === 'rollback' || s.halt) return;
  const cause = haltOf(s, policy, false, result.cell, result.reason);
  if (cause) s.halt = { kind: 'cells', reason: cause, sinceMs: now };
}

/** A cell that was taken, but that nothing was ordered for: it is as if it had not been taken. */
export function landAgain(s: PassState, index: number): void {
  delete s.inFlight[index];
  s.orders[index] = Math.max(0, (s.orders[index] ?? 1) - 1);
}

/** A run that died without a result is started again under the same order, so that its job is found, not asked anew. */
export function cellDied(s: PassState, index: number): 'restart' | 'give-up' {
  const deaths = (s.deaths[index] ?? 0) + 1;
  s.deaths[index] = deaths;
  return deaths <= 3 ? 'restart' : 'give-up';
}

/** Leaves a cell out of the way, or notes to do so when its run has ended. Answers why not where it cannot be. */
export function skip(s: PassState, index: number, by: string, reason: string, policy: RingPolicy): string | null {
  const mark = s.marks[index];
  // Out of the way is not mended: what a failed PDM stops stays stopped until it has succeeded.
  if (s.pdmFailed[index]) return 'a cell whose PDM has not failed';
  if (mark === undefined || mark === 'L') return 'a cell of this pass';
  if (mark === 'C' || mark === 'D' || mark === 'm' || mark === 'M') return 'a cell that has not converged yet';
  if (mark === 's') return null;
  if (s.inFlight[index]) {
    s.skips[index] = { by, reason };
    return null;
  }
  // A cell that has had its try in this pass stays as it is until somebody asks: only an untried one is tried again.
  if (mark === 'X' || mark === 'R') s.again[index] = true;
  markSkipped(s, index, `skipped by ${by}: ${reason}`);
  if (s.halt?.kind === 'cells' && failures(s) <= policy.failureBudget) s.halt = null;
  if (s.halt?.kind === 'none-converged') s.halt = null;
  return null;
}

/** Whether a pass that is `done`, or that nobody can move on, has settled: nothing of it is in flight. */
export const settled = (s: PassState): boolean => flying(s) === 0;

export interface Advance {
  policy: RingPolicy;
  soft: boolean;
  perimeter: boolean;
  /** Cells of the ring that automation leaves alone (quarantined, pinned): they make it not empty. */
  leftOut: number;
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
}

function stopped(s: PassState): void {
  if (settled(s)) enter(s, 'done');
}

function halted(s: PassState, a: Advance): void {
  if (!settled(s)) return;
  const goBack = a.policy.autoRollback === 'ring' && s.halt?.kind === 'cells' && s.counts.C > 0;
  if (goBack) return enter(s, 'rollback');
  // A soft ring is never left halted: its turn is free.
  if (a.soft) enter(s, 'done');
}

/** A check that failed is the ring's failure where its policy says so; it is over when that check has passed. */
function haltForChecks(s: PassState, { soft, now }: Advance): void {
  const [failed] = Object.entries(s.failedChecks);
  if (s.halt?.kind === 'check' && !failed) s.halt = null;
  if (!failed || soft || s.halt) return;
  s.halt = { kind: 'check', reason: `check ${failed[0]} failed, says ${failed[1]}`, sinceMs: now };
}

/** Notes the last word of a check. */
export function noteCheck(s: PassState, { name, outcome, by }: CheckInPass): void {
  if (outcome === 'failed') s.failedChecks[name] = by;
  else delete s.failedChecks[name];
}

/** Ends one wait of this pass by a person's word; a check that fails later is another wait. */
export function override(s: PassState, wait: OverridableWait): void {
  if (wait === 'check') s.failedChecks = {};
  else s.overridden.push(wait);
}

/** A ring that has cells but none converged is halted, never converged; answers whether it is so. */
function haltForNone(s: PassState, a: Advance): boolean {
  if (concerned(s) + a.leftOut === 0 || converged(s) > 0) return false;
  s.halt = { kind: 'none-converged', reason: 'not one cell of the ring converged', sinceMs: a.now };
  halted(s, a);
  return true;
}

function deployStage(s: PassState, a: Advance): void {
  if (!settled(s) || s.counts['.'] > 0) return;
  if (tryAgain(s, ['d', 's'], '.')) return;
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

/** No answer, or none yet, is never taken for healthy. */
const unwatched = (s: PassState): boolean =>
  !s.overridden.includes('health') && (s.watching > 0 || s.silent.length > 0);

function bakeStage(s: PassState, a: Advance): void {
  if (!settled(s) || haltForNone(s, a)) return;
  const over = s.overridden.includes('bake') || s.bakedAtMs !== null;
  if (!over && (a.now < (s.bakeUntilMs ?? 0) || unwatched(s))) return;
  s.bakedAtMs ??= a.now;
  if (a.perimeter || s.counts.C + s.counts.D === 0) return enter(s, 'done');
  // Counted from the bake's end; after a retry from when the ring was whole again.
  const since = s.wholeAgainMs ?? s.bakedAtMs;
  s.graceUntilMs ??= since + a.policy.gracePeriodMs;
  enter(s, 'grace');
  graceStage(s, a);
}

function graceStage(s: PassState, a: Advance): void {
  if (!settled(s) || haltForNone(s, a)) return;
  const waitsForAll = a.policy.migrateWhen === 'everywhere' && !s.bakedEverywhere;
  const over = s.overridden.includes('grace-period');
  if (!over && (waitsForAll || a.now < (s.graceUntilMs ?? 0) || unwatched(s))) return;
  s.again = {};
  enter(s, 'migrate');
  migrateStage(s, a);
}

function migrateStage(s: PassState, a: Advance): void {
  if (!settled(s) || s.counts.C > 0) return;
  if (tryAgain(s, ['D'], 'C')) return;
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

/** What a fresh look says of a cell that a person wants retried. */
export type RetryVerdict = { on: 'target' } | { on: 'migrated' } | { on: 'other' } | { on: 'bad'; reason: string };

/** Cells that `retryRing` speaks of: those named, or all that did not converge. */
export function retryable(s: PassState, named: number[] | null): number[] {
  const wanted = new Set<Mark>(named === null ? ['X', 'R', 'd', 'D'] : ['X', 'R', 'd', 'D', 's']);
  const among = named ?? s.marks.map((_, index) => index);
  return among.filter((index) => wanted.has(s.marks[index] as Mark));
}

/** Puts a cell back to work, or keeps it as it is where the look does not find it sane. */
export function retried(s: PassState, index: number, verdict: RetryVerdict): void {
  if (verdict.on === 'bad') {
    const had = s.exceptions[index];
    s.exceptions[index] = { ...had, state: had?.state ?? 'failed', reason: verdict.reason };
    return;
  }
  delete s.exceptions[index];
  delete s.again[index];
  setMark(s, index, verdict.on === 'other' ? '.' : verdict.on === 'migrated' ? 'M' : 'C');
}

/** After the cells of a retry were looked at: the halt is over, and the pass goes back to the stage that has work. */
export function resume(s: PassState, policy: RingPolicy, now: number): void {
  s.halt = null;
  s.cursor = 0;
  if (s.purpose === 'deploy' && s.counts['.'] > 0) backToDeploy(s);
  haltForExceptions(s, policy, now);
}

/** Clocks begin anew with the cells that are deployed now: a bake or a grace period is for what runs, not for what ran. */
function backToDeploy(s: PassState): void {
  s.stage = 'deploy';
  s.graceUntilMs = null;
  if (s.bakedAtMs !== null) return;
  s.convergedAtMs = null;
  s.bakeUntilMs = null;
}

/** After a look: what it found may be more than the ring bears, or a PDM that failed before this pass began. */
export function haltForExceptions(s: PassState, policy: RingPolicy, now: number): void {
  if (s.halt || s.purpose === 'rollback') return;
  const hasFailedMigration = Object.values(s.exceptions).some((e) => e.state === 'migration-failed');
  if (hasFailedMigration) {
    s.halt = { kind: 'migration', reason: 'PDM has failed, and waits for a person', sinceMs: now };
  } else if (failures(s) > policy.failureBudget) {
    const reason = `${failures(s)} failed or could not be deployed, the budget is ${policy.failureBudget}`;
    s.halt = { kind: 'cells', reason, sinceMs: now };
  }
}

/** Exceptions in the order of the snapshot, with their cells' ids. */
export function exceptionsOf(s: PassState, idOf: (index: number) => string): CellException[] {
  return Object.entries(s.exceptions).map(([index, e]) => ({
    cell: idOf(Number(index)),
    state: e.state,
    reason: e.reason,
    ...(e.jobId === undefined ? {} : { jobId: e.jobId }),
  }));
}
