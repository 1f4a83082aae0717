import type { HealthPolicy } from '../../contract/health.js';
import { type Finding, shown } from './evidence.js';
import { type Reading, sustainedMs, within } from './readings.js';

/**
 * Fixed limits: a signal beyond `max` or `min` in all samples of the last minutes is unhealthy, and one that was beyond
 * in some of them is inconclusive.
 *
 * As in Argo Rollouts' analysis (`failureCondition` with `consecutiveErrorLimit`) and Flagger's `thresholdRange`: a line
 * that a person drew, and a number of measurements in a row so that one outlier decides nothing.
 */
export function limits(reading: Reading, policy: HealthPolicy): Finding[] {
  const { min, max } = reading.signal;
  const fromMs = Math.max(reading.nowMs - sustainedMs(policy), reading.cleanFromMs - 1);
  const window = within(reading.since, fromMs, reading.nowMs);
  if (window.length < policy.minSamples) return [];
  const values = window.map(([, value]) => value);
  return [
    ...(max === undefined
      ? []
      : [
          limitOf(
            'max',
            max,
            values.map((v) => v - max),
          ),
        ]),
    ...(min === undefined
      ? []
      : [
          limitOf(
            'min',
            min,
            values.map((v) => min - v),
          ),
        ]),
  ];

  function limitOf(rule: 'max' | 'min', limit: number, beyond: readonly number[]): Finding {
    const out = beyond.filter((excess) => excess > 0).length;
    const verdict = out === beyond.length ? 'unhealthy' : out > 0 ? 'inconclusive' : 'healthy';
    const value = rule === 'max' ? Math.max(...values) : Math.min(...values);
    const side = rule === 'max' ? 'above' : 'below';
    const sentence =
      out > 0
        ? `${reading.name} was ${side} its ${rule} of ${shown(limit)} in ${out} of ${beyond.length} samples`
        : `${reading.name} keeps its ${rule} of ${shown(limit)}`;
    return { signal: reading.name, rule, verdict, sentence, window, value, threshold: limit };
  }
}
