import type { HealthPolicy, Sample, Verdict } from '../../contract/health.js';
import { type Finding, shown } from './evidence.js';
import { quantileOfSorted } from './numbers.js';
import { type Change, type Past, type Usual, usualChange } from './past.js';
import { budgetOf, type Reading, within } from './readings.js';
import type { Scale } from './scale.js';
import type { Subject } from './subject.js';

/** How far a signal went from its own past over one stretch, in robust standard deviations for the worse. */
export interface Deviation {
  z: number;
  /** The same on the least favourable view of what is missing of the past: only this one acquits. */
  worstZ: number;
  level: number;
  now: number;
  spread: number;
  change: Change;
  window: readonly Sample[];
}

/** Without a z-score of its own, a signal is held to this one. */
export const USUAL_Z_SCORE = 3;
/**
 * Windows that may convict, in blocks: three of 5, of 10 or of 20 minutes in a row, with the defaults. Short ones where
 * the objective is broken all the while; where it is kept, or there is none, there is time for longer ones.
 */
const WINDOWS = [1, 2, 4] as const;
const SHORTEST_WITHIN_OBJECTIVE = 2;
/** A change within the objective that begins later, in blocks, is no longer laid to the deployment. */
const LATEST_WITHIN_OBJECTIVE = 12;
const IN_A_ROW = 3;
/** With fewer windows than can convict, this share of the line is enough to wait for more. */
const EARLY_DOUBT = 2 / 3;
/** After so many blocks every window that may convict has had its time, and doubt alone holds nothing up. */
const NO_DOUBT_AFTER = 12;

/** A change counts from this share of the budget that an objective leaves, whatever a signal's own noise is. */
const LEAST_OF_BUDGET = 0.5;
/** Without an objective: from this share of the level on its scale (a tenth of the value, under a square root). */
const LEAST_OF_LEVEL = 0.05;

/** How far the signal went over `blocks` blocks up to `untilMs`; null: too little was measured, before or after. */
export function deviationOf(
  { reading, past, scale }: Subject,
  blocks: number,
  untilMs: number = reading.nowMs,
): Deviation | null {
  const change: Change = { lag: lagOf((untilMs - past.endMs) / past.blockMs), stretch: blocks };
  const usual = usualChange(past, change);
  const window = windowOf(reading, untilMs, blocks * past.blockMs);
  if (usual === null || window.length === 0) return null;
  const { level } = usual;
  const now = levelOver(window, scale);
  const floor = leastChange(reading, scale, level) / (reading.signal.zScore ?? USUAL_Z_SCORE);
  const spread = Math.max(usual.spread, floor);
  const leastSpread = Math.max(Math.min(usual.leastSpread, usual.spread), floor);
  const rise = now - level;
  // Looked up only where it can take anything off that matters.
  const rhythm = rise > leastSpread ? rhythmOf(past, usual, change) : 0;
  return {
    z: over(rise - rhythm, spread),
    worstZ: over(rise - rhythm, leastSpread),
    level,
    now,
    spread,
    change,
    window,
  };
}

/**
 * A lag in blocks, coarser the longer it is: how much a signal moves in two hours is much the same as in two and a
 * quarter, and worked out only once.
 */
function lagOf(blocks: number): number {
  const coarse = blocks <= 6 ? 1 : 2 ** Math.floor(Math.log2(blocks / 3));
  return Math.max(0, Math.round(blocks / coarse) * coarse);
}

const levelOver = (samples: readonly Sample[], scale: Scale): number => {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += scale.amount((samples[i] as Sample)[1]);
  return scale.level(sum / samples.length);
};

/**
 * Samples that together measure `lengthMs` up to `untilMs`: each looks back itself, so the first ones are left out that
 * look further. At least the newest.
 */
function windowOf({ since, rangeMs }: Reading, untilMs: number, lengthMs: number): readonly Sample[] {
  const window = within(since, untilMs - Math.max(0, lengthMs - rangeMs) - 1, untilMs);
  return window.length > 0 ? window : within(since, untilMs - lengthMs, untilMs).slice(-1);
}

/**
 * The robust z-score of a cell against its own past: the mean over a window, less the level before the deployment, in
 * robust standard deviations of such a change over the whole baseline (`usualChange`). Three windows in a row that lie
 * beyond `zScore` convict: of 5 minutes each (with the defaults) where the objective is broken, of 10 or 20 minutes else
 * and in the first hour only, so that a fault convicts that is small or that a small cell has, and a burst or a restart
 * does not, however high it is. What comes later and breaks no objective, the past of one day cannot lay to the package.
 *
 * After Iglewicz & Hoaglin, How to Detect and Handle Outliers (1993), whose modified z-score takes median and MAD for
 * mean and deviation, and the alerts in use on the legacy stages (|z| > 3 for five minutes). Differently from those, the
 * yardstick is the change over the same lag and not the level; and as samples of a rate over five minutes are all about
 * the same five minutes, three windows stand where those alerts have ten samples: looks at every signal of every cell
 * each 30 s are thousands in a ring, and one comparison at z = 3 errs once in 741.
 *
 * While there are fewer windows than may convict, the newest one must be well below the line; in the first hour the mean
 * of all that was measured must be below it; otherwise it is inconclusive, and more is measured. A rise that the cell also
 * had a day before at the same hour, where it stands out, is its rhythm and is taken off; a baseline shorter than a day
 * shows none. The spread has a floor, for a signal that hardly moves: below it a change may be real, and is of no
 * consequence.
 *
 * `common` tells how far cells that were not deployed to went at the same time, and is asked only where it matters: what
 * they did as well, the deployment did not do. null: the signal is not to be compared with a past.
 */
