import type { CellObservation, Evidence, HealthPolicy, LooksState, Signal } from '../../contract/health.js';
import { commonOf, FEWEST_OTHERS, movesOfOthers } from './common.js';
import { orNull, shortened, shown } from './evidence.js';
import { clamp, freedomOf, MAD_TO_SIGMA, mean, median, studentUpper } from './numbers.js';
import { type Change, usualChange } from './past.js';
import { sustainedMs } from './readings.js';
import { blocksSince, type Deviation, deviationOf } from './robust.js';
import { type Direction, directionsOf } from './scale.js';
import type { Memo, Subject } from './subject.js';

/** The share of good packages that the comparison may stop in one pass over a ring, however often it looks. */
const ERROR_ALLOWED = 0.005;
/** A cell counts for at most so many deviations: one that is broken by itself does not speak for the package. */
const MOST_OF_ONE = 4;
const FEWEST_NEW = 3;
/** Of the past that is looked at for what moves all cells: a day, with the defaults. */
const MOST_BLOCKS = 288;
/** Cells answer to what moves all of them with strengths that differ by this share, or more where they are seen to. */
const ANSWERS_DIFFER = 0.5;
/** The longest stretch after a deployment that is averaged, in blocks: half an hour with the defaults. */
const LONGEST = 6;

export interface Pool {
  onNew: readonly CellObservation[];
  onOld: readonly CellObservation[];
  policy: HealthPolicy;
  looks: LooksState | null;
  nowMs: number;
  memo: Memo;
}

/**
 * The new package against the old one over the whole ring, one-sided: has each signal got worse on the cells that were
 * deployed to, beyond what it did on those that were not?
 *
 * Each cell is its own stratum: its change since its own deployment, in its own robust deviations (`usualChange`), bounded,
 * and all cells weigh the same, so that neither a big nor a broken one drowns the others (Stouffer's method of combining
 * tests, The American Soldier, 1949, over strata). What the cells on the old package did at the same time is taken off as
 * far as the past says that cells move together at all: a random effect of time, with its variance from the baseline
 * (best linear unbiased prediction: Henderson 1975). Cells for which there are too few others to compare with are left
 * out: a change that nothing is compared with is no difference in differences. The line is never below the signal's
 * `zScore`, and further out the more of the variance was estimated from few other cells (`studentUpper`).
 *
 * Looking again and again does not multiply false alarms: the k-th look that counts may err with the share
 * 1 / (k (k + 1)) of what one pass may, and these shares add up to 1 for any number of looks (alpha spending: Lan &
 * DeMets, Discrete Sequential Boundaries for Clinical Trials, 1983, by a union bound, which holds however looks depend on
 * one another, as these do). A look counts when half of what is sustained has passed since the last one: in between
 * there is hardly anything new.
 */
export function ringWide(pool: Pool): { looks: LooksState; evidence: Evidence[] } {
  const { looks, nowMs, policy } = pool;
  const before = looks ?? { spent: 0, lastMs: Number.NEGATIVE_INFINITY };
  const compared = pool.onNew.filter((cell) => cell.deployedAtMs !== null);
  if (compared.length < FEWEST_NEW || nowMs - before.lastMs < sustainedMs(policy) / 2)
    return { looks: keep(before), evidence: [] };
  const tests = Object.entries(policy.signals)
    .filter(([, signal]) => signal.zScore !== undefined || signal.slo !== undefined)
    .flatMap(([name, signal]) => directionsOf(signal).map((direction) => ({ name, signal, direction })));
  const spent = before.spent + 1;
  const share = ERROR_ALLOWED / Math.max(1, tests.length) / (spent * (spent + 1));
  const evidence = tests.flatMap((test) => comparison(pool, compared, test, share) ?? []);
  return { looks: evidence.length > 0 ? { spent, lastMs: nowMs } : keep(before), evidence };
}

/** Minus infinity is no JSON. */
const keep = ({ spent, lastMs }: LooksState): LooksState => ({ spent, lastMs: Number.isFinite(lastMs) ? lastMs : 0 });

interface Test {
  name: string;
  signal: Signal;
  direction: Direction;
}

