import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CellObservation, HealthPolicy, Sample, Signal } from '../../../src/contract/health.js';
import { judgeCell, judgeRing } from '../../../src/domain/health/index.js';
import {
  APDEX,
  around,
  type Course,
  cellOf,
  DAY,
  DEPLOYED,
  ERRORS,
  INTERVAL,
  MINUTE,
  oldCellOf,
  policyOf,
  SATURATION,
  TRAFFIC,
} from './observations.js';

const RUNS = Number(process.env.PROPERTY_RUNS ?? 40);
const SIGNALS = { apdex: APDEX, errors: ERRORS, traffic: TRAFFIC, saturation: SATURATION };
const POLICY = policyOf({
  signals: SIGNALS,
  // biome-ignore lint/suspicious/noThenProperty: the topology's word; the value beside it is no function.
  quiet: { signal: 'traffic', below: 1, forMs: 10 * MINUTE, then: 'smoke-tests' },
});
type Name = keyof typeof SIGNALS;
const NAMES = Object.keys(SIGNALS) as Name[];

/** How a cell does before and after its deployment: good, hardly worse, bad for a while, bad. */
const aCell = fc.record({
  salt: fc.integer({ min: 1, max: 1_000_000 }),
  ageMinutes: fc.integer({ min: 3, max: 90 }),
  spread: fc.constantFrom(0.1, 0.5, 0.9),
  errors: fc.constantFrom(0, 0, 0.0003, 0.0008, 0.003, 0.02),
  slow: fc.constantFrom(0, 0, 0.001, 0.003, 0.05),
  traffic: fc.constantFrom(1, 1, 0.3, 3, 0.001),
  saturation: fc.constantFrom(0, 0, 0.3, 0.7),
  quiet: fc.constantFrom(false, false, false, true),
  untilMinutes: fc.constantFrom(20, 40, 1_000),
  readiness: fc.constantFrom('ready' as const, 'ready' as const, 'silent' as const),
  bornMs: fc.constantFrom(DEPLOYED - 30 * DAY, DEPLOYED - 30 * DAY, DEPLOYED - 3 * 60 * MINUTE),
});
type Drawn = typeof aCell extends fc.Arbitrary<infer T> ? T : never;

function observed(drawn: Drawn, cell = 'cell-1'): CellObservation {
  const { salt, spread, ageMinutes, untilMinutes, bornMs, readiness } = drawn;
  const bad = (at: number) => at <= DEPLOYED + untilMinutes * MINUTE;
  const of = (level: number, by: number, nth: number): [Course, Course] => {
    const usual = around(level, spread, salt + nth);
    return [usual, (at) => usual(at) + (bad(at) ? by : 0)];
  };
  const ops = of(drawn.quiet ? 0.3 : 50, 0, 3)[0];
  const good = ([before, after]: [Course, Course]): [Course, Course] => [(at) => 1 - before(at), (at) => 1 - after(at)];
  const observation = cellOf(
    {
      errors: of(0.0002, drawn.errors, 1),
      apdex: good(of(0.0008, drawn.slow, 2)),
      traffic: [ops, (at) => ops(at) * (bad(at) ? drawn.traffic : 1)],
      saturation: of(0.25, drawn.saturation, 4),
    },
    { ageMs: ageMinutes * MINUTE, cell, bornMs, readiness, smokeTests: 'passed' },
  );
  const since = (list: Sample[]) => list.filter(([at]) => at >= bornMs);
  return { ...observation, baseline: each(observation.baseline, since) };
}

const each = (series: Record<string, Sample[]>, of: (list: Sample[], name: string) => Sample[]) =>
  Object.fromEntries(Object.entries(series).map(([name, list]) => [name, of(list, name)]));

/** Up to six cells on the new package and up to eight on the old one, all observed now. */
const aRing = fc.record({
  ageMinutes: fc.integer({ min: 3, max: 70 }),
  fresh: fc.array(aCell, { minLength: 1, maxLength: 6 }),
  stale: fc.array(aCell, { minLength: 0, maxLength: 8 }),
});

