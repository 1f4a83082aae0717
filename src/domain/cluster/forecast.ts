import type { RingPolicy } from '../../contract/policy.js';
import type { RingForecast } from '../../contract/status.js';
import { covers, holding } from '../brake.js';
import { median } from '../health/numbers.js';
import { comparePackages, isNewer, isPackage, sameVersion } from '../package-version.js';
import { type Ring, resolvePolicy, type Topology } from '../topology/index.js';
import { blockOf } from './blocks.js';
import { deployableIds } from './reconcile.js';
import type { ClusterState, RingRecord } from './state.js';

/**
 * When rings are expected to converge, from how long cells took in passes that ended. What a person has to end has no
 * known length, so nothing is said about what comes after it.
 */

/** So many passes of a ring are remembered. */
const PASSES = 5;
const DAY_MS = 24 * 3_600_000;

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

/** What one package takes to pass through all outer rings at the least, ms; null: no cell was ever measured. */
export function passageMs(
  topology: Topology,
  cellTime: (ring: number) => number | null,
  lane: string | null,
  now: number,
): number | null {
  const outer = topology.rings.filter((r) => r.ring > topology.perimeter && isOurs(r));
  const times = outer.map(({ ring }) => {
    const policy = resolvePolicy(topology, ring, lane, now);
    const cells = cellsOf(topology, ring);
    const cellMs = cellTime(ring);
    if (cells === 0) return 0;
    return cellMs === null ? null : rollTimeMs(cells, cellMs, policy) + policy.bakeTimeMs;
  });
  return times.reduce<number | null>((sum, ms) => (sum === null || ms === null ? null : sum + ms), 0);
}

/** A word of warning where one package needs more than a day, so that a package a day piles up; null: it does not. */
export function tooSlow(
  topology: Topology,
  cellTime: (ring: number) => number | null,
  lane: string | null,
  now: number,
): string | null {
  const ms = passageMs(topology, cellTime, lane, now);
  // Where nothing was measured yet, what is written is enough to tell that it is too long.
  const atLeast = ms ?? passageMs(topology, () => 0, lane, now) ?? 0;
  if (atLeast <= DAY_MS) return null;
  const how = ms === null ? 'for bakes alone' : 'by what cells took so far';
  const hours = Math.round(atLeast / 3_600_000);
  return `one package needs ${hours} hours to pass all outer rings, ${how}: with one a day they pile up`;
}

const isOurs = ({ deployedBy }: Ring): boolean => deployedBy !== 'external';

const cellsOf = (topology: Topology, ring: number): number =>
  topology.rings.find((r) => r.ring === ring)?.cells.filter(({ observe }) => !observe).length ?? 0;

/** For each outer ring that lacks the package: when it should converge, or what that depends on. */
export function forecastOf(
  state: ClusterState,
  topology: Topology,
  version: string,
  lane: string | null,
  now: number,
): RingForecast[] {
  const outer = topology.rings.filter((r) => r.ring > topology.perimeter && isOurs(r)).sort((a, b) => a.ring - b.ring);
  const forecasts: RingForecast[] = [];
  let at: { ms: number } | { unknown: string } = { ms: now };
  for (const { ring } of outer) {
    const policy = resolvePolicy(topology, ring, lane, now);
    const record = state.rings[ring];
    if (!record || deployableIds(state, topology, ring, now).size === 0) continue;
    if (hasIt(record, version)) {
      at = 'unknown' in at ? at : { ms: Math.max(at.ms, bakedAt(record, policy)) };
      continue;
    }
    const expected = expectedFor(state, topology, { ring, version, lane, policy, at, now });
    forecasts.push({
      ring,
      version,
      ...('ms' in expected ? { expectedAt: iso(expected.ms) } : { unknown: expected.unknown }),
    });
    at = 'ms' in expected ? { ms: expected.ms + policy.bakeTimeMs } : expected;
  }
  return forecasts;
}

