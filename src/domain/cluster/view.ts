import type { ClusterRing, ClusterStatus, QueueEntry, WaitingFor } from '../../contract/status.js';
import { holding } from '../brake.js';
import { blockOf } from './blocks.js';
import type { ClusterState, RingRecord, Turn } from './state.js';

/** What people see of the cluster. */
export function viewOfCluster(state: ClusterState, now: number): ClusterStatus {
  const rings = Object.entries(state.rings).map(([ring, record]) => viewOfRing(Number(ring), record, state.turns));
  return {
    cluster: state.cluster,
    topologyRevision: state.revision,
    perimeter: state.perimeter,
    rings: rings.sort((a, b) => a.ring - b.ring),
    brakes: holding(state.brakes, now),
    quarantined: [],
    blocked: state.blocked,
    graduated: state.graduated.map((g) => ({ ...g, blocked: blockOf(state.blocked, g.version) !== null })),
    // One that is blocked is in nobody's way: it stands in `blocked`, and asks on for when it no longer is.
    queue: state.queue.filter((q) => !q.held?.blocked).map(viewOfRequest),
    drift: { max: 0, byRing: {} },
    autoDeploy: { state: 'running' },
    notInForce: state.notInForce,
    waitingFor: waitOf(state, now),
    acts: state.acts,
    rejected: state.rejected,
  };
}

function viewOfRing(ring: number, { alerts: _, ...record }: RingRecord, turns: Record<number, Turn>): ClusterRing {
  const turn = turns[ring];
  return {
    ring,
    ...record,
    onDesired: record.desired === null ? 0 : (record.observed[record.desired] ?? 0),
    state: turn ? turn.state : record.state,
    ...(turn ? { rollout: turn.request.sender } : {}),
  };
}

function viewOfRequest(q: ClusterState['queue'][number]): QueueEntry {
  const since = new Date(q.sinceMs).toISOString();
  return { ring: q.at ?? -1, version: q.version, purpose: q.purpose, since, held: q.held };
}

function waitOf(state: ClusterState, now: number): WaitingFor | null {
  const since = new Date(now).toISOString();
  if (state.topology === null) {
    return { kind: 'topology', since, detail: 'no topology yet', next: ['cellctl cluster apply FILE'] };
  }
  if (state.cold) return { kind: 'topology', since, detail: 'looking at every cell first', next: [] };
  return null;
}
