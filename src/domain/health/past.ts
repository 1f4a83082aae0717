import type { HealthPolicy, Sample } from '../../contract/health.js';
import { quantileOfSorted } from './numbers.js';
import { baselineStepMs, type Reading } from './readings.js';
import type { Scale } from './scale.js';

/** The past of one signal in blocks, on its scale; block 0 is the newest. What is missing is NaN. */
export interface Past {
  blocks: Float64Array;
  /** The level before each block: the median over it and the five before. */
  levels: Float64Array;
  blockMs: number;
  /** When the newest block ends; NaN without any past. */
  endMs: number;
  /** What was worked out of it already: pure, and asked again at every look. */
  known: Map<string, Usual | null>;
}

/** How a stretch of samples is taken as one number: what all of it reaches, or its mean. */
export type Stretch = 'all-of-it' | 'mean';

/** A change that is asked for: a stretch that ends `lagMs` after the level that it is compared with. */
export interface Change {
  lagMs: number;
  stretchMs: number;
  kind: Stretch;
}

/** How much a signal moves by itself. */
export interface Usual {
  /** The robust standard deviation of such a change. */
  spread: number;
  /** The smallest that it could be, whatever the missing part of the past was. */
  leastSpread: number;
  /** The changes themselves, by the block at which the stretch ended; NaN where something of it is missing. */
  changes: Float64Array;
}

const LEVEL_BLOCKS = 6;
/** With fewer changes to compare with, nothing is said of how much a signal moves. */
const FEWEST_CHANGES = 24;
const MAD_TO_SIGMA = 1.4826;
const P95_TO_SIGMA = 1 / 1.645;

/** The past from `fromMs` on; the last sample in each block stands for it, as it is an average over about a block. */
export function pastOf({ past }: Reading, scale: Scale, policy: HealthPolicy, fromMs: number): Past {
  const blockMs = baselineStepMs(policy);
  const endMs = past.at(-1)?.[0] ?? Number.NaN;
  const count = Number.isNaN(endMs) ? 0 : Math.max(0, Math.round((endMs - fromMs) / blockMs));
  const blocks = blocksOf(past, endMs, blockMs, count, scale);
  const levels = new Float64Array(count);
  for (let k = 0; k < count; k++) levels[k] = levelAt(blocks, k);
  return { blocks, levels, blockMs, endMs, known: new Map() };
}

function blocksOf(past: readonly Sample[], endMs: number, blockMs: number, count: number, scale: Scale): Float64Array {
  const blocks = new Float64Array(count).fill(Number.NaN);
  for (let i = past.length - 1; i >= 0; i--) {
    const [at, value] = past[i] ?? [0, 0];
    const block = Math.floor((endMs - at) / blockMs);
    if (block >= count) break;
    if (Number.isNaN(blocks[block])) blocks[block] = scale.of(value);
  }
  return blocks;
}

/** NaN where half of it is missing. */
function levelAt(blocks: Float64Array, from: number): number {
  const present = blocks.subarray(from, from + LEVEL_BLOCKS).filter((v) => !Number.isNaN(v));
  return present.length * 2 > LEVEL_BLOCKS ? quantileOfSorted(present.sort(), 0.5) : Number.NaN;
}

/**
 * How much the signal changed by itself before: the same measure that is taken after the deployment, at every block of
 * the past, as if there had been a deployment. null: the past is too short to tell.
 *
 * Samples of a rate over five minutes that lie 30 s apart are far from independent, load has a memory of hours, and days
 * have a rhythm. None of that is modelled: changes over the same lag in the past have all of it in them, so their spread
 * is the right yardstick, and no samples are counted as if they were independent (a placebo in time: Bertrand, Duflo &
 * Mullainathan, How Much Should We Trust Differences-in-Differences Estimates?, 2004).
 *
 * The spread is the larger of 1.4826 times the median absolute change (MAD: past incidents do not hide the next one) and
 * the 95th percentile of changes for the worse over 1.645 (heavy tails and the steep hours of a daily rhythm count).
 */
export function usualChange(past: Past, { lagMs, stretchMs, kind }: Change): Usual | null {
  const lag = Math.max(0, Math.round(lagMs / past.blockMs));
  const width = Math.max(1, Math.round(stretchMs / past.blockMs)) + (kind === 'mean' ? 0 : 1);
  const key = `${lag} ${width} ${kind}`;
  const known = past.known.get(key);
  if (known !== undefined) return known;
  const usual = spreadOf(changesOf(past, lag, width, kind));
  past.known.set(key, usual);
  return usual;
}

function spreadOf(changes: Float64Array): Usual | null {
  const present = changes.filter((c) => !Number.isNaN(c)).sort();
  if (present.length < FEWEST_CHANGES) return null;
  const absolute = present.map(Math.abs).sort();
  const tail = P95_TO_SIGMA * quantileOfSorted(present, 0.95);
  return {
    spread: Math.max(MAD_TO_SIGMA * quantileOfSorted(absolute, 0.5), tail),
    leastSpread: MAD_TO_SIGMA * medianWithZeros(absolute, changes.length - present.length),
    changes,
  };
}

/** The median as if what is missing had been no change at all. */
function medianWithZeros(absolute: Float64Array, zeros: number): number {
  const at = Math.floor((absolute.length + zeros - 1) / 2) - zeros;
  return at < 0 ? 0 : (absolute[at] ?? 0);
}

function changesOf(past: Past, lag: number, width: number, kind: Stretch): Float64Array {
  const count = Math.max(0, past.blocks.length - lag - LEVEL_BLOCKS + 1);
  const changes = new Float64Array(count);
  for (let k = 0; k < count; k++) {
    changes[k] = stretchAt(past.blocks, k, width, kind) - (past.levels[k + lag] ?? Number.NaN);
  }
  return changes;
}

/** NaN where something of it is missing: Math.min and sums carry it on. */
function stretchAt(blocks: Float64Array, from: number, width: number, kind: Stretch): number {
  let [least, sum] = [Number.POSITIVE_INFINITY, 0];
  for (let i = from; i < from + width; i++) {
    const value = blocks[i] ?? Number.NaN;
    least = Math.min(least, value);
    sum += value;
  }
  return kind === 'mean' ? sum / width : least;
}
