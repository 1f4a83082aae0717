import { expect, test } from 'vitest';
import { act, type Fields, job, judged, type Log, pdm, rollback, V0, V1, V2 } from '../logs.js';
import { blockedNowhere } from './blocked-nowhere.js';

const block = (at: number, payload: Fields = {}, inFlight: string[] = []) =>
  act('blockVersion', at, { version: V1, reason: 'bad', ...payload }, { version: null, answer: { inFlight } });
const unblock = (at: number) => act('unblockVersion', at, { version: V1, reason: 'good' }, { version: null });

test.each<[string, Log]>([
  ['before its package is blocked', { jobs: [job({ cell: 'a1', at: 1 })], acts: [block(2)] }],
  ['after it is blocked no more', { jobs: [job({ cell: 'a1', at: 9 })], acts: [block(2), unblock(5)] }],
  ['to an older package', { jobs: [job({ cell: 'a1', at: 9, version: V0, from: '17.9.0' })], acts: [block(2)] }],
  [
    'to the package with the fix',
    { jobs: [job({ cell: 'a1', at: 9, version: V2 })], acts: [block(2, { fixedIn: V2 })] },
  ],
  ['back', { jobs: [rollback({ cell: 'a1', at: 9, version: V1, from: V2 })], acts: [block(2)] }],
  ['on a cell that was in flight', { jobs: [job({ cell: 'a1', at: 3 })], acts: [block(2, {}, ['a1'])] }],
  [
    'after a block that was refused',
    { jobs: [job({ cell: 'a1', at: 9 })], acts: [{ ...block(2), error: 'fixedIn: no' }] },
  ],
])('a job goes %s', (_what, evidence) => {
  expect(judged(blockedNowhere, evidence)).toEqual([]);
});

test.each<[string, Log]>([
  ['beyond the perimeter', { jobs: [job({ cell: 'a1', at: 9 })], acts: [block(2)] }],
  ['inside the perimeter', { jobs: [job({ cell: 'qa', at: 9 })], acts: [block(2)] }],
  ['with PDM', { jobs: [pdm({ cell: 'a1', at: 9 })], acts: [block(2)] }],
  ['of a later package', { jobs: [job({ cell: 'a1', at: 9, version: V2 })], acts: [block(2)] }],
  ['after its fix was named', { jobs: [job({ cell: 'a1', at: 9 })], acts: [block(2), block(3, { fixedIn: V2 })] }],
])('a job to a blocked package %s is found', (_what, evidence) => {
  expect(judged(blockedNowhere, evidence)).toContain(evidence.jobs[0]?.id);
});

test('a second job on a cell that was in flight is found', () => {
  const jobs = [job({ cell: 'a1', at: 3 }), pdm({ cell: 'a1', at: 9 })];
  expect(judged(blockedNowhere, { jobs, acts: [block(2, {}, ['a1'])] })).toEqual([jobs[1]?.id]);
});
