import type { HealthPolicy, Sample, Verdict } from '../../contract/health.js';
import { beyondOthers, commonOf, FEWEST_OTHERS, freedomAmong, type Move } from './common.js';
import { type Comparisons, lineAt } from './error-control.js';
import { type Finding, shown } from './evidence.js';
import { presence, type UsualPresence, usualPresence } from './few-events.js';
import { leastChange } from './least-change.js';
import { freedomOf, MAD_TO_SIGMA, median, P95_TO_SIGMA, quantileOfSorted } from './numbers.js';
import { freedomOfPast } from './past.js';
import { within } from './readings.js';
import { stepOf } from './step.js';
import type { Subject } from './subject.js';

/** One signal of one cell, and the signal that tells of its traffic, where there is one. */
export interface Loaded {
  subject: Subject;
  traffic: Subject | null;
}

/** Windows in blocks: from half an hour to two hours, with the defaults. */
const WINDOWS = [6, 12, 18, 24] as const;
const LONGEST = 24;
/** Of each window, this share of its blocks is left out: those that were worst. */
const LEFT_OUT = 1 / 3;
/** In shorter windows, in blocks, single events are not counted. */
const PRESENCE_FROM = 12;
/** The first block after a deployment has the restart in it. */
const WARM_UP = 1;
const FEWEST_PLACEBOS = 24;
/** A line needs so many blocks in each third to lie on. */
const FEWEST_IN_THIRD = 12;
/** The standard deviation of the root of a count (Anscombe 1948), for one event. */
const ROOT_OF_COUNT = 0.5;

/**
 * What lasts: a fault that is small, or on a small cell, shows in no window of minutes, and over an hour it is beyond
 * doubt. The signal's mean over a long window, without the worst third of its blocks, is compared with the same measure
 * at every place of the past (a placebo in time, as in `usualChange`), after taking off what the cell's traffic explains.
 *
 * - The trimmed mean makes no burst a fault, however high: what convicts must be there in more than the worst third
 *   (Tukey, The Future of Data Analysis, 1962; partial conjunction: Benjamini & Heller 2008).
 * - Traffic is taken off by a straight line through the past, level against load on their roots, that never falls: the
 *   resistant line through the middles of three groups (Tukey, Exploratory Data Analysis, 1977; what is known before
 *   the experiment explains part of the noise after it: Deng et al., Improving the Sensitivity of Online Controlled
 *   Experiments by Utilizing Pre-Experiment Data, 2013).
 * - What was above the usual just before the deployment already, and what other cells do at the same time, is not laid
 *   to the package.
 * - It convicts only where the objective is broken over the window as well, at the line of `lineAt`, shared between the
 *   windows. From the signal's `zScore` on it is inconclusive, and looked at for longer: with more to go by, it convicts
 *   or fades (Wald, Sequential Analysis, 1947: between two lines, go on).
 *
 * A block that lacks samples is taken for one of the worst. Where more are missing than are left out, nothing is known of
 * the window until the hole has passed.
 *
 * null: the signal has no objective or z-score, nothing was deployed, or the past or the time since is too short.
 */
export function sustainedFinding(
  loaded: Loaded,
  policy: HealthPolicy,
  others: () => readonly Loaded[],
  comparisons: Comparisons,
): Finding | null {
  if (!isAsked(loaded.subject) || loaded.subject.young) return null;
  const found = windowsOf(loaded.subject).flatMap((length) => {
    const excess = excessOf(loaded, length, policy);
    return excess === null ? [] : [judged(loaded.subject, excess, policy, others, comparisons)];
  });
  return (
    found.find(({ verdict }) => verdict === 'unhealthy') ??
    found.find(({ verdict }) => verdict === 'inconclusive') ??
    found[0] ??
    null
  );
}

/** Whether there are bad events to count, and a line to hold them to. */
export const isAsked = ({ reading: { signal }, scale }: Subject): boolean =>
  signal.slo !== undefined && signal.zScore !== undefined && scale.counts;

/** How long windows may be that begin after the deployment and its restart. */
export function windowsOf({ reading, past }: Subject): number[] {
  if (!Number.isFinite(reading.cleanFromMs)) return [];
  const since = reading.nowMs - reading.cleanFromMs - WARM_UP * past.blockMs;
  const longest = Math.floor(since / past.blockMs) + 1;
  return WINDOWS.filter((length) => length <= longest);
}

