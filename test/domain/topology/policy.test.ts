import { describe, expect, it, test } from 'vitest';
import {
  calendarOf,
  DEFAULT_POLICY,
  hasLane,
  resolveCoordination,
  resolvePolicy,
} from '../../../src/domain/topology/index.js';
import { accepted, cell, cells, written } from './topologies.js';

const ring = (policy: Record<string, unknown>, count = 10, more: Record<string, unknown>[] = []) => ({
  ring: 2,
  policy,
  cells: [...cells(count), ...more],
});

const resolved = (policy: Record<string, unknown>, count: number, more: Record<string, unknown>[] = []) =>
  resolvePolicy(accepted(written({ rings: [ring(policy, count, more)] })), 2, null);

describe('the policy of a ring', () => {
  it('is the default where nothing is written', () => {
    expect(resolvePolicy(accepted(written()), 2, null)).toEqual({
      maxParallel: 25,
      firstCells: 1,
      failureBudget: 0,
      strictBudget: false,
      onFailure: 'block',
      autoRollback: 'cell',
      downtimeRollback: 'never',
      deployToUnhealthy: false,
      bakeTimeMs: 3_600_000,
      scope: 'application',
      postDeployMigrations: 'separate',
      gracePeriodMs: 1_800_000,
      migrateWhen: 'grace',
      approval: 'none',
      smokeTests: false,
      checks: [],
      mode: 'act',
      convergeWithinMs: 14_400_000,
      deployTimeoutMs: 7_200_000,
      cancelTimeoutMs: 900_000,
      verifyTimeoutMs: 120_000,
      verifyIntervalMs: 2_000,
      pollIntervalMs: 5_000,
    });
    expect(DEFAULT_POLICY.bakeTime).toBe('1h');
  });

  it('takes shares of the cells that nobody took out of automation', () => {
    const share = { failureBudget: '20%', maxParallel: '50%' };
    const topology = accepted(written({ rings: [ring(share, 10)] }));
    const out = new Set(topology.rings[0]?.cells.slice(0, 6).map(({ id }) => id));
    expect(resolvePolicy(topology, 2, null, 0)).toMatchObject({ failureBudget: 2, maxParallel: 5 });
    const policy = resolvePolicy(topology, 2, null, 0, (cell) => out.has(cell));
    expect(policy).toMatchObject({ failureBudget: 0, maxParallel: 2 });
  });

  it('is laid over by the topology, then the ring, then the lane', () => {
    const topology = accepted(
      written({
        policy: { bakeTime: '2h', gracePeriod: '2h', maxParallel: 2, approval: 'required' },
        lanes: { urgent: { bakeTime: '10m' }, cautious: {} },
        rings: [ring({ bakeTime: '3h', gracePeriod: '3h' }), { ring: 3, cells: [cell('z')] }],
      }),
    );
    const hours = (n: number) => n * 3_600_000;
    const of = (n: number, lane: string | null) => {
      const { bakeTimeMs, gracePeriodMs, maxParallel, approval } = resolvePolicy(topology, n, lane);
      return [bakeTimeMs, gracePeriodMs, maxParallel, approval];
    };
    expect(of(2, null)).toEqual([hours(3), hours(3), 2, 'required']);
    expect(of(3, null)).toEqual([hours(2), hours(2), 2, 'required']);
    expect(of(2, 'urgent')).toEqual([600_000, hours(3), 2, 'required']);
    expect(of(3, 'urgent')).toEqual([600_000, hours(2), 2, 'required']);
    expect(of(2, 'cautious')).toEqual(of(2, null));
  });

  it('inside the perimeter is the ring’s, in every lane', () => {
    const aFreeze = { from: '2026-12-23T00:00:00Z', to: '2027-01-02T00:00:00Z', reason: 'holidays' };
    const lane = { bakeTime: '10m', approval: 'required', deployToUnhealthy: true, freezes: [aFreeze] };
    const rings = [{ ring: 0, cells: [cell('q')] }, ring({})];
    const topology = accepted(written({ perimeter: 1, lanes: { urgent: lane }, rings }));
    expect(resolvePolicy(topology, 0, 'urgent')).toEqual(resolvePolicy(topology, 0, null));
    expect(calendarOf(topology, 0, 'urgent', 0)).toBeNull();
    expect(resolvePolicy(topology, 2, 'urgent')).toMatchObject({ bakeTimeMs: 600_000, approval: 'required' });
    expect(calendarOf(topology, 2, 'urgent', 0)).toEqual({ windows: [], freezes: [aFreeze] });
  });

  describe('in a lane', () => {
    const check = (name: string, more: object = {}) => ({ name, url: 'https://checks.example/x', ...more });
    const inLane = (ofRing: Record<string, unknown>, ofLane: Record<string, unknown>) =>
      resolvePolicy(accepted(written({ lanes: { urgent: ofLane }, rings: [ring(ofRing)] })), 2, 'urgent');

    test.each([
      ['approval', 'required', 'none'],
      ['mode', 'observe', 'act'],
      ['migrateWhen', 'everywhere', 'grace'],
      ['smokeTests', true, false],
      ['strictBudget', true, false],
    ])('%s holds if either of them says %s', (field, strict, loose) => {
      expect(inLane({ [field]: strict }, { [field]: loose })).toMatchObject({ [field]: strict });
      expect(inLane({ [field]: loose }, { [field]: strict })).toMatchObject({ [field]: strict });
      expect(inLane({ [field]: loose }, { [field]: loose })).toMatchObject({ [field]: loose });
    });

    test.each([
      ['onFailure', 'block', 'soft'],
      ['autoRollback', 'cell', 'never'],
      ['downtimeRollback', 'never', 'allowed'],
      ['postDeployMigrations', 'separate', 'with-deploy'],
      ['scope', 'application', 'full'],
    ])('%s is the ring’s', (field, one, other) => {
      expect(inLane({ [field]: one }, { [field]: other })).toMatchObject({ [field]: one });
      expect(inLane({ [field]: other }, { [field]: one })).toMatchObject({ [field]: other });
    });

    it('times and sizes are the lane’s, and whether a cell that is unhealthy before gets what may mend it', () => {
      const times = {
        bakeTime: '0s',
        gracePeriod: '1s',
        convergeWithin: '2s',
        deployTimeout: '3s',
        pollInterval: '1s',
      };
      const sizes = { maxParallel: 7, firstCells: 3, failureBudget: 2 };
      const policy = inLane({ bakeTime: '1h', maxParallel: 1 }, { ...times, ...sizes, deployToUnhealthy: true });
      expect(policy).toMatchObject({ ...sizes, deployToUnhealthy: true });
      expect(policy).toMatchObject({ bakeTimeMs: 0, gracePeriodMs: 1_000, convergeWithinMs: 2_000 });
      expect(policy).toMatchObject({ deployTimeoutMs: 3_000, pollIntervalMs: 1_000 });
    });

    it('outside checks are the ring’s and the lane’s, of one name the ring’s', () => {
      const checks = (ofRing: object[], ofLane: object[]) =>
        inLane({ checks: ofRing }, { checks: ofLane }).checks.map(({ name, failClosed }) => `${name} ${failClosed}`);
      expect(checks([check('a')], [])).toEqual(['a true']);
      expect(checks([check('a')], [check('b')])).toEqual(['a true', 'b true']);
      expect(checks([check('a')], [check('a', { failClosed: false })])).toEqual(['a true']);
    });

    it('no cell of a ring that observes is deployed to, so that shares are of none', () => {
      expect(inLane({ mode: 'observe' }, { mode: 'act', failureBudget: '100%' }).failureBudget).toBe(0);
    });
  });

  it('lets a field that is there without a value through to the layer below', () => {
    const topology = accepted(written({ policy: { bakeTime: '2h' } }));
    const [first, ...others] = topology.rings;
    if (!first) throw new Error('no ring');
    const withHole = { ...topology, rings: [{ ...first, policy: { bakeTime: undefined } }, ...others] };
    expect(resolvePolicy(withHole, 0, null).bakeTimeMs).toBe(7_200_000);
  });

  test.each([
    ['a share of a ring of one', { maxParallel: '20%', failureBudget: '20%' }, 1, 1, 0],
    ['all of a ring of one', { maxParallel: '100%', failureBudget: '100%' }, 1, 1, 1],
    ['a share of an empty ring', { maxParallel: '20%', failureBudget: '20%' }, 0, 1, 0],
    ['a share that is whole', { maxParallel: '20%', failureBudget: '20%' }, 5, 1, 1],
    ['a share between two numbers', { maxParallel: '30%', failureBudget: '30%' }, 5, 2, 1],
    ['7% of 100', { maxParallel: '7%', failureBudget: '7%' }, 100, 7, 7],
    ['numbers, whatever the ring', { maxParallel: 40, failureBudget: 3 }, 5, 40, 3],
    ['half of 2,000 cells, bounded', { maxParallel: '50%', failureBudget: '50%' }, 2_000, 500, 1_000],
  ])('counts %s', (_what, policy, count, maxParallel, failureBudget) => {
    expect(resolved(policy, count)).toMatchObject({ maxParallel, failureBudget });
  });

  it('takes shares only of the cells that can be deployed to', () => {
    const others = [
      cell('p', { pinned: { reason: 'x', until: '2026-12-31' } }),
      cell('q', { quarantined: { reason: 'x' } }),
      { id: 'o', observe: true },
    ];
    expect(resolved({ failureBudget: '50%' }, 2, others).failureBudget).toBe(1);
    const topology = accepted(written({ rings: [ring({ failureBudget: '50%' }, 3, others)] }));
    const after = Date.parse('2027-01-01T00:00:00Z');
    expect(resolvePolicy(topology, 2, null).failureBudget).toBe(1);
    expect(resolvePolicy(topology, 2, null, after).failureBudget).toBe(2);
  });

  it('never looks at a cell that is verified less often than at its job', () => {
    expect(resolved({ pollInterval: '1s' }, 1)).toMatchObject({ pollIntervalMs: 1_000, verifyIntervalMs: 1_000 });
    expect(resolved({ pollInterval: '1m' }, 1)).toMatchObject({ pollIntervalMs: 60_000, verifyIntervalMs: 2_000 });
  });

  it('is not found for an unknown ring', () => {
    const topology = accepted(written());
    expect(() => resolvePolicy(topology, 9, null)).toThrow(new RangeError('no ring 9; there are: 0, 1, 2'));
  });

  test.each(['fast', 'constructor', '__proto__'])('is that of no lane where there is no lane %s', (lane) => {
    const topology = accepted(written({ lanes: { urgent: { maxParallel: 9 } } }));
    expect([hasLane(topology, 'urgent'), hasLane(topology, null), hasLane(topology, lane)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(resolvePolicy(topology, 2, lane)).toEqual(resolvePolicy(topology, 2, null));
    expect(resolvePolicy(topology, 2, 'urgent').maxParallel).toBe(9);
  });
});

describe('the coordination', () => {
  it('has defaults, and what is written over them', () => {
    const day = 86_400_000;
    expect(resolveCoordination(accepted(written()))).toMatchObject({
      graduationTimeoutMs: 7 * day,
      lookEveryMs: 60_000,
    });
    const coordination = { graduationTimeout: '1d', lookEvery: '5s' };
    expect(resolveCoordination(accepted(written({ coordination })))).toMatchObject({
      graduationTimeoutMs: day,
      lookEveryMs: 5_000,
      maxDrift: 1,
    });
  });
});
