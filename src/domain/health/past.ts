import type { HealthPolicy, Sample } from '../../contract/health.js';
import { MAD_TO_SIGMA, P95_TO_SIGMA, quantileOfSorted } from './numbers.js';
import { BLOCKS_AT_MOST, baselineStepMs, type Reading, sustainedMs } from './readings.js';
import type { Scale } from './scale.js';

/** The past of one signal in blocks; block 0 is the newest. */
export interface Past {
  /** The amount (see `Scale`) in each block; NaN where nothing was measured. */
  blocks: Float64Array;
  blockMs: number;
  /** When the newest block ends; NaN without any past. */
  endMs: number;
  /** How many blocks were measured. */
  measured: number;
  /** What one bad event more adds to the amount of a block, where events are so few that it matters; otherwise 0. */
  oneEvent: number;
  scale: Scale;
  /** What was worked out of it already: pure, and asked again at every look. */
  known: Map<string, Usual | null>;
  /** Levels and means by the length of the stretch, for the same reason. */
  averages: Map<number, Averages>;
}

/** For each block: the level before it, and the mean of the stretch that ends with it. NaN where too much is missing. */
interface Averages {
  levels: Float64Array;
  stretches: Float64Array;
}

/** A change that is asked for: a stretch of so many blocks that ends `lag` blocks after the level it is compared with. */
export interface Change {
  lag: number;
  stretch: number;
}

/** What a signal was before the deployment, and how much it moves by itself. On its scale. */
export interface Usual {
  level: number;
  /** The robust standard deviation of such a change. */
  spread: number;
  /** The smallest that it could be, whatever the missing part of the past was. */
  leastSpread: number;
  /** The changes themselves, by the block at which the stretch ended; NaN where something of it is missing. */
  changes: Float64Array;
}

/** The level is the median over three groups of blocks of this size, so that one burst does not move it. */
const GROUP_BLOCKS = 4;
/** With fewer changes to compare with, nothing is said of how much a signal moves. */
const FEWEST_CHANGES = 24;
/** The standard deviation of the root of a count (Anscombe 1948), for one event in a block. */
const ROOT_OF_COUNT = 0.5;
/** From this share of blocks without any bad event on, single events are what is seen. */
const FEW_EVENTS = 0.02;

/** The past from `fromMs` on; the last sample in each block stands for it, as it is an average over about a block. */
export function pastOf({ past }: Reading, scale: Scale, policy: HealthPolicy, fromMs: number): Past {
  const blockMs = baselineStepMs(policy);
  const endMs = past.at(-1)?.[0] ?? Number.NaN;
  const count = Number.isNaN(endMs) ? 0 : Math.max(0, Math.round((endMs - fromMs) / blockMs));
  const blocks = blocksOf(past, endMs, blockMs, count, scale);
  const oneEvent = scale.counts ? oneEventOf(blocks) : 0;
  const measured = blocks.reduce((count, amount) => count + (Number.isNaN(amount) ? 0 : 1), 0);
  return { blocks, blockMs, endMs, measured, scale, oneEvent, known: new Map(), averages: new Map() };
}

/**
 * The degrees of freedom of what is estimated from windows of the past: those that do not overlap, less one for their
 * middle. Between overlapping ones there is little news.
 */
export const freedomOfPast = ({ measured }: Past, length: number): number => measured / length - 1;

function blocksOf(past: readonly Sample[], endMs: number, blockMs: number, count: number, scale: Scale): Float64Array {
  const blocks = new Float64Array(count).fill(Number.NaN);
  for (let i = past.length - 1; i >= 0; i--) {
    const [at, value] = past[i] ?? [0, 0];
    const block = Math.floor((endMs - at) / blockMs);
    if (block >= count) break;
    if (Number.isNaN(blocks[block])) blocks[block] = scale.amount(value);
  }
  return blocks;
}

/**
 * Where there are blocks without any bad event: the smallest amount above none; and where most blocks are so, the middle
 * one of those above none, as most of them have a single event, and what it makes depends on the traffic of the block.
 */
function oneEventOf(blocks: Float64Array): number {
  const sorted = blocks.filter((v) => !Number.isNaN(v)).sort();
  const none = sorted.findIndex((v) => v > dustOf(blocks));
  if (none <= FEW_EVENTS * sorted.length) return 0;
  return sorted[none * 2 > sorted.length ? (none + sorted.length - 1) >> 1 : none] ?? 0;
}

/** Rounding of 1 - x leaves this much at most, which is none. */
export function dustOf(blocks: Float64Array): number {
  let most = 0;
  for (const amount of blocks) if (amount > most) most = amount;
  return 1e-9 * most;
}

/**
 * What the signal was before, and how much it changed by itself: the same measure that is taken after the deployment (the
 * mean of a stretch against the level before) at every block of the past, as if there had been a deployment. null: the
 * past is too short, or too much of it is missing, to tell.
 *
 * Samples of a rate over five minutes that lie 30 s apart are far from independent, load has a memory of hours, and days
 * have a rhythm. None of that is modelled: changes over the same lag in the past have all of it in them, so their spread
 * is the right yardstick, and no samples are counted as if they were independent (a placebo in time: Bertrand, Duflo &
 * Mullainathan, How Much Should We Trust Differences-in-Differences Estimates?, 2004).
 *
 * The spread is the largest of 1.4826 times the median absolute change (MAD: past incidents do not hide the next one), the
 * 95th percentile of changes for the worse over 1.645 (heavy tails and the steep hours of a daily rhythm count), and what
 * chance alone does where events are few: half of the root of one event, the standard deviation of the root of a count.
 */