/** Whether the objective is broken over a window; `maybe`: not as far as it was measured. */
type Breaks = 'yes' | 'maybe' | 'no';

/** How far a signal lies over one window beyond what its past and its traffic explain, in robust deviations. */
interface Excess {
  z: number;
  spread: number;
  /** The degrees of freedom that the spread was estimated with. */
  freedom: number;
  /** On the scale. */
  now: number;
  expected: number;
  /** The mean amount, the worst third with it: over the window, and over the past. */
  mean: number;
  usualMean: number;
  length: number;
  breaks: Breaks;
  /** Something is missing that an acquittal, or a conviction, would rest on. */
  missing: boolean;
}

/** Over the window that ends `from` blocks ago. */
function excessOf({ subject, traffic }: Loaded, length: number, policy: HealthPolicy, from = 0): Excess | null {
  const { reading, scale, past } = subject;
  const usual = usualOver(subject, traffic, length);
  if (usual === null) return null;
  const blocks = blocksOf(subject, length, policy, from);
  const amount = trimmed(blocks, 0, length);
  const load = traffic
    ? loadOver(blocksOf(traffic, length, policy, from), traffic, usual.line.least)
    : { level: 0, isWhole: true };
  const expected = usual.line.at + usual.line.slope * load.level + usual.middle;
  const now = scale.level(amount);
  const kept = Math.ceil(length * (1 - LEFT_OUT));
  const floor = leastChange(reading, scale, expected) / (reading.signal.zScore ?? 1);
  const spread = Math.max(usual.spread, floor, ROOT_OF_COUNT * Math.sqrt(past.oneEvent / kept));
  const freedom = freedomOfSpread(spread, usual.spread, freedomOfPast(past, length));
  const byAmount = (now - expected) / spread - Math.max(0, usual.before / spread);
  const present = byPresence(subject, traffic, usual, blocks, load.level);
  return {
    z: Math.max(byAmount, present),
    spread,
    freedom,
    now,
    expected,
    mean: meanOfPresent(blocks),
    usualMean: usual.mean,
    length,
    breaks: breaksObjective(subject, blocks),
    // In the count of blocks with events a missing one stands as one with: enough to wait, and not to convict.
    missing: Number.isNaN(amount) || !load.isWhole || (present > byAmount && blocks.some(Number.isNaN)),
  };
}

/** As `presence` has it, less what it was before the deployment already. */
function byPresence({ past }: Subject, traffic: Subject | null, usual: UsualOver, blocks: Float64Array, load: number) {
  if (usual.presence === null) return Number.NEGATIVE_INFINITY;
  const ratio = traffic && usual.load > 0 ? traffic.scale.amount(traffic.scale.value(load)) / usual.load : 1;
  const before = presence(usual.presence, past.blocks.subarray(0, blocks.length), 1);
  return presence(usual.presence, blocks, ratio).most - before.least;
}

function meanOfPresent(blocks: Float64Array): number {
  let [sum, count] = [0, 0];
  for (let k = 0; k < blocks.length; k++) {
    const amount = blocks[k] ?? Number.NaN;
    if (Number.isNaN(amount)) continue;
    sum += amount;
    count += 1;
  }
  return count === 0 ? 0 : sum / count;
}

function judged(
  subject: Subject,
  excess: Excess,
  policy: HealthPolicy,
  others: () => readonly Loaded[],
  comparisons: Comparisons,
): Finding {
  const { zScore = 0 } = subject.reading.signal;
  const isAsked = excess.z >= zScore && excess.breaks !== 'no';
  const left = isAsked ? { ...excess, ...beyond(subject, excess, others, policy) } : excess;
  const line = sharedLine(zScore, comparisons, left);
  return findingOf(subject, left, line, verdictOf(left, zScore, line));
}

/** The line of `lineAt` for one of several windows. */
export const sharedLine = (
  zScore: number,
  comparisons: Comparisons,
  { length, freedom }: Pick<Excess, 'length' | 'freedom'>,
): number => lineAt(zScore, comparisons, { blocks: length, lengths: WINDOWS.length, freedom });

