import type { PassResult, PassTrouble } from '../../contract/internal.js';
import type {
  BrakeStatus,
  CellException,
  RingCounts,
  RingState,
  RolloutRing,
  WaitingFor,
} from '../../contract/status.js';
import { scopeText } from '../brake.js';
import { waitForBlock } from '../cluster/blocks.js';
import { isPackage, sameVersion } from '../package-version.js';
import { exceptionsOf } from './exceptions.js';
import { healthUnknown, ringHealthOf } from './health.js';
import { concerned, converged, failures, flying, forwardCells, isMending, isPastDeploy, settled } from './marks.js';
import type { Observed } from './observe.js';
import type { PassState } from './pass.js';
import { putOffCells } from './put-off.js';

/** What people see of a pass: counts, state, what it waits for and how it ended. */

export interface ViewContext {
  ring: number;
  name: string;
  version: string;
  perimeter: boolean;
  soft: boolean;
  idOf: (index: number) => string;
  /** What a cell was last seen to run; null, absent: that is not known. */
  versionOf?: (index: number) => string | null;
  leftOut: CellException[];
  /** Brakes that hold now and cover what this pass would do next. */
  brakes: BrakeStatus[];
  trouble: PassTrouble | null;
  /** What the calendar keeps from starting; absent, null: nothing. */
  calendar?: WaitingFor | null;
  startedAtMs: number;
  nowMs: number;
}

const MAX_EXCEPTIONS = 100;
const MAX_IN_FLIGHT_NAMED = 100;

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

export function countsOf(s: PassState, leftOut: CellException[]): RingCounts {
  const leftOutQuarantined = leftOut.filter((e) => e.state === 'quarantined').length;
  const inFlight = flying(s);
  return {
    total: concerned(s) + leftOut.length,
    converged: converged(s) - s.counts.m,
    inFlight,
    failed: s.counts.X,
    rolledBack: s.counts.R,
    quarantined: s.counts.Q + leftOutQuarantined,
    skipped: s.counts.s + leftOut.length - leftOutQuarantined,
    pending: s.counts['.'] + s.counts.d,
  };
}

export function stateOf(s: PassState, ctx: ViewContext): RingState {
  if (s.stage === 'done') return endState(s, ctx.soft);
  if (s.stage === 'rollback' || s.counts['<'] > 0) return 'rolling-back';
  if (s.halt) return 'halted';
  if (ctx.brakes.length > 0 && wouldStart(s, ctx.nowMs)) return 'braked';
  if (ctx.calendar && flying(s) === 0) return 'waiting';
  if (isMending(s)) return 'migrating';
  if (s.stage === 'bake') return 'baking';
  if (s.stage === 'grace') return 'grace';
  return s.stage === 'migrate' ? 'migrating' : 'rolling';
}

/** A soft ring is never left halted, and a pass that was stopped leaves what it found: both packages, or neither. */
function endState(s: PassState, soft: boolean): RingState {
  const result = resultOf(s, soft);
  if (result?.outcome === 'converged') return s.purpose === 'rollback' ? 'mixed' : 'converged';
  return result?.outcome === 'halted' ? 'halted' : 'mixed';
}

/** Whether there is something that a brake, a hold or trouble keeps from starting. */
export function wouldStart(s: PassState, now: number): boolean {
  if (isMending(s)) return true;
  if (isPastDeploy(s)) return waitsForBusy(s, now) && s.counts.d > 0;
  if (s.stage === 'deploy') return s.counts['.'] + s.counts.d > 0;
  return s.stage === 'migrate' && s.counts.C + s.counts.D > 0;
}

export function waitOf(s: PassState, ctx: ViewContext): WaitingFor | null {
  if (s.stage === 'done' || s.stop) return null;
  if (s.stage === 'rollback') return s.isReturn ? troubleWait(ctx) : null;
  const hold = haltWait(s, ctx) ?? troubleWait(ctx) ?? brakeWait(s, ctx) ?? ctx.calendar;
  return hold ?? busyWait(s, ctx) ?? clockWait(s, ctx);
}

function haltWait(s: PassState, ctx: ViewContext): WaitingFor | null {
  const stopped = s.halt ?? s.holdForward;
  if (!stopped) return null;
  const { ring, version } = ctx;
  const failed = whoFailed(s);
  return {
    kind: 'operator',
    ring,
    since: new Date(stopped.sinceMs).toISOString(),
    detail: `${s.halt ? 'halted' : 'held'}: ${stopped.reason}`,
    next: [
      ...(s.halt?.kind === 'check' ? [`cellctl override --wait check --ring ${ring} ${version} --reason "…"`] : []),
      ...whatMends(s, ctx),
      ...(failed === null ? [] : [`cellctl skip ${ctx.idOf(failed)} --version ${version} --reason "…"`]),
      `cellctl abort ${version} --reason "…"`,
      // Beyond the perimeter a failure may be the package's: then it is to go back from wherever it is.
      ...(mayBeThePackage(s) && !ctx.perimeter ? [`cellctl rollback ${version} --reason "…"`] : []),
    ],
  };
}

