import type { HealthPolicy, Sample, Verdict } from '../../contract/health.js';
import { beyondOthers, type CommonChange, freedomAmong } from './common.js';
import { type Comparisons, lineAt, USUAL_Z_SCORE } from './error-control.js';
import { type Finding, shown } from './evidence.js';
import { leastChange } from './least-change.js';
import { deviations, quantileOfSorted, WITHOUT_BOUND } from './numbers.js';
import { type Change, freedomOfPast, lagOf, type Past, type Usual, usualChange } from './past.js';
import { isWhole, type Reading, within } from './readings.js';
import type { Scale } from './scale.js';
import { stepOf } from './step.js';
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

/**
 * Windows that may convict, in blocks: three of 5, of 10 or of 20 minutes in a row, with the defaults. Short ones where
 * the objective is broken all the while; where it is kept, or there is none, there is time for longer ones.
 */
const LONGEST_WINDOW = 4;
const WINDOWS = [1, 2, LONGEST_WINDOW] as const;
const SHORTEST_WITHIN_OBJECTIVE = 2;
/** A change within the objective that begins later, in blocks, is no longer laid to the deployment. */
const LATEST_WITHIN_OBJECTIVE = 12;
const IN_A_ROW = 3;
/** What is laid to a deployment must have lasted for this share of the time since. */
const LASTING = 0.25;
/** The first block after a deployment has the restart in it, and convicts nobody. */
const WARM_UP = 1;
/** With fewer windows than can convict, this share of `zScore` is enough to wait for more. */
const EARLY_DOUBT = 2 / 3;
/** After so many blocks every window that may convict has had its time, and doubt alone holds nothing up. */
const NO_DOUBT_AFTER = 12;

/**
 * How far the signal went over `blocks` blocks up to `untilMs`; null: too little was measured, before or after. The
 * spread has a floor, so that what is beyond `line` deviations is also a change that matters, however still the past was.
 */
