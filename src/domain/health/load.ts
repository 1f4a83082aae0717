import { deviations, median } from './numbers.js';
import { amountBetween } from './readings.js';
import type { Deviation } from './robust.js';
import type { Subject } from './subject.js';

/** More traffic than this share of what there was before the deployment may be a reason by itself. */
const MORE = 1.1;
/** Blocks of the past with nearly as much traffic as now. */
const NEARLY = 0.9;
/** Fewer of them say nothing: an hour, with the defaults. */
const FEWEST_BLOCKS = 12;
/** The traffic before the deployment is looked at over the blocks that the level is. */
const LEVEL_BLOCKS = 12;

/**
 * By how many deviations the signal was worse in the past, too, when the cell had as much traffic as now; 0 where there is
 * no more traffic than before the deployment, or there never was so much in the baseline.
 *
 * A busier hour makes a cell slower without any package. Before and after are therefore compared at the same load, block
 * by block of the past (stratification: Cochran, The Effectiveness of Adjustment by Subclassification in Removing Bias in
 * Observational Studies, 1968).
 */
export function explainedByLoad(subject: Subject, traffic: Subject, found: Deviation, untilMs: number): number {
  const { past, scale } = subject;
  const now = meanSince(traffic, untilMs - found.change.stretch * past.blockMs, untilMs);
  const before = median(present(traffic.past.blocks.subarray(0, LEVEL_BLOCKS)));
  if (now === null || !(now > MORE * before)) return 0;
  const alike: number[] = [];
  past.blocks.forEach((amount, k) => {
    if (!Number.isNaN(amount) && (traffic.past.blocks[k] ?? Number.NaN) >= NEARLY * now) alike.push(amount);
  });
  if (alike.length < FEWEST_BLOCKS) return 0;
  return deviations(Math.max(0, scale.level(median(alike)) - found.level), found.spread);
}

const present = (blocks: Float64Array): number[] => [...blocks].filter((amount) => !Number.isNaN(amount));

function meanSince({ reading, scale }: Subject, afterMs: number, untilMs: number): number | null {
  const { sum, count } = amountBetween(reading.since, scale.amount, afterMs, untilMs);
  return count === 0 ? null : sum / count;
}
