import { describe, expect, it, test } from 'vitest';
import type { Signal } from '../../../src/contract/health.js';
import { burnRate } from '../../../src/domain/health/burn-rate.js';
import { readingOf } from '../../../src/domain/health/readings.js';
import { APDEX, type Course, cellOf, DEPLOYED, ERRORS, HOUR, MINUTE, policyOf } from './observations.js';

const burning = (course: Course, ageMs: number, signal: Signal = ERRORS) =>
  burnRate(readingOf('s', signal, cellOf({ s: [() => 0, course] }, { ageMs })), policyOf());

/** The error ratio that burns so many times the budget. */
const times =
  (factor: number): Course =>
  () =>
    factor * 0.0005;
const until =
  (minutes: number, then: Course, later: Course): Course =>
  (at) =>
    at <= DEPLOYED + minutes * MINUTE ? then(at) : later(at);

describe('the burn rate', () => {
  test.each([
    ['14.5 times over twenty minutes', times(14.5), 20 * MINUTE, 'unhealthy'],
    ['14.3 times over twenty minutes', times(14.3), 20 * MINUTE, 'healthy'],
    ['14.5 times over ten minutes: one burst would do', times(14.5), 10 * MINUTE, 'inconclusive'],
    ['29 times over ten minutes', times(29), 10 * MINUTE, 'unhealthy'],
    ['14.3 times over ten minutes', times(14.3), 10 * MINUTE, 'healthy'],
    ['14.5 times over two hours', times(14.5), 2 * HOUR, 'unhealthy'],
    ['6.1 times over ten minutes: the second pair has no windows yet', times(6.1), 10 * MINUTE, 'healthy'],
    ['6.1 times over an hour', times(6.1), HOUR, 'unhealthy'],
    ['5.9 times over seven hours', times(5.9), 7 * HOUR, 'healthy'],
    ['much, and over for half an hour: the short windows say so', until(25, times(100), times(0)), HOUR, 'healthy'],
    ['much, and begun just now: the long window says so', until(57, times(0), times(30)), HOUR, 'healthy'],
    ['much since 35 minutes', until(25, times(0), times(40)), HOUR, 'unhealthy'],
  ])('%s', (_what, course, ageMs, verdict) => {
    expect(burning(course, ageMs)?.verdict).toBe(verdict);
  });

  test.each([
    [1 - 14.5 * 0.002, 'unhealthy'],
    [1 - 14.3 * 0.002, 'healthy'],
    [1, 'healthy'],
  ])('of a good share of %d is %s', (value, verdict) => {
    expect(burning(() => value, 20 * MINUTE, APDEX)?.verdict).toBe(verdict);
    expect(burning(() => 100 * value, 20 * MINUTE, { ...APDEX, slo: 99.8 })?.verdict).toBe(verdict);
  });

  test.each([
    ['an apdex', 'lower', 0.9, 0.02, 10, 'inconclusive'],
    ['an apdex', 'lower', 0.9, 0.02, 20, 'unhealthy'],
    ['an apdex', 'lower', 0.93, 0.02, 20, 'unhealthy'],
    ['an apdex', 'lower', 0.5, 0.02, 20, 'unhealthy'],
    ['an apdex', 'lower', 0.9, 0.5, 20, 'healthy'],
    ['an apdex', 'lower', 90, 2, 20, 'unhealthy'],
    ['errors', 'higher', 0.1, 0.99, 10, 'inconclusive'],
    ['errors', 'higher', 0.1, 0.99, 20, 'unhealthy'],
    ['errors', 'higher', 0.1, 0.5, 20, 'healthy'],
    ['errors in percent', 'higher', 0.1, 1.3, 20, 'healthy'],
    ['errors a second', 'higher', 200, 90, 20, 'healthy'],
  ] as const)(
    'of %s (worse: %s) with the objective %d: %d after %d min is %s',
    (_what, worse, slo, value, min, verdict) => {
      expect(burning(() => value, min * MINUTE, { query: 'ratio_5m', worse, slo })?.verdict).toBe(verdict);
    },
  );

  it('is not asked without an objective, or while too little was measured wholly after the deployment', () => {
    expect(burning(times(100), 10 * MINUTE, { query: 'x', worse: 'higher' })).toBeNull();
    expect(burning(times(100), 9 * MINUTE)).toBeNull();
    expect(burning(times(100), 9.5 * MINUTE)?.verdict).toBe('unhealthy');
  });

  it('does not count the minutes that look back beyond the deployment', () => {
    // A rate over five minutes that a restart fills up: it was bad until five minutes after, and no longer.
    expect(burning(until(4.9, times(1_000), times(1)), 10 * MINUTE)).toMatchObject({
      verdict: 'healthy',
      value: 0.0005,
    });
  });

  it('acquits by a window that was measured; where both have holes, it is not known', () => {
    const holed = (course: Course, fromMin: number, toMin: number) => {
      const cell = cellOf({ s: [() => 0, course] }, { ageMs: 2 * HOUR });
      const isIn = (at: number) => at > DEPLOYED + fromMin * MINUTE && at <= DEPLOYED + toMin * MINUTE;
      const s = (cell.after.s ?? []).filter(([at]) => !isIn(at));
      return burnRate(readingOf('s', ERRORS, { ...cell, after: { s } }), policyOf())?.verdict;
    };
    const late = until(100, times(0), times(7));
    expect(holed(times(1), 70, 80)).toBe('healthy');
    expect(holed(late, 20, 60)).toBe('healthy');
    expect(holed(late, 20, 100)).toBe('inconclusive');
    expect(holed(times(7), 20, 60)).toBe('unhealthy');
  });

  it('waits while the events are so few that chance may have them', () => {
    const of = (oneEvent: number) =>
      burnRate(readingOf('s', ERRORS, cellOf({ s: [() => 0, times(20)] }, { ageMs: HOUR })), policyOf(), {
        oneEvent,
        byChance: 1e-4,
      })?.verdict;
    // An hour has twelve blocks of 0.01: three events of 0.04, where 0.15 are allowed; or twelve of 0.01, for 0.6.
    expect(of(0.04)).toBe('inconclusive');
    expect(of(0.01)).toBe('unhealthy');
    expect(of(0)).toBe('unhealthy');
  });

  it('says what burns how fast, since when, and where the line is', () => {
    expect(burning(times(20), 20 * MINUTE)).toMatchObject({
      signal: 's',
      rule: 'burn-rate',
      baseline: 0.0005,
      threshold: 14.4 * 0.0005,
      sentence: 's burns the budget of its objective 0.0005 20 times too fast over 20 min; the line is 14.4',
    });
    expect(burning(times(20), 20 * MINUTE)?.value).toBeCloseTo(0.01, 9);
  });
});
