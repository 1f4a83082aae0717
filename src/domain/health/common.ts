import type { Sample } from '../../contract/health.js';
import { median } from './numbers.js';
import { type Change, usualChange } from './past.js';
import { within } from './readings.js';
import { leastChange, USUAL_Z_SCORE } from './robust.js';
import type { Subject } from './subject.js';

/** Fewer cells than this are no measure of what moves all of them. */
const FEWEST_OTHERS = 5;
const LEVEL_MS_IN_BLOCKS = 6;

/**
 * How far cells that were not deployed to went over the same time, in their own robust deviations: the median, or 0
 * where there are too few of them. A surge of load, or trouble with what all cells lean on, is on them as well
 * (differences in differences: Snow 1855; Card & Krueger 1994).
 */
export function commonChange(others: readonly Subject[], change: Change, nowMs: number): number {
  const z = others.flatMap((other) => changeOf(other, change, nowMs) ?? []);
  return z.length < FEWEST_OTHERS ? 0 : median(z);
}

/** The change of one signal up to now, in its own deviations; null where it was not measured. */
export function changeOf(subject: Subject, change: Change, nowMs: number): number | null {
  const { reading, past, scale } = subject;
  const usual = usualChange(past, change);
  const levelEndMs = nowMs - change.lagMs;
  const levels = levelsIn(subject, levelEndMs - LEVEL_MS_IN_BLOCKS * past.blockMs, levelEndMs);
  const stretch = levelsIn(subject, nowMs - change.stretchMs, nowMs);
  if (usual === null || levels.length === 0 || stretch.length === 0) return null;
  const level = median(levels);
  const floor = leastChange(reading, scale, level) / (reading.signal.zScore ?? USUAL_Z_SCORE);
  const spread = Math.max(usual.spread, floor);
  const now = change.kind === 'mean' ? stretch.reduce((a, b) => a + b, 0) / stretch.length : Math.min(...stretch);
  return spread > 0 ? (now - level) / spread : null;
}

function levelsIn({ reading, scale }: Subject, afterMs: number, untilMs: number): number[] {
  const of = (samples: readonly Sample[]) => within(samples, afterMs, untilMs).map(([, value]) => scale.of(value));
  return [...of(reading.past), ...of(reading.since)];
}
