import { describe, expect, it } from 'vitest';
import { brakeIdFor, pipelineUpdateId } from '../../src/client/index.js';

const acts: [act: string, payload: object, id: string][] = [
  ['deployRing', { ring: 0, by: 'ci' }, '4711-deployRing-0'],
  ['deployRing', { ring: 0, by: 'somebody else', fixes: 'a bug', url: 'https://x.example' }, '4711-deployRing-0'],
  ['migrateRing', { ring: 1, by: 'ci' }, '4711-migrateRing-1'],
  ['graduate', { by: 'ci' }, '4711-graduate'],
  ['graduate', { by: 'ci', lane: 'urgent', chartVersion: '8.10.3' }, '4711-graduate-urgent-8.10.3'],
  ['abort', { by: 'ann', reason: 'broken' }, '4711-abort'],
  ['abort', { by: 'ann', reason: 'broken', rollback: true }, '4711-abort-rollback'],
  [
    'recordCheck',
    { ring: 0, name: 'smoke tests', outcome: 'passed', by: 'ci' },
    '4711-recordCheck-0-smoke_tests-passed',
  ],
  ['engageBrake', { by: 'ci', brakeId: 'b1', scope: { ring: 3 } }, '4711-engageBrake-b1-_ring_:3_'],
];

describe('an update id', () => {
  it.each(acts)('of %s %j is made from what is asked, and from no words', (act, payload, id) => {
    expect(pipelineUpdateId('4711', act, payload)).toBe(id);
  });

  it('stays short, and still tells long requests apart', () => {
    const cells = (n: number) => Array.from({ length: 300 }, (_, i) => `cell-${i + n}`);
    const [a, b] = [1, 2].map((n) => pipelineUpdateId('4711', 'retryRing', { ring: 3, cells: cells(n) }));
    expect(a?.length).toBeLessThanOrEqual(150);
    expect(a).not.toBe(b);
  });
});

describe('a brake id', () => {
  const now = Date.parse('2026-12-23T10:15:07.5Z');

  it.each([
    ['ann', 'ann-20261223T101507-5f0c'],
    ['Ann Lee <ann@example.com>', 'Ann-Lee-ann-example.com-20261223T101507-5f0c'],
    ['żółw', 'w-20261223T101507-5f0c'],
    ['…', 'somebody-20261223T101507-5f0c'],
  ])('for %s says who and when', (by, id) => {
    expect(brakeIdFor(by, now, '5f0c')).toBe(id);
    expect(id).toMatch(/^[A-Za-z0-9._:-]{1,100}$/);
  });

  it('is another one for the next brake of the same moment: no brake takes the place of another by accident', () => {
    expect(brakeIdFor('ann', now)).not.toBe(brakeIdFor('ann', now));
    expect(brakeIdFor('n'.repeat(200), now)).toMatch(/^[A-Za-z0-9._:-]{1,100}$/);
  });
});
