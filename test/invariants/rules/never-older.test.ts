import { expect, test } from 'vitest';
import { job, judged, type Log, pdm, rollback, V0, V1, V2 } from '../logs.js';
import { neverOlder } from './never-older.js';

const newer = (id: string, seconds: number, more = {}) =>
  job({ cell: id, at: seconds, version: V2, from: V1, ...more });

test.each<[string, Log]>([
  ['to a newer package', { jobs: [job({ cell: 'a1', at: 0 }), newer('a1', 2)] }],
  [
    'to an older one by a rollback',
    { jobs: [newer('a1', 0, { from: V0 }), rollback({ cell: 'a1', at: 2, from: V2 })] },
  ],
  ['to its first package', { jobs: [job({ cell: 'a1', at: 0, from: null })] }],
  ['from something that is no package', { jobs: [job({ cell: 'a1', at: 0, from: '17.11.0' })] }],
  ['by somebody else’s hand', { jobs: [job({ cell: 'a1', at: 0, from: V2, key: 'by-hand' })] }],
  [
    'into a ring that a newer package has left again',
    {
      jobs: [
        newer('a1', 0, { from: V0, state: 'failed' }),
        rollback({ cell: 'a1', at: 2, from: V2 }),
        job({ cell: 'a2', at: 5 }),
      ],
    },
  ],
  ['into a ring while a newer package is in another', { jobs: [newer('a1', 0), job({ cell: 'b1', at: 2 })] }],
])('a cell goes %s', (_what, evidence) => {
  expect(judged(neverOlder, evidence)).toEqual([]);
});

test.each<[string, Log]>([
  ['to an older package than it ran', { jobs: [job({ cell: 'a1', at: 9, from: V2 })] }],
  ['into a ring that has a newer package', { jobs: [newer('a1', 0, { from: V0 }), job({ cell: 'a2', at: 9 })] }],
  [
    'into a ring that is getting a newer package',
    { jobs: [newer('a1', 0, { from: V0, takes: null }), job({ cell: 'a2', at: 9 })] },
  ],
  [
    'with the PDM of an older package than its ring is getting',
    { jobs: [newer('a1', 0, { from: V0, takes: null }), pdm({ cell: 'a2', at: 9 })] },
  ],
])('a cell that goes %s is found', (_what, evidence) => {
  expect(judged(neverOlder, evidence)).toEqual([evidence.jobs.at(-1)?.id]);
});
