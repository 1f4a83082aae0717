import type { Problem } from '../../contract/problem.js';
import type { WaitingFor } from '../../contract/status.js';
import { hasLane, type Topology } from '../topology/index.js';
import type { ClusterState, QueuedRequest } from './state.js';

/** Lanes that packages under way go by: one that leaves the topology would take its policy from under them. */

/** The lane that goes first in every queue. */
const URGENT = 'urgent';

export const isUrgent = ({ lane }: Pick<QueuedRequest, 'lane'>): boolean => lane === URGENT;

/** Lanes that `after` does not have any more, although a package that is under way graduated with one of them. */
export function lanesMissed(state: ClusterState, after: Topology): Problem[] {
  return [...lanesInUse(state)].flatMap(([lane, version]) => {
    if (hasLane(after, lane)) return [];
    const expected = `the lane of ${version} for as long as that is under way, or allowRemoval: true, and it waits for its lane`;
    return [{ path: `lanes.${lane}`, value: 'missing', expected }];
  });
}

/** Each lane that is in use, with one package that goes by it. */
function lanesInUse(state: ClusterState): Map<string, string> {
  const requests = [...state.queue, ...Object.values(state.turns).map((turn) => turn.request)];
  const rollouts = Object.entries(state.rollouts).map(([version, { lane }]) => ({ version, lane }));
  return new Map([...requests, ...rollouts].flatMap(({ lane, version }) => (lane ? [[lane, version] as const] : [])));
}

/**
 * Without its lane a package would go by another policy than the one that it graduated with: only going back does, and what
 * is done inside the perimeter, where there are no lanes.
 */
export const laneIsGone = (
  { lane, purpose }: Pick<QueuedRequest, 'lane' | 'purpose'>,
  ring: number,
  topology: Topology,
): boolean => purpose !== 'rollback' && ring > topology.perimeter && !hasLane(topology, lane);

export function waitForLane({ lane, version }: QueuedRequest, ring: number, since: string): WaitingFor {
  const detail = `the topology has no lane ${lane}, with which ${version} graduated`;
  return { kind: 'topology', ring, since, detail, next: ['cellctl cluster apply FILE'] };
}
