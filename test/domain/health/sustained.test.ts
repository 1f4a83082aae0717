import { describe, expect, it } from 'vitest';
import type { CellObservation } from '../../../src/contract/health.js';
import { judgeCell } from '../../../src/domain/health/index.js';
import {
  APDEX,
  around,
  type Course,
  cellOf,
  DAY,
  DEPLOYED,
  ERRORS,
  HOUR,
  MINUTE,
  oldCellOf,
  policyOf,
  STEP,
  TRAFFIC,
} from './observations.js';

const POLICY = policyOf({
  signals: { errors: ERRORS, traffic: TRAFFIC },
  // biome-ignore lint/suspicious/noThenProperty: the topology's word; the value beside it is no function.
  quiet: { signal: 'traffic', below: 1, forMs: 10 * MINUTE, then: 'smoke-tests' },
});
const AGE = 75 * MINUTE;
const busy = around(50, 0.1, 9);
/** A day's rhythm: an hour before the deployment there is a sixth of the load of the day. */
const rhythmic: Course = (at) => 60 * (1.2 + Math.sin((2 * Math.PI * (at - DEPLOYED)) / DAY)) * (busy(at) / 50);

const byLoad: Course = (at) => 0.000006 * rhythmic(at) * around(1, 0.2, 4)(at);

const plus =
  (course: Course, by: number, when: (at: number) => boolean = () => true): Course =>
  (at) =>
    course(at) + (when(at) ? by : 0);

const cell = (errors: [Course, Course], traffic: Course = busy, more: Partial<CellObservation> = {}): CellObservation =>
  cellOf({ errors, traffic }, { ageMs: AGE, bornMs: DEPLOYED - 30 * DAY, smokeTests: 'passed', ...more });

/** Noisy by itself: no five minutes of it prove anything. */
const noisy = around(0.0002, 0.9, 3);

describe('what lasts', () => {
  it('convicts what the rhythm of the day hides, as that goes with the traffic', () => {
    const verdict = judgeCell(cell([byLoad, plus(byLoad, 0.0004)], rhythmic), POLICY);
    expect(verdict.verdict).toBe('unhealthy');
    expect(verdict.sentence).toMatch(/errors is .* for \d+ min, .* beyond its past at such traffic/);
  });

  it('is not what a burst leaves in the mean, however high it is', () => {
    const burst = plus(noisy, 0.012, (at) => at > DEPLOYED + 50 * MINUTE && at <= DEPLOYED + 58 * MINUTE);
    expect(judgeCell(cell([noisy, burst]), POLICY).verdict).not.toBe('unhealthy');
  });

  it('is not what was there before the deployment', () => {
    const since = plus(noisy, 0.0005, (at) => at > DEPLOYED - 3 * HOUR);
    expect(judgeCell(cell([since, since]), POLICY).verdict).not.toBe('unhealthy');
  });

  it('is not what the traffic brings, as it did before', () => {
    expect(judgeCell(cell([byLoad, byLoad], rhythmic), POLICY).verdict).not.toBe('unhealthy');
  });

  it('is not what cells on the old package do as well', () => {
    const worse = plus(noisy, 0.0005, (at) => at > DEPLOYED);
    const control = Array.from({ length: 8 }, (_, i) => {
      const course = plus(around(0.0003, 0.9, 20 + i), 0.0005, (at) => at > DEPLOYED);
      const observed = oldCellOf({ errors: course, traffic: busy }, { ageMs: AGE, cell: `old-${i}` });
      return { ...observed, bornMs: DEPLOYED - 30 * DAY };
    });
    expect(judgeCell(cell([noisy, worse]), POLICY, { control }).verdict).not.toBe('unhealthy');
  });

  it('waits where more of the window is missing than is left out, and decides when the hole has passed', () => {
    const observation = cell([noisy, noisy]);
    const inHole = ([at]: [number, number]) => at > DEPLOYED + 30 * MINUTE && at <= DEPLOYED + 52 * MINUTE;
    const errors = (observation.after.errors ?? []).filter((sample) => !inHole(sample));
    const holed = { ...observation, after: { ...observation.after, errors } };
    expect(judgeCell(observation, POLICY).verdict).toBe('healthy');
    expect(judgeCell(holed, POLICY).evidence).toContainEqual(
      expect.objectContaining({
        rule: 'z-score',
        verdict: 'inconclusive',
        sentence: expect.stringContaining('errors has holes'),
      }),
    );
  });
});

