import { expect, test } from 'vitest';
import type { ClusterStatus, PackageRollbackStatus } from '../../src/contract/status.js';
import { pdm, ring, status, V0, V1, V2 } from '../invariants/logs.js';
import type { SeenRollout } from '../invariants/types.js';
import { behind, type Reconciled } from './behind.js';

const RING = 2;

/** Two cells, on what they run, in a ring in which V1 converged. */
function ringOf(runs: [string, string], more: Partial<Reconciled['evidence']> = {}): Reconciled {
  const observed: Record<string, number> = {};
  for (const version of runs) observed[version] = (observed[version] ?? 0) + 1;
  const graduated = [V1, V2].map((version) => ({ version }));
  return {
    rings: [{ ring: RING, cells: ['a1', 'a2'] }],
    cluster: { graduated, rings: [{ ring: RING, observed }] } as unknown as ClusterStatus,
    evidence: { jobs: [], statuses: { [V1]: converged() }, ...more },
    rollbacks: new Map(),
    cells: new Map([
      ['a1', runs[0]],
      ['a2', runs[1]],
    ]),
  };
}

const converged = (more: Partial<SeenRollout> = {}): SeenRollout =>
  status({ rings: [{ ...ring(RING), outcome: 'converged' } as never], ...more });

const BOTH = { statuses: { [V1]: converged(), [V2]: converged() } };

test.each<[string, Reconciled]>([
  ['on the package that converged there', ringOf([V1, V1])],
  ['on a newer one', ringOf([V1, V2])],
  [
    'on an older one whose newer one was aborted',
    ringOf([V1, V1], { statuses: { ...BOTH.statuses, [V2]: converged({ state: 'aborted' }) } }),
  ],
  [
    'on what it ran before, where another could not be taken back from a newer one',
    ringOf([V0, V2], { statuses: { ...BOTH.statuses, [V2]: status({ state: 'aborted' }) } }),
  ],
  ['where nothing converged', ringOf([V0, V0], { statuses: { [V1]: status({ rings: [ring(RING)] }) } })],
  ['where PDM of the package failed', ringOf([V0, V1], { jobs: [pdm({ cell: 'a2', at: 1, state: 'failed' })] })],
  [
    'where the package was taken back',
    { ...ringOf([V0, V0]), rollbacks: new Map([[V1, [{} as PackageRollbackStatus]]]) },
  ],
  [
    'where the package is not graduated any more',
    { ...ringOf([V0, V0]), cluster: { ...ringOf([V0, V0]).cluster, graduated: [] } },
  ],
])('a cell stands right %s', (_what, reconciled) => {
  expect(behind(reconciled)).toEqual([]);
});

test.each<[string, Reconciled]>([
  ['on what it ran before', ringOf([V0, V1])],
  ['on the package before the newest', ringOf([V1, V2], BOTH)],
  [
    'where PDM that had failed has run',
    ringOf([V0, V1], { jobs: [pdm({ cell: 'a2', at: 1, state: 'failed' }), pdm({ cell: 'a2', at: 5 })] }),
  ],
])('a cell is behind %s', (_what, reconciled) => {
  expect(behind(reconciled)).toEqual([expect.stringMatching(/^a1 runs/)]);
});

test('a cluster that has seen a cell elsewhere than it is is found', () => {
  const reconciled = ringOf([V1, V1]);
  const cells = new Map([...reconciled.cells, ['a1', V2]]);
  expect(behind({ ...reconciled, cells })).toEqual([expect.stringMatching(/^the cluster has seen/)]);
});
