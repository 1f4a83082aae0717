import { expect, test } from 'vitest';
import { job, judged, pdm, rollback } from '../logs.js';
import { oneChangeAtATime } from './one-change-at-a-time.js';

test.each([
  ['one after the other', [job({ cell: 'a1', at: 0 }), pdm({ cell: 'a1', at: 1 })]],
  ['on two cells', [job({ cell: 'a1', at: 0 }), job({ cell: 'a2', at: 0 })]],
  ['with smoke tests beside it', [job({ cell: 'a1', at: 0 }), job({ cell: 'a1', at: 0.5, kind: 'smoke_tests' })]],
])('changes of a cell %s are fine', (_what, jobs) => {
  expect(judged(oneChangeAtATime, { jobs })).toEqual([]);
});

test.each([
  ['that overlap', [job({ cell: 'a1', at: 0, takes: 2 }), rollback({ cell: 'a1', at: 1 })]],
  ['while one never ended', [job({ cell: 'a1', at: 0, takes: null }), pdm({ cell: 'a1', at: 9 })]],
  ['of which one is somebody else’s', [job({ cell: 'a1', at: 0, key: 'foreign/1' }), job({ cell: 'a1', at: 0.5 })]],
])('two changes of a cell %s are found', (_what, jobs) => {
  expect(judged(oneChangeAtATime, { jobs })).toEqual([jobs[0]?.id]);
});

test('a change that outlasts a shorter one overlaps what comes after that, too', () => {
  const long = job({ cell: 'a1', at: 0, takes: 9 });
  const jobs = [long, pdm({ cell: 'a1', at: 1 }), pdm({ cell: 'a1', at: 8 })];
  expect(judged(oneChangeAtATime, { jobs })).toEqual([long.id, long.id]);
});
