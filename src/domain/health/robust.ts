import type { HealthPolicy, Sample } from '../../contract/health.js';
import { type Finding, shown } from './evidence.js';
import { quantileOfSorted } from './numbers.js';
import { type Change, type Past, type Usual, usualChange } from './past.js';
import { budgetOf, type Reading, sustainedMs, within } from './readings.js';
import type { Scale } from './scale.js';
import type { Subject } from './subject.js';

/** How far a signal is from its own past, in robust standard deviations for the worse. */
export interface Deviation {
  z: number;
  /** The same on the least favourable view of what is missing of the past: only this one acquits. */
  worstZ: number;
  /** Before the deployment, now, and one deviation: on the signal's scale. */
  level: number;
  now: number;
  spread: number;
  change: Change;
  window: readonly Sample[];
}

/** Without a z-score of its own, a signal is held to this one where it must not become worse. */
export const USUAL_Z_SCORE = 3;

/** A change counts from this share of the budget that an objective leaves, whatever a signal's own noise is. */
const LEAST_OF_BUDGET = 0.5;
/** Without an objective: from this share of the level on its scale (a tenth of the value, under a square root). */
const LEAST_OF_LEVEL = 0.05;

/**
 * The robust z-score of a cell against its own past: what the signal has reached in all samples of the last minutes (of
 * five, with the defaults), less its level in the half hour before the deployment, in robust standard deviations of such
 * a change over the whole baseline. null: too little was measured, before or after.
 *
 * After Iglewicz & Hoaglin, How to Detect and Handle Outliers (1993), whose modified z-score takes median and MAD for
 * mean and deviation, and the alerts in use on the legacy stages (|z| > 3 for five minutes). Differently from those, the
 * yardstick is the change over the same lag and not the level: see `usualChange`. A rise that the cell also had a day
 * before at the same hour, where it stands out, is its rhythm and is taken off; a baseline shorter than a day shows none.
 *
 * The spread has a floor, for a signal that hardly moves: below it a change may be real, and is of no consequence.
 */
export function deviationOf({ reading, past, scale }: Subject, policy: HealthPolicy): Deviation | null {
  const stretchMs = sustainedMs(policy);
  const window = within(reading.since, Math.max(reading.nowMs - stretchMs, reading.cleanFromMs - 1), reading.nowMs);
  if (window.length < policy.minSamples) return null;
  const change: Change = { lagMs: reading.nowMs - past.endMs, stretchMs, kind: 'all-of-it' };
  const usual = usualChange(past, change);
  const level = past.levels[0] ?? Number.NaN;
  if (usual === null || Number.isNaN(level)) return null;
  const now = Math.min(...window.map(([, value]) => scale.of(value)));
  const floor = leastChange(reading, scale, level) / (reading.signal.zScore ?? USUAL_Z_SCORE);
  const spread = Math.max(usual.spread, floor);
  const rise = now - level - rhythmOf(past, usual, change);
  return {
    z: over(rise, spread),
    worstZ: over(rise, Math.max(Math.min(usual.leastSpread, usual.spread), floor)),
    level,
    now,
    spread,
    change,
    window,
  };
}

/**
 * The finding of the z-score. `common` tells how far cells that were not deployed to went at the same time, and is asked
 * only where it matters; what they all did, the deployment did not do.
 */
export function zScoreFinding(
  subject: Subject,
  policy: HealthPolicy,
  common: (change: Change) => number,
): Finding | null {
  const { name, signal } = subject.reading;
  if (signal.zScore === undefined || subject.young) return null;
  const found = deviationOf(subject, policy);
  if (found === null) return pastMissing(subject);
  const shared = found.worstZ < signal.zScore ? 0 : Math.max(0, common(found.change));
  const verdict =
    found.z - shared >= signal.zScore
      ? 'unhealthy'
      : found.worstZ - shared >= signal.zScore
        ? 'inconclusive'
        : 'healthy';
  const { scale } = subject;
  const [value, baseline] = [scale.back(found.now), scale.back(found.level)];
  const threshold = scale.back(found.level + (signal.zScore + shared) * found.spread);
  const how = `${shown(found.z - shared)} robust deviations ${scale.direction === 'lower' ? 'below' : 'above'}`;
  const sentence = `${name} is ${shown(value)}, ${how} its level of ${shown(baseline)} before; the line is ${signal.zScore}`;
  return { signal: name, rule: 'z-score', verdict, sentence, window: found.window, value, baseline, threshold };
}

/** Only where enough was measured since: otherwise it is that which is said. */
function pastMissing({ reading, past }: Subject): Finding {
  const sentence = `${reading.name} has too little of a past to compare with: ${past.blocks.length} blocks, most of them empty`;
  return { signal: reading.name, rule: 'data', verdict: 'inconclusive', sentence, window: reading.past };
}

/** A rise of the day before is taken for rhythm where it is more than so many deviations. */
const STANDS_OUT = 3;
const DAY_MS = 86_400_000;

/** By how much the signal rose a day before at the same time; 0 where that does not stand out or is not known. */
function rhythmOf({ blocks, blockMs }: Past, { spread }: Usual, { lagMs }: Change): number {
  const dayBefore = Math.round(DAY_MS / blockMs);
  const then = Math.round((DAY_MS - lagMs) / blockMs);
  const rise = middleOf(blocks, then - 1, then + 1) - middleOf(blocks, dayBefore - 3, dayBefore - 1);
  return rise > STANDS_OUT * spread ? rise : 0;
}

function middleOf(blocks: Float64Array, first: number, last: number): number {
  const present = blocks.subarray(Math.max(0, first), Math.max(0, last + 1)).filter((v) => !Number.isNaN(v));
  return quantileOfSorted(present.sort(), 0.5);
}

/** 0 over 0 is no deviation; anything over 0 is one without bound. */
const over = (change: number, spread: number): number => (change === 0 ? 0 : change / spread);

/** The smallest change on the scale that matters. */
export function leastChange({ signal }: Reading, scale: Scale, level: number): number {
  const { slo, worse } = signal;
  if (slo === undefined) return LEAST_OF_LEVEL * Math.abs(level);
  const value = scale.back(level);
  const bearable = LEAST_OF_BUDGET * budgetOf(slo, worse);
  return scale.of(worse === 'lower' ? value - bearable : value + bearable) - level;
}