/**
 * The degrees of freedom of a spread that has a floor: of its variance only the estimate is uncertain, and what the floor
 * has beyond it is known.
 */
export const freedomOfSpread = (spread: number, estimate: number, freedom: number): number =>
  freedomOf([
    [estimate ** 2, freedom],
    [Math.max(0, spread ** 2 - estimate ** 2), Number.POSITIVE_INFINITY],
  ]);

export function verdictOf(
  { z, missing, breaks }: Pick<Excess, 'z' | 'missing' | 'breaks'>,
  doubt: number,
  line: number,
): Verdict {
  if (Number.isNaN(z)) return 'inconclusive';
  if (breaks === 'no' || z < doubt) return 'healthy';
  return z >= line && breaks === 'yes' && !missing ? 'unhealthy' : 'inconclusive';
}

/**
 * What is left beyond what other cells did over the same window, and may have done twice as much on this one; where they
 * answer differently to what comes over all of them, the furthest are the yardstick. Cells on the old package are asked
 * how far they lie from their past. Where there are too few of them, cells on the new one are asked what was added since
 * the window before: a fault of the package came with each one's own deployment, and what comes over all of them comes
 * at one time. While those are too young for that, or too few, nobody is convicted; only a ring that is so small that it
 * never has enough of them goes without.
 */
function beyond(
  subject: Subject,
  excess: Excess,
  others: () => readonly Loaded[],
  policy: HealthPolicy,
): Pick<Excess, 'z' | 'freedom' | 'missing'> {
  const { length } = excess;
  const all = others();
  const known = all.filter(({ subject }) => !subject.young && isSettled(subject, length));
  const isOld = ({ subject }: Loaded) => !Number.isFinite(subject.reading.cleanFromMs);
  const old = known.filter(isOld).flatMap((other) => excessOfOther(other, length, policy));
  const fresh = known.filter((other) => !isOld(other));
  const settled = fresh.filter(({ subject }) => isSettled(subject, 2 * length));
  const changes = old.length >= FEWEST_OTHERS ? old : settled.flatMap((other) => addedTo(other, length, policy));
  const tooYoung = changes.length < FEWEST_OTHERS && all.length >= FEWEST_OTHERS;
  const common = commonOf(changes);
  return {
    z: beyondOthers(subject, { ...excess, level: excess.expected }, common, common.tail),
    freedom: freedomAmong(excess.freedom, common.tail, common.cells),
    missing: excess.missing || tooYoung,
  };
}

function addedTo(other: Loaded, length: number, policy: HealthPolicy): Move[] {
  const [now, before] = [0, length].map((from) => excessOfOther(other, length, policy, from)[0]);
  return now === undefined || before === undefined ? [] : [{ z: now.z - before.z, before: before.now, now: now.now }];
}

function excessOfOther(other: Loaded, length: number, policy: HealthPolicy, from = 0): Move[] {
  const { moves } = other.subject;
  const key = `excess ${length} ${from}`;
  let move = moves.get(key);
  if (move === undefined) {
    move = moveBy(excessOf(other, length, policy, from));
    moves.set(key, move);
  }
  return move === null ? [] : [move];
}

/** What rose is counted with the worst third: without it, a small cell has no bad event left to be counted. */
const moveBy = (excess: Excess | null): Move | null =>
  excess === null || excess.missing || Number.isNaN(excess.z)
    ? null
    : { z: excess.z, before: excess.usualMean, now: excess.mean };

/** Whether the window lies wholly after the cell's own deployment and restart, if it had one. */
export const isSettled = ({ reading: { nowMs, cleanFromMs }, past: { blockMs } }: Subject, length: number): boolean =>
  !(nowMs - (length - 1) * blockMs < cleanFromMs + WARM_UP * blockMs);

/** Over the whole window: the worst third counts here. */
export function breaksObjective({ reading: { signal }, scale }: Subject, blocks: Float64Array): Breaks {
  const present = blocks.filter((amount) => !Number.isNaN(amount));
  const sum = present.reduce((total, amount) => total + amount, 0);
  if (present.length > 0 && sum > scale.amount(signal.slo ?? 0) * present.length) return 'yes';
  return present.length < blocks.length ? 'maybe' : 'no';
}

