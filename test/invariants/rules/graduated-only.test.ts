import { expect, test } from 'vitest';
import { act, at, graduated, job, judged, type Log, pdm, rollback, status, V1, V2 } from '../logs.js';
import { graduatedOnly } from './graduated-only.js';

const late = job({ cell: 'a1', at: 20 });

test.each<[string, Log]>([
  ['after its graduation', { jobs: [job({ cell: 'a1', at: 1 })], acts: [graduated(0)] }],
  ['inside the perimeter without one', { jobs: [job({ cell: 'qa', at: 1 })] }],
  ['back, whatever it comes from', { jobs: [rollback({ cell: 'a1', at: 1 })] }],
  ['by somebody else', { jobs: [job({ cell: 'a1', at: 1, key: 'by-hand' })] }],
  [
    'that was in flight when its package was aborted',
    { jobs: [job({ cell: 'a1', at: 5 })], acts: [graduated(0), act('abort', 4)] },
  ],
  [
    'long after an abort, once it was opened again',
    { jobs: [job({ cell: 'a1', at: 50 })], acts: [graduated(0), act('abort', 4), act('restart', 40)] },
  ],
  [
    'before its rollout ended as aborted',
    {
      jobs: [job({ cell: 'a1', at: 5 })],
      acts: [graduated(0)],
      statuses: { [V1]: status({ state: 'aborted', finishedAt: at(6) }) },
    },
  ],
  [
    'a moment after it was aborted, where the cluster had it in flight',
    {
      jobs: [job({ cell: 'a1', at: 7 })],
      acts: [graduated(0), act('abort', 5)],
      statuses: { [V1]: status({ state: 'aborted', finishedAt: at(6) }) },
    },
  ],
  [
    'after its rollout was superseded, in a ring that had converged on it',
    {
      jobs: [job({ cell: 'a1', at: 1 }), job({ cell: 'a2', at: 3 }), rollback({ cell: 'a1', at: 5 }), late],
      acts: [graduated(0)],
      statuses: { [V1]: status({ state: 'superseded', finishedAt: at(6) }) },
    },
  ],
  [
    'after nobody answered for its graduation',
    {
      jobs: [job({ cell: 'a1', at: 5 })],
      acts: [act('graduate', 0, {}, { error: 'graduate was accepted, but no worker has answered it yet' })],
    },
  ],
])('a job goes %s', (_what, evidence) => {
  expect(judged(graduatedOnly, evidence)).toEqual([]);
});

test.each<[string, Log]>([
  ['without a graduation', { jobs: [job({ cell: 'a1', at: 1 })] }],
  ['before its graduation', { jobs: [job({ cell: 'a1', at: 1 })], acts: [graduated(2)] }],
  ['after another package’s graduation', { jobs: [job({ cell: 'a1', at: 1 })], acts: [graduated(0, V2)] }],
  [
    'after a graduation that was refused',
    {
      jobs: [job({ cell: 'a1', at: 1 })],
      acts: [act('graduate', 0, {}, { error: 'version: found it, expected a package newer than that' })],
    },
  ],
  ['with PDM, without a graduation', { jobs: [pdm({ cell: 'a1', at: 1 })] }],
  ['long after its abort was answered', { jobs: [job({ cell: 'a1', at: 30 })], acts: [graduated(0), act('abort', 4)] }],
  [
    'after its rollout was superseded, in a ring that had converged on it only since',
    {
      jobs: [late],
      acts: [graduated(0)],
      statuses: { [V1]: status({ state: 'superseded', finishedAt: at(6) }) },
    },
  ],
  [
    'after its rollout ended as aborted, by no act',
    {
      jobs: [job({ cell: 'a1', at: 7 })],
      acts: [graduated(0)],
      statuses: { [V1]: status({ state: 'aborted', finishedAt: at(6) }) },
    },
  ],
  [
    'long after it was aborted, and nobody had answered that',
    {
      jobs: [late],
      acts: [graduated(0), act('abort', 5, {}, { error: 'abort was accepted, but no worker has answered it yet' })],
      statuses: { [V1]: status({ state: 'aborted', finishedAt: at(6) }) },
    },
  ],
  [
    'after its rollout ended as superseded',
    {
      jobs: [job({ cell: 'a1', at: 7 })],
      acts: [graduated(0)],
      statuses: { [V1]: status({ state: 'superseded', finishedAt: at(6) }) },
    },
  ],
])('a job beyond the perimeter %s is found', (_what, evidence) => {
  expect(judged(graduatedOnly, evidence)).toEqual([evidence.jobs[0]?.id]);
});
