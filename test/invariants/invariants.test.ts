import { describe, expect, test } from 'vitest';
import { expectInvariants } from './expect.js';
import { checkInvariants } from './index.js';
import { act, graduated, job, pdm, rollback, topology, V0, V1, V2 } from './logs.js';
import { compare, isOlder, same } from './packages.js';
import { durationMs, type Policy, policyOf, ringRules, type Topology } from './policy.js';

/** A package goes through both outer rings as it should. */
const goodLog = () => [
  job({ cell: 'a1', at: 1 }),
  job({ cell: 'a2', at: 2.5 }),
  job({ cell: 'b1', at: 14 }),
  pdm({ cell: 'a1', at: 34 }),
  pdm({ cell: 'a2', at: 35.5 }),
  pdm({ cell: 'b1', at: 46 }),
];

describe('all rules together', () => {
  test('find nothing in a log as it should be', () => {
    expect(checkInvariants({ jobs: goodLog(), topology: topology(), acts: [graduated()] })).toEqual([]);
  });

  test.each([
    [1, [...goodLog(), job({ cell: 'a2', at: 2.9, version: V2, from: V0 })], [graduated(), graduated(0, V2)]],
    [2, goodLog().filter((j) => !j.id.includes('a2')), [graduated()]],
    [3, goodLog(), []],
    [4, goodLog(), [graduated(), act('engageBrake', 0, {}, { version: null, answer: { brakeId: 'b', inFlight: [] } })]],
    [5, [...goodLog(), job({ cell: 'a1', at: 90, from: V1 })], [graduated()]],
    [6, [...goodLog(), rollback({ cell: 'b1', at: 90, version: V2 })], [graduated()]],
    [7, [...goodLog().slice(0, 3), pdm({ cell: 'a1', at: 20 })], [graduated()]],
    [9, [...goodLog(), job({ cell: 'qa', at: 5 })], [graduated()]],
    [10, [...goodLog(), job({ cell: 'qa', at: 5, from: V2 })], [graduated(), act('deployRing', 4, { ring: 0 })]],
  ])('find what breaks rule %d', (rule, jobs, acts) => {
    const found = checkInvariants({ jobs, topology: topology(), acts });
    expect(found.map((v) => v.rule)).toContain(rule);
    expect([...new Set(found.map((v) => v.rule))]).not.toContain(8);
  });

  test('say in words what happened to whom', async () => {
    const evidence = { jobs: goodLog().slice(0, 1), topology: topology(), acts: [] };
    await expect(expectInvariants(evidence)).rejects.toThrow(/rule 3: configure-a1-1 .*in ring 2.*graduation/);
    await expectInvariants({ ...evidence, acts: [graduated()] });
  });

  test('bear clocks that are apart by as much as they are told', () => {
    const evidence = { jobs: [job({ cell: 'a1', at: 1 })], topology: topology(), acts: [graduated(1.2)] };
    expect(checkInvariants(evidence)).toHaveLength(1);
    expect(checkInvariants(evidence, { toleranceMs: 500 })).toEqual([]);
  });
});

describe('what the checks read by themselves', () => {
  test('is the order of packages', () => {
    expect(compare(V0, V1)).toBeLessThan(0);
    expect(compare('17.10.202503180906-6a387d336a7.c1c3e017782', '17.9.202503180906-aa.bb')).toBeGreaterThan(0);
    expect(same(V1, '17.10.202503180906-6a387d336a7ff.c1c3e017782')).toBe(true);
    expect(isOlder('17.9.0', V1)).toBe(false);
  });

  test.each([
    ['0s', 0],
    ['90s', 90_000],
    ['30m', 1_800_000],
    ['2d', 172_800_000],
  ])('is a duration of %s', (text, ms) => expect(durationMs(text)).toBe(ms));

  test('is no duration of whatever stands there', () => expect(() => durationMs('soon')).toThrow(RangeError));

  test('is a policy in four layers', () => {
    const layered = {
      cluster: 'test',
      perimeter: 1,
      policy: { bakeTime: '1m', gracePeriod: '2m' },
      lanes: { urgent: { bakeTime: '3s' } },
      rings: [{ ring: 2, policy: { gracePeriod: '5m' }, cells: [] }],
    } satisfies Topology;
    const ring = layered.rings[0] as Topology['rings'][number];
    expect(policyOf(layered, ring, null)).toMatchObject({ bakeTime: '1m', gracePeriod: '5m', autoRollback: 'cell' });
    expect(policyOf(layered, ring, 'urgent')).toMatchObject({ bakeTime: '3s', gracePeriod: '5m' });
  });

  test('hold in every lane, which changes times and sizes only', () => {
    const strict = {
      failureBudget: 0,
      bakeTime: '1m',
      mode: 'observe',
      autoRollback: 'cell',
      migrateWhen: 'everywhere',
    };
    const loose = { failureBudget: 2, bakeTime: '3s', mode: 'act', autoRollback: 'never', migrateWhen: 'grace' };
    const of = (policy: Partial<Policy>, urgent: Partial<Policy>) =>
      policyOf(
        { cluster: 'test', perimeter: 1, lanes: { urgent }, rings: [] },
        { ring: 2, policy, cells: [] },
        'urgent',
      );
    expect(of(strict, loose)).toMatchObject({ ...strict, failureBudget: 2, bakeTime: '3s' });
    expect(of(loose, strict)).toMatchObject({ ...strict, autoRollback: 'never' });
  });

  test('are the mildest rules of all topologies that a run saw', () => {
    const before = topology() as unknown as Topology;
    const after = topology({ policy: { bakeTime: '5s', gracePeriod: '1m', failureBudget: 1 } }) as unknown as Topology;
    expect(ringRules([before, after], 2, null)).toMatchObject({ bakeMs: 5_000, graceMs: 20_000, failureBudget: 1 });
    expect(ringRules([before, { ...after, rings: [] }], 2, null)).toBeNull();
  });
});