const recent = new WeakMap<Subject, Float64Array>();

/** The newest blocks since the deployment, the newest first; NaN where a sample is missing. */
export function blocksOf(subject: Subject, length: number, policy: HealthPolicy, from = 0): Float64Array {
  const blocks = recent.get(subject) ?? newestBlocks(subject, policy);
  recent.set(subject, blocks);
  return blocks.subarray(from, from + length);
}

/** A block has all its samples where there is one in each interval, and counts by its newest one, as in the past. */
function newestBlocks({ reading, past, scale }: Subject, policy: HealthPolicy): Float64Array {
  const { nowMs, since } = reading;
  const intervalMs = stepOf(reading, policy);
  const intervals = Math.floor(past.blockMs / intervalMs);
  const blocks = new Float64Array(2 * LONGEST).fill(Number.NaN);
  const filled = new Uint32Array(2 * LONGEST);
  let last = -1;
  for (let i = since.length - 1; i >= 0; i--) {
    const [at, value] = since[i] as Sample;
    const block = Math.floor((nowMs - at) / past.blockMs);
    if (block >= blocks.length) break;
    const interval = Math.floor((nowMs - at - block * past.blockMs) / intervalMs) + block * intervals;
    if (interval !== last) filled[block] = (filled[block] ?? 0) + 1;
    if (Number.isNaN(blocks[block])) blocks[block] = scale.amount(value);
    last = interval;
  }
  return blocks.map((amount, k) => ((filled[k] ?? 0) >= intervals ? amount : Number.NaN));
}

/** The mean without the worst third, what is missing counting among those; NaN where more is missing. */
export function trimmed(blocks: Float64Array, from: number, length: number): number {
  const kept = Math.ceil(length * (1 - LEFT_OUT));
  const least = new Float64Array(kept);
  let present = 0;
  for (let k = from; k < from + length; k++) {
    const amount = blocks[k] ?? Number.NaN;
    if (Number.isNaN(amount) || (present >= kept && amount >= (least[kept - 1] ?? 0))) continue;
    if (present < kept) present += 1;
    // Sorted by insertion: windows are short, and this is done for every place of the past.
    let at = present - 1;
    for (; at > 0 && (least[at - 1] ?? 0) > amount; at--) least[at] = least[at - 1] ?? 0;
    least[at] = amount;
  }
  if (present < kept) return Number.NaN;
  let sum = 0;
  for (let i = 0; i < kept; i++) sum += least[i] ?? 0;
  return sum / kept;
}

function loadOver(blocks: Float64Array, traffic: Subject, least: number) {
  let [sum, whole] = [0, true];
  for (const amount of blocks) {
    if (Number.isNaN(amount)) whole = false;
    sum += Number.isNaN(amount) ? least : Math.max(least, traffic.scale.level(amount));
  }
  return { level: sum / blocks.length, isWhole: whole };
}

/** The level that a load brings. */
interface Line {
  at: number;
  slope: number;
  /** The least load that it was drawn through. */
  least: number;
}

interface UsualOver {
  line: Line;
  middle: number;
  spread: number;
  /** How far the newest window of the past lay from the middle. */
  before: number;
  /** The mean amount. */
  mean: number;
  /** The mean traffic. */
  load: number;
  presence: UsualPresence | null;
}

const NO_LINE: Line = { at: 0, slope: 0, least: 0 };
/** What was worked out of a past already: it changes no verdict. */
const known = new WeakMap<Float64Array, { traffic: Float64Array | null; usual: Map<number, UsualOver | null> }>();

function usualOver(subject: Subject, traffic: Subject | null, length: number): UsualOver | null {
  const loads = traffic?.past.blocks ?? null;
  const { blocks } = subject.past;
  const found = known.get(blocks);
  const { usual } = found?.traffic === loads ? found : { usual: new Map<number, UsualOver | null>() };
  known.set(blocks, { traffic: loads, usual });
  const worked = usual.get(length);
  if (worked !== undefined) return worked;
  const made = measuredOver(subject, traffic, length);
  usual.set(length, made);
  return made;
}

