import { normalUpper, P95_TO_SIGMA, quantileOfSorted } from './numbers.js';
import { dustOf } from './past.js';

/** Where more than this share of the past's blocks has a bad event, amounts tell more than presence does. */
const MOST_WITH = 0.5;
const FEWEST_BLOCKS = 24;

/**
 * For a signal that most of the time has no bad event at all (a small cell, a component with little traffic): how unusual
 * it is that so many of a window's blocks have any, in deviations of a normal variable with the same tail. Presence and
 * not amounts, because amounts of single events are coarse, and no burst fills more than a block or two.
 *
 * The exact binomial test (Clopper & Pearson, The Use of Confidence or Fiducial Limits, 1934) against the share of the
 * past's blocks, in which one more is counted than was seen, so that a spotless past does not make one event impossible.
 * More or less traffic than in the past makes more or fewer of them, as a Poisson process does: a block stays without
 * with the power of the ratio. Where windows of the past differ by more than chance has it, the deviations are so much
 * smaller (overdispersion: Wedderburn, Quasi-likelihood Functions, 1974), measured on the arcsine of the root of the
 * share (Anscombe 1948).
 *
 * What is missing counts as having one in `most`, and as having none in `least`.
 */
export function presence(usual: UsualPresence, now: Float64Array, loadRatio: number): { most: number; least: number } {
  const expected = 1 - (1 - usual.share) ** loadRatio;
  const seen = withAny(now, usual.dust);
  const missing = now.filter((amount) => Number.isNaN(amount)).length;
  const z = (count: number) => normalUpper(tail(count, now.length, expected)) / usual.dispersion;
  return { most: z(seen + missing), least: z(seen) };
}

/** How often blocks of the past have a bad event. */
export interface UsualPresence {
  share: number;
  /** By how much windows are further apart than chance has it. */
  dispersion: number;
  dust: number;
}

/** null: the past has events most of the time, or is too short. */
export function usualPresence(past: Float64Array, length: number): UsualPresence | null {
  const usual = past.filter((amount) => !Number.isNaN(amount));
  const dust = dustOf(usual);
  const share = (withAny(usual, dust) + 1) / (usual.length + 1);
  if (usual.length < FEWEST_BLOCKS || share > MOST_WITH) return null;
  return { share, dust, dispersion: dispersionOf(usual, dust, length) };
}

/** By how much windows of the past are further apart than chance has it; at least 1. */
function dispersionOf(usual: Float64Array, dust: number, length: number): number {
  const shares = Float64Array.from({ length: Math.max(0, usual.length - length + 1) }, (_, k) =>
    Math.asin(Math.sqrt(withAny(usual.subarray(k, k + length), dust) / length)),
  ).sort();
  const middle = quantileOfSorted(shares, 0.5);
  const tailOf = P95_TO_SIGMA * (quantileOfSorted(shares, 0.95) - middle);
  const byChance = 1 / (2 * Math.sqrt(length));
  return shares.length === 0 ? 1 : Math.max(1, tailOf / byChance);
}

function withAny(blocks: Float64Array, dust: number): number {
  let count = 0;
  for (let k = 0; k < blocks.length; k++) if ((blocks[k] ?? 0) > dust) count += 1;
  return count;
}

/** The probability of `count` or more out of `of`. */
function tail(count: number, of: number, p: number): number {
  if (count <= 0 || p >= 1) return 1;
  let term = (1 - p) ** of;
  let below = 0;
  for (let k = 0; k < count; k++) {
    below += term;
    term *= ((of - k) / (k + 1)) * (p / (1 - p));
  }
  if (below < 0.5) return 1 - below;
  // Summed from `count` on: 1 - below would lose what counts.
  let above = 0;
  for (let k = count; k <= of; k++) {
    above += term;
    term *= ((of - k) / (k + 1)) * (p / (1 - p));
  }
  return above;
}