function ringOf({ ageMinutes, fresh, stale }: { ageMinutes: number; fresh: Drawn[]; stale: Drawn[] }) {
  const ageMs = ageMinutes * MINUTE;
  const onNew = fresh.map((drawn, i) => observed({ ...drawn, ageMinutes }, `new-${i}`));
  const onOld = stale.map(({ salt }, i) => {
    const courses = { errors: around(0.0002, 0.5, salt), traffic: around(50, 0.3, salt + 1) };
    return { ...oldCellOf(courses, { ageMs, cell: `old-${i}` }), bornMs: DEPLOYED - 30 * DAY };
  });
  return { onNew, onOld, looks: null, nowMs: DEPLOYED + ageMs };
}

const check = <T>(arbitrary: fc.Arbitrary<T>, holds: (value: T) => void, share = 1): void =>
  fc.assert(fc.property(arbitrary, holds), { numRuns: Math.max(1, Math.round(RUNS * share)) });

describe('the unit of a signal', () => {
  const factors = fc.record({
    errors: fc.double({ min: 1e-3, max: 1e2, noNaN: true }),
    traffic: fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
    saturation: fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
    /** An objective of good events is a fraction or in percent: all there is must be known. */
    apdex: fc.constantFrom(1, 100),
  });

  const scaledSignal = (signal: Signal, by: number): Signal => ({
    ...signal,
    ...(signal.slo === undefined ? {} : { slo: signal.slo * by }),
    ...(signal.max === undefined ? {} : { max: signal.max * by }),
  });
  const scaledPolicy = (by: Record<Name, number>): HealthPolicy => ({
    ...POLICY,
    signals: Object.fromEntries(NAMES.map((name) => [name, scaledSignal(SIGNALS[name], by[name])])),
    quiet: POLICY.quiet && { ...POLICY.quiet, below: POLICY.quiet.below * by.traffic },
  });
  const scaled = (cell: CellObservation, by: Record<Name, number>): CellObservation => {
    const of = (list: Sample[], name: string) => list.map(([at, v]): Sample => [at, v * by[name as Name]]);
    return { ...cell, baseline: each(cell.baseline, of), after: each(cell.after, of) };
  };

  it('changes no verdict on a cell', () => {
    check(fc.tuple(aCell, factors), ([drawn, by]) => {
      const cell = observed(drawn);
      const rules = ({ evidence, verdict }: ReturnType<typeof judgeCell>) => [
        verdict,
        evidence.map((e) => [e.signal, e.rule, e.verdict]),
      ];
      expect(rules(judgeCell(scaled(cell, by), scaledPolicy(by)))).toEqual(rules(judgeCell(cell, POLICY)));
    });
  });

  it('changes no verdict on a ring', () => {
    const gist = ({ verdict, scope, cells }: ReturnType<typeof judgeRing>) => [
      verdict,
      scope,
      cells.map((c) => c.cell),
    ];
    check(
      fc.tuple(aRing, factors),
      ([drawn, by]) => {
        const ring = ringOf(drawn);
        const other = {
          ...ring,
          onNew: ring.onNew.map((c) => scaled(c, by)),
          onOld: ring.onOld.map((c) => scaled(c, by)),
        };
        expect(gist(judgeRing({ ...other, policy: scaledPolicy(by) }))).toEqual(
          gist(judgeRing({ ...ring, policy: POLICY })),
        );
      },
      0.2,
    );
  });
});

