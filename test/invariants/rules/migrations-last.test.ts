import { expect, test } from 'vitest';
import { act, cell, graduated, job, judged, type Log, pdm, rollback, topology, V0, V1 } from '../logs.js';
import { migrationsLast } from './migrations-last.js';

const both = [job({ cell: 'a1', at: 0 }), job({ cell: 'a2', at: 1 })];
/** Ring 2 has converged at 2 s, baked at 12 s, and its grace period is over at 32 s. */
const due = 32;
const ends = (wait: string, seconds = 2) => act('override', seconds, { wait, ring: 2 });
const failedPdm = pdm({ cell: 'a1', at: due, state: 'failed' });

test.each<[string, Log]>([
  ['after bake and grace period', { jobs: [...both, pdm({ cell: 'a1', at: due })] }],
  [
    'after the bake, where a person ended the grace period',
    { jobs: [...both, pdm({ cell: 'a1', at: 12 })], acts: [ends('grace-period')] },
  ],
  [
    'as long after as the grace period takes, where a person ended the bake',
    { jobs: [...both, pdm({ cell: 'a1', at: 22 })], acts: [ends('bake')] },
  ],
  [
    'at once, where a person ended both',
    { jobs: [...both, pdm({ cell: 'a1', at: 3 })], acts: [ends('bake'), ends('grace-period')] },
  ],
  [
    'on command inside the perimeter',
    { jobs: [job({ cell: 'qa', at: 0 }), pdm({ cell: 'qa', at: 3 })], acts: [act('migrateRing', 2, { ring: 0 })] },
  ],
  [
    'with the deployment, where the policy says so',
    { jobs: [job({ cell: 'qa', at: 0, more: { post_deploy_migrations: 'include' } })] },
  ],
  [
    'in every ring once all have baked, where they wait for all',
    {
      jobs: [...both, job({ cell: 'b1', at: 12 }), pdm({ cell: 'a1', at: 33 })],
      topology: topology({ policy: { bakeTime: '10s', gracePeriod: '20s', migrateWhen: 'everywhere' } }),
    },
  ],
  [
    'once all have baked, where they wait for all, but for what failed in a soft ring',
    {
      jobs: [...both, job({ cell: 'b1', at: 12, state: 'failed' }), pdm({ cell: 'a1', at: 33 })],
      topology: topology(
        { policy: { bakeTime: '10s', gracePeriod: '20s', migrateWhen: 'everywhere' } },
        { 3: { cells: [cell('b1')], policy: { onFailure: 'soft' } } },
      ),
    },
  ],
  [
    'again, where a person asked for it after it had failed',
    { jobs: [...both, failedPdm, pdm({ cell: 'a1', at: 60 })], acts: [act('retryRing', 50, { ring: 2 })] },
  ],
  [
    'on a cell that somebody changes between the order and its start',
    {
      jobs: [
        ...both,
        pdm({ cell: 'a1', at: due, state: 'failed', from: V0, more: { expected_version: V1 } }),
        pdm({ cell: 'a2', at: due }),
      ],
    },
  ],
  [
    'on a cell in flight while another’s failure was not known yet',
    { jobs: [...both, failedPdm, pdm({ cell: 'a2', at: 34 })] },
  ],
])('PDM %s is fine', (_what, evidence) => {
  expect(judged(migrationsLast, evidence)).toEqual([]);
});

test.each<[string, string, Log]>([
  ['before the deployment', 'a1-1', { jobs: [pdm({ cell: 'a1', at: 1 }), job({ cell: 'a1', at: 3 })] }],
  [
    'on a cell that went back',
    'a1-40',
    { jobs: [...both, rollback({ cell: 'a1', at: 5 }), pdm({ cell: 'a1', at: 40 })] },
  ],
  ['in the grace period', 'a1-31', { jobs: [...both, pdm({ cell: 'a1', at: 31 })] }],
  [
    'in the bake, although the grace period was ended',
    'a1-11',
    { jobs: [...both, pdm({ cell: 'a1', at: 11 })], acts: [ends('grace-period')] },
  ],
  ['before its ring converged', 'a1-40', { jobs: [job({ cell: 'a1', at: 0 }), pdm({ cell: 'a1', at: 40 })] }],
  [
    'inside the perimeter without a command',
    'qa-40',
    { jobs: [job({ cell: 'qa', at: 0 }), pdm({ cell: 'qa', at: 40 })], acts: [graduated()] },
  ],
  [
    'inside the perimeter on another ring’s command',
    'qa-40',
    { jobs: [job({ cell: 'qa', at: 0 }), pdm({ cell: 'qa', at: 40 })], acts: [act('migrateRing', 2, { ring: 1 })] },
  ],
  [
    'while another ring has not baked, where they wait for all',
    'a1-33',
    {
      jobs: [...both, job({ cell: 'b1', at: 25 }), pdm({ cell: 'a1', at: 33 })],
      topology: topology({ policy: { bakeTime: '10s', gracePeriod: '20s', migrateWhen: 'everywhere' } }),
    },
  ],
  ['on another cell after it failed', 'a2-60', { jobs: [...both, failedPdm, pdm({ cell: 'a2', at: 60 })] }],
  [
    'before the mended cell of its ring had its bake and grace period',
    'a1-50',
    {
      jobs: [...both, rollback({ cell: 'a2', at: 5 }), job({ cell: 'a2', at: 45 }), pdm({ cell: 'a1', at: 50 })],
      acts: [act('retryRing', 44, { ring: 2 })],
    },
  ],
])('PDM %s is found', (_what, id, evidence) => {
  expect(judged(migrationsLast, evidence)).toEqual([`post_deploy_migrations-${id}`]);
});

test('a deployment that brings PDM along where they are separate is found', () => {
  const jobs = [job({ cell: 'a1', at: 0, more: { post_deploy_migrations: 'include' } })];
  expect(judged(migrationsLast, { jobs })).toEqual(['configure-a1-0']);
});

test('a new cell of a package whose PDM has failed is found, in whatever ring', () => {
  const jobs = [...both, failedPdm, job({ cell: 'b1', at: 60 })];
  expect(judged(migrationsLast, { jobs })).toEqual(['configure-b1-60']);
});

test('the failure is known once the poll of a job has had its time', () => {
  const slow = topology({}, { 2: { cells: [cell('a1'), cell('a2')], policy: { pollInterval: '10s' } } });
  const jobs = [...both, failedPdm, pdm({ cell: 'a2', at: 47 })];
  expect(judged(migrationsLast, { jobs, topology: slow })).toEqual([]);
  expect(judged(migrationsLast, { jobs })).toEqual(['post_deploy_migrations-a2-47']);
});
