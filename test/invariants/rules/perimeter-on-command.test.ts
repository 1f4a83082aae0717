import { expect, test } from 'vitest';
import { act, graduated, job, judged, type Log, rollback, V2 } from '../logs.js';
import { perimeterOnCommand } from './perimeter-on-command.js';

test.each<[string, Log]>([
  ['on command', { jobs: [job({ cell: 'qa', at: 1 })], acts: [act('deployRing', 0, { ring: 0 })] }],
  [
    'on a command that nobody has answered yet',
    { jobs: [job({ cell: 'qa', at: 1 })], acts: [act('deployRing', 0, { ring: 0 }, { answeredAt: null })] },
  ],
  ['back', { jobs: [rollback({ cell: 'qa', at: 1 })] }],
  ['by somebody else', { jobs: [job({ cell: 'qa', at: 1, key: 'by-hand' })] }],
])('ring 0 moves %s', (_what, evidence) => {
  expect(judged(perimeterOnCommand, evidence)).toEqual([]);
});

test.each<[string, Omit<Log, 'jobs'>]>([
  ['after a graduation alone', { acts: [graduated()] }],
  ['on the command for another ring', { acts: [act('deployRing', 0, { ring: 1 })] }],
  ['on the command for another package', { acts: [act('deployRing', 0, { ring: 0 }, { version: V2 })] }],
  ['before its command', { acts: [act('deployRing', 2, { ring: 0 })] }],
  [
    'on a command that was refused',
    { acts: [act('deployRing', 0, { ring: 0 }, { error: 'ring: found 0, expected 1' })] },
  ],
])('a ring 0 that moves %s is found', (_what, evidence) => {
  const jobs = [job({ cell: 'qa', at: 1 })];
  expect(judged(perimeterOnCommand, { jobs, ...evidence })).toEqual([jobs[0]?.id]);
});
