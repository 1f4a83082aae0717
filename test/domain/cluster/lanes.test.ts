import { describe, expect, it, test } from 'vitest';
import { recordGraduation } from '../../../src/domain/cluster/packages.js';
import {
  type ClusterState,
  newClusterState,
  type QueuedRequest,
  type Turn,
} from '../../../src/domain/cluster/state.js';
import { judgeTopology, putInForce } from '../../../src/domain/cluster/topology.js';
import { parseTopology } from '../../../src/domain/topology/index.js';
import { fleet, V1 } from '../../support/fleet.js';

const LANES = { lanes: { urgent: { maxParallel: 2 }, cautious: {} } };
const apply = (topology: unknown, more = {}) => ({ topology, by: 'alice', ...more });

function inForce(): ClusterState {
  const state = newClusterState();
  const parsed = parseTopology(fleet({ 2: 1, 3: 1 }, {}, LANES));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  putInForce(state, parsed.topology, [], 0);
  return state;
}

const request = { requestId: 'r/1', version: V1, purpose: 'deploy', lane: 'urgent' } as QueuedRequest;

const USES: [string, (state: ClusterState) => void][] = [
  ['a request that waits', (state) => state.queue.push(request)],
  ['a package that holds a ring', (state) => Object.assign(state.turns, { 2: { request } as Turn })],
  [
    'a package that graduated with it',
    (state) => {
      state.rollouts[V1] = { run: 'r', startedAtMs: 0, chartVersion: null, lane: null, graduatedAt: null };
      const at = '2026-01-02T03:04:05Z';
      recordGraduation(state, { requestId: 'r/1', version: V1, chartVersion: null, lane: 'urgent', by: 'alice', at });
    },
  ],
];

describe('a lane that leaves the topology', () => {
  test.each(USES)('is refused with its path while it is in use by %s', (_by, use) => {
    const state = inForce();
    use(state);
    expect(judgeTopology(state, apply(fleet({ 2: 1, 3: 1 })))).toEqual({
      ok: false,
      problems: [{ path: 'lanes.urgent', value: 'missing', expected: expect.stringContaining(V1) }],
    });
  });

  test.each(USES)('goes with a consent even from under %s', (_by, use) => {
    const state = inForce();
    use(state);
    expect(judgeTopology(state, apply(fleet({ 2: 1, 3: 1 }), { allowRemoval: true })).ok).toBe(true);
  });

  it('goes where nothing goes by it', () => {
    const state = inForce();
    state.queue.push({ ...request, lane: 'cautious' });
    const onlyCautious = fleet({ 2: 1, 3: 1 }, {}, { lanes: { cautious: {} } });
    expect(judgeTopology(state, apply(onlyCautious)).ok).toBe(true);
  });
});
