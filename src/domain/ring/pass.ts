import type { Evidence } from '../../contract/health.js';
import type { CellPurpose, CellResult } from '../../contract/internal.js';
import type { RingPolicy } from '../../contract/policy.js';
import type { CellException, CellState } from '../../contract/status.js';
import { shortened } from '../shortened.js';
import { judgeAnew, noteJudged } from './health.js';
import type { FlightRecord, Mark, PassState } from './pass-state.js';

export * from './pass-state.js';

/** One pass over one ring: what starts next, and what the end of each cell's run means for it. */

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
  /** Outside its deploy windows, or frozen. */
  closed?: boolean;
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

/** A hundred of them are named in every report, and carried over: each is a sentence or two. */
const MAX_REASON = 500;

function except(s: PassState, index: number, result: CellResult, state: CellState = result.state): void {
  s.exceptions[index] = {
    state,
    reason: shortened(result.reason, MAX_REASON),
    ...(result.jobId === null ? {} : { jobId: result.jobId }),
    ...(result.needsDowntime ? { needsDowntime: true } : {}),
    ...(result.isUnknown ? { isUnknown: true } : {}),
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
export function haltOf(
  s: PassState,
  policy: RingPolicy,
  wasFirst: boolean,
  cell: string,
  reason: string,
): string | null {
  // Nothing has shown yet that the package is good: whether the fault is its own a person has to say.
  if (wasFirst) return `first cell ${cell} did not pass: ${reason}; is it the cell, or the package?`;
  if (failures(s) <= policy.failureBudget) return null;
  return `${failures(s)} failed, the budget is ${policy.failureBudget}; the last was ${cell}: ${reason}`;
}

/** Notes how a cell's run ended. A failed cell keeps its slot until this has decided what it means. */
export function cellEnded(s: PassState, index: number, result: CellResult, policy: RingPolicy, now: number): void {
  const flight = s.inFlight[index];
  if (!flight) return;
  noteTime(s, flight, result, now);
  delete s.inFlight[index];
  delete s.deaths[index];
  const skip = s.skips[index];
  delete s.skips[index];
  if (s.leaving?.[index]) return drop(s, index, result);
  if (result.closed) {
    startAgain(s, index, flight.purpose, { skip, policy });
    return putOffAgain(s, index, now);
  }
  noteJudged(s, index, result);
  if (result.smokeTests && s.smokeTests !== 'failed') s.smokeTests = result.smokeTests;
  if (flight.purpose === 'rollback') wentBack(s, index, result, policy, now);
  else if (flight.purpose === 'migrate') migrated(s, index, result, now);
  else deployed(s, index, result, { policy, now, cancelled: flight.cancelled, skip });
  if (s.quarantines[index] !== undefined) markQuarantined(s, index, policy);
  putOffAgain(s, index, now);
}

/**
 * Where the ring bakes, no cell is to be deployed: one that was tried again, and not ordered, is put off once more. A brake,
 * or the ring's closing, cut that try short: it is made up for at once when nothing holds it any more.
 */
export function putOffAgain(s: PassState, index: number, now: number): void {
  if (!isPastDeploy(s) || s.marks[index] !== '.') return;
  s.again[index] = true;
  setMark(s, index, 'd');
  if (s.putOff) s.putOff.nextAtMs = now;
}

/** The ring has converged, and PDM has not begun: no stage deploys, and cells that are put off are tried beside it. */
export const isPastDeploy = ({ stage }: PassState): boolean => stage === 'bake' || stage === 'grace';

/**
 * A quarantined cell leaves this pass, and what it spent of the budget with it. PDM that failed there has failed still: it
 * holds the package, but nobody mends it before the cell is back.
 */
export function markQuarantined(s: PassState, index: number, policy: RingPolicy): void {
  delete s.mending[index];
  if (s.health) delete s.health.deployed[index];
  if (s.pdmFailed[index]) {
    s.exceptions[index] ??= { state: 'migration-failed', reason: 'its PDM has failed, and it is quarantined' };
    return setMark(s, index, 'X');
  }
  s.exceptions[index] = { state: 'quarantined', reason: s.quarantines[index] ?? 'quarantined' };
  setMark(s, index, 'Q');
  endHaltWithinBudget(s, policy);
}

export const quarantinedCells = (s: PassState): number[] =>
  s.marks.flatMap((mark, index) => (mark === 'Q' ? [index] : []));

/** Whatever a look or a retry has made of quarantined cells: nothing starts on them. */
export function leaveOutQuarantined(s: PassState, policy: RingPolicy): void {
  for (const index of Object.keys(s.quarantines).map(Number)) {
    const mark = s.marks[index];
    const isOut = mark === 'Q' || mark === 'L' || (s.pdmFailed[index] && mark === 'X' && !s.mending[index]);
    if (mark !== undefined && !isOut && !s.inFlight[index]) markQuarantined(s, index, policy);
  }
}

/** A halt that the cells left do not give reason for any more is over. */
export function endHaltWithinBudget(s: PassState, policy: RingPolicy): void {
  const isLeft = Object.values(s.exceptions).some((e) => e.isUnknown);
  const isForCells =
    s.halt?.kind === 'cells' || s.halt?.kind === 'put-off' || (s.halt?.kind === 'inconclusive' && !isLeft);
  // Until it has passed, or is out of the way itself, nothing else starts behind a first cell.
  const first = s.halt?.first;
  const firstStands = first !== undefined && (s.marks[first] === 'X' || s.marks[first] === 'R');
  if (isForCells && !firstStands && failures(s) <= policy.failureBudget) s.halt = null;
  if (s.halt?.kind === 'none-converged') s.halt = null;
}

const TIMES_AT_MOST = 100;

/** Notes how long a cell took that was deployed; of many, every other one is kept. */
export function noteTime(s: PassState, { purpose, sinceMs }: FlightRecord, { state }: CellResult, now: number): void {
  if (purpose !== 'deploy' || state !== 'converged' || sinceMs === undefined) return;
  const times = [...(s.timesMs ?? []), now - sinceMs];
  s.timesMs = times.length > TIMES_AT_MOST ? times.filter((_, i) => i % 2 === 0) : times;
}

/** Nothing was ordered, because the ring had closed: it is as if the cell had not been taken; but for a skip since. */
function startAgain(
  s: PassState,
  index: number,
  purpose: CellPurpose,
  { skip, policy }: Pick<DeployedContext, 'skip' | 'policy'>,
): void {
  s.orders[index] = Math.max(0, (s.orders[index] ?? 1) - 1);
  if (s.quarantines[index] !== undefined) return markQuarantined(s, index, policy);
  if (skip && purpose === 'deploy') return markSkipped(s, index, `skipped by ${skip.by}: ${skip.reason}`);
  setMark(s, index, START[purpose].from);
}

/** The ring has the cell no more: it counts nowhere, and is named. */
export function drop(s: PassState, index: number, result?: CellResult): void {
  const how = result ? `; its run ended ${result.state}${result.reason ? `: ${result.reason}` : ''}` : '';
  delete s.leaving?.[index];
  delete s.mending[index];
  delete s.pdmFailed[index];
  if (s.health) delete s.health.deployed[index];
  s.exceptions[index] = {
    state: 'left',
    reason: shortened(`it is no cell of the ring any more${how}`, MAX_REASON),
    ...(result?.jobId ? { jobId: result.jobId } : {}),
  };
  setMark(s, index, 'L');
}

export const hasLeft = (s: PassState, index: number): boolean => s.exceptions[index]?.state === 'left';

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
    setMark(s, index, ctx.policy.postDeployMigrations === 'with-deploy' ? 'M' : 'C');
    return cameLate(s, ctx);
  }
  if (ctx.skip) {
    if (!mayTryAgain(result.state)) s.again[index] = true;
    return markSkipped(s, index, `skipped by ${ctx.skip.by}: ${ctx.skip.reason}; its run ended ${result.state}`);
  }
  if (wasSkipped(s, index)) {
    return markSkipped(s, index, `skipped; tried again at the end of its ring: ${result.state}, ${result.reason}`);
  }
  if (result.stoodDown) return setMark(s, index, '.');
  const clean = result.state === 'pending' || result.state === 'rolled-back';
  if (ctx.cancelled && result.cancelled && clean) {
    // Cancelled by a brake: no fault of the cell's, so it spends nothing and can start again.
    delete s.exceptions[index];
    return setMark(s, index, '.');
  }
  if (result.deferred && (!s.again[index] || isBusy(result.state))) {
    except(s, index, result);
    return setMark(s, index, 'd');
  }
  if (s.stop && result.state === 'pending') {
    return setMark(s, index, '.');
  }
  except(s, index, result, result.state === 'pending' ? 'failed' : result.state);
  setMark(s, index, result.state === 'rolled-back' ? 'R' : 'X');
  // A cell that nothing was ordered for proves nothing about the package: another one goes first in its place.
  const isFirst = wasFirst && result.jobId !== null;
  const cause = haltOf(s, ctx.policy, isFirst, result.cell, result.reason);
  if (result.isUnknown)
    s.halt ??= { kind: 'inconclusive', reason: `${result.cell} is ${result.reason}`, sinceMs: ctx.now };
  if (!cause || s.halt) return;
  s.halt = { kind: 'cells', reason: cause, sinceMs: ctx.now, ...(isFirst ? { first: index } : {}) };
}