export function zScoreFinding(subject: Subject, policy: HealthPolicy, common: Common): Finding | null {
  const { zScore } = subject.reading.signal;
  if (zScore === undefined || subject.young) return null;
  const compared = compareWithPast(subject, policy, zScore, common);
  if (compared === null) return blocksSince(subject, policy) < 1 ? null : pastMissing(subject);
  return findingOf(subject, compared, zScore);
}

export interface Compared {
  verdict: Verdict;
  deviation: Deviation;
}

/** The comparison itself, held to `zScore`; null where it cannot be made. */
export function compareWithPast(
  subject: Subject,
  policy: HealthPolicy,
  zScore: number,
  common: Common,
): Compared | null {
  const blocks = blocksSince(subject, policy);
  if (blocks < 1) return null;
  for (const window of WINDOWS) {
    const guilty = window * IN_A_ROW <= blocks ? guiltyOver(subject, window, blocks, zScore, common) : null;
    if (guilty) return { verdict: 'unhealthy', deviation: guilty };
  }
  const settled = deviationOf(subject, Math.max(1, Math.min(blocks - 1, IN_A_ROW)));
  if (settled === null) return null;
  const line = blocks > IN_A_ROW ? zScore : EARLY_DOUBT * zScore;
  const doubtful = blocks <= NO_DOUBT_AFTER && settled.worstZ - shared(settled, line, common) >= line;
  return { verdict: doubtful ? 'inconclusive' : 'healthy', deviation: settled };
}

/** The least of the windows in a row, where all of them lie beyond the line. */
function guiltyOver(subject: Subject, window: number, age: number, zScore: number, common: Common): Deviation | null {
  const anyChange = window >= SHORTEST_WITHIN_OBJECTIVE && age <= LATEST_WITHIN_OBJECTIVE;
  let least: Deviation | null = null;
  for (let i = 0; i < IN_A_ROW; i++) {
    const untilMs = subject.reading.nowMs - i * window * subject.past.blockMs;
    const found = deviationOf(subject, window, untilMs);
    if (found === null || found.z < zScore) return null;
    if (!anyChange && !breaksObjective(subject, found)) return null;
    if (least === null || found.z < least.z) least = found;
  }
  return least !== null && least.z - shared(least, zScore, common) >= zScore ? least : null;
}

function breaksObjective({ reading, scale }: Subject, { now }: Deviation): boolean {
  const { slo } = reading.signal;
  return slo !== undefined && now > scale.level(scale.amount(slo));
}

export type Common = (change: Change) => number;

/** What all cells did, and may have done twice as much on this one; asked for only where the answer could matter. */
const shared = ({ worstZ, change }: Deviation, line: number, common: Common): number =>
  worstZ < line ? 0 : 2 * Math.max(0, common(change));

/** How many whole blocks were measured after the deployment. */
export function blocksSince({ reading, past }: Subject, policy: HealthPolicy): number {
  const { since, nowMs, rangeMs, cleanFromMs } = reading;
  const first = since[0]?.[0];
  if (first === undefined || since.length < policy.minSamples) return 0;
  const fromMs = Math.max(first - policy.intervalMs, cleanFromMs - rangeMs);
  return Math.floor((nowMs - fromMs) / past.blockMs);
}

function findingOf({ reading, scale }: Subject, { verdict, deviation: found }: Compared, zScore: number): Finding {
  const { name } = reading;
  const [value, baseline] = [scale.value(found.now), scale.value(found.level)];
  const threshold = scale.value(found.level + zScore * found.spread);
  const side = scale.direction === 'lower' ? 'below' : 'above';
  const words = found.z < 0 ? 'no worse than before' : `${shown(found.z)} robust deviations ${side} what it was before`;
  const sentence = `${name} is ${shown(value)}, ${words} (${shown(baseline)}); the line is ${shown(zScore)}`;
  return { signal: name, rule: 'z-score', verdict, sentence, window: found.window, value, baseline, threshold };
}

/** Only where enough was measured since: otherwise it is that which is said. */
function pastMissing({ reading, past }: Subject): Finding {
  const sentence = `${reading.name} has too little of a past to compare with: much of ${past.blocks.length} blocks is missing`;
  return { signal: reading.name, rule: 'data', verdict: 'inconclusive', sentence, window: reading.past };
}

/** A rise of the day before is taken for rhythm where it is more than so many deviations. */
const STANDS_OUT = 3;
const DAY_MS = 86_400_000;

/** By how much the signal rose a day before at the same time; 0 where that does not stand out or is not known. */
function rhythmOf({ blocks, blockMs, scale }: Past, { spread }: Usual, { lag }: Change): number {
  const dayBefore = Math.round(DAY_MS / blockMs);
  const then = dayBefore - lag;
  const middle = (first: number, last: number) => scale.level(middleOf(blocks, first, last));
  const rise = middle(then - 1, then + 1) - middle(dayBefore - 3, dayBefore - 1);
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
  const amount = scale.amount(scale.value(level));
  return scale.level(amount + LEAST_OF_BUDGET * budgetOf(slo, worse)) - level;
}
