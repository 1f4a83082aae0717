import type { CellPurpose, CellResult } from '../../contract/internal.js';
import type { RingPolicy } from '../../contract/policy.js';
import type { CellState } from '../../contract/status.js';
import { shortened } from '../shortened.js';
import { except, MAX_REASON } from './exceptions.js';
import { endHaltWithinBudget, haltOf } from './halts.js';
import { noteJudged } from './health.js';
import { concerned, converged, isBusy, isPastDeploy, START, setMark } from './marks.js';
import type { FlightRecord, PassState } from './pass-state.js';

/** What the end of each cell's run means for the pass. */

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

/** Whatever a look or a retry has made of quarantined cells: nothing starts on them. */
export function leaveOutQuarantined(s: PassState, policy: RingPolicy): void {
  for (const index of Object.keys(s.quarantines).map(Number)) {
    const mark = s.marks[index];
    const isOut = mark === 'Q' || mark === 'L' || (s.pdmFailed[index] && mark === 'X' && !s.mending[index]);
    if (mark !== undefined && !isOut && !s.inFlight[index]) markQuarantined(s, index, policy);
  }
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

/** Why a cell whose PDM has run is unhealthy, or null. */
export const unhealthyAfterMigration = (s: PassState): string | null =>
  Object.values(s.exceptions).find((e) => e.state === 'migration-failed' && e.needsDowntime)?.reason ?? null;