export function usualChange(past: Past, { lag, stretch }: Change): Usual | null {
  const key = `${lag} ${stretch}`;
  const known = past.known.get(key);
  if (known !== undefined) return known;
  const usual = usualOf(past, lag, stretch);
  past.known.set(key, usual);
  return usual;
}

function usualOf(past: Past, lag: number, stretch: number): Usual | null {
  const { levels, stretches } = averagesOf(past, stretch);
  const level = levels[0] ?? Number.NaN;
  const count = Math.max(0, past.blocks.length - lag - groupOf(stretch) + 1);
  const changes = new Float64Array(count);
  for (let k = 0; k < count; k++) changes[k] = (stretches[k] ?? Number.NaN) - (levels[k + lag] ?? Number.NaN);
  const present = changes.filter((c) => !Number.isNaN(c)).sort();
  if (present.length < FEWEST_CHANGES || Number.isNaN(level)) return null;
  const absolute = absoluteOf(present);
  const chance = ROOT_OF_COUNT * Math.sqrt(past.oneEvent / stretch);
  const tail = P95_TO_SIGMA * quantileOfSorted(present, 0.95);
  return {
    level,
    spread: Math.max(MAD_TO_SIGMA * quantileOfSorted(absolute, 0.5), tail, chance),
    leastSpread: Math.max(MAD_TO_SIGMA * medianWithZeros(absolute, count - present.length), chance),
    changes,
  };
}

/** What sorted numbers are without their sign, sorted too: both ends merged, which is faster than to sort again. */
function absoluteOf(sorted: Float64Array): Float64Array {
  const absolute = new Float64Array(sorted.length);
  let [low, high] = [0, sorted.length - 1];
  for (let i = high; i >= 0; i--) {
    const [below, above] = [Math.abs(sorted[low] ?? 0), Math.abs(sorted[high] ?? 0)];
    absolute[i] = Math.max(below, above);
    if (below > above) low += 1;
    else high -= 1;
  }
  return absolute;
}

const groupOf = (stretch: number): number => Math.max(GROUP_BLOCKS, stretch);

/**
 * A lag in blocks, coarser the longer it is: how much a signal moves in two hours is much the same as in two and a
 * quarter, and worked out only once.
 */
export function lagOf(blocks: number): number {
  const coarse = blocks <= 6 ? 1 : 2 ** Math.floor(Math.log2(blocks / 3));
  return Math.max(0, Math.round(blocks / coarse) * coarse);
}

/** After so many blocks three windows in a row can convict for the first time: a watch is worth nothing before. */
const FIRST_CONVICTION = 4;

/**
 * The shortest baseline, in ms, that a cell can be compared with over a watch of `watchedMs`, where nothing of it is
 * missing and the deployment took no time. Steps of the past grow with a long baseline, so there it need only be longer
 * than the watch.
 */
export function leastBaselineMs(policy: HealthPolicy, watchedMs: number): number {
  const stepMs = sustainedMs(policy);
  const lag = lagOf(Math.max(FIRST_CONVICTION, watchedMs / stepMs));
  const blocks = lag + GROUP_BLOCKS + FEWEST_CHANGES - 1;
  return blocks > BLOCKS_AT_MOST ? watchedMs * (1 + 1 / BLOCKS_AT_MOST) : Math.max(watchedMs, blocks * stepMs);
}

function averagesOf(past: Past, stretch: number): Averages {
  const known = past.averages.get(stretch);
  if (known) return known;
  const { blocks, scale } = past;
  const sums = new Sums(blocks);
  const group = groupOf(stretch);
  const groups = Float64Array.from(blocks, (_, k) => scale.level(sums.mean(k, group)));
  const levels = Float64Array.from(blocks, (_, k) =>
    middleOfThree(groups[k] ?? Number.NaN, groups[k + group] ?? Number.NaN, groups[k + 2 * group] ?? Number.NaN),
  );
  const averages = { levels, stretches: Float64Array.from(blocks, (_, k) => scale.level(sums.mean(k, stretch))) };
  past.averages.set(stretch, averages);
  return averages;
}

/** Of those that are there: of one missing, the mean of the other two; NaN only where all are. */
function middleOfThree(a: number, b: number, c: number): number {
  const middle = Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
  if (!Number.isNaN(middle)) return middle;
  const there = [a, b, c].filter((v) => !Number.isNaN(v));
  return there.reduce((sum, v) => sum + v, 0) / there.length;
}

/** Means over blocks, in constant time. */
class Sums {
  private readonly sums: Float64Array;
  private readonly counts: Uint32Array;

  constructor(private readonly blocks: Float64Array) {
    this.sums = new Float64Array(blocks.length + 1);
    this.counts = new Uint32Array(blocks.length + 1);
    for (let k = 0; k < blocks.length; k++) {
      const value = blocks[k] ?? Number.NaN;
      const there = Number.isNaN(value) ? 0 : 1;
      this.sums[k + 1] = (this.sums[k] ?? 0) + (there ? value : 0);
      this.counts[k + 1] = (this.counts[k] ?? 0) + there;
    }
  }

  /** NaN where more than half of it is missing, or lies before the past. */
  mean(from: number, length: number): number {
    const to = from + length;
    if (to > this.blocks.length) return Number.NaN;
    const count = (this.counts[to] ?? 0) - (this.counts[from] ?? 0);
    return count * 2 > length ? ((this.sums[to] ?? 0) - (this.sums[from] ?? 0)) / count : Number.NaN;
  }
}

/** The median as if what is missing had been no change at all. */
function medianWithZeros(absolute: Float64Array, zeros: number): number {
  const at = Math.floor((absolute.length + zeros - 1) / 2) - zeros;
  return at < 0 ? 0 : (absolute[at] ?? 0);
}
