import type { HealthPolicy } from '../../contract/health.js';
import { studentUpper } from './numbers.js';
import { directionsOf } from './scale.js';

/**
 * The share of good packages that comparisons of single cells with their own past may stop in one pass over a ring, by
 * chance and however often they are made. The comparison over the ring has as much for itself: together one in a hundred.
 */
const ERROR_ALLOWED = 0.005;

/** Without a z-score of its own, a signal is held to this one. */
export const USUAL_Z_SCORE = 3;

/** How many comparisons are made at one look. */
export interface Comparisons {
  /** Cells. */
  cells: number;
  /** Signals held to a z-score, in each direction that is worse. */
  perCell: number;
}

export function comparisonsOf({ signals }: HealthPolicy, cells: number): Comparisons {
  const asked = Object.values(signals).filter(({ zScore }) => zScore !== undefined);
  return { cells: Math.max(1, cells), perCell: Math.max(1, asked.flatMap(directionsOf).length) };
}

/** What each comparison of one signal of one cell may err by. */
export const shareOfEach = ({ cells, perCell }: Comparisons): number => ERROR_ALLOWED / (cells * perCell);

/**
 * How many robust deviations convict a cell so many blocks after its deployment, and never fewer than its signal's
 * `zScore`: a good package must not be stopped because twenty cells with six comparisons each are looked at for hours,
 * where one comparison at z = 3 errs once in 741.
 *
 * The error allowed is shared out equally over cells, signals and lengths of window (Bonferroni's inequality: Dunn,
 * Multiple Comparisons Among Means, 1961).
 *
 * Over time it is shared out by 1 / (k (k + 1)) to the k-th doubling of the time since, which adds up to 1 for any number
 * of looks (alpha spending: Lan & DeMets, Discrete Sequential Boundaries for Clinical Trials, 1983; by epochs as in
 * Howard et al., Time-uniform, Nonparametric, Nonasymptotic Confidence Sequences, 2021). Windows of looks within one
 * doubling overlap, as what convicts must last for a share of the time since.
 *
 * A deviation that was estimated from few windows of the past, or from few cells, is itself uncertain, and its multiples
 * are further out than a normal variable's: `freedom` are the degrees that it was estimated with (`studentUpper`).
 */
export function lineAt(
  zScore: number,
  { cells, perCell }: Comparisons,
  { blocks, lengths, freedom }: { blocks: number; lengths: number; freedom: number },
): number {
  const epoch = 1 + Math.floor(Math.log2(Math.max(1, blocks)));
  const share = shareOfEach({ cells, perCell }) / lengths / (epoch * (epoch + 1));
  return Math.max(zScore, studentUpper(share, freedom));
}
