import { expect, test } from 'vitest';
import { act, cell, job, judged, type Log, pdm, rollback, topology, V1, V2 } from '../logs.js';
import { submittedOnce } from './submitted-once.js';

const cancelled = { cell: 'a1', at: 0, state: 'canceled' } as const;
const failed = { cell: 'a1', at: 0, state: 'failed' } as const;
const again = job({ cell: 'a1', at: 20 });
/** `a1` goes from ring 2 to ring 3. */
const moved = (seconds: number) => {
  const after = topology({}, { 2: { cells: [cell('a2')] }, 3: { cells: [cell('b1'), cell('a1')] } });
  return act('applyTopology', seconds, { topology: after }, { version: null });
};
const onItAlready = job({ cell: 'a1', at: 20, from: V1 });

test.each<[string, Log]>([
  ['on two cells', { jobs: [job({ cell: 'a1', at: 0 }), job({ cell: 'a2', at: 0 })] }],
  ['of two kinds', { jobs: [job({ cell: 'a1', at: 0 }), pdm({ cell: 'a1', at: 2 })] }],
  ['of two packages', { jobs: [job({ cell: 'a1', at: 0 }), job({ cell: 'a1', at: 2, version: V2, from: V1 })] }],
  [
    'that failed, where a person asked again',
    { jobs: [job(failed), rollback({ cell: 'a1', at: 2 }), again], acts: [act('retryRing', 15, { ring: 2 })] },
  ],
  [
    'that failed, where a person skipped the cell',
    { jobs: [job(failed), rollback({ cell: 'a1', at: 2 }), again], acts: [act('skipCell', 15, { cell: 'a1' })] },
  ],
  [
    'that failed while a person was having the cell skipped',
    { jobs: [job({ ...failed, at: 15.2 }), again], acts: [act('skipCell', 15, { cell: 'a1' })] },
  ],
  [
    'after the cell went back from what had worked',
    { jobs: [job({ cell: 'a1', at: 0 }), rollback({ cell: 'a1', at: 2 }), again] },
  ],
  [
    'that a brake cancelled',
    {
      jobs: [job(cancelled), rollback({ cell: 'a1', at: 2 }), again],
      acts: [act('engageBrake', 0.5, { mode: 'cancel-cells' }, { version: null })],
    },
  ],
  [
    'of a rollback that failed, by a person’s rollback, whoever asks for another one after it',
    {
      jobs: [
        job({ cell: 'a1', at: 0 }),
        rollback({ cell: 'a1', at: 2, state: 'failed' }),
        rollback({ cell: 'a1', at: 5 }),
      ],
      acts: [act('rollback', 1), act('rollback', 9, { ring: 0 })],
    },
  ],
  [
    'that another package’s rollback cancelled when it took the ring',
    {
      jobs: [job(cancelled), rollback({ cell: 'a1', at: 2 }), again],
      acts: [act('abort', 0.5, { rollback: true }, { version: V2 })],
    },
  ],
  [
    'after somebody else changed the cell',
    { jobs: [job({ cell: 'a1', at: 0 }), job({ cell: 'a1', at: 9, key: 'x' }), again] },
  ],
  [
    'after somebody changed the cell without a job',
    { jobs: [job({ cell: 'a1', at: 0 }), job({ cell: 'a1', at: 20, from: V2 })] },
  ],
  [
    'that failed, where a person had the cell reconciled',
    {
      jobs: [job(failed), rollback({ cell: 'a1', at: 2 }), again],
      acts: [act('reconcile', 15, { cells: ['a1'] }, { version: null })],
    },
  ],
  [
    'that goes back once from each of two packages',
    {
      jobs: [
        ...[job({ cell: 'a1', at: 0 }), rollback({ cell: 'a1', at: 2 })],
        ...[job({ cell: 'a1', at: 4, version: V2 }), rollback({ cell: 'a1', at: 6, from: V2 })],
      ],
    },
  ],
  [
    'with migrations, after the cell moved to a ring where they are part of it',
    {
      jobs: [
        job({ cell: 'a1', at: 0, more: { post_deploy_migrations: 'skip' } }),
        job({ cell: 'a1', at: 20, from: V1, more: { post_deploy_migrations: 'include' } }),
      ],
      acts: [moved(10)],
    },
  ],
])('work %s is no work twice', (_what, evidence) => {
  expect(judged(submittedOnce, evidence)).toEqual([]);
});

test.each<[string, Log]>([
  ['under one key', { jobs: [job({ cell: 'a1', at: 0, key: 'k' }), pdm({ cell: 'a1', at: 2, key: 'k' })] }],
  ['that had succeeded', { jobs: [job({ cell: 'a1', at: 0 }), onItAlready] }],
  [
    'with migrations, in the ring where it was',
    {
      jobs: [
        job({ cell: 'a1', at: 0, more: { post_deploy_migrations: 'skip' } }),
        job({ cell: 'a1', at: 20, from: V1, more: { post_deploy_migrations: 'include' } }),
      ],
    },
  ],
  ['whose PDM had succeeded', { jobs: [pdm({ cell: 'a1', at: 0 }), pdm({ cell: 'a1', at: 20 })] }],
  [
    'that had succeeded, with only its PDM in between',
    { jobs: [job({ cell: 'a1', at: 0 }), onItAlready, pdm({ cell: 'a1', at: 9 })] },
  ],
  ['that had failed, and nobody asked', { jobs: [job(failed), rollback({ cell: 'a1', at: 2 }), again] }],
  [
    'that had failed, when a person had asked for another package',
    { jobs: [job(failed), again], acts: [act('retryRing', 15, { ring: 2 }, { version: V2 })] },
  ],
  [
    'that had failed, when a person had skipped the cell long before',
    { jobs: [job({ ...failed, at: 16 }), again], acts: [act('skipCell', 5, { cell: 'a1' })] },
  ],
  [
    'that had failed, when a person had skipped another cell',
    { jobs: [job(failed), again], acts: [act('skipCell', 15, { cell: 'a2' })] },
  ],
  [
    'that had failed, after a retry that was refused',
    { jobs: [job(failed), again], acts: [act('retryRing', 15, {}, { error: 'ring: found 2, expected 3' })] },
  ],
  ['that was cancelled without a brake', { jobs: [job(cancelled), rollback({ cell: 'a1', at: 2 }), again] }],
  [
    'that was cancelled while no brake cancelled cells',
    { jobs: [job(cancelled), again], acts: [act('engageBrake', 0.5, { mode: 'finish-cells' }, { version: null })] },
  ],
  [
    'that was cancelled while another package was aborted without taking anything back',
    { jobs: [job(cancelled), again], acts: [act('abort', 0.5, {}, { version: V2 })] },
  ],
  [
    'of a rollback that failed, blindly',
    { jobs: [rollback({ cell: 'a1', at: 0, state: 'failed' }), rollback({ cell: 'a1', at: 5 })] },
  ],
])('work asked for twice %s is found', (_what, evidence) => {
  expect(judged(submittedOnce, evidence)).toEqual([evidence.jobs[0]?.id]);
});