function measuredOver({ past, scale }: Subject, traffic: Subject | null, length: number): UsualOver | null {
  const loads = traffic ? Float64Array.from(traffic.past.blocks, traffic.scale.level) : null;
  const line = loads ? lineThrough(loads, past.blocks, scale.level) : NO_LINE;
  const places = Math.max(0, past.blocks.length - length + 1);
  const rests = Float64Array.from({ length: places }, (_, k) => {
    const load = loads && line.slope > 0 ? meanOf(loads, k, length) : 0;
    return scale.level(trimmed(past.blocks, k, length)) - line.at - line.slope * load;
  });
  const sorted = rests.filter((rest) => !Number.isNaN(rest)).sort();
  if (sorted.length < FEWEST_PLACEBOS) return null;
  const middle = quantileOfSorted(sorted, 0.5);
  const apart = sorted.map((rest) => Math.abs(rest - middle)).sort();
  const tail = P95_TO_SIGMA * (quantileOfSorted(sorted, 0.95) - middle);
  const before = (rests[0] ?? Number.NaN) - middle;
  return {
    line,
    middle,
    spread: Math.max(MAD_TO_SIGMA * quantileOfSorted(apart, 0.5), tail),
    before: Number.isNaN(before) ? 0 : before,
    mean: meanOfPresent(past.blocks),
    load: traffic ? meanOfPresent(traffic.past.blocks) : 0,
    presence: length < PRESENCE_FROM ? null : usualPresence(past.blocks, length),
  };
}

/** Through the middles of the blocks with the least load, and with the most; it never falls. */
function lineThrough(loads: Float64Array, blocks: Float64Array, level: (amount: number) => number): Line {
  const order = [...blocks.keys()]
    .filter((k) => !Number.isNaN(blocks[k]) && Number.isFinite(loads[k]))
    .sort((a, b) => (loads[a] ?? 0) - (loads[b] ?? 0));
  const third = Math.floor(order.length / 3);
  if (third < FEWEST_IN_THIRD) return NO_LINE;
  const middleOf = (group: readonly number[]) => ({
    load: median(group.map((k) => loads[k] ?? 0)),
    level: level(leastOf(Float64Array.from(group, (k) => blocks[k] ?? 0))),
  });
  const low = middleOf(order.slice(0, third));
  const mid = middleOf(order.slice(third, order.length - third));
  const high = middleOf(order.slice(order.length - third));
  const slope = high.load > low.load ? Math.max(0, (high.level - low.level) / (high.load - low.load)) : 0;
  const at = (low.level + mid.level + high.level - slope * (low.load + mid.load + high.load)) / 3;
  return { at, slope, least: loads[order[0] ?? 0] ?? 0 };
}

/** As `trimmed`, of many. */
function leastOf(amounts: Float64Array): number {
  const kept = amounts.sort().subarray(0, Math.ceil(amounts.length * (1 - LEFT_OUT)));
  return kept.reduce((sum, amount) => sum + amount, 0) / kept.length;
}

function meanOf(values: Float64Array, from: number, length: number): number {
  let sum = 0;
  for (let k = from; k < from + length; k++) sum += values[k] ?? Number.NaN;
  return sum / length;
}

function findingOf({ reading, scale, past }: Subject, excess: Excess, line: number, verdict: Verdict): Finding {
  const { name } = reading;
  const { now, expected, spread, z, length } = excess;
  const fromMs = reading.nowMs - length * past.blockMs;
  const window: readonly Sample[] = within(reading.since, fromMs, reading.nowMs);
  const [value, baseline] = [scale.value(now), scale.value(expected)];
  const threshold = scale.value(expected + line * spread);
  const minutes = Math.round((length * past.blockMs) / 60_000);
  const words = Number.isNaN(z)
    ? `${name} has holes: too much of the last ${minutes} min was not measured`
    : `${name} is ${shown(value)} for ${minutes} min, ${shown(Number(z.toPrecision(3)))} robust deviations beyond its past at such traffic (${shown(baseline)}); the line is ${shown(Number(line.toPrecision(3)))}`;
  return { signal: name, rule: 'z-score', verdict, sentence: words, window, value, baseline, threshold };
}