function comparison(pool: Pool, compared: readonly CellObservation[], test: Test, share: number): Evidence | null {
  const { policy, nowMs, memo } = pool;
  const subject = (cell: CellObservation) => memo.subject(test.name, test.signal, test.direction, cell, policy);
  const olds = pool.onOld.map(subject);
  const changed = compared.flatMap((cell) => changedCell(subject(cell), policy) ?? []);
  if (changed.length < FEWEST_NEW) return null;
  const usualTogether = togetherness([...changed.map((c) => c.subject), ...olds], typical(changed));
  const found = changed.flatMap(({ deviation: { z, change } }) => {
    const others = movesOfOthers({ onOld: olds, onNew: changed.map((c) => c.subject) }, change, nowMs);
    if (others.length < FEWEST_OTHERS) return [];
    const { middle: common, tail } = commonOf(others);
    // What moves all cells now may be larger than it ever was.
    const together = Math.max(usualTogether, common ** 2);
    const weight = together > 0 ? together / (together + 1.57 / others.length) : 0;
    const differ = Math.max((ANSWERS_DIFFER * common) ** 2, tail ** 2 - 1);
    const rest = together * (1 - weight) + differ / others.length;
    return [{ excess: clamp(z - weight * common, -MOST_OF_ONE, MOST_OF_ONE), rest, differ, others: others.length }];
  });
  if (found.length < FEWEST_NEW) return null;
  const ofPasts = 1 / found.length;
  const ofOthers = mean(found.map((f) => f.rest)) + mean(found.map((f) => f.differ)) / found.length;
  const z = mean(found.map(({ excess }) => excess)) / Math.sqrt(ofPasts + ofOthers);
  const freedom = freedomOf([
    [ofPasts, Number.POSITIVE_INFINITY],
    [ofOthers, mean(found.map((f) => f.others)) - 1],
  ]);
  const line = Math.max(test.signal.zScore ?? 0, studentUpper(share, freedom));
  return evidenceOfPool(test, changed, z, line, nowMs, pool);
}

interface Changed {
  subject: Subject;
  deviation: Deviation;
}

/** The change of one cell since its own deployment; null where too little was measured, before or after. */
function changedCell(subject: Subject, policy: HealthPolicy): Changed | null {
  const stretch = Math.min(LONGEST, blocksSince(subject, policy) - 1);
  const deviation = subject.young || stretch < 1 ? null : deviationOf(subject, stretch);
  return deviation === null ? null : { subject, deviation };
}

/** The change that most of the cells are asked for. */
function typical(changed: readonly Changed[]): Change {
  const of = (pick: (change: Change) => number) =>
    Math.round(median(changed.map(({ deviation }) => pick(deviation.change))));
  return { lag: of((c) => c.lag), stretch: of((c) => c.stretch) };
}

/**
 * How much cells move together, from 0 to 1: the variance over the past of the mean of their changes at the same time,
 * less what it would be for cells that have nothing to do with one another.
 */
function togetherness(subjects: readonly Subject[], change: Change): number {
  const columns = subjects.flatMap(({ past }) => {
    const usual = usualChange(past, change);
    return usual !== null && usual.spread > 0 ? [{ usual, first: Math.round(past.endMs / past.blockMs) }] : [];
  });
  if (columns.length < 2) return 0;
  const newest = Math.max(...columns.map(({ first }) => first));
  const means: number[] = [];
  for (let slot = newest; slot > newest - MOST_BLOCKS; slot--) {
    let [sum, count] = [0, 0];
    for (const { usual, first } of columns) {
      const value = (usual.changes[first - slot] ?? Number.NaN) / usual.spread;
      if (Number.isNaN(value)) continue;
      sum += value;
      count += 1;
    }
    if (count * 2 > columns.length) means.push(Math.abs(sum / count));
  }
  if (means.length === 0) return 0;
  return clamp((MAD_TO_SIGMA * median(means)) ** 2 - 1 / columns.length, 0, 1);
}

function evidenceOfPool(
  { name, signal, direction }: Test,
  changed: readonly Changed[],
  z: number,
  line: number,
  nowMs: number,
  { policy, onNew, onOld }: Pool,
): Evidence {
  const seen = onNew[0]?.running ?? null;
  const at = (pick: (deviation: Deviation) => number) =>
    changed[0]?.subject.scale.value(median(changed.map(({ deviation }) => pick(deviation))));
  const [value, baseline] = [at((d) => d.now), at((d) => d.level)];
  const side = direction === 'lower' ? 'lower' : 'higher';
  const words = `${name} is ${side} on ${changed.length} cells with the new package than before, against ${onOld.length} with the old one`;
  return {
    signal: name,
    rule: 'ring-wide',
    verdict: z > line ? 'unhealthy' : 'healthy',
    cell: null,
    package: seen,
    fromMs: Math.min(...changed.map(({ deviation }) => deviation.window[0]?.[0] ?? nowMs)),
    toMs: nowMs,
    samples: changed.length,
    value: orNull(value),
    baseline: orNull(baseline),
    threshold: orNull(line),
    sentence: shortened(`${words}: ${shown(z)} deviations pooled; the line of this look is ${shown(line)}`),
    ...(signal.mode === 'shadow' && policy.mode === 'enforce' ? { shadow: true as const } : {}),
  };
}
