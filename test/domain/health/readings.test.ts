import { describe, expect, it, test } from 'vitest';
import type { Sample } from '../../../src/contract/health.js';
import { baselineStepMs, rangeOfQuery } from '../../../src/domain/health/index.js';
import { readingOf, sustainedMs, within } from '../../../src/domain/health/readings.js';
import { APDEX, cellOf, DAY, DEPLOYED, ERRORS, MINUTE, policyOf, SATURATION } from './observations.js';

const M = MINUTE;

describe('how far a query looks back', () => {
  test.each([
    ['gitlab_service_apdex:ratio_5m{cell="a"}', 5 * M],
    ['gitlab_service_ops:rate_1h', 60 * M],
    ['instance:errors:rate5m', 5 * M],
    ['sum(rate(http_requests_total{code=~"5.."}[10m]))', 10 * M],
    ['max_over_time(rate(x[5m])[30m:1m])', 35 * M],
    ['max_over_time(x[30m:])', 30 * M],
    ['rate(x[1h30m])', 90 * M],
    ['avg_over_time(x[1d12h])', 36 * 60 * M],
    ['avg_over_time(x[1w])', 7 * DAY],
    ['avg_over_time(x[1y])', 365 * DAY],
    ['rate(x[300])', 5 * M],
    ['rate(x[ 5m ])', 5 * M],
    ['rate(x[300000ms])', 5 * M],
    ['rate(x[5m] offset 1h)', 65 * M],
    ['rate(x{a="1"}[5m] @ end() offset 1h)', 65 * M],
    ['rate(x[5m] offset -1h)', 5 * M],
    ['x offset 1h30m', 90 * M],
    ['1 - (sum by (cell) (rate(a[5m])) / sum by (cell) (a:rate_1h))', 60 * M],
    ['vector(5) + x * 300', 0],
    ['rate(a[5m]) / rate(b[15m])', 15 * M],
    ['x_30s', 30_000],
    ['max(gitlab_component_saturation:ratio{cell="a"})', 0],
    ['up{job="every_5m"}', 0],
    [`up{job='[1h]', b=\`_2h\`}`, 0],
    ['min(gitlab_deployment_health:service{env="gprd"})', 0],
  ])('%s', (query, expected) => {
    expect(rangeOfQuery(query)).toBe(expected);
  });
});

describe('what counts of the samples of a signal', () => {
  const at = (minutes: number, value: number): Sample => [DEPLOYED + minutes * M, value];
  const sinceOf = (samples: Sample[], signal = ERRORS) =>
    readingOf('s', signal, { ...cellOf({}), after: { s: samples } }).since.map(([ms, v]) => [(ms - DEPLOYED) / M, v]);

  test.each([
    ['of the deployment’s end or before it', [at(-1, 0), at(0, 0), at(1, 0)], [[1, 0]]],
    [
      'from the future',
      [at(9, 0), at(10, 0), at(11, 0)],
      [
        [9, 0],
        [10, 0],
      ],
    ],
    [
      'that is no number',
      [at(1, Number.NaN), at(2, Number.POSITIVE_INFINITY), at(3, -Number.POSITIVE_INFINITY), at(4, 1)],
      [[4, 1]],
    ],
    ['that no share can be', [at(1, -0.1), at(2, 0.1)], [[2, 0.1]]],
  ])('nothing %s', (_what, samples, expected) => {
    expect(sinceOf(samples)).toEqual(expected);
  });

  it('no apdex above all there is: an objective of 0.998 is no percentage', () => {
    expect(sinceOf([at(1, 99.9), at(2, 0.99)], APDEX)).toEqual([[2, 0.99]]);
    expect(sinceOf([at(1, 99.9)], { ...APDEX, slo: 99.8 })).toEqual([[1, 99.9]]);
  });

  it('in whatever order it came, once an instant, the higher of two', () => {
    expect(sinceOf([at(3, 3), at(1, 1), at(2, 7), at(2, 2)])).toEqual([
      [1, 1],
      [2, 7],
      [3, 3],
    ]);
  });

  it('is clean only once it was measured wholly after the deployment', () => {
    const after = { s: [at(4.5, 1), at(5, 2), at(5.5, 3)] };
    expect(readingOf('s', ERRORS, { ...cellOf({}), after }).clean.map(([, v]) => v)).toEqual([2, 3]);
    expect(readingOf('s', SATURATION, { ...cellOf({}), after }).clean.map(([, v]) => v)).toEqual([1, 2, 3]);
  });

  it('has a past that ends before the deployment', () => {
    const baseline = { s: [at(-30, 1), at(-1, 2), at(0, 3), at(1, 4)] };
    expect(readingOf('s', ERRORS, { ...cellOf({}), baseline }).past.map(([, v]) => v)).toEqual([1, 2]);
  });
});

it('samples after one instant and up to another', () => {
  const list: Sample[] = [
    [1, 1],
    [2, 2],
    [3, 3],
  ];
  expect(within(list, 1, 2)).toEqual([[2, 2]]);
  expect(within(list, 0, 9)).toBe(list);
  expect(within(list, 3, 9)).toEqual([]);
});

it('five minutes are what the default policy sustains and steps its past in; a short one has finer steps', () => {
  expect([sustainedMs(policyOf()), baselineStepMs(policyOf())]).toEqual([5 * M, 5 * M]);
  const short = policyOf({ baselineMs: 10 * M, intervalMs: 1_000, minSamples: 3 });
  expect([sustainedMs(short), baselineStepMs(short)]).toEqual([3_000, 3_000]);
  expect(baselineStepMs(policyOf({ intervalMs: 1_000, baselineMs: DAY }))).toBe(5 * M);
});
