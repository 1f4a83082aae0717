import { expect, test } from 'vitest';
import type { PackageRollbackStatus } from '../../src/contract/status.js';
import { ring, status, V0, V1, V2 } from '../invariants/logs.js';
import type { SeenException, SeenRollout } from '../invariants/types.js';
import { allowedOn, claimOf, claimOfRollbacks } from './explained.js';

const except = (state: string): { exceptions: SeenException[] } => ({
  exceptions: [{ cell: 'a1', state, reason: 'as told' }],
});

test.each<[string, Partial<SeenRollout>, string]>([
  ['runs the package where its ring converged', { rings: [ring(2)] }, 'on'],
  ['does not where the package never came to its ring', { rings: [ring(3)] }, 'off'],
  ['does not where the package only waited for its ring', { rings: [ring(2, { startedAt: null })] }, 'off'],
  [
    'does not where the package gave way before it looked at its cells',
    { rings: [ring(2, { total: 0, converged: 0 })] },
    'off',
  ],
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

const NO_RING: Partial<PackageRollbackStatus> = { rejected: [], plan: [], rings: [], needsDowntime: [] };
const takenBack = (more: Record<string, unknown> = {}) =>
  ({ ...NO_RING, state: 'rolled-back', finishedAt: 'then', ...more }) as PackageRollbackStatus;
const refused = (more: Record<string, unknown> = {}) =>
  takenBack({ state: 'aborted', rejected: [{ message: 'rollback' }], ...more });

test.each<[string, PackageRollbackStatus[], string | null]>([
  ['where nobody asked for one', [], null],
  ['where it was refused', [refused()], null],
  ['where it was refused for another ring', [refused({ ring: 3 })], null],
  ['as off, where every cell went back', [takenBack()], 'off'],
  ['as off, where its ring went back', [takenBack({ ring: 2 })], 'off'],
  ['as off, where a refused one came after it', [takenBack(), refused()], 'off'],
  ['as open, where another ring went back', [takenBack({ ring: 3 })], 'either'],
  [
    'as open, where another ring went back, and a name was none of a cell',
    [takenBack({ ring: 3, rejected: [{ message: 'rollback', path: 'allowDowntime' }] })],
    'either',
  ],
  ['as open, where some cells could not go back', [takenBack({ state: 'aborted' })], 'either'],
  [
    'as open, where going back takes the cell down',
    [takenBack({ needsDowntime: [{ cell: 'a1', state: 'converged' }] })],
    'either',
  ],
  [
    'as open, where going back failed on the cell',
    [takenBack({ rings: [ring(2, except('rollback-failed'))] })],
    'either',
  ],
])('a rollback leaves a cell %s', (_what, rollbacks, claim) => {
  expect(claimOfRollbacks(rollbacks, 2, 'a1', () => false)).toBe(claim);
});

test('a rollback leaves a cell as open where the package was on its way to it again afterwards', () => {
  expect(claimOfRollbacks([takenBack()], 2, 'a1', (since) => since === 'then')).toBe('either');
});
