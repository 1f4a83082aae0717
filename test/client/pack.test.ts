import { expect, test } from 'vitest';
import { packTopology } from '../../src/client/pack.js';
import { newClusterState } from '../../src/domain/cluster/state.js';
import { putInForce } from '../../src/domain/cluster/topology.js';
import { unpackTopology } from '../../src/domain/snapshot.js';
import { parseTopology } from '../../src/domain/topology/index.js';
import { fleet } from '../support/fleet.js';

test.each([2, 8_000])('a topology of %i cells comes back from the cluster as it is in force', (cells) => {
  const parsed = parseTopology(fleet({ 2: cells }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const state = newClusterState();
  putInForce(state, parsed.topology, [], 0);
  expect(unpackTopology({ revision: 1, gzip: state.topology })).toEqual(parsed.topology);
  const sent = packTopology(parsed.topology);
  if ('gzip' in sent) expect(unpackTopology({ revision: 1, gzip: sent.gzip })).toEqual(parsed.topology);
});

test('a cluster without a topology has none to come back', () => {
  expect(unpackTopology({ revision: 0, gzip: newClusterState().topology })).toBeNull();
});