/** The cell without which the pass may go on: one that nobody left out yet, and whose PDM has not failed. */
function whoFailed({ halt, exceptions, marks, pdmFailed }: PassState): number | null {
  if (halt?.kind !== 'cells' && halt?.kind !== 'put-off' && halt?.kind !== 'inconclusive') return null;
  const isIn = (index: number, among: string) => among.includes(marks[index] ?? ' ') && !pdmFailed[index];
  if (halt.first !== undefined && isIn(halt.first, 'XRd.')) return halt.first;
  const failed = Object.keys(exceptions)
    .map(Number)
    .filter((index) => isIn(index, 'XR'));
  return failed.find((index) => exceptions[index]?.isUnknown) ?? failed[0] ?? null;
}

/** A pass that is held is mended where the package failed. */
function whatMends({ halt, holdForward }: PassState, { ring, version }: ViewContext): string[] {
  const failedRing = halt ? ring : holdForward?.ring;
  return [failedRing === undefined ? `cellctl status ${version}` : `cellctl retry --ring ${failedRing} ${version}`];
}

const mayBeThePackage = ({ halt }: PassState): boolean => halt !== null && halt.kind !== 'check';

function troubleWait(ctx: ViewContext): WaitingFor | null {
  const { trouble, ring, version } = ctx;
  if (!trouble) return null;
  const since = new Date(trouble.sinceMs).toISOString();
  if (trouble.kind === 'health' || trouble.kind === 'prometheus') {
    const override = `cellctl override --wait health --ring ${ring} ${version} --reason "…"`;
    return { kind: 'health', ring, since, detail: trouble.detail, next: [`cellctl health --ring ${ring}`, override] };
  }
  if (trouble.kind === 'check') {
    const override = `cellctl override --wait check --ring ${ring} ${version} --reason "…"`;
    return { kind: 'check', ring, since, detail: trouble.detail, next: [override] };
  }
  return {
    kind: 'operator',
    ring,
    since,
    detail: `${trouble.detail}; goes on by itself once it answers`,
    next: ['check AMP_URL, AMP_TOKEN and CELLS_API_TOKEN of the workers, and AMP itself'],
  };
}

function brakeWait(s: PassState, ctx: ViewContext): WaitingFor | null {
  const brake = ctx.brakes[0];
  return brake && wouldStart(s, ctx.nowMs) ? waitForBrake(brake, ctx.ring, ctx.version) : null;
}

/** The wait that a brake makes, with the command that ends it. */
export function waitForBrake(brake: BrakeStatus, ring: number, version: string): WaitingFor {
  if (brake.blocks) return waitForBlock({ ...brake, ...brake.blocks }, ring);
  const whose = brake.scope === 'package' ? ` --version ${version}` : '';
  return {
    kind: 'brake',
    ring,
    since: brake.since,
    ...(brake.expiresAt === undefined ? {} : { until: brake.expiresAt }),
    detail: `brake ${brake.brakeId} on ${scopeText(brake.scope)} by ${brake.by}: ${brake.reason}`,
    next: [`cellctl brake off --id ${brake.brakeId}${whose} --reason "…"`],
  };
}

const BUSY_NAMED = 5;

/** Where the ring bakes, or waits out its grace period, its clock is what it waits for until that is over. */
const waitsForBusy = (s: PassState, now: number): boolean =>
  (s.putOff?.untilMs ?? null) !== null && now >= (clockOf(s) ?? now);

function busyWait(s: PassState, ctx: ViewContext): WaitingFor | null {
  const { sinceMs, untilMs = null } = s.putOff ?? {};
  if (sinceMs === undefined || untilMs === null || !waitsForBusy(s, ctx.nowMs)) return null;
  const { ring, version } = ctx;
  const cells = putOffCells(s);
  const named = cells.slice(0, BUSY_NAMED);
  const more = cells.length > named.length ? ` and ${cells.length - named.length} more` : '';
  const inWords = named.map(
    (index) => `${ctx.idOf(index)} is ${s.exceptions[index]?.state}: ${s.exceptions[index]?.reason}`,
  );
  return {
    kind: 'cell-busy',
    ring,
    since: new Date(sinceMs).toISOString(),
    until: new Date(untilMs).toISOString(),
    detail: `tried again by itself: ${inWords.join('; ')}${more}`,
    next: [
      ...named.map((index) => withoutCell(s, ctx.idOf(index), version)),
      `cellctl retry --ring ${ring} ${version}`,
      `cellctl abort ${version} --reason "…"`,
    ],
  };
}

/** A cell that runs the package is not skipped: without its PDM only its quarantine lets the ring go on. */
const withoutCell = ({ stage }: PassState, cell: string, version: string): string =>
  stage === 'migrate'
    ? `cellctl quarantine ${cell} --reason "…"`
    : `cellctl skip ${cell} --version ${version} --reason "…"`;

const clockOf = (s: PassState): number | null =>
  s.stage === 'bake' ? s.bakeUntilMs : s.stage === 'grace' ? s.graceUntilMs : null;

