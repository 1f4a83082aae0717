import { finalized, hashOf } from '../random.js';

/**
 * A named stream of random numbers. Each index has its own number, whatever was drawn before, so a process that comes
 * back, or asks about the past, finds the same curve.
 */
export type Stream = number;

export const streamOf = (seed: number, name: string): Stream => hashOf(seed, name);

const GOLDEN = 0x9e3779b9;

/** A number in [0, 1) for a whole index, 0 or more; `salt` gives further numbers of the same index. */
export function unitAt(stream: Stream, index: number, salt = 0): number {
  const high = Math.floor(index / 2 ** 32);
  const first = finalized(stream ^ Math.imul(index | 0, GOLDEN));
  return finalized(first ^ Math.imul(high + 1, 0x85ebca6b) ^ Math.imul(salt, GOLDEN)) / 2 ** 32;
}

/** A standard normal number for an index, by Box-Muller. */
export function normalAt(stream: Stream, index: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - unitAt(stream, index)));
  return radius * Math.cos(2 * Math.PI * unitAt(stream, index, 1));
}

/** A smooth curve through a normal number at each whole position, of unit variance everywhere. */
export function smoothAt(stream: Stream, position: number): number {
  const index = Math.floor(position);
  const part = position - index;
  const weight = part * part * (3 - 2 * part);
  const mixed = normalAt(stream, index) * (1 - weight) + normalAt(stream, index + 1) * weight;
  return mixed / Math.hypot(1 - weight, weight);
}

/** How much a Pareto number is above its least value 1, at most `most`: heavy-tailed where `alpha` is small. */
export const paretoExcessAt = (stream: Stream, index: number, alpha: number, most: number): number =>
  Math.min(most, (1 - unitAt(stream, index, 2)) ** (-1 / alpha) - 1);

const NORMAL_FROM = 30;

/** A Poisson number for an index: by inversion, and where the mean is large by its normal limit. */
export function poissonAt(stream: Stream, index: number, mean: number): number {
  if (mean <= 0) return 0;
  if (mean >= NORMAL_FROM) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normalAt(stream, index)));
  let left = unitAt(stream, index);
  let weight = Math.exp(-mean);
  let count = 0;
  while (left >= weight && count < 10 * NORMAL_FROM) {
    left -= weight;
    count += 1;
    weight *= mean / count;
  }
  return count;
}
