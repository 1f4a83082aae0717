import type { Evidence, HealthMode } from '../../contract/health.js';
import type { CellPurpose, CellResult, StopPass } from '../../contract/internal.js';
import type { RingPolicy } from '../../contract/policy.js';
import type { CellException, CellState, PassPurpose } from '../../contract/status.js';
import { noteJudged, type PassHealth } from './health.js';

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
  /** `systemic`: the package is at fault, whatever single cells say. */
  kind: 'cells' | 'migration' | 'check' | 'none-converged' | 'systemic';
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
  exceptions: Record<
    number,
    { state: CellState; reason: string; jobId?: string; needsDowntime?: boolean; evidence?: Evidence[] }
  >;
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
  /** Of those, the ones that a person has retried: their PDM runs again before anything else goes forward. */
  mending: Record<number, true>;
  /** The chart with which the first cell was seen to run the package; null: none was. */
  runsWith: string | null;
  /** Cells that gave no answer when the bake should have ended. */
  silent: string[];
  /** Retries heard so far. */
  retries?: number;
  /** A package is taken back by a person's word: cells that went back are what was wanted, and no exceptions. */
  isReturn?: boolean;
  /** Watches over the cells that are under way: what they watch is not over before they are. */
  watching: number;
  /** The rings before it were found healthy, or a person did not want to wait for that. */
  gateOpen: boolean;
  /** What smoke tests said of the cells: `failed` where they failed on one of them; null: none were run. */
  smokeTests: 'passed' | 'failed' | null;
  /** Null: nothing is measured in this ring. */
  health: PassHealth | null;
  healthMode: HealthMode | null;
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
    mending: {},
    runsWith: null,
    silent: [],
    watching: 0,
    gateOpen: false,
    smokeTests: null,
    health: null,
    healthMode: null,
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

/**
 * Cells with a run that may order something forward, or has. What another pass's run does on a cell that is to go back is
 * not known: it may well be forward.
 */
export const forwardCells = (s: PassState): number[] =>
  Object.entries(s.inFlight)
    .filter(([, flight]) => flight.purpose !== 'rollback' || flight.foreign)
    .map(([index]) => Number(index));

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

/** A retried PDM is as good as failed until it has succeeded: nothing else of the package goes forward before that. */
export const isMending = (s: PassState): boolean => s.stage !== 'rollback' && Object.keys(s.mending).length > 0;

