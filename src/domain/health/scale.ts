import type { Sample, Signal } from '../../contract/health.js';
import { type Reading, wholeOf } from './readings.js';

export type Direction = 'lower' | 'higher';

/** Turns a signal's values into numbers that grow as it gets worse, and whose noise hardly depends on their level. */
export interface Scale {
  direction: Direction;
  /** What is averaged: the share of bad events, or the value itself. */
  amount(value: number): number;
  /** Where such an average stands. */
  level(amount: number): number;
  /** The value that stands at a level. */
  value(level: number): number;
  /** Whether an amount is a count of bad events over a count of all, or can be thought of as one. */
  counts: boolean;
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
export function scaleOf({ signal, past, since }: Reading, direction: Direction): Scale {
  const { slo, worse } = signal;
  if (slo !== undefined && worse === 'lower') return lackOf(wholeOf(slo));
  const negative = isNegative(past) || isNegative(since);
  return negative ? asItIs(direction) : rootOf(direction);
}

function isNegative(samples: readonly Sample[]): boolean {
  for (let i = 0; i < samples.length; i++) if ((samples[i] as Sample)[1] < 0) return true;
  return false;
}

const lackOf = (whole: number): Scale => ({
  direction: 'lower',
  amount: (value) => whole - value,
  level: (amount) => Math.sqrt(Math.max(0, amount)),
  value: (level) => whole - Math.max(0, level) ** 2,
  counts: true,
});

function rootOf(direction: Direction): Scale {
  const sign = direction === 'lower' ? -1 : 1;
  return {
    direction,
    amount: (value) => value,
    level: (amount) => sign * Math.sqrt(amount),
    value: (level) => Math.max(0, sign * level) ** 2,
    counts: direction === 'higher',
  };
}

function asItIs(direction: Direction): Scale {
  const sign = direction === 'lower' ? -1 : 1;
  return { direction, amount: (v) => v, level: (v) => sign * v, value: (v) => sign * v, counts: false };
}

/** The directions in which the signal can get worse. */
export const directionsOf = ({ worse }: Signal): readonly Direction[] =>
  worse === 'both' ? ['lower', 'higher'] : [worse];
