import type { RingPolicy } from '../../contract/policy.js';
import type { RingForecast, WaitKind } from '../../contract/status.js';
import { covers, holding } from '../brake.js';
import { endOfWork } from '../calendar/word.js';
import { median } from '../health/numbers.js';
import { comparePackages, isNewer, isPackage, sameVersion } from '../package-version.js';
import { type Ring, resolveCoordination, resolvePolicy, type Topology } from '../topology/index.js';
import { blockOf } from './blocks.js';
import { openingsFor } from './calendars.js';
import { needsYesAfterStop } from './packages.js';
import { deployableIds, isReconcile } from './reconcile.js';
import { hasIt, standsOn } from './stands.js';
import type { ClusterState, QueuedRequest, RingRecord, Turn } from './state.js';

/**
 * When rings are expected to converge, from how long cells took in passes that ended. What a person has to end has no
 * known length, so nothing is said about what comes after it.
 */

/** So many passes of a ring are remembered. */
const PASSES = 5;

/** The median of some numbers; null of none. */
export const medianOf = (values: readonly number[]): number | null => (values.length === 0 ? null : median(values));

/** Notes the median time of a cell in a pass that has ended; the last passes count. */
export function noteCellTime(record: RingRecord, cellMs: number | null | undefined): void {
  if (cellMs != null) record.cellTimesMs = [...(record.cellTimesMs ?? []), cellMs].slice(-PASSES);
}

/** What a cell takes in this ring, ms, or else in the others; null: no pass has ended anywhere. */
export function cellTimeOf(rings: Record<number, Pick<RingRecord, 'cellTimesMs'>>, ring: number): number | null {
  const own = medianOf(rings[ring]?.cellTimesMs ?? []);
  return own ?? medianOf(Object.values(rings).flatMap(({ cellTimesMs }) => medianOf(cellTimesMs ?? []) ?? []));
}

/** Time in ms that so many cells of a ring take: first cells, and then the others in a sliding window. */
export function rollTimeMs(cells: number, cellMs: number, { maxParallel, firstCells }: RingPolicy): number {
  if (cells <= 0) return 0;
  const first = Math.min(firstCells, cells);
  const others = cells - first;
  const firstMs = Math.ceil(first / maxParallel) * cellMs;
  return firstMs + (others === 0 ? 0 : Math.max(cellMs, (others / maxParallel) * cellMs));
}

const isOurs = ({ deployedBy }: Ring): boolean => deployedBy !== 'external';

/** When something should be so, or what that depends on. */
type When = { ms: number } | { unknown: string };

const later = (when: When, byMs: number): When => ('ms' in when ? { ms: when.ms + byMs } : when);

/** The later of both; what nobody knows comes last. */
const lastOf = (a: When, b: When): When => ('unknown' in a ? a : 'unknown' in b ? b : { ms: Math.max(a.ms, b.ms) });

/** A package that goes through the outer rings. */
interface Going {
  version: string;
  lane: string | null;
}

/** One package in one ring. */
interface Stop {
  ring: number;
  /** It is there. */
  holds: boolean;
  /** When it may enter. */
  enters: When;
  /** Null: it has. */
  converges: When | null;
  /** When its pass is over, and the ring free. */
  leaves: When;
}

/** What a forecast goes by. */
interface Known {
  state: ClusterState;
  topology: Topology;
  now: number;
  /** Rings in the order in which packages come to them, with the cells that a package goes to. */
  rings: { ring: number; cells: number }[];
}

/** For each outer ring that lacks the package: when it should converge, or what that depends on. */
export function forecastOf(
  state: ClusterState,
  topology: Topology,
  version: string,
  lane: string | null,
  now: number,
): RingForecast[] {
  const outer = topology.rings.filter((r) => r.ring > topology.perimeter && isOurs(r)).sort((a, b) => a.ring - b.ring);
  const sized = outer.map(({ ring }) => ({ ring, cells: deployableIds(state, topology, ring, now).size }));
  const rings = sized.filter(({ ring, cells }) => state.rings[ring] && cells > 0);
  const known: Known = { state, topology, now, rings };
  const before: Stop[] = [];
  for (const ahead of goingAhead(state, topology, version)) before.push(...stopsOf(known, ahead, before));
  return stopsOf(known, { version, lane }, before).flatMap(({ ring, converges }) => {
    if (converges === null) return [];
    const when = 'ms' in converges ? { expectedAt: iso(converges.ms) } : { unknown: converges.unknown };
    return [{ ring, version, ...when }];
  });
}