/** Not the cell's fault, nor the package's: it is tried again until it can be asked. */
export const isBusy = (state: CellState | undefined): boolean => state === 'busy' || state === 'unreachable';

/**
 * The bake is the ring's, and runs on, unless nothing else of the ring bakes. A cell that came after it has its whole grace
 * period before its PDM: what a person ended was that of the others.
 */
function cameLate(s: PassState, { policy, now }: Pick<DeployedContext, 'policy' | 'now'>): void {
  if (!isPastDeploy(s)) return;
  s.lateCells = (s.lateCells ?? 0) + 1;
  if (s.bakedAtMs === null) {
    if (converged(s) === 1) bakeAnew(s, policy, now);
    return;
  }
  s.overridden = s.overridden.filter((wait) => wait !== 'grace-period');
  s.wholeAgainMs = now;
  if (s.stage === 'grace') s.graceUntilMs = now + policy.gracePeriodMs;
}

function bakeAnew(s: PassState, { bakeTimeMs }: RingPolicy, now: number): void {
  s.overridden = s.overridden.filter((wait) => wait !== 'bake');
  s.convergedAtMs = now;
  s.bakeUntilMs = now + bakeTimeMs;
}

/** The run of another pass is over, and a look has said where it left the cell: on the package it came as late as by ours. */
export function otherLanded(s: PassState, index: number, a: Pick<DeployedContext, 'policy' | 'now'>): void {
  putOffAgain(s, index, a.now);
  if (s.marks[index] === 'C') cameLate(s, a);
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
  if (result.deferred && !hadFailed && (!s.again[index] || isBusy(state))) return setMark(s, index, 'D');
  setMark(s, index, 'X');
  lacksPdm(s, index);
  if (!s.halt) s.halt = { kind: 'migration', reason: `PDM on ${result.cell}: ${result.reason}`, sinceMs: now };
}

