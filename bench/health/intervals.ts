import { Random } from './random.js';

/** A number with its 95 % interval; null where there is nothing to tell it from. */
export interface Estimate {
  value: number;
  low: number;
  high: number;
  of: number;
}

const Z95 = 1.959964;

/** A share with its interval after Wilson (1927). */
export function share(hits: number, of: number): Estimate | null {
  if (of === 0) return null;
  const p = hits / of;
  const z2 = Z95 ** 2;
  const middle = (p + z2 / (2 * of)) / (1 + z2 / of);
  const half = (Z95 / (1 + z2 / of)) * Math.sqrt((p * (1 - p)) / of + z2 / (4 * of * of));
  return { value: p, low: Math.max(0, middle - half), high: Math.min(1, middle + half), of };
}

const DRAWS = 2_000;

/** A mean with its interval by bootstrap (percentiles), from a fixed seed. */
export function average(values: readonly number[], seed: number): Estimate | null {
  if (values.length === 0) return null;
  const random = new Random(seed);
  const means = Float64Array.from({ length: DRAWS }, () => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[Math.floor(random.next() * values.length)] ?? 0;
    return sum / values.length;
  }).sort();
  const value = values.reduce((sum, v) => sum + v, 0) / values.length;
  return {
    value,
    low: means[Math.floor(0.025 * DRAWS)] ?? value,
    high: means[Math.ceil(0.975 * DRAWS) - 1] ?? value,
    of: values.length,
  };
}