function clockWait(s: PassState, ctx: ViewContext): WaitingFor | null {
  const { ring, version } = ctx;
  const clock = clockOf(s);
  if (clock === null) return null;
  const wait = s.stage === 'bake' ? 'bake' : 'grace-period';
  const isOver = ctx.nowMs >= clock || (s.stage === 'bake' && s.bakedAtMs !== null);
  const late = isOver ? forwardCells(s) : [];
  const since = new Date((s.stage === 'bake' ? s.convergedAtMs : s.bakedAtMs) ?? ctx.nowMs).toISOString();
  const next = [`cellctl override --wait ${wait} --ring ${ring} ${version} --reason "…"`];
  if (ctx.nowMs >= clock && healthUnknown(s)) {
    const word = s.health?.ring;
    const detail = word && word.verdict !== 'healthy' ? word.sentence : 'the ring is judged once more';
    const override = `cellctl override --wait health --ring ${ring} ${version} --reason "…"`;
    return { kind: 'health', ring, since, detail, next: [`cellctl health --ring ${ring}`, override] };
  }
  if (s.silent.length > 0 && ctx.nowMs >= clock) {
    const detail = `no answer from ${s.silent.slice(0, 5).join(', ')}: not known to be healthy`;
    return { kind: 'health', ring, since, detail, next };
  }
  if (late.length > 0) {
    const named = late.slice(0, BUSY_NAMED).map(ctx.idOf).join(', ');
    const detail = `${wait} is over but for cells that came late, and are on their way: ${named}`;
    return { kind: wait, ring, since, detail, next: [`cellctl status ${version}`] };
  }
  const until = new Date(clock).toISOString();
  if (s.stage === 'bake') return { kind: 'bake', ring, since, until, detail: `ring ${ring} bakes`, next };
  if (ctx.nowMs >= clock) {
    return { kind: 'grace-period', ring, since, detail: 'PDM waits until the package has baked in every ring', next };
  }
  return { kind: 'grace-period', ring, since, until, detail: 'still able to go back; then PDM runs', next };
}

/**
 * How the pass stands for somebody who waits for it; null while it is under way. A halted pass that waits for a
 * person has a result although it has not ended.
 */
export function resultOf(s: PassState, soft: boolean): PassResult | null {
  const none = { code: null, supersededBy: null };
  if (s.stop && s.stage === 'done') {
    const supersededBy = s.stop.outcome === 'superseded' ? s.stop.by : null;
    return { outcome: s.stop.outcome, code: null, supersededBy, reason: s.stop.reason };
  }
  if (s.halt && settled(s) && (s.stage === 'done' || (!soft && s.stage !== 'rollback'))) {
    return { outcome: soft ? 'failed' : 'halted', reason: s.halt.reason, ...none };
  }
  if (s.stage !== 'done') return null;
  if (s.observed) {
    return { outcome: s.observed.isDone ? 'converged' : 'failed', reason: s.observed.sentence, ...none };
  }
  if (s.purpose === 'rollback') {
    const stayed = s.counts.X;
    const outcome = stayed === 0 ? 'converged' : 'failed';
    return { outcome, reason: stayed === 0 ? '' : `${stayed} could not go back`, ...none };
  }
  return { outcome: 'converged', reason: withoutIt(s), ...none };
}

/** What the failure budget bore, in words. */
function withoutIt(s: PassState): string {
  const parts = [`${failures(s)} failed`, `${s.counts.d} busy or unreachable`].filter((part) => !part.startsWith('0 '));
  return parts.length === 0 ? '' : `${parts.join(', ')}, within the budget`;
}

const otherPackage = (runs: string | null, version: string): string | null =>
  runs !== null && isPackage(runs) && !sameVersion(runs, version) ? runs : null;

const seenOf = ({ sentence, would, waits }: Observed) => ({ sentence, would, waits });

export function viewOf(s: PassState, ctx: ViewContext): RolloutRing {
  const runs = (index: number) => otherPackage(ctx.versionOf?.(index) ?? null, ctx.version);
  const all = [...exceptionsOf(s, ctx.idOf, runs), ...ctx.leftOut];
  const health = ringHealthOf(s);
  const flights = Object.keys(s.inFlight).slice(0, MAX_IN_FLIGHT_NAMED);
  return {
    ring: ctx.ring,
    name: ctx.name,
    state: stateOf(s, ctx),
    ...countsOf(s, ctx.leftOut),
    startedAt: iso(ctx.startedAtMs),
    convergedAt: iso(s.convergedAtMs),
    finishedAt: s.stage === 'done' ? iso(ctx.nowMs) : null,
    exceptions: all.slice(0, MAX_EXCEPTIONS),
    exceptionsTotal: all.length,
    ...(s.isReturn ? { needDowntime: all.filter((e) => e.needsDowntime).length } : {}),
    cellsInFlight: flights.map((index) => ctx.idOf(Number(index))),
    ...(concerned(s) + ctx.leftOut.length === 0 ? { empty: true } : {}),
    waitingFor: waitOf(s, ctx),
    ...(s.observed ? { observed: seenOf(s.observed) } : {}),
    ...(s.smokeTests ? { smokeTests: s.smokeTests } : {}),
    ...(health ? { health } : {}),
  };
}
