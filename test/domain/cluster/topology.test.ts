import { expect, test } from 'vitest';
import { unpackTopology } from '../../../src/client/pack.js';
import { newClusterState } from '../../../src/domain/cluster/state.js';
import { putInForce, topologyInForce } from '../../../src/domain/cluster/topology.js';
import { parseTopology, type Topology } from '../../../src/domain/topology/index.js';
import { fleet } from '../../support/fleet.js';

function topologyOf(cells: number): Topology {
  const parsed = parseTopology(fleet({ 2: cells }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.topology;
}

function asked(topology: Topology) {
  const state = newClusterState();
  putInForce(state, topology, [], 0);
  return topologyInForce(state);
}

test('the topology in force is answered as it was applied, a large one compressed', () => {
  const [small, large] = [topologyOf(2), topologyOf(8_000)];
  expect(asked(small)).toEqual({ revision: 1, topology: small });
  expect(Object.keys(asked(large))).toEqual(['revision', 'gzip']);
  for (const topology of [small, large]) expect(unpackTopology(asked(topology))).toEqual(topology);
});

test('a cluster without one says so', () => {
  const answer = topologyInForce(newClusterState());
  expect(answer).toEqual({ revision: 0, topology: null });
  expect(unpackTopology(answer)).toBeNull();
});
