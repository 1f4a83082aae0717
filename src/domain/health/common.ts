import { MAD_TO_SIGMA, median, P95_TO_SIGMA, quantile } from './numbers.js';
import { type Change, usualChange } from './past.js';
import { amountBetween } from './readings.js';
import { leastChange, USUAL_Z_SCORE } from './robust.js';
import type { Subject } from './subject.js';

/** Fewer cells than this are no measure of what moves all of them. */
export const FEWEST_OTHERS = 5;
/** Blocks of one group that the level of another cell is taken over. */
const LEVEL_BLOCKS = 4;
/** For so many blocks after the first clean sample the restart may still be in it. */
const RESTART_BLOCKS = 1;

/** Cells that a cell is compared with: one signal of each, at the same time. */
export interface Others {
  /** Cells on the old package. */
  onOld: readonly Subject[];
  /** Other cells on the new one. */
  onNew: readonly Subject[];
}

/**
 * How far other cells went, each in its own robust deviations. A surge of load, or trouble with what all cells lean on,
 * is on them as well, and no fault of the package (differences in differences: Snow 1855; Card & Krueger 1994).
 *
 * Cells on the old package are asked for the same change. Where there are too few of them, the other cells on the new
 * one are asked for what they did just now, all at once: they were deployed to at different times, so that what comes
 * over all of them in the same minutes does not come from there.
 */
export function changesOfOthers({ onOld, onNew }: Others, change: Change, nowMs: number): number[] {
  const old = onOld.flatMap((other) => changeOf(other, change, nowMs) ?? []);
  if (old.length >= FEWEST_OTHERS) return old;
  const recent = { lag: Math.min(change.lag, 3 * change.stretch), stretch: change.stretch };
  const settled = onNew.filter((other) => isSettled(other, recent, nowMs));
  return settled.flatMap((other) => changeOf(other, recent, nowMs) ?? []);
}

/** Whether a cell's own restart is no longer in what is measured of it; without a deployment there was none. */
function isSettled({ reading, past }: Subject, { stretch }: Change, nowMs: number): boolean {
  return !(nowMs - reading.cleanFromMs < (stretch + RESTART_BLOCKS) * past.blockMs);
}

/**
 * What other cells did at the same time, in their own deviations. A cell is held to what cells without its deployment do
 * (a placebo in space: Abadie, Diamond & Hainmueller, Synthetic Control Methods for Comparative Case Studies, 2010): a
 * Monday after a Sunday moves some of them further than the day before has ever seen.
 */
export interface CommonChange {
  /** The median; 0 where there are too few of them to say. */
  middle: number;
  /** How far they are apart, by MAD; at least 1, which is what their own pasts say. */
  spread: number;
  /** The same by the 95th percentile for the worse. */
  tail: number;
}

export const NOTHING_COMMON: CommonChange = { middle: 0, spread: 1, tail: 1 };

export const commonChange = (others: Others, change: Change, nowMs: number): CommonChange =>
  commonOf(changesOfOthers(others, change, nowMs));

export function commonOf(changes: readonly number[]): CommonChange {
  if (changes.length < FEWEST_OTHERS) return NOTHING_COMMON;
  const middle = median(changes);
  const spread = Math.max(1, MAD_TO_SIGMA * median(changes.map((c) => Math.abs(c - middle))));
  return { middle, spread, tail: Math.max(spread, P95_TO_SIGMA * (quantile(changes, 0.95) - middle)) };
}

/** The change of one signal up to now, in its own deviations; null where it was not measured. */
function changeOf(subject: Subject, change: Change, nowMs: number): number | null {
  const key = `${change.lag} ${change.stretch} ${nowMs}`;
  const known = subject.changes.get(key);
  if (known !== undefined) return known;
  const found = changeUpTo(subject, change, nowMs);
  subject.changes.set(key, found);
  return found;
}

function changeUpTo(subject: Subject, change: Change, nowMs: number): number | null {
  const { reading, past, scale } = subject;
  const usual = usualChange(past, change);
  const level = levelAt(subject, nowMs - change.lag * past.blockMs);
  const lately = meanAmount(subject, nowMs - change.stretch * past.blockMs, nowMs);
  if (usual === null || level === null || lately === null) return null;
  const floor = leastChange(reading, scale, level) / (reading.signal.zScore ?? USUAL_Z_SCORE);
  const spread = Math.max(usual.spread, floor);
  return spread > 0 ? (scale.level(lately) - level) / spread : null;
}

/** The level before an instant: the median over three groups of blocks, as before a deployment. */
function levelAt(subject: Subject, endMs: number): number | null {
  const group = LEVEL_BLOCKS * subject.past.blockMs;
  const levels = [0, 1, 2].flatMap((g) => {
    const amount = meanAmount(subject, endMs - (g + 1) * group, endMs - g * group);
    return amount === null ? [] : [subject.scale.level(amount)];
  });
  return levels.length === 0 ? null : median(levels);
}

/** Over the past and what came since, as one; null where nothing was measured. */
function meanAmount({ reading, scale }: Subject, afterMs: number, untilMs: number): number | null {
  const [past, since] = [reading.past, reading.since].map((s) => amountBetween(s, scale.amount, afterMs, untilMs));
  const count = (past?.count ?? 0) + (since?.count ?? 0);
  return count === 0 ? null : ((past?.sum ?? 0) + (since?.sum ?? 0)) / count;
}
