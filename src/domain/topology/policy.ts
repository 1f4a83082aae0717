import type { Calendar } from '../../contract/calendar.js';
import type { RingPolicy } from '../../contract/policy.js';
import { parseDuration } from '../duration.js';
import { parseInstant } from '../instant.js';
import { resolveAtLeastOne, resolveDown } from '../share.js';
import { deployableCells, ringOf } from './cells.js';
import { COORDINATION_DEFAULTS, MAX_PARALLEL, POLICY_DEFAULTS } from './defaults.js';
import { withLane } from './lane.js';
import type { Topology, WrittenCoordination, WrittenPolicy } from './schema.js';

type Complete<T> = { [K in keyof T]-?: Exclude<T[K], undefined> };

/** A policy with every field, still as written: shares and durations are text. */
export type CompletePolicy = Complete<WrittenPolicy>;

/** What holds where a topology says nothing. */
export const DEFAULT_POLICY: Readonly<CompletePolicy> = {
  ...POLICY_DEFAULTS,
  deployWindows: [],
  freezes: [],
  checks: [],
};

export const DEFAULT_COORDINATION: Readonly<Complete<WrittenCoordination>> = COORDINATION_DEFAULTS;

/** Coordination of the rings with durations in ms. */
export interface Coordination {
  maxDrift: number;
  supersede: 'waiting' | 'never';
  requireRing0: boolean;
  graduationTimeoutMs: number;
  graduationExpectedEveryMs: number;
  reconcileEveryMs: number;
  reconcileHandChanges: 'report' | 'converge';
  lookEveryMs: number;
}

const MAX_VERIFY_INTERVAL_MS = 2_000;

/**
 * The policy in force in one ring for one lane: defaults, then the topology's policy, then the ring's, then what a lane
 * can change of it.
 * Shares are of the cells that can be deployed to at `now` (ms), but for those that a person took out (`isOut`); without
 * `now` every pin counts. Throws RangeError for a ring that the topology does not have. A lane that it does not have adds nothing: who decides by one asks `hasLane`.
 */
export function resolvePolicy(
  topology: Topology,
  ring: number,
  lane: string | null,
  now = Number.NEGATIVE_INFINITY,
  isOut: (cell: string) => boolean = () => false,
): RingPolicy {
  const policy = layeredPolicy(topology, ring, lane);
  const { cells } = deployableCells(mustFindRing(topology, ring), now, policy.mode);
  return absolutePolicy(policy, cells.filter(({ id }) => !isOut(id)).length);
}

/** The policy of one ring and lane as written, every field filled. Throws RangeError for an unknown ring. */
export function layeredPolicy(topology: Topology, ring: number, lane: string | null): CompletePolicy {
  const found = mustFindRing(topology, ring);
  const ofRing = { ...DEFAULT_POLICY, ...written(topology.policy), ...written(found.policy) };
  return withLane(ofRing, laneIn(topology, ring, lane));
}

/**
 * When a package of this lane may go forward in a ring, or null where any time is good: freezes that are over at `now`
 * (ms) are left out. Windows of a ring and of a lane must be open both. Throws RangeError for an unknown ring.
 */
export function calendarOf(topology: Topology, ring: number, lane: string | null, now: number): Calendar | null {
  const { deployWindows: windows, freezes: all } = layeredPolicy(topology, ring, lane);
  const freezes = all.filter(({ to }) => (parseInstant(to) ?? now) > now);
  if (windows.length + freezes.length === 0) return null;
  const { deployWindows: alsoWithin = [] } = laneIn(topology, ring, lane);
  const isOther = alsoWithin.length > 0 && layeredPolicy(topology, ring, null).deployWindows.length > 0;
  return { windows, ...(isOther ? { alsoWithin } : {}), freezes };
}

/** Whether a package can go by this lane; by none (null) it always can. */
export const hasLane = (topology: Topology, lane: string | null): boolean =>
  lane === null || Object.hasOwn(topology.lanes ?? {}, lane);

/** A policy with its shares as numbers out of `total` cells, and its durations in ms. */
export function absolutePolicy(policy: CompletePolicy, total: number): RingPolicy {
  const pollIntervalMs = ms(policy.pollInterval);
  return {
    maxParallel: Math.min(MAX_PARALLEL, resolveAtLeastOne(policy.maxParallel, total)),
    firstCells: policy.firstCells,
    failureBudget: resolveDown(policy.failureBudget, total),
    strictBudget: policy.strictBudget,
    onFailure: policy.onFailure,
    autoRollback: policy.autoRollback,
    downtimeRollback: policy.downtimeRollback,
    deployToUnhealthy: policy.deployToUnhealthy,
    bakeTimeMs: ms(policy.bakeTime),
    scope: policy.scope,
    postDeployMigrations: policy.postDeployMigrations,
    gracePeriodMs: ms(policy.gracePeriod),
    migrateWhen: policy.migrateWhen,
    approval: policy.approval,
    smokeTests: policy.smokeTests,
    checks: policy.checks.map(({ name, url, every, failClosed = true }) => ({
      name,
      url,
      everyMs: ms(every ?? '1m'),
      failClosed,
    })),
    mode: policy.mode,
    convergeWithinMs: ms(policy.convergeWithin),
    deployTimeoutMs: ms(policy.deployTimeout),
    cancelTimeoutMs: ms(policy.cancelTimeout),
    verifyTimeoutMs: ms(policy.verifyTimeout),
    verifyIntervalMs: Math.min(pollIntervalMs, MAX_VERIFY_INTERVAL_MS),
    pollIntervalMs,
  };
}

/** The coordination in force: what is written over the defaults, durations in ms. */
export function resolveCoordination(topology: Topology): Coordination {
  const c = { ...DEFAULT_COORDINATION, ...written(topology.coordination) };
  return {
    maxDrift: c.maxDrift,
    supersede: c.supersede,
    requireRing0: c.requireRing0,
    graduationTimeoutMs: ms(c.graduationTimeout),
    graduationExpectedEveryMs: ms(c.graduationExpectedEvery),
    reconcileEveryMs: ms(c.reconcileEvery),
    reconcileHandChanges: c.reconcileHandChanges,
    lookEveryMs: ms(c.lookEvery),
  };
}

/** What a lane says, or nothing where the topology has no such lane. */
export function lanePolicy(topology: Topology, lane: string | null): Partial<CompletePolicy> {
  return lane !== null && hasLane(topology, lane) ? written(topology.lanes?.[lane]) : {};
}

/** What a lane says of a ring: nothing inside the perimeter, where a graduation changes nothing. */
const laneIn = (topology: Topology, ring: number, lane: string | null): Partial<CompletePolicy> =>
  ring > topology.perimeter ? lanePolicy(topology, lane) : {};

function mustFindRing(topology: Topology, ring: number) {
  const found = ringOf(topology, ring);
  if (found) return found;
  throw new RangeError(`no ring ${ring}; there are: ${topology.rings.map((r) => r.ring).join(', ') || 'none'}`);
}

/** The fields that have a value: a layer must not hide what lies below it with an undefined. */
function written<T extends object>(layer: T | undefined): Partial<Complete<T>> {
  const entries = Object.entries(layer ?? {}).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Partial<Complete<T>>;
}

function ms(duration: string): number {
  const value = parseDuration(duration);
  if (value === null) throw new RangeError(`not a duration: ${JSON.stringify(duration)}`);
  return value;
}
