import { USUAL_Z_SCORE } from './error-control.js';
import { leastChange } from './least-change.js';
import { deviations, freedomOf, MAD_TO_SIGMA, median, P95_TO_SIGMA, quantile } from './numbers.js';
import { type Change, usualChange } from './past.js';
import { amountBetween } from './readings.js';
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

/** How far one signal of one cell went. */
export interface Move {
  /** In its own robust deviations. */
  z: number;
  /** The amounts (see `Scale`). */
  before: number;
  now: number;
}

/**
 * How far other cells went. A surge of load, or trouble with what all cells lean on,
 * is on them as well, and no fault of the package (differences in differences: Snow 1855; Card & Krueger 1994).
 *
 * Cells on the old package are asked for the same change. Where there are too few of them, the other cells on the new
 * one are asked for what they did just now, all at once: they were deployed to at different times, so that what comes
 * over all of them in the same minutes does not come from there.
 */
export function movesOfOthers({ onOld, onNew }: Others, change: Change, nowMs: number): Move[] {
  const old = onOld.flatMap((other) => moveOf(other, change, nowMs) ?? []);
  if (old.length >= FEWEST_OTHERS) return old;
  const recent = { lag: Math.min(change.lag, 3 * change.stretch), stretch: change.stretch };
  const settled = onNew.filter((other) => isSettled(other, recent, nowMs));
  return settled.flatMap((other) => moveOf(other, recent, nowMs) ?? []);
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
  /** How many times as much as before there is on all of them together; 1 where there are too few of them to say. */
  factor: number;
  /** How much more, as an amount; 0 where there are too few of them to say. */
  added: number;
  /** How many cells. */
  cells: number;
}

export const NOTHING_COMMON: CommonChange = { middle: 0, spread: 1, tail: 1, factor: 1, added: 0, cells: 0 };

export const commonChange = (others: Others, change: Change, nowMs: number): CommonChange =>
  commonOf(movesOfOthers(others, change, nowMs));

export function commonOf(moves: readonly Move[]): CommonChange {
  if (moves.length < FEWEST_OTHERS) return NOTHING_COMMON;
  const changes = moves.map(({ z }) => z);
  const middle = median(changes);
  const spread = Math.max(1, MAD_TO_SIGMA * median(changes.map((c) => Math.abs(c - middle))));
  const tail = Math.max(spread, P95_TO_SIGMA * (quantile(changes, 0.95) - middle));
  return { middle, spread, tail, ...pooled(moves), cells: moves.length };
}

/**
 * What rose on all cells together: pooled, because most have too few bad events for a factor of their own (the ratio of
 * sums: Mantel & Haenszel, Statistical Aspects of the Analysis of Data from Retrospective Studies, 1959); without the cell
 * that rose most, which is broken by itself, perhaps.
 */
function pooled(moves: readonly Move[]): Pick<CommonChange, 'factor' | 'added'> {
  const rest = [...moves].sort((a, b) => a.now - a.before - (b.now - b.before)).slice(0, -1);
  const sum = (pick: (move: Move) => number) => rest.reduce((total, move) => total + pick(move), 0);
  const [before, now] = [sum((m) => m.before), sum((m) => m.now)];
  return { factor: before > 0 ? Math.max(1, now / before) : 1, added: Math.max(0, now - before) / rest.length };
}

/**
 * What is left of a change beyond what other cells did. What comes over all of them may have done twice as much on this
 * one, counted in deviations; or as many times what it had before, or as many bad events in so many, as on them: a busy
 * cell sees in many deviations what a small one sees in few (changes in changes: Athey & Imbens, Identification and
 * Inference in Nonlinear Difference-in-Differences Models, 2006). Where they answer very differently, how far they are
 * `apart` is the yardstick.
 *
 * Nothing is left where most of them are beyond `zScore` themselves: how strongly each cell answers no past tells, and a
 * fault that one of them has beside it will still be there when that is over.
 */
export function beyondOthers(
  { reading: { signal }, scale }: Subject,
  { z, level, spread }: { z: number; level: number; spread: number },
  { middle, factor, added }: CommonChange,
  apart: number,
): number {
  if (middle >= (signal.zScore ?? USUAL_Z_SCORE)) return 0;
  const amount = scale.amount(scale.value(level));
  const likewise = Math.max(scale.counts ? amount * factor : amount, amount + (signal.slo === undefined ? 0 : added));
  const explained = deviations(scale.level(likewise) - scale.level(amount), spread);
  return (z - Math.max(0, 2 * middle, explained)) / apart;
}

/**
 * The degrees of freedom of a cell's own deviation where cells are so many of them apart: what is beyond 1 was estimated
 * from that many cells, and not from the cell's past.
 */
export const freedomAmong = (own: number, apart: number, cells: number): number =>
  freedomOf([
    [1, own],
    [apart ** 2 - 1, cells - 1],
  ]);

/** The change of one signal up to now; null where it was not measured. */
function moveOf(subject: Subject, change: Change, nowMs: number): Move | null {
  const key = `${change.lag} ${change.stretch} ${nowMs}`;
  const known = subject.moves.get(key);
  if (known !== undefined) return known;
  const found = moveUpTo(subject, change, nowMs);
  subject.moves.set(key, found);
  return found;
}

function moveUpTo(subject: Subject, change: Change, nowMs: number): Move | null {
  const { reading, past, scale } = subject;
  const usual = usualChange(past, change);
  const level = levelAt(subject, nowMs - change.lag * past.blockMs);
  const lately = meanAmount(subject, nowMs - change.stretch * past.blockMs, nowMs);
  if (usual === null || level === null || lately === null) return null;
  const floor = leastChange(reading, scale, level) / (reading.signal.zScore ?? USUAL_Z_SCORE);
  const spread = Math.max(usual.spread, floor);
  return { z: deviations(scale.level(lately) - level, spread), before: scale.amount(scale.value(level)), now: lately };
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