describe('single events', () => {
  /** One event each so many blocks. */
  const each =
    (every: number, size = 0.0008): Course =>
    (at) =>
      Math.floor(at / STEP) % every === 0 ? size : 0;
  const from =
    (before: Course, after: Course): Course =>
    (at) =>
      at > DEPLOYED ? after(at) : before(at);

  it('convict where nearly all blocks have one, and one in ten had', () => {
    const verdict = judgeCell(cell([each(10), from(each(10), (at) => each(1)(at) + 1e-6 * Math.sin(at))]), POLICY);
    expect(verdict.verdict).toBe('unhealthy');
  });

  it('convict nobody by what is missing', () => {
    const half = from(each(10, 0.0016), (at) => each(2, 0.0016)(at) * (1 + 0.001 * Math.sin(at)));
    const observation = cell([each(10, 0.0016), half]);
    const isLost = ([at]: [number, number]) =>
      at > DEPLOYED + 30 * MINUTE && at <= DEPLOYED + 50 * MINUTE && Math.floor(at / STEP) % 2 === 1;
    const errors = (observation.after.errors ?? []).filter((sample) => !isLost(sample));
    const holed = { ...observation, after: { ...observation.after, errors } };
    expect(judgeCell(holed, POLICY).verdict).toBe('inconclusive');
  });

  it('do not convict at the rate at which they always came', () => {
    expect(judgeCell(cell([each(5), each(5)]), POLICY).verdict).toBe('healthy');
  });
});

describe('a young cell', () => {
  const bornMs = DEPLOYED - 2 * HOUR;
  const peers = Array.from({ length: 8 }, (_, i) => {
    const course = around(0.0001 + 0.00002 * i, 0.3, 40 + i);
    return { ...oldCellOf({ errors: course, traffic: busy }, { ageMs: AGE, cell: `old-${i}` }), bornMs: 0 };
  });
  const young = (errors: Course): CellObservation => {
    const observation = cell([around(0.0001, 0.3, 7), errors], busy, { bornMs });
    const since = (list: [number, number][]) => list.filter(([at]) => at >= bornMs);
    const baseline = Object.fromEntries(
      Object.entries(observation.baseline).map(([name, list]) => [name, since(list)]),
    );
    return { ...observation, baseline };
  };

  it('is held to the cells of its ring', () => {
    const verdict = judgeCell(young(around(0.0012, 0.3, 8)), POLICY, { control: peers });
    expect(verdict.verdict).toBe('unhealthy');
    expect(verdict.sentence).toContain('beyond 8 cells of its ring');
    expect(judgeCell(young(around(0.00015, 0.3, 8)), POLICY, { control: peers }).verdict).toBe('healthy');
  });

  it('is not compared with fewer than five, nor with cells that have no traffic', () => {
    const bad = young(around(0.0012, 0.3, 8));
    expect(judgeCell(bad, POLICY, { control: peers.slice(0, 4) }).verdict).not.toBe('unhealthy');
    const idle = peers.map((peer) => ({
      ...peer,
      after: oldCellOf({ errors: around(0.0001), traffic: around(0.2) }, { ageMs: AGE }).after,
    }));
    expect(judgeCell(bad, POLICY, { control: idle }).verdict).not.toBe('unhealthy');
  });
});

describe('a signal that never moves', () => {
  it('is constant and not frozen, however short its past: it is not held for ever', () => {
    const policy = policyOf({ signals: { apdex: APDEX, traffic: TRAFFIC } });
    const constant: Course = () => 0.9995;
    const observation = cellOf({ apdex: constant, traffic: busy }, { ageMs: 2 * HOUR, bornMs: DEPLOYED - HOUR });
    const short = (list: [number, number][]) => list.filter(([at]) => at >= DEPLOYED - HOUR);
    const baseline = Object.fromEntries(
      Object.entries(observation.baseline).map(([name, list]) => [name, short(list)]),
    );
    expect(judgeCell({ ...observation, baseline }, policy).verdict).toBe('healthy');
  });

  it('is frozen where it moved before', () => {
    const policy = policyOf({ signals: { apdex: APDEX, traffic: TRAFFIC } });
    const moved = around(0.0005, 0.4, 5);
    const apdex: [Course, Course] = [(at) => 1 - moved(at), () => 0.9995];
    const observation = cellOf({ apdex, traffic: busy }, { ageMs: HOUR, bornMs: DEPLOYED - 30 * DAY });
    expect(judgeCell(observation, policy).verdict).toBe('inconclusive');
  });
});
