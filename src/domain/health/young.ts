import type { HealthPolicy } from '../../contract/health.js';
import { FEWEST_OTHERS } from './common.js';
import type { Comparisons } from './error-control.js';
import { type Finding, shown } from './evidence.js';
import { leastChange } from './least-change.js';
import { MAD_TO_SIGMA, median, P95_TO_SIGMA, quantile } from './numbers.js';
import { within } from './readings.js';
import type { Subject } from './subject.js';
import {
  blocksOf,
  breaksObjective,
  freedomOfSpread,
  isAsked,
  isSettled,
  type Loaded,
  sharedLine,
  trimmed,
  verdictOf,
  windowsOf,
} from './sustained.js';

/** The standard deviation of the root of a count (Anscombe 1948), for one event. */
const ROOT_OF_COUNT = 0.5;

/**
 * A young cell has too little of a past, and its ring has cells that do the same work: its mean over a long window,
 * without the worst third of its blocks, is compared with theirs over the same minutes, by how far they are apart (median
 * and MAD, or the 95th percentile: Iglewicz & Hoaglin 1993, across cells in place of time; comparing with peers at one
 * time is what hospitals do that have no history: Spiegelhalter, Funnel Plots for Comparing Institutional Performance,
 * 2005). What it has of a past counts as one more peer, the one that it is held to where that is the worst.
 *
 * It convicts only where the objective is broken as well, at the line of `lineAt`, which is the further out the fewer peers
 * there are; from `zScore` on it is inconclusive,
 * and looked at for longer. Cells without traffic are no peers. null: the cell is not young, the signal has no objective
 * or z-score, nothing was deployed, or there are too few peers.
 */
export function youngFinding(
  { subject }: Loaded,
  policy: HealthPolicy,
  others: () => readonly Loaded[],
  comparisons: Comparisons,
): Finding | null {
  if (!isAsked(subject) || !subject.young) return null;
  const peers = others();
  const found = windowsOf(subject).flatMap((length) => comparedOver(subject, length, policy, peers, comparisons) ?? []);
  return (
    found.find(({ verdict }) => verdict === 'unhealthy') ??
    found.find(({ verdict }) => verdict === 'inconclusive') ??
    found[0] ??
    null
  );
}

function comparedOver(
  subject: Subject,
  length: number,
  policy: HealthPolicy,
  others: readonly Loaded[],
  comparisons: Comparisons,
): Finding | null {
  const peers = others.flatMap((other) => knownLevelOf(other, length, policy));
  if (peers.length < FEWEST_OTHERS) return null;
  const { reading, scale, past } = subject;
  const { zScore = 0 } = reading.signal;
  const blocks = blocksOf(subject, length, policy);
  const now = scale.level(trimmed(blocks, 0, length));
  const middle = median(peers);
  const expected = Math.max(middle, ownPast(subject));
  const apart = Math.max(
    MAD_TO_SIGMA * median(peers.map((level) => Math.abs(level - middle))),
    P95_TO_SIGMA * (quantile(peers, 0.95) - middle),
  );
  const spread = Math.max(
    apart,
    leastChange(reading, scale, expected) / zScore,
    ROOT_OF_COUNT * Math.sqrt(oneEvent(blocks) / length),
  );
  const z = (now - expected) / spread;
  const freedom = freedomOfSpread(spread, apart, peers.length - 1);
  const line = sharedLine(zScore, comparisons, { length, freedom });
  const verdict = verdictOf({ z, missing: false, breaks: breaksObjective(subject, blocks) }, zScore, line);
  const minutes = Math.round((length * past.blockMs) / 60_000);
  const [value, baseline] = [scale.value(now), scale.value(expected)];
  const words = `${shown(Number(z.toPrecision(3)))} robust deviations beyond ${peers.length} cells of its ring (${shown(baseline)})`;
  const sentence = Number.isNaN(z)
    ? `${reading.name} has holes: too much of the last ${minutes} min was not measured`
    : `${reading.name} is ${shown(value)} for ${minutes} min, ${words}; the line is ${shown(Number(line.toPrecision(3)))}`;
  const window = within(reading.since, reading.nowMs - length * past.blockMs, reading.nowMs);
  const threshold = scale.value(expected + line * spread);
  return { signal: reading.name, rule: 'z-score', verdict, sentence, window, value, baseline, threshold };
}

function knownLevelOf(other: Loaded, length: number, policy: HealthPolicy): number[] {
  const { levels } = other.subject;
  const key = `${length}`;
  const level = levels.get(key) ?? levelOf(other, length, policy);
  levels.set(key, level);
  return Number.isNaN(level) ? [] : [level];
}

/** The level of a peer over the same minutes; NaN where it was not measured, or has no traffic to speak of. */
function levelOf({ subject, traffic }: Loaded, length: number, policy: HealthPolicy): number {
  if (!isSettled(subject, length)) return Number.NaN;
  if (policy.quiet && traffic) {
    const loads = blocksOf(traffic, length, policy).filter((load) => !Number.isNaN(load));
    if (!(median([...loads]) >= policy.quiet.below)) return Number.NaN;
  }
  return subject.scale.level(trimmed(blocksOf(subject, length, policy), 0, length));
}

/** What there is of a past, as one level; nothing bad where there is none. */
function ownPast({ past, scale }: Subject): number {
  const present = past.blocks.filter((amount) => !Number.isNaN(amount));
  return present.length === 0 ? 0 : scale.level(trimmed(present, 0, present.length));
}

/** What one bad event makes of a block, where there are blocks with none. */
function oneEvent(blocks: Float64Array): number {
  const present = blocks.filter((amount) => !Number.isNaN(amount)).sort();
  const dust = 1e-9 * (present.at(-1) ?? 0);
  const first = present.findIndex((amount) => amount > dust);
  return first > 0 ? (present[first] ?? 0) : 0;
}
