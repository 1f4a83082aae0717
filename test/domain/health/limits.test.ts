import { describe, expect, it, test } from 'vitest';
import type { Signal } from '../../../src/contract/health.js';
import { limits } from '../../../src/domain/health/limits.js';
import { readingOf } from '../../../src/domain/health/readings.js';
import { type Course, cellOf, DEPLOYED, MINUTE, policyOf, SATURATION } from './observations.js';

const found = (course: Course, ageMs: number, signal: Partial<Signal> = {}) => {
  const of: Signal = { query: 'x', worse: 'higher', ...signal };
  return limits(readingOf('s', of, cellOf({ s: course }, { ageMs })), policyOf());
};
const since =
  (minutes: number, then: number, later: number): Course =>
  (at) =>
    at < DEPLOYED + minutes * MINUTE ? then : later;

describe('fixed limits', () => {
  test.each([
    ['above in all of five minutes', since(0, 0.5, 0.95), 'unhealthy'],
    ['above since five minutes', since(5, 0.5, 0.95), 'unhealthy'],
    ['above since four minutes: perhaps an outlier', since(6, 0.5, 0.95), 'inconclusive'],
    ['above until four minutes ago', since(6, 0.95, 0.5), 'inconclusive'],
    ['above until five minutes ago', since(5, 0.95, 0.5), 'healthy'],
    ['at the limit', since(0, 0.9, 0.9), 'healthy'],
  ])('max: %s', (_what, course, verdict) => {
    expect(found(course, 10 * MINUTE, { max: 0.9 }).map((f) => [f.rule, f.verdict])).toEqual([['max', verdict]]);
  });

  it('min is a floor; a signal may have both', () => {
    const both = { min: 1, max: 2 };
    expect(found(() => 0.5, 10 * MINUTE, both).map((f) => [f.rule, f.verdict])).toEqual([
      ['max', 'healthy'],
      ['min', 'unhealthy'],
    ]);
    expect(found(() => 1, 10 * MINUTE, both).map((f) => f.verdict)).toEqual(['healthy', 'healthy']);
  });

  it('are not asked where there are none, or of too few samples', () => {
    expect(found(() => 5, 10 * MINUTE)).toEqual([]);
    expect(found(() => 5, 4.5 * MINUTE, { max: 1 })).toEqual([]);
  });

  it('of a gauge are asked as soon as there are enough samples; of a rate, once they are clean', () => {
    const verdictOf = (query: string) => found(() => 5, 5 * MINUTE, { max: 1, query }).length;
    expect([verdictOf(SATURATION.query), verdictOf('x:rate_5m')]).toEqual([1, 0]);
  });

  it('say what was measured', () => {
    expect(found(() => 0.95, 10 * MINUTE, { max: 0.9 })[0]).toMatchObject({
      value: 0.95,
      threshold: 0.9,
      sentence: 's was above its max of 0.9 in 10 of 10 samples',
    });
  });
});
