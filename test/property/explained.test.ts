import { expect, test } from 'vitest';
import { ring, status, V0, V1, V2 } from '../invariants/logs.js';
import type { SeenException, SeenRollout } from '../invariants/types.js';
import { allowedOn, claimOf } from './explained.js';

const except = (state: string): { exceptions: SeenException[] } => ({
  exceptions: [{ cell: 'a1', state, reason: 'as told' }],
});

test.each<[string, Partial<SeenRollout>, string]>([
  ['runs the package where its ring converged', { rings: [ring(2)] }, 'on'],
  ['does not where the package never came to its ring', { rings: [ring(3)] }, 'off'],
  ['does not where the package only waited for its ring', { rings: [ring(2, { startedAt: null })] }, 'off'],
  ['does not where it went back', { rings: [ring(2, except('rolled-back'))] }, 'off'],
  ['may where it failed', { rings: [ring(2, except('failed'))] }, 'either'],
  ['may where its rollback failed', { rings: [ring(2, except('rollback-failed'))] }, 'either'],
  ['may while cells are to come', { rings: [ring(2, { pending: 1 })] }, 'either'],
  ['may where the package was aborted', { state: 'aborted', rings: [ring(2)] }, 'either'],
  ['does not where the package was taken back', { state: 'rolled-back', rings: [ring(2)] }, 'off'],
])('a cell %s', (_what, seen, claim) => {
  expect(claimOf(status(seen), 2, 'a1', false)).toBe(claim);
});

test('a cell may run what an earlier run of the package brought', () => {
  expect(claimOf(status({ rings: [ring(0)] }), 2, 'a1', true)).toBe('either');
});

test.each<[string, Partial<SeenRollout>[], string[]]>([
  ['what it ran at first, where no package came', [{ rings: [] }], [V0]],
  ['the newest that says so', [{ rings: [ring(2)] }, { rings: [ring(2)] }], [V2]],
  [
    'the older one, where the newer went back',
    [{ rings: [ring(2, except('rolled-back'))] }, { rings: [ring(2)] }],
    [V1],
  ],
  ['either, where the newer leaves it open', [{ rings: [ring(2, except('failed'))] }, { rings: [ring(2)] }], [V2, V1]],
  [
    'all three, where both leave it open',
    [{ state: 'aborted', rings: [ring(2)] }, { rings: [ring(2, except('failed'))] }],
    [V2, V1, V0],
  ],
])('a cell should run %s', (_what, newestFirst, allowed) => {
  const versions = newestFirst.length === 1 ? [V1] : [V2, V1];
  const statuses = newestFirst.map((seen, i) => ({ ...status(seen), version: versions[i] as string }));
  const ran = { first: () => V0, before: () => false, broughtBack: () => false, takenBack: () => null };
  expect(allowedOn(statuses, 2, 'a1', ran)).toEqual(allowed);
});

test('a cell may run an older package that was taken back, where a newer one went back to it afterwards', () => {
  const statuses = [{ ...status({ state: 'rolled-back', rings: [ring(2)] }), version: V1 }];
  const ran = { first: () => V0, before: () => false, broughtBack: () => true, takenBack: () => null };
  expect(allowedOn(statuses, 2, 'a1', ran)).toEqual([V1, V0]);
});