/** What halts the pass, or holds it because of another ring, must not hold the PDM that is to mend it. */
function isHeld(s: PassState, hold: Hold): boolean {
  if (s.stop || hold.braked || hold.trouble) return true;
  return !isMending(s) && (stagePurpose(s) === null || s.halt !== null || s.holdForward !== null);
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
  if (isHeld(s, hold)) return 0;
  const migrates = s.stage === 'migrate' || isMending(s);
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

function takeOff(s: PassState, index: number, purpose: CellPurpose): void {
  s.inFlight[index] = { purpose, runId: null, carried: false, foreign: false, cancelled: false };
  s.orders[index] = (s.orders[index] ?? 0) + 1;
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

function except(s: PassState, index: number, result: CellResult, state: CellState = result.state): void {
  s.exceptions[index] = {
    state,
    reason: result.reason,
    ...(result.jobId === null ? {} : { jobId: result.jobId }),
    ...(result.needsDowntime ? { needsDowntime: true } : {}),
    ...evidenceFor(s, index, result),
  };
}

const WITH_EVIDENCE = 100;
const FINDINGS = 2;

/** So that a ring of thousands of failures carries over in little, only the first ones keep what they rest on. */
function evidenceFor(s: PassState, index: number, { health, before }: CellResult): { evidence?: Evidence[] } {
  const judged = s.health?.bad[index] ?? health ?? before;
  if (!judged || Object.keys(s.exceptions).length >= WITH_EVIDENCE) return {};
  return { evidence: judged.evidence.filter(({ verdict }) => verdict !== 'healthy').slice(0, FINDINGS) };
}

/** Why a cell's failure ends the pass's going forward, or null where the budget bears it. */
function haltOf(s: PassState, policy: RingPolicy, wasFirst: boolean, cell: string, reason: string): string | null {
  // Nothing has shown yet that the package is good: whether the fault is its own a person has to say.
  if (wasFirst) return `first cell ${cell} did not pass: ${reason}; is it the cell, or the package?`;
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
  noteJudged(s, index, result);
  if (result.smokeTests && s.smokeTests !== 'failed') s.smokeTests = result.smokeTests;
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
    s.runsWith ??= result.chartVersion ?? null;
    return setMark(s, index, ctx.policy.postDeployMigrations === 'with-deploy' ? 'M' : 'C');
  }
  if (ctx.skip) {
    if (!mayTryAgain(result.state)) s.again[index] = true;
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

/** What nobody knows to be sane is not tried again at the end of the ring, skipped or not: a person looks first. */
export const mayTryAgain = (state: CellState): boolean =>
  state !== 'rollback-failed' && state !== 'cancel-unconfirmed' && state !== 'migration-failed';

const SKIP_WORD = 'skipped';

export function markSkipped(s: PassState, index: number, reason: string): void {
  s.exceptions[index] = { state: 'skipped', reason };
  setMark(s, index, 's');
}

/** On its second try after a skip: whatever comes of it spends no budget. */
function wasSkipped(s: PassState, index: number): boolean {
  return s.again[index] === true && s.exceptions[index]?.state === SKIP_WORD;
}

function migrated(s: PassState, index: number, result: CellResult, now: number): void {
  delete s.mending[index];
  if (result.state === 'converged') {
    delete s.exceptions[index];
    delete s.pdmFailed[index];
    return setMark(s, index, 'M');
  }
  const hadFailed = s.pdmFailed[index] === true;
  const state = result.state === 'pending' ? 'failed' : result.state;
  except(s, index, result, hadFailed ? 'migration-failed' : state);
  if (state === 'migration-failed') s.pdmFailed[index] = true;
  if (result.deferred && !s.again[index] && !hadFailed) return setMark(s, index, 'D');
  setMark(s, index, 'X');
  if (!s.halt) s.halt = { kind: 'migration', reason: `PDM on ${result.cell}: ${result.reason}`, sinceMs: now };
}

function wentBack(s: PassState, index: number, result: CellResult, policy: RingPolicy, now: number): void {
  delete s.mending[index];
  if (s.health) delete s.health.deployed[index];
  const hadLeft = result.state === 'left';
  if (hadLeft && s.purpose === 'rollback') {
    delete s.exceptions[index];
    return setMark(s, index, 'L');
  }
  // Unhealthy after its PDM: going back would take it down, so nothing of the package goes on before a person has looked.
  if (result.needsDowntime && s.purpose !== 'rollback' && s.health?.bad[index])
    return illAfterMigration(s, index, result, now);
  if (s.isReturn && result.state === 'rolled-back') {
    delete s.exceptions[index];
    return setMark(s, index, 'R');
  }
  // A cell of the pass that turned bad stays one of its failures, whoever took it back.
  except(s, index, result, hadLeft ? 'rolled-back' : result.state);
  setMark(s, index, hadLeft || result.state === 'rolled-back' ? 'R' : 'X');
  if (s.purpose === 'rollback' || s.halt) return;
  const cause = haltOf(s, policy, false, result.cell, result.reason);
  if (cause) s.halt = { kind: 'cells', reason: cause, sinceMs: now };
}

function illAfterMigration(s: PassState, index: number, result: CellResult, now: number): void {
  except(s, index, result, 'migration-failed');
  s.pdmFailed[index] = true;
  setMark(s, index, 'X');
  s.halt ??= { kind: 'migration', reason: `${result.cell}: ${result.reason}`, sinceMs: now };
}

/** A cell that was taken, but that nothing was ordered for: it is as if it had not been taken. */
export function landAgain(s: PassState, index: number): void {
  delete s.inFlight[index];
  delete s.mending[index];
  s.orders[index] = Math.max(0, (s.orders[index] ?? 1) - 1);
}

/** A run that died without a result is started again under the same order, so that its job is found, not asked anew. */
export function cellDied(s: PassState, index: number): 'restart' | 'give-up' {
  const deaths = (s.deaths[index] ?? 0) + 1;
  s.deaths[index] = deaths;
  return deaths <= 3 ? 'restart' : 'give-up';
}

/** Whether a pass that is `done`, or that nobody can move on, has settled: nothing of it is in flight. */
export const settled = (s: PassState): boolean => flying(s) === 0;

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

/** Why a cell whose PDM has run is unhealthy, or null. */
export const unhealthyAfterMigration = (s: PassState): string | null =>
  Object.values(s.exceptions).find((e) => e.state === 'migration-failed' && e.needsDowntime)?.reason ?? null;

/** Exceptions in the order of the snapshot, with their cells' ids. */
export function exceptionsOf(s: PassState, idOf: (index: number) => string): CellException[] {
  return Object.entries(s.exceptions).map(([index, e]) => ({
    cell: idOf(Number(index)),
    state: e.state,
    reason: e.reason,
    ...(e.jobId === undefined ? {} : { jobId: e.jobId }),
    ...(s.isReturn && e.needsDowntime ? { needsDowntime: true as const } : {}),
    ...(e.evidence === undefined ? {} : { evidence: e.evidence }),
  }));
}
