import type {
  ClusterRing,
  ClusterStatus,
  QueueEntry,
  ReconcileStatus,
  RingForecast,
  WaitingFor,
} from '../../contract/status.js';
import { COORDINATOR, holding } from '../brake.js';
import { blockOf } from './blocks.js';
import { viewOfDrift } from './drift.js';
import { forecastOf, isLate, medianOf, newestOnItsWay } from './forecast.js';
import { viewOfQuarantines } from './quarantine.js';
import { exceptionsWith, keptOn } from './reconcile.js';
import { viewOfRollbacks } from './rollbacks.js';
import type { ClusterState, RingRecord } from './state.js';
import { topologyOf } from './topology.js';

/** What people see of the cluster. */
export function viewOfCluster(state: ClusterState, now: number): ClusterStatus {
  const forecasts = forecastsOf(state, now);
  const rings = Object.entries(state.rings).map(([of, record]) => {
    const ring = Number(of);
    return { ...viewOfRing(ring, record, state), ...expectationOf(state, ring, forecasts, now) };
  });
  return {
    cluster: state.cluster,
    topologyRevision: state.revision,
    perimeter: state.perimeter,
    rings: rings.sort((a, b) => a.ring - b.ring),
    brakes: holding(state.brakes, now),
    quarantined: viewOfQuarantines(state, topologyOf(state)),
    blocked: state.blocked,
    graduated: state.graduated.map((g) => ({ ...g, blocked: blockOf(state.blocked, g.version) !== null })),
    // One that is blocked is in nobody's way: it stands in `blocked`, and asks on for when it no longer is.
    queue: state.queue.filter((q) => !q.held?.blocked).map(viewOfRequest),
    ...viewOfDrift(state, topologyOf(state), now),
    reconcile: viewOfReconcile(state),
    notInForce: state.notInForce,
    waitingFor: waitOf(state, now),
    ...(state.coldStart ? { coldStart: state.coldStart } : {}),
    ...viewOfRollbacks(state),
    acts: state.acts,
    rejected: state.rejected,
  };
}

function viewOfRing(
  ring: number,
  { alerts: _, convergedBefore: _before, takenBack: _back, cellTimesMs, ...record }: RingRecord,
  state: ClusterState,
): ClusterRing {
  const turn = state.turns[ring];
  const found = state.reconcile?.found[ring] ?? [];
  const exceptions = exceptionsWith(record.exceptions, found);
  const unnamed = record.exceptionsTotal - record.exceptions.length;
  return {
    ring,
    ...record,
    exceptions: exceptions.slice(0, EXCEPTIONS_AT_MOST),
    exceptionsTotal: exceptions.length + unnamed,
    onDesired: record.desired === null ? 0 : (record.observed[record.desired] ?? 0),
    state: turn ? turn.state : record.state,
    ...(turn ? { rollout: turn.request.sender } : {}),
    ...(cellTimesMs ? { cellMs: Math.round(medianOf(cellTimesMs) ?? 0) } : {}),
  };
}

function forecastsOf(state: ClusterState, now: number): RingForecast[] {
  const topology = topologyOf(state);
  const coming = topology && newestOnItsWay(state);
  return coming ? forecastOf(state, topology, coming.version, coming.lane, now) : [];
}

/** When a ring should have the newest package, and whether it is late with the one that it is getting. */
function expectationOf(
  state: ClusterState,
  ring: number,
  forecasts: RingForecast[],
  now: number,
): Pick<ClusterRing, 'expectedAt' | 'expectedAfter' | 'late'> {
  const topology = topologyOf(state);
  const { expectedAt, unknown } = forecasts.find((f) => f.ring === ring) ?? {};
  const late = topology?.rings.some((r) => r.ring === ring) && isLate(state, topology, ring, now);
  return {
    ...(expectedAt === undefined ? {} : { expectedAt }),
    ...(unknown === undefined ? {} : { expectedAfter: unknown }),
    ...(late ? { late: true } : {}),
  };
}

const EXCEPTIONS_AT_MOST = 100;

function viewOfReconcile(state: ClusterState): ReconcileStatus {
  const { nextAtMs = null, asked = {} } = state.reconcile ?? {};
  const looking = [...new Set([...state.toLook, ...Object.keys(asked).map(Number)])];
  const rings = Object.keys(state.rings).map(Number);
  const found = rings.flatMap((ring) => (state.reconcile?.found[ring] ?? []).map((d) => ({ ring, ...d })));
  const topology = topologyOf(state);
  const notKept = rings.flatMap((ring) => {
    const kept = topology && keptOn(state, topology, ring);
    return kept && 'not' in kept ? [{ ring, reason: kept.not }] : [];
  });
  return {
    nextAt: nextAtMs === null ? null : new Date(nextAtMs).toISOString(),
    looking,
    notKept,
    found: found.slice(0, EXCEPTIONS_AT_MOST),
  };
}

function viewOfRequest(q: ClusterState['queue'][number]): QueueEntry {
  const since = new Date(q.sinceMs).toISOString();
  const own = q.cells ? { cells: q.cells.length, by: q.by ?? COORDINATOR } : {};
  return { ring: q.at ?? -1, version: q.version, purpose: q.purpose, since, held: q.held, ...own };
}

function waitOf(state: ClusterState, now: number): WaitingFor | null {
  const since = new Date(now).toISOString();
  if (state.topology === null) {
    return { kind: 'topology', since, detail: 'no topology yet', next: ['cellctl cluster apply FILE'] };
  }
  if (state.cold) return { kind: 'topology', since, detail: 'looking at every cell first', next: [] };
  return null;
}
