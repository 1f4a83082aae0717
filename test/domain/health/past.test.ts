import { describe, expect, it } from 'vitest';
import type { HealthPolicy } from '../../../src/contract/health.js';
import { lagOf, leastBaselineMs, pastOf, usualChange } from '../../../src/domain/health/past.js';
import { baselineStepMs, readingOf } from '../../../src/domain/health/readings.js';
import { scaleOf } from '../../../src/domain/health/scale.js';
import { around, BEGUN, before, cellOf, DAY, ERRORS, HOUR, MINUTE, policyOf, STEP } from './observations.js';

/** Whether the last three blocks of a watch can be compared with a past of which nothing is missing. */
function isComparable(policy: HealthPolicy, watchedMs: number): boolean {
  const errors = before(around(0.0001), policy.baselineMs);
  const reading = readingOf('errors', ERRORS, { ...cellOf({}), baseline: { errors } });
  const past = pastOf(reading, scaleOf(reading, 'higher'), policy, BEGUN - policy.baselineMs);
  return usualChange(past, { lag: lagOf(watchedMs / baselineStepMs(policy)), stretch: 3 }) !== null;
}

describe('the shortest baseline', () => {
  it.each([
    [0, 155 * MINUTE],
    [20 * MINUTE, 155 * MINUTE],
    [HOUR, 195 * MINUTE],
    [4 * HOUR + 40 * MINUTE, 455 * MINUTE],
    [20 * HOUR, 23 * HOUR + 35 * MINUTE],
  ])('for a watch of %d ms is %d ms, as it is looked at', (watchedMs, leastMs) => {
    expect(leastBaselineMs(policyOf(), watchedMs)).toBe(leastMs);
    const least = policyOf({ baselineMs: leastMs });
    expect(isComparable(least, Math.max(watchedMs, 4 * STEP))).toBe(true);
    expect(isComparable({ ...least, baselineMs: leastMs - STEP }, Math.max(watchedMs, 4 * STEP))).toBe(false);
  });

  it.each([1, 2, 7])('for a watch of %d days is a little longer than that', (days) => {
    const leastMs = leastBaselineMs(policyOf(), days * DAY);
    expect(leastMs / (days * DAY)).toBeCloseTo(1, 1);
    expect(isComparable(policyOf({ baselineMs: leastMs }), days * DAY)).toBe(true);
    expect(isComparable(policyOf({ baselineMs: days * DAY }), days * DAY)).toBe(false);
  });
});
