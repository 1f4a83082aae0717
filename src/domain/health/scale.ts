import type { Sample, Signal } from '../../contract/health.js';
import type { Reading } from './readings.js';
import { wholeOf } from './readings.js';

export type Direction = 'lower' | 'higher';

/** Turns a signal's values into numbers that grow as it gets worse and whose noise does not depend on their level. */
export interface Scale {
  direction: Direction;
  /** NaN stays NaN. */
  of(value: number): number;
  /** The value that stands at `level`. */
  back(level: number): number;
}

/**
 * The square root of what is bad: of the share of bad events (all there is, less a good share), or of a rate or a level.
 *
 * Counts, and shares that are small, are right-skewed and vary more the higher they are; under the square root their
 * variance is nearly constant (Bartlett, The Square Root Transformation in Analysis of Variance, 1936; Anscombe 1948).
 * For shares it is the limit of the arcsine square root for small ones, which is where error ratios and what apdex lacks
 * live (0.05 and 0.002, not 0.5). It is preferred to the arcsine because it does not care for the unit: a factor on the
 * values is a factor on the levels, and no z-score changes; and to the logit because it is defined at 0, the usual error
 * ratio of a small cell, without a correction that would need the number of requests behind the ratio.
 *
 * A signal that also takes negative values is taken as it is.
 */
export function scaleOf(reading: Reading, direction: Direction): Scale {
  const { slo, worse } = reading.signal;
  if (slo !== undefined && worse === 'lower') return lackOf(wholeOf(slo));
  const sign = direction === 'lower' ? -1 : 1;
  const negative = isNegative(reading.past) || isNegative(reading.since);
  if (negative) return { direction, of: (value) => sign * value, back: (level) => sign * level };
  return { direction, of: (value) => sign * Math.sqrt(value), back: (level) => Math.max(0, sign * level) ** 2 };
}

const lackOf = (whole: number): Scale => ({
  direction: 'lower',
  of: (value) => Math.sqrt(Math.max(0, whole - value)),
  back: (level) => whole - Math.max(0, level) ** 2,
});

const isNegative = (samples: readonly Sample[]): boolean => samples.some(([, value]) => value < 0);

/** The directions in which the signal can get worse. */
export const directionsOf = ({ worse }: Signal): readonly Direction[] =>
  worse === 'both' ? ['lower', 'higher'] : [worse];