/** Older packages that hold a ring, the oldest first: they are never overtaken. What only waits mostly gives way. */
function goingAhead({ turns, queue }: ClusterState, topology: Topology, version: string): Going[] {
  const waiting = resolveCoordination(topology).supersede === 'never' ? queue : [];
  const requests = [...Object.values(turns).map(({ request }) => request), ...waiting];
  const older = requests.filter((r) => r.purpose === 'deploy' && !isReconcile(r) && isNewer(version, r.version));
  const once = [...new Map(older.map((r) => [r.version, { version: r.version, lane: r.lane }])).values()];
  return once.sort((a, b) => comparePackages(a.version, b.version));
}

/** @param before what older packages do in the rings */
function stopsOf(known: Known, going: Going, before: readonly Stop[]): Stop[] {
  const { state, topology, now } = known;
  const stops: Stop[] = [];
  let at: When = { ms: now };
  for (const { ring, cells } of known.rings) {
    const policy = resolvePolicy(topology, ring, going.lane, now);
    const record = state.rings[ring] as RingRecord;
    const isHere = isHeldBy(state, ring, going.version);
    const enters: When = isHere ? { ms: now } : at;
    const converges: When | null = hasIt(record, going.version)
      ? null
      : expectedFor(known, { ring, cells, ...going, policy, at: enters, isHere, before });
    const bakes: When = later(converges ?? bakesFrom(known, ring, going.version), policy.bakeTimeMs);
    stops.push({
      ring,
      holds: isHere,
      enters,
      converges,
      leaves: leavesAt(known, { ring, ...going, policy, isHere, bakes }),
    });
    at = converges ? bakes : lastOf(at, bakes);
  }
  const everywhere = stops.map(({ ring, leaves }) => {
    const { migrateWhen, postDeployMigrations } = resolvePolicy(topology, ring, going.lane, now);
    return migrateWhen === 'everywhere' && postDeployMigrations === 'separate' ? lastOf(leaves, at) : leaves;
  });
  return stops.map((stop, i) => ({ ...stop, leaves: everywhere[i] ?? stop.leaves }));
}

/** Since when a ring that has the package bakes; a bake that has stopped ends when somebody has it go on. */
function bakesFrom({ state, rings }: Known, ring: number, version: string): When {
  const { convergedAt = null } = state.rings[ring] ?? {};
  const hasGoneOn = rings.some((r) => r.ring > ring && isIn(state, r.ring, version));
  const stop = isHeldBy(state, ring, version) && !hasGoneOn ? whatHolds(state.turns[ring], ring) : null;
  return stop ?? { ms: convergedAt === null ? 0 : Date.parse(convergedAt) };
}

/** The ring has the package, is getting it, or is asked for it. */
const isIn = (state: ClusterState, ring: number, version: string): boolean =>
  isHeldBy(state, ring, version) ||
  state.queue.some((q) => q.at === ring && sameVersion(q.version, version)) ||
  hasIt(state.rings[ring] as RingRecord, version);

/** The cluster's own passes give way to any package. */
function isHeldBy({ turns }: ClusterState, ring: number, version: string): boolean {
  const request = turns[ring]?.request;
  return request?.purpose === 'deploy' && !isReconcile(request) && sameVersion(request.version, version);
}

interface Leaving extends Going {
  ring: number;
  policy: RingPolicy;
  isHere: boolean;
  /** When it has baked. */
  bakes: When;
}