describe('missing data', () => {
  /** Of some signals: a hole in what was measured since, and every n-th sample. */
  const losses = fc.record({
    names: fc.subarray(NAMES, { minLength: 1 }),
    fromMinutes: fc.integer({ min: 0, max: 90 }),
    minutes: fc.integer({ min: 0, max: 60 }),
    everyNth: fc.constantFrom(0, 0, 0, 2, 7, 40),
  });
  type Losses = typeof losses extends fc.Arbitrary<infer T> ? T : never;
  const without = (cell: CellObservation, { names, fromMinutes, minutes, everyNth }: Losses): CellObservation => {
    const fromMs = DEPLOYED + fromMinutes * MINUTE;
    const isLost = (at: number, i: number) =>
      (at > fromMs && at <= fromMs + minutes * MINUTE) || (everyNth > 0 && i % everyNth === 0);
    const of = (list: Sample[], name: string) =>
      names.includes(name as Name) ? list.filter(([at], i) => !isLost(at, i)) : list;
    return { ...cell, after: each(cell.after, of) };
  };

  it('never turns a verdict healthy', () => {
    check(
      fc.tuple(aCell, losses),
      ([drawn, lost]) => {
        const cell = observed(drawn);
        fc.pre(judgeCell(cell, POLICY).verdict !== 'healthy');
        expect(judgeCell(without(cell, lost), POLICY).verdict).not.toBe('healthy');
      },
      2,
    );
  });

  it('never turns a verdict healthy where all of a signal is lost, or all of its past', () => {
    check(fc.tuple(aCell, fc.constantFrom(...NAMES)), ([drawn, name]) => {
      // What is not asked of a quiet cell may be missing.
      const cell = observed({ ...drawn, quiet: false, traffic: 1 });
      const { [name]: _after, ...after } = cell.after;
      const { [name]: _past, ...baseline } = cell.baseline;
      expect(judgeCell({ ...cell, after }, POLICY).verdict).not.toBe('healthy');
      fc.pre(judgeCell(cell, POLICY).verdict !== 'healthy');
      expect(judgeCell({ ...cell, baseline }, POLICY).verdict).not.toBe('healthy');
    });
  });

  it('of one cell never turns the verdict on its ring healthy', () => {
    check(
      fc.tuple(aRing, losses),
      ([drawn, lost]) => {
        const ring = { ...ringOf(drawn), policy: POLICY };
        fc.pre(judgeRing(ring).cells.length > 0);
        const onNew = ring.onNew.map((cell, i) => (i === 0 ? without(cell, lost) : cell));
        expect(judgeRing({ ...ring, onNew }).verdict).not.toBe('healthy');
      },
      0.2,
    );
  });
});

describe('the order of cells', () => {
  it('changes nothing', () => {
    const both = aRing.chain((ring) =>
      fc.record({
        ring: fc.constant(ring),
        fresh: fc.shuffledSubarray([...ring.fresh.keys()], { minLength: ring.fresh.length }),
        stale: fc.shuffledSubarray([...ring.stale.keys()], { minLength: ring.stale.length }),
      }),
    );
    check(
      both,
      ({ ring, fresh, stale }) => {
        const told = { ...ringOf(ring), policy: POLICY };
        const inOrder = <T>(list: readonly T[], order: readonly number[]) => order.flatMap((i) => list[i] ?? []);
        const shuffled = { ...told, onNew: inOrder(told.onNew, fresh), onOld: inOrder(told.onOld, stale) };
        expect(judgeRing(shuffled)).toEqual(judgeRing(told));
      },
      0.2,
    );
  });
});

describe('what was measured before the deployment ended', () => {
  const stale = (drawn: Drawn, fromMs: number) =>
    each(observed({ ...drawn, errors: 0, slow: 0, traffic: 1, saturation: 0 }).after, (list) =>
      list.map(([at, value]): Sample => [at - (list.at(-1)?.[0] ?? 0) + fromMs, value]),
    );

  it('is never healthy by itself, however good it was and whenever it is looked at', () => {
    const lookedAt = fc.integer({ min: -10, max: 600 });
    check(fc.tuple(aCell, lookedAt, fc.integer({ min: 0, max: 30 })), ([drawn, minutes, ended]) => {
      const cell = { ...observed(drawn), readiness: 'ready' as const, nowMs: DEPLOYED + minutes * MINUTE };
      const after = stale({ ...drawn, ageMinutes: 60 }, DEPLOYED - ended * MINUTE);
      expect(judgeCell({ ...cell, after }, POLICY).verdict).not.toBe('healthy');
    });
  });

  it('changes no verdict where it is answered again with what was measured after', () => {
    check(aCell, (drawn) => {
      const cell = observed(drawn);
      const earlier = stale({ ...drawn, ageMinutes: 60 }, DEPLOYED);
      const after = each(cell.after, (list, name) => [...(earlier[name] ?? []), ...list]);
      expect(judgeCell({ ...cell, after }, POLICY)).toEqual(judgeCell(cell, POLICY));
    });
  });

  it('and looks back beyond it, is not healthy either: a rate over five minutes needs five minutes', () => {
    check(fc.tuple(aCell, fc.integer({ min: 1, max: 18 })), ([drawn, halfMinutes]) => {
      const cell = observed({ ...drawn, ageMinutes: 9 });
      const nowMs = DEPLOYED + halfMinutes * INTERVAL;
      const after = each(cell.after, (list) => list.filter(([at]) => at <= nowMs));
      expect(judgeCell({ ...cell, after, nowMs }, policyOf({ signals: { errors: ERRORS } })).verdict).not.toBe(
        'healthy',
      );
    });
  });
});