export function deviationOf(
  { reading, past, scale }: Subject,
  blocks: number,
  untilMs: number = reading.nowMs,
  line: number = reading.signal.zScore ?? USUAL_Z_SCORE,
): Deviation | null {
  const change: Change = { lag: lagOf((untilMs - past.endMs) / past.blockMs), stretch: blocks };
  const usual = usualChange(past, change);
  const window = windowOf(reading, untilMs, blocks * past.blockMs);
  if (usual === null || window.length === 0) return null;
  const { level } = usual;
  const now = levelOver(window, scale);
  const floor = leastChange(reading, scale, level) / line;
  const spread = Math.max(usual.spread, floor);
  const leastSpread = Math.max(Math.min(usual.leastSpread, usual.spread), floor);
  const rise = now - level;
  // Looked up only where it can take anything off that matters.
  const rhythm = rise > leastSpread ? rhythmOf(past, usual, change) : 0;
  const [z, worstZ] = [deviations(rise - rhythm, spread), deviations(rise - rhythm, leastSpread)];
  if (Number.isNaN(z) || Number.isNaN(worstZ)) return null;
  return {
    z,
    worstZ,
    level,
    now,
    spread,
    change,
    window,
  };
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
 * robust standard deviations of such a change over the whole baseline (`usualChange`). Three windows in a row convict
 * where each lies beyond the signal's `zScore`, so that a burst or a restart does not, however high it is, and all three
 * as one beyond the line that so many comparisons ask for (`lineAt`), so that chance does not. They are of 5 minutes each
 * (with the defaults) where the objective is broken, of 10 or 20 minutes else and in the first hour only, so that a fault
 * convicts that is small or that a small cell has; and together at least a quarter of the time since the deployment: what
 * began long after it needs to last longer. What comes later and breaks no objective, the past of one day cannot lay to
 * the package. The first block has the restart in it and convicts nobody (Argo Rollouts' `initialDelay`, Kayenta's
 * warm-up), but is reason enough to wait.
 *
 * After Iglewicz & Hoaglin, How to Detect and Handle Outliers (1993), whose modified z-score takes median and MAD for
 * mean and deviation, and the alerts in use on the legacy stages (|z| > 3 for five minutes). Differently from those, the
 * yardstick is the change over the same lag and not the level; and as samples of a rate over five minutes are all about
 * the same five minutes, three windows stand where those alerts have ten samples.
 *
 * While there are fewer windows than may convict, the newest one must be well below `zScore`; in the first hour the mean
 * of all that was measured must be below it; and where the newest window lies beyond the line, those before must have been
 * measured: otherwise it is inconclusive, and more is measured. A rise that the cell also had a day before at the same
 * hour, where it stands out, is its rhythm and is taken off; a baseline shorter than a day shows none. A change below half
 * of the objective's budget may be real, and is of no consequence.
 *
 * The context tells how far other cells went at the same time, window by window, and what the cell's own traffic explains;
 * it is asked only where it matters: that, the deployment did not do. `comparisons` are those of all cells at one look. null: the signal is not
 * to be compared with a past, or fewer samples than are enough were measured since, which is told of anyway. Less than one
 * block of the past is nothing to compare it with: of a `baseline` of a week that is more than the usual window.
 */
export function zScoreFinding(
  subject: Subject,
  policy: HealthPolicy,
  context: Context,
  comparisons: Comparisons,
): Finding | null {
  const { zScore } = subject.reading.signal;
  if (zScore === undefined || subject.young) return null;
  const compared = compareWithPast(subject, policy, { ...context, zScore, comparisons });
  if (compared !== null) return findingOf(subject, compared);
  if (blocksSince(subject, policy) >= 1) return pastMissing(subject);
  return subject.reading.since.length < policy.minSamples ? null : tooSoon(subject);
}

export interface Compared {
  verdict: Verdict;
  deviation: Deviation;
  /** Where it would have been guilty. */
  line: number;
}

/** What else may be the reason of a change. */
export interface Context {
  /** What other cells did at the same time. */
  common: Common;
  /** By how many deviations the cell's own traffic explains a change. */
  byLoad?: (found: Deviation, untilMs: number) => number;
}

/** What a cell is held to when it is compared with its past. */
export interface Measure extends Context {
  zScore: number;
  comparisons: Comparisons;
}

/** The comparison itself; null where it cannot be made. */
export function compareWithPast(subject: Subject, policy: HealthPolicy, measure: Measure): Compared | null {
  const { zScore } = measure;
  const blocks = blocksSince(subject, policy);
  if (blocks < 1) return null;
  const convicting = blocks - WARM_UP;
  const lineOf = (freedom: number) =>
    lineAt(zScore, measure.comparisons, { blocks: convicting, lengths: WINDOWS.length, freedom });
  const least = Math.min(LASTING * convicting, IN_A_ROW * LONGEST_WINDOW);
  const lasting = (length: number) => length <= convicting && length >= least;
  const trials = WINDOWS.filter((window) => lasting(window * IN_A_ROW)).map((window) =>
    trialOver(subject, policy, { ...measure, window, blocks, lineOf }),
  );
  const guilty = trials.find(({ verdict }) => verdict === 'unhealthy')?.whole;
  if (guilty) return { verdict: 'unhealthy', deviation: guilty, line: lineOf(ownFreedom(subject, guilty)) };
  const settled = deviationOf(subject, Math.max(1, Math.min(blocks - 1, IN_A_ROW)));
  if (settled === null) return null;
  const doubt = convicting >= IN_A_ROW ? zScore : EARLY_DOUBT * zScore;
  const doubtful =
    (blocks <= NO_DOUBT_AFTER && isDoubtful(subject, settled, doubt, measure)) ||
    trials.some(({ verdict }) => verdict === 'inconclusive');
  return {
    verdict: doubtful ? 'inconclusive' : 'healthy',
    deviation: settled,
    line: lineOf(ownFreedom(subject, settled)),
  };
}

const ownFreedom = ({ past }: Subject, { change }: Deviation): number => freedomOfPast(past, change.stretch);

/** Where a deviation convicts that was estimated with so many degrees of freedom. */
type LineOf = (freedom: number) => number;

interface Windows extends Context {
  /** The length of each, in blocks. */
  window: number;
  /** How many blocks there are since the deployment. */
  blocks: number;
  zScore: number;
  /** Where all of them together convict. */
  lineOf: LineOf;
}

/**
 * Windows in a row: unhealthy where each lies beyond `zScore`, and all of them as one beyond the line; inconclusive where
 * those that were measured do, and something of the others is missing.
 */
function trialOver(subject: Subject, policy: HealthPolicy, windows: Windows): { verdict: Verdict; whole?: Deviation } {
  const { nowMs, since } = subject.reading;
  const lengthMs = windows.window * subject.past.blockMs;
  let isMeasured = true;
  let areGuilty = true;
  for (let i = 0; i < IN_A_ROW; i++) {
    const untilMs = nowMs - i * lengthMs;
    const found = deviationOf(subject, windows.window, untilMs);
    const isOne = found !== null && isGuilty(subject, found, untilMs, () => windows.zScore, windows);
    const hasAll = isWhole(since, untilMs - lengthMs, untilMs, stepOf(subject.reading, policy));
    if (!isOne && hasAll) return { verdict: 'healthy' };
    isMeasured &&= hasAll;
    areGuilty &&= isOne;
  }
  const whole = areGuilty ? wholeOver(subject, windows) : null;
  if (whole) return { verdict: 'unhealthy', whole };
  return { verdict: isMeasured ? 'healthy' : 'inconclusive' };
}

/** All windows as one, where that lies beyond the line. */
function wholeOver(subject: Subject, windows: Windows): Deviation | null {
  const { nowMs } = subject.reading;
  const found = deviationOf(subject, IN_A_ROW * windows.window);
  if (found === null) return null;
  const line = windows.lineOf(ownFreedom(subject, found));
  const whole = deviationOf(subject, IN_A_ROW * windows.window, nowMs, line);
  return whole !== null && isGuilty(subject, whole, nowMs, windows.lineOf, windows) ? whole : null;
}

function isGuilty(subject: Subject, found: Deviation, untilMs: number, lineOf: LineOf, windows: Windows): boolean {
  const { window, blocks, common } = windows;
  const own = ownFreedom(subject, found);
  if (found.z < lineOf(own)) return false;
  const breaks = breaksObjective(subject, found);
  const anyChange = window >= SHORTEST_WITHIN_OBJECTIVE && blocks <= LATEST_WITHIN_OBJECTIVE;
  if (!anyChange && !breaks) return false;
  const others = common(found.change, untilMs);
  const left = found.z - (windows.byLoad?.(found, untilMs) ?? 0);
  // Of what breaks no objective, the furthest of the others are the yardstick.
  const apart = breaks ? others.spread : others.tail;
  return beyondOthers(subject, { ...found, z: left }, others, apart) >= lineOf(freedomAmong(own, apart, others.cells));
}

function breaksObjective({ reading, scale }: Subject, { now }: Deviation): boolean {
  const { slo } = reading.signal;
  return slo !== undefined && now > scale.level(scale.amount(slo));
}

export type Common = (change: Change, untilMs: number) => CommonChange;

/** On the least favourable view; what others did is asked for only where it could matter. */
function isDoubtful(subject: Subject, found: Deviation, line: number, measure: Measure): boolean {
  if (found.worstZ < line) return false;
  const others = measure.common(found.change, subject.reading.nowMs);
  return beyondOthers(subject, { ...found, z: found.worstZ }, others, others.spread) >= line;
}

/** How many whole blocks have passed since the deployment; 0 where less was measured than is enough. */
export function blocksSince({ reading, past }: Subject, policy: HealthPolicy): number {
  const { since, nowMs, rangeMs, cleanFromMs } = reading;
  const first = since[0]?.[0];
  if (first === undefined || since.length < policy.minSamples) return 0;
  const deployedAtMs = cleanFromMs - rangeMs;
  const fromMs = Number.isFinite(deployedAtMs) ? deployedAtMs : first - policy.intervalMs;
  return Math.floor((nowMs - fromMs) / past.blockMs);
}

function findingOf({ reading, scale }: Subject, { verdict, deviation: found, line }: Compared): Finding {
  const { name } = reading;
  const [value, baseline] = [scale.value(found.now), scale.value(found.level)];
  const threshold = scale.value(found.level + line * found.spread);
  const side = scale.direction === 'lower' ? 'below' : 'above';
  const far = found.z < WITHOUT_BOUND ? `${shown(found.z)} robust deviations` : 'beyond measure';
  const words = found.z < 0 ? 'no worse than before' : `${far} ${side} what it was before`;
  const sentence = `${name} is ${shown(value)}, ${words} (${shown(baseline)}); the line is ${shown(Number(line.toPrecision(3)))}`;
  return { signal: name, rule: 'z-score', verdict, sentence, window: found.window, value, baseline, threshold };
}

/** Only where enough was measured since: otherwise it is that which is said. */
function pastMissing({ reading, past }: Subject): Finding {
  const sentence = `${reading.name} has too little of a past to compare with: much of ${past.blocks.length} blocks is missing`;
  return { signal: reading.name, rule: 'data', verdict: 'inconclusive', sentence, window: reading.past };
}

function tooSoon({ reading, past }: Subject): Finding {
  const minutes = Math.round(past.blockMs / 60_000);
  const sentence = `${reading.name} is not compared with its past yet: that is looked at in steps of ${minutes} min`;
  return { signal: reading.name, rule: 'data', verdict: 'inconclusive', sentence, window: reading.since };
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