/** After the bake come the grace period and PDM, which the calendar may hold; how long PDM takes nobody has measured. */
function leavesAt(known: Known, { ring, policy, isHere, bakes, ...going }: Leaving): When {
  if ('unknown' in bakes) return bakes;
  const stop = isHere ? whatStops(known, { ring, policy, isHere, ...going }) : null;
  if (stop && 'unknown' in stop) return stop;
  const graceMs = policy.postDeployMigrations === 'separate' ? policy.gracePeriodMs : 0;
  const fromMs = Math.max(known.now, bakes.ms + graceMs, stop?.ms ?? 0);
  return graceMs === 0 ? { ms: fromMs } : fits(known, { ring, ...going }, { fromMs, workMs: 0, cellMs: 0 });
}

/** The same of a package that is on its way through the outer rings; none of any other. */
export function forecastsOf(state: ClusterState, topology: Topology, version: string, now: number): RingForecast[] {
  const rollout = state.rollouts[version];
  const isOnItsWay = rollout !== undefined && state.graduated.some((g) => sameVersion(g.version, version));
  return isOnItsWay ? forecastOf(state, topology, version, rollout.lane ?? null, now) : [];
}

const iso = (ms: number): string => new Date(ms).toISOString();

interface ForRing extends Going {
  ring: number;
  policy: RingPolicy;
  /** It holds the ring. */
  isHere: boolean;
}

interface Coming extends ForRing {
  cells: number;
  /** When the package may enter at the soonest. */
  at: When;
  before: readonly Stop[];
}

function expectedFor(known: Known, of: Coming): When {
  const { state } = known;
  const { ring, cells, version, policy } = of;
  if ('unknown' in of.at) return of.at;
  const stop = whatStops(known, of);
  if (stop && 'unknown' in stop) return stop;
  const free = of.isHere ? null : whenFree(state, of, of.at.ms);
  if (free && 'unknown' in free) return free;
  const cellMs = cellTimeOf(state.rings, ring);
  if (cellMs === null) return { unknown: 'no pass has ended yet: nobody knows what a cell takes' };
  const left = cells - Math.min(cells, countOn(state.rings[ring]?.observed ?? {}, version));
  const fromMs = Math.max(of.at.ms, stop?.ms ?? 0, free?.ms ?? 0);
  return left === 0 ? { ms: fromMs } : fits(known, of, { fromMs, workMs: rollTimeMs(left, cellMs, policy), cellMs });
}

/** When whoever is in the ring, or comes to it before the package, has left it; null: nobody is in the way. */
function whenFree({ turns }: ClusterState, { ring, version, before }: Coming, atMs: number): When | null {
  const turn = turns[ring];
  const isOwn = turn === undefined || isReconcile(turn.request);
  if (!isOwn && (turn.request.purpose !== 'deploy' || isNewer(turn.request.version, version)))
    return { unknown: `ring ${ring} is ${turn.state} with ${turn.request.version}` };
  const inTheWay = before.filter((stop) => {
    // One that nobody expects to get there, and that does not hold the ring, gives way.
    const comesFirst = 'ms' in stop.leaves && 'ms' in stop.enters && stop.enters.ms <= atMs;
    return stop.ring === ring && (stop.holds || comesFirst);
  });
  return inTheWay.map(({ leaves }) => leaves).reduce<When | null>((all, one) => (all ? lastOf(all, one) : one), null);
}

/** When the work is done that may begin at `fromMs`, as far as the calendar lets it. */
function fits(
  { state, topology, now }: Known,
  { ring, version, lane }: Going & { ring: number },
  { fromMs, workMs, cellMs }: { fromMs: number; workMs: number; cellMs: number },
): When {
  const { turns, queue } = state;
  const held = isHeldBy(state, ring, version) ? turns[ring]?.request : undefined;
  const request = held ?? queue.find((q) => q.at === ring && sameVersion(q.version, version));
  const openings = openingsFor(state, request ?? { purpose: 'deploy', lane }, ring, { topology, now });
  if (openings === null) return { unknown: `the deploy windows of ring ${ring} are worked out` };
  const ms = endOfWork(openings, fromMs, workMs, cellMs);
  return ms === null ? { unknown: `ring ${ring} is not known to open again` } : { ms: Math.round(ms) };
}

