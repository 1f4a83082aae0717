import { describe, expect, it, test } from 'vitest';
import type { CellLook, TenantFacts } from '../../../src/contract/activities.js';
import { concerns, planRing, returnOf, unknownTo } from '../../../src/domain/rollback/plan.js';
import type { Ring } from '../../../src/domain/topology/index.js';
import { V0, V1, V2 } from '../../support/fleet.js';

const facts = (more: Partial<TenantFacts> = {}): TenantFacts => ({
  version: V1,
  chartVersion: '8.10.0',
  migratedVersion: V0,
  previousVersion: V0,
  previousChartVersion: '8.9.0',
  ...more,
});

const look = (cell: string, more: Partial<CellLook> = {}, of: Partial<TenantFacts> = {}): CellLook => ({
  cell,
  tenant: 'known',
  facts: facts(of),
  activeJob: null,
  failedJob: null,
  readiness: 'unasked',
  onTarget: false,
  problem: '',
  ...more,
});

const asked = { version: V1, toBlocked: false };
const free = { mayTakeDown: false, blocked: [] };

describe('a cell that runs the package', () => {
  it.each([
    ['goes back to what it ran before', {}, V0],
    ['whatever that was', { previousVersion: '17.9.0', migratedVersion: '17.9.0' }, '17.9.0'],
    ['also where that is newer', { previousVersion: V2, migratedVersion: V0 }, V2],
  ])('%s', (_what, of, to) => {
    expect(returnOf(look('a', {}, of), asked, free)).toEqual({ to });
  });

  it.each([
    ['whose migrations have begun', { migratedVersion: V1 }, true, /downtime.*17.10/],
    ['of whose migrations nothing is known', { migratedVersion: null }, true, /downtime.*unknown/],
    ['that a rollback brought to it', { previousVersion: V1 }, false, /unknown/],
    ['of which AMP remembers nothing else', { previousVersion: null }, false, /remembers nothing/],
  ])('%s stays, with the reason', (_what, of, needsDowntime, reason) => {
    const verdict = returnOf(look('a', {}, of), asked, free);
    expect(verdict).toMatchObject({ stays: { cell: 'a', state: 'failed', reason: expect.stringMatching(reason) } });
    expect('stays' in verdict && verdict.stays.needsDowntime === true).toBe(needsDowntime);
  });

  it('goes back all the same where it may be taken down for it', () => {
    const verdict = returnOf(look('a', {}, { migratedVersion: V1 }), asked, { ...free, mayTakeDown: true });
    expect(verdict).toEqual({ to: V0 });
  });

  it('goes back to a blocked package only where a person said so', () => {
    const blocked = [{ version: V0, fixedIn: V1 }];
    expect(returnOf(look('a'), asked, { ...free, blocked })).toMatchObject({
      stays: { reason: expect.stringContaining('blocked') },
    });
    expect(returnOf(look('a'), { ...asked, toBlocked: true }, { ...free, blocked })).toEqual({ to: V0 });
  });
});

describe('the plan of a ring', () => {
  const ring = { ring: 3, name: 'everyone', downtimeAllowed: false };
  const order = { ...asked, ring: null, allowDowntime: ['d'] };
  const job = { id: 'job-1', ours: true };

  it('counts who goes where, who stays, and of whom nothing is known', () => {
    const plan = planRing(
      ring,
      [
        look('a'),
        look('b', {}, { previousVersion: V2, migratedVersion: V0 }),
        look('c', {}, { migratedVersion: V1 }),
        look('d', {}, { migratedVersion: V1 }),
        look('e', {}, { version: V0 }),
        look('f', { activeJob: job }, { version: V0 }),
        look('g', { activeJob: { ...job, ours: false } }, { version: V0 }),
        look('h', { tenant: 'unknown' }, { version: null }),
      ],
      order,
      [],
    );
    expect(plan).toEqual({
      ring: 3,
      name: 'everyone',
      cells: 4,
      on: ['a', 'b', 'c', 'd'],
      targets: { [V0]: 2, [V2]: 1 },
      stays: [expect.objectContaining({ cell: 'c', needsDowntime: true })],
      staysTotal: 1,
      underWay: 1,
      unknown: 1,
    });
  });

  it('names a hundred of those that stay, and counts all', () => {
    const looks = Array.from({ length: 250 }, (_, i) => look(`c-${i}`, {}, { migratedVersion: V1 }));
    const { stays, staysTotal } = planRing(ring, looks, order, []);
    expect([stays.length, staysTotal]).toEqual([100, 250]);
  });

  it('lets all go back where the ring’s policy allows downtime', () => {
    const looks = [look('c', {}, { migratedVersion: V1 })];
    expect(planRing({ ...ring, downtimeAllowed: true }, looks, order, [])).toMatchObject({ targets: { [V0]: 1 } });
  });

  it('names the cells that no ring has, each once, and not too many of them', () => {
    const rings = [{ cells: [{ id: 'a' }] }, { cells: [{ id: 'b' }, { id: 'c' }] }] as Ring[];
    expect(unknownTo(rings, ['c', 'cc', 'a', 'cc', 'd'])).toBe('cc, d');
    expect(unknownTo(rings, ['a', 'b'])).toBeNull();
    const many = Array.from({ length: 25 }, (_, i) => `x${i}`);
    expect(unknownTo(rings, many)).toMatch(/^x0, .*, x19 and 5 more$/);
  });

  test.each([
    [0, 0, false],
    [1, 0, true],
    [0, 1, true],
  ])('concerns a ring with %d cells on it and %d under way: %o', (cells, underWay, isConcerned) => {
    const none = { ring: 2, name: 'r', on: [], targets: {}, stays: [], staysTotal: 0, unknown: 3 };
    expect(concerns({ ...none, cells, underWay })).toBe(isConcerned);
  });
});