/** No failure budget bears it: until its PDM has run the ring is halted, whatever a retry comes to. */
export function lacksPdm({ exceptions }: PassState, index: number): void {
  exceptions[index] = { state: 'failed', reason: 'its PDM was put off', ...exceptions[index], lacksPdm: true };
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

/**
 * A run that died without a result is started again under the same order, so that its job is found, not asked anew; but
 * none where somebody wanted the cell left alone as soon as its run had ended.
 */
export function cellDied(s: PassState, index: number): 'restart' | 'give-up' {
  if (s.quarantines[index] !== undefined || s.leaving?.[index] || s.skips[index]) return 'give-up';
  const deaths = (s.deaths[index] ?? 0) + 1;
  s.deaths[index] = deaths;
  return deaths <= 3 ? 'restart' : 'give-up';
}

/** Whether a pass that is `done`, or that nobody can move on, has settled: nothing of it is in flight. */
export const settled = (s: PassState): boolean => flying(s) === 0;

/** Why a cell whose PDM has run is unhealthy, or null. */
export const unhealthyAfterMigration = (s: PassState): string | null =>
  Object.values(s.exceptions).find((e) => e.state === 'migration-failed' && e.needsDowntime)?.reason ?? null;

const orAbsent = (runs: string | null): { runs?: string } => (runs === null ? {} : { runs });

/** Where going back or being cancelled failed half way, AMP's word on the version is not enough. */
const UNSURE: ReadonlySet<CellState> = new Set(['rollback-failed', 'cancel-unconfirmed', 'left']);

/**
 * Exceptions in the order of the snapshot, with their cells' ids. `runs`: what a cell was last seen to run, where that is
 * a package, and not the one that it was to run.
 */
export function exceptionsOf(
  s: PassState,
  idOf: (index: number) => string,
  runs: (index: number) => string | null = () => null,
): CellException[] {
  const elsewhere = (index: string, state: CellState) => (UNSURE.has(state) ? null : runs(Number(index)));
  return Object.entries(s.exceptions).map(([index, e]) => ({
    cell: idOf(Number(index)),
    state: e.state,
    reason: e.reason,
    ...orAbsent(elsewhere(index, e.state)),
    ...(e.jobId === undefined ? {} : { jobId: e.jobId }),
    ...(e.needsDowntime ? { needsDowntime: true as const } : {}),
    ...(e.evidence === undefined ? {} : { evidence: e.evidence }),
  }));
}