/** What a pass waits for that no clock ends. */
const OPEN_ENDED: ReadonlySet<WaitKind | null | undefined> = new Set([
  'approval',
  'operator',
  'health',
  'check',
  'cell-busy',
]);

/** What a pass stands by that only a person ends, or that ends when nobody knows. */
function whatHolds(turn: Turn | undefined, ring: number): { unknown: string } | null {
  if (turn?.state === 'halted') return { unknown: `ring ${ring} is halted` };
  return OPEN_ENDED.has(turn?.waits) ? { unknown: `ring ${ring} waits for ${turn?.waits}` } : null;
}

/** What the package has asked for last, wherever: it tells of every yes that it has. */
const asked = ({ queue, turns }: ClusterState, version: string): Pick<QueuedRequest, 'version' | 'approvedAtMs'> =>
  [...queue, ...Object.values(turns).map(({ request }) => request)].find((r) => sameVersion(r.version, version)) ?? {
    version,
  };

/** Until when something stands in the way that the clock ends; or that a person has to. */
function whatStops(
  { state, topology, now }: Known,
  { ring, version, policy, isHere }: ForRing,
): { ms: number } | { unknown: string } | null {
  if (blockOf(state.blocked, version)) return { unknown: `${version} is blocked` };
  const holds = isHere ? whatHolds(state.turns[ring], ring) : null;
  if (holds) return holds;
  const ofCluster = holding(state.brakes, now).filter(({ scope }) => covers(scope, ring, topology.perimeter));
  const brakes = [...ofCluster, ...holding(state.rollouts[version]?.braked?.brakes ?? [], now)];
  const endless = brakes.find(({ expiresAt }) => expiresAt === undefined);
  if (endless) return { unknown: `brake ${endless.brakeId}` };
  const request = state.queue.find((q) => q.at === ring && sameVersion(q.version, version));
  const { held = null } = request ?? {};
  const isOpenEnded = held?.kind === 'approval' || held?.kind === 'operator';
  const needsYes = policy.approval === 'required' && !isHere && !request?.approved.includes(ring);
  const isAfterStop = !isHere && needsYesAfterStop(state, request ?? asked(state, version), ring);
  if (isOpenEnded || needsYes || isAfterStop) return { unknown: `ring ${ring} waits for ${held?.kind ?? 'approval'}` };
  const ends = brakes.flatMap(({ expiresAt }) => (expiresAt ? [Date.parse(expiresAt)] : []));
  return ends.length === 0 ? null : { ms: Math.max(...ends) };
}

const countOn = (observed: Record<string, number>, version: string): number =>
  Object.entries(observed).reduce((sum, [v, n]) => sum + (isPackage(v) && comparePackages(v, version) >= 0 ? n : 0), 0);

/** The newest package that is on its way through the outer rings; null: none is. */
export function newestOnItsWay(state: ClusterState): { version: string; lane: string | null } | null {
  const open = state.graduated.filter(
    ({ version }) => state.rollouts[version] !== undefined && blockOf(state.blocked, version) === null,
  );
  const [newest] = open.sort((a, b) => comparePackages(b.version, a.version));
  return newest ? { version: newest.version, lane: state.rollouts[newest.version]?.lane ?? null } : null;
}

/** Whether a ring has been worked on for longer than it should take, or will be before it has converged. */
export function isLate(state: ClusterState, topology: Topology, ring: number, now: number): boolean {
  const turn = state.turns[ring];
  const record = state.rings[ring];
  if (!record || turn?.request.purpose !== 'deploy' || turn.request.cells) return false;
  const { version, lane } = turn.request;
  if (sameVersion(standsOn(record), version)) return false;
  const policy = resolvePolicy(topology, ring, lane, now);
  const { ranMs = 0, sinceMs = null } = turn.work ?? {};
  const worked = ranMs + (sinceMs === null ? 0 : now - sinceMs);
  const left = deployableIds(state, topology, ring, now).size - countOn(record.observed, version);
  // What holds it meanwhile is nobody's delay.
  return worked + rollTimeMs(left, cellTimeOf(state.rings, ring) ?? 0, policy) > policy.convergeWithinMs;
}
