/** Median of `values`, which stay as they are; NaN where there is none. */
export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** The median absolute deviation of a normal variable, times this, is its standard deviation. */
export const MAD_TO_SIGMA = 1.4826;
/** So is the 95th percentile of a normal variable around 0. */
export const P95_TO_SIGMA = 1 / 1.645;

/** The share `q` of `values` lies below it, between two neighbours linearly; NaN where there is none. */
export function quantile(values: readonly number[], q: number): number {
  return quantileOfSorted(ascending(values), q);
}

/** A sorted copy. Typed arrays sort by number, and many times faster than a comparator. */
export const ascending = (values: readonly number[]): Float64Array => Float64Array.from(values).sort();

export function quantileOfSorted(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below === above ? below : below + (above - below) * (at - Math.floor(at));
}

/** Mean; NaN where there is none. */
export const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;

export const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

/**
 * The number that a standard normal variable exceeds with probability `p`, from 1e-12 to 0.5, within 5e-4: rational
 * approximation 26.2.23 of Abramowitz & Stegun, Handbook of Mathematical Functions (1964).
 */
export function normalUpper(p: number): number {
  const t = Math.sqrt(-2 * Math.log(clamp(p, 1e-12, 0.5)));
  const above = 2.515517 + t * (0.802853 + t * 0.010328);
  const below = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308));
  return t - above / below;
}