/** The same of a package that is on its way through the outer rings; none of any other. */
export function forecastsOf(state: ClusterState, topology: Topology, version: string, now: number): RingForecast[] {
  const rollout = state.rollouts[version];
  const isOnItsWay = rollout !== undefined && state.graduated.some((g) => sameVersion(g.version, version));
  return isOnItsWay ? forecastOf(state, topology, version, rollout.lane ?? null, now) : [];
}

const iso = (ms: number): string => new Date(ms).toISOString();

const hasIt = ({ converged }: RingRecord, version: string): boolean =>
  converged !== null && (sameVersion(converged, version) || isNewer(converged, version));

const bakedAt = ({ convergedAt }: RingRecord, { bakeTimeMs }: RingPolicy): number =>
  convergedAt === null ? 0 : Date.parse(convergedAt) + bakeTimeMs;

interface ForRing {
  ring: number;
  version: string;
  lane: string | null;
  policy: RingPolicy;
  /** When the package may enter at the soonest. */
  at: { ms: number } | { unknown: string };
  now: number;
}

function expectedFor(state: ClusterState, topology: Topology, of: ForRing): { ms: number } | { unknown: string } {
  const { ring, version, policy, at, now } = of;
  if ('unknown' in at) return at;
  const stop = whatStops(state, topology, of);
  if (stop && 'unknown' in stop) return stop;
  const cellMs = cellTimeOf(state.rings, ring);
  if (cellMs === null) return { unknown: 'no pass has ended yet: nobody knows what a cell takes' };
  const total = deployableIds(state, topology, ring, now).size;
  const done = Math.min(total, countOn(state.rings[ring]?.observed ?? {}, version));
  const begins = Math.max(at.ms, stop?.ms ?? 0);
  return { ms: Math.round(begins + rollTimeMs(total - done, cellMs, policy)) };
}

/** Until when something stands in the way that the clock ends; or that a person has to. */
function whatStops(
  state: ClusterState,
  { perimeter }: Topology,
  { ring, version, policy, now }: ForRing,
): { ms: number } | { unknown: string } | null {
  const turn = state.turns[ring];
  if (blockOf(state.blocked, version)) return { unknown: `${version} is blocked` };
  if (turn && isPackage(turn.request.version) && turn.state === 'halted') return { unknown: `ring ${ring} is halted` };
  const brakes = holding(state.brakes, now).filter(({ scope }) => covers(scope, ring, perimeter));
  const endless = brakes.find(({ expiresAt }) => expiresAt === undefined);
  if (endless) return { unknown: `brake ${endless.brakeId}` };
  const request = state.queue.find((q) => q.at === ring && sameVersion(q.version, version));
  const { held = null } = request ?? {};
  const isOpenEnded = held?.kind === 'approval' || held?.kind === 'operator';
  const needsYes = policy.approval === 'required' && !turn && !request?.approved.includes(ring);
  if (isOpenEnded || needsYes) return { unknown: `ring ${ring} waits for ${held?.kind ?? 'approval'}` };
  const shut = held?.kind === 'deploy-window' || held?.kind === 'freeze' ? held : null;
  if (shut && shut.until === undefined) return { unknown: shut.detail };
  const ends = [...brakes.map(({ expiresAt }) => expiresAt), shut?.until].flatMap((at) => (at ? [Date.parse(at)] : []));
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
export function isLate(
  state: ClusterState,
  topology: Topology,
  ring: number,
  expectedAt: string | undefined,
  now: number,
): boolean {
  const turn = state.turns[ring];
  if (turn?.request.purpose !== 'deploy' || turn.request.cells) return false;
  if (state.rings[ring]?.converged === turn.request.version) return false;
  const { convergeWithinMs } = resolvePolicy(topology, ring, turn.request.lane, now);
  const { ranMs = 0, sinceMs = null } = turn.work ?? {};
  const worked = ranMs + (sinceMs === null ? 0 : now - sinceMs);
  const toCome = expectedAt === undefined ? 0 : Math.max(0, Date.parse(expectedAt) - now);
  return worked + toCome > convergeWithinMs;
}
