import { expect, test } from 'vitest';
import { at, job, judged, type Log, pdm, ring, rollback, status, topology, V0, V1, V2 } from '../logs.js';
import { failuresGoBack } from './failures-go-back.js';

const failed = job({ cell: 'a1', at: 0, state: 'failed' });
const over = (more = {}) => ({ [V1]: status({ rings: [ring(2)], ...more }) });
const listed = (state: string, reason: string) =>
  over({ rings: [ring(2, { exceptions: [{ cell: 'a1', state, reason }] })] });
const V_1 = '17.8.202501010900-0f1b2c3d4e5.5e4d3c2b1af';

test.each<[string, Log]>([
  ['that went back', { jobs: [failed, rollback({ cell: 'a1', at: 2 })], statuses: over() }],
  [
    'that was cancelled and went back',
    { jobs: [job({ cell: 'a1', at: 0, state: 'canceled' }), rollback({ cell: 'a1', at: 2 })], statuses: over() },
  ],
  [
    'that went back with its chart',
    {
      jobs: [
        job({ cell: 'a1', at: 0, state: 'failed', more: { from_chart_version: '8.9' } }),
        rollback({ cell: 'a1', at: 2, more: { chart_version: '8.9' } }),
      ],
    },
  ],
  [
    'that was tried again in vain, and went back to what ran before the package',
    {
      jobs: [
        failed,
        rollback({ cell: 'a1', at: 2, state: 'failed' }),
        job({ cell: 'a1', at: 4, from: V1, state: 'failed' }),
        rollback({ cell: 'a1', at: 6 }),
      ],
      statuses: over(),
    },
  ],
  ['whose coordinator has not come to it yet', { jobs: [failed], statuses: over({ finishedAt: null, rings: [] }) }],
  [
    'that never started',
    { jobs: [job({ cell: 'a1', at: 0, state: 'canceled', neverStarted: true })], statuses: over() },
  ],
  [
    'of a cell that ran nothing before',
    { jobs: [job({ cell: 'a1', at: 0, from: null, state: 'failed' })], statuses: over() },
  ],
  [
    'where the policy leaves it as it is',
    { jobs: [failed], statuses: over(), topology: topology({ policy: { autoRollback: 'never' } }) },
  ],
  [
    'that has migrated the cell past what it came from',
    {
      jobs: [pdm({ cell: 'a1', at: 0 }), job({ cell: 'a1', at: 2, version: V2, from: V0, state: 'failed' })],
      statuses: { [V2]: status({ rings: [ring(2)] }) },
    },
  ],
  [
    'that took the cell down, where the policy allows it',
    {
      jobs: [pdm({ cell: 'a1', at: -2 }), failed, rollback({ cell: 'a1', at: 2 })],
      topology: topology({ policy: { downtimeRollback: 'allowed' } }),
    },
  ],
  [
    'that may have failed before its PDM began, and went back',
    {
      jobs: [
        job({ cell: 'a1', at: 0, state: 'failed', more: { post_deploy_migrations: 'include' } }),
        rollback({ cell: 'a1', at: 2 }),
      ],
    },
  ],
  [
    'that may have failed after its PDM began, and stayed',
    {
      jobs: [job({ cell: 'a1', at: 0, state: 'failed', more: { post_deploy_migrations: 'include' } })],
      statuses: over(),
    },
  ],
  ['whose cancel was never confirmed', { jobs: [failed], statuses: listed('cancel-unconfirmed', 'AMP did not say') }],
  [
    'whose rollback would take the cell down',
    { jobs: [failed], statuses: listed('failed', 'rollback needs downtime') },
  ],
  [
    'in a soft ring, when a newer package came next',
    {
      jobs: [job({ cell: 'qa', at: 0, state: 'failed' }), job({ cell: 'qa', at: 2, version: V2 })],
      statuses: over(),
    },
  ],
  [
    'of the first of two packages, when both went back',
    {
      jobs: [
        ...[job({ cell: 'a1', at: 0 }), job({ cell: 'a1', at: 4, version: V2, from: V1, state: 'failed' })],
        rollback({ cell: 'a1', at: 6, version: V1, from: V2 }),
      ],
    },
  ],
])('a deployment %s is fine', (_what, evidence) => {
  expect(judged(failuresGoBack, evidence)).toEqual([]);
});

const to = (version: string, seconds: number, more = {}) => rollback({ cell: 'a1', at: seconds, version, ...more });

test.each<[string, string, Log]>([
  [
    'that was tried again in vain, and went back to the package itself',
    'rollback-a1-6',
    {
      jobs: [
        failed,
        rollback({ cell: 'a1', at: 2, state: 'failed' }),
        job({ cell: 'a1', at: 4, from: V1, state: 'failed' }),
        rollback({ cell: 'a1', at: 6, version: V1 }),
      ],
      statuses: over(),
    },
  ],
  ['that failed and stayed', 'configure-a1-0', { jobs: [failed], statuses: over() }],
  [
    'that was cancelled and stayed',
    'configure-a1-0',
    { jobs: [job({ cell: 'a1', at: 0, state: 'canceled' })], statuses: over() },
  ],
  [
    'that failed and stayed in a ring where nothing goes on',
    'configure-a1-0',
    { jobs: [failed], statuses: over({ finishedAt: null }) },
  ],
  [
    'that failed and is listed without a reason',
    'configure-a1-0',
    { jobs: [failed], statuses: listed('failed', 'the job failed') },
  ],
  [
    'that failed, when a newer package came next',
    'configure-a1-0',
    { jobs: [failed, job({ cell: 'a1', at: 2, version: V2, from: V1 })] },
  ],
  [
    'that failed, when it was tried again at once',
    'configure-a1-0',
    { jobs: [failed, job({ cell: 'a1', at: 2, from: V1 })] },
  ],
  ['that went to another package than before', 'rollback-a1-2', { jobs: [failed, to(V_1, 2)] }],
  [
    'that went back with another chart',
    'rollback-a1-2',
    {
      jobs: [
        job({ cell: 'a1', at: 0, state: 'failed', more: { from_chart_version: '8.9' } }),
        to(V0, 2, { more: { chart_version: '8.10' } }),
      ],
    },
  ],
  [
    'that took the cell down, which nobody allowed',
    'rollback-a1-2',
    { jobs: [pdm({ cell: 'a1', at: -2 }), failed, to(V0, 2)] },
  ],
  [
    'that went back although it had worked, and to another package than before',
    'rollback-a1-2',
    { jobs: [job({ cell: 'a1', at: 0 }), to(V_1, 2)] },
  ],
  [
    'that went back twice, the second time to where the cell was',
    'rollback-a1-6',
    {
      jobs: [
        ...[job({ cell: 'a1', at: 0 }), job({ cell: 'a1', at: 2, version: V2, from: V1, state: 'failed' })],
        ...[to(V1, 4, { from: V2 }), to(V1, 6, { from: V1 })],
      ],
    },
  ],
])('a deployment %s is found', (_what, id, evidence) => {
  const found = judged(failuresGoBack, evidence);
  expect(found.length).toBeGreaterThan(0);
  expect([...new Set(found)]).toEqual([id]);
});

test('the end of a rollout is when nothing of it is in flight', () => {
  const rings = [ring(2, { inFlight: 1 })];
  expect(judged(failuresGoBack, { jobs: [failed], statuses: over({ finishedAt: null, rings }) })).toEqual([]);
  expect(judged(failuresGoBack, { jobs: [failed], statuses: over({ finishedAt: at(5), rings }) })).toHaveLength(1);
});
