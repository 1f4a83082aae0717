import type { Sample } from '../../contract/health.js';
import { mean, median } from './numbers.js';
import { type Change, usualChange } from './past.js';
import { within } from './readings.js';
import { leastChange, USUAL_Z_SCORE } from './robust.js';
import type { Subject } from './subject.js';

/** Fewer cells than this are no measure of what moves all of them. */
export const FEWEST_OTHERS = 5;
/** Blocks of one group that the level of another cell is taken over. */
const LEVEL_BLOCKS = 4;

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
  return onNew.flatMap((other) => changeOf(other, recent, nowMs) ?? []);
}

/** The median of what the others did; 0 where there are too few of them to say. */
export function commonChange(others: Others, change: Change, nowMs: number): number {
  const changes = changesOfOthers(others, change, nowMs);
  return changes.length < FEWEST_OTHERS ? 0 : median(changes);
}

/** The change of one signal up to now, in its own deviations; null where it was not measured. */
function changeOf(subject: Subject, change: Change, nowMs: number): number | null {
  const { reading, past, scale } = subject;
  const usual = usualChange(past, change);
  const level = levelAt(subject, nowMs - change.lag * past.blockMs);
  const lately = amountsIn(subject, nowMs - change.stretch * past.blockMs, nowMs);
  if (usual === null || level === null || lately.length === 0) return null;
  const floor = leastChange(reading, scale, level) / (reading.signal.zScore ?? USUAL_Z_SCORE);
  const spread = Math.max(usual.spread, floor);
  return spread > 0 ? (scale.level(mean(lately)) - level) / spread : null;
}

/** The level before an instant: the median over three groups of blocks, as before a deployment. */
function levelAt(subject: Subject, endMs: number): number | null {
  const group = LEVEL_BLOCKS * subject.past.blockMs;
  const groups = [0, 1, 2].map((g) => amountsIn(subject, endMs - (g + 1) * group, endMs - g * group));
  const levels = groups.filter((g) => g.length > 0).map((g) => subject.scale.level(mean(g)));
  return levels.length === 0 ? null : median(levels);
}

function amountsIn({ reading, scale }: Subject, afterMs: number, untilMs: number): number[] {
  const of = (samples: readonly Sample[]) => within(samples, afterMs, untilMs).map(([, v]) => scale.amount(v));
  return [...of(reading.past), ...of(reading.since)];
}
