import type { CellObservation, Evidence, HealthPolicy, LooksState, Signal } from '../../contract/health.js';
import { changeOf } from './common.js';
import { orNull, shortened, shown } from './evidence.js';
import { clamp, mean, median, normalUpper } from './numbers.js';
import { type Change, usualChange } from './past.js';
import { cleanSamples, sustainedMs } from './readings.js';
import { type Direction, directionsOf } from './scale.js';
import { type Memo, type Subject, subjectOf } from './subject.js';

/** The share of good packages that the comparison may stop in one pass over a ring, however often it looks. */
const ERROR_ALLOWED = 0.005;
/** A cell counts for at most so many deviations: one that is broken by itself does not speak for the package. */
const MOST_OF_ONE = 4;
const FEWEST_NEW = 2;
/** The longest stretch after a deployment that is averaged, in multiples of what is sustained: half an hour. */
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
 * (best linear unbiased prediction: Henderson 1975).
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
  const line = normalUpper(ERROR_ALLOWED / Math.max(1, tests.length) / (spent * (spent + 1)));
  const evidence = tests.flatMap((test) => comparison(pool, compared, test, line) ?? []);
  return { looks: evidence.length > 0 ? { spent, lastMs: nowMs } : keep(before), evidence };
}

/** Minus infinity is no JSON. */
const keep = ({ spent, lastMs }: LooksState): LooksState => ({ spent, lastMs: Number.isFinite(lastMs) ? lastMs : 0 });

interface Test {
  name: string;
  signal: Signal;
  direction: Direction;
}

function comparison(pool: Pool, compared: readonly CellObservation[], test: Test, line: number): Evidence | null {
  const { policy, nowMs, memo } = pool;
  const subject = (cell: CellObservation) => subjectOf(test.name, test.signal, test.direction, cell, policy, memo);
  const olds = pool.onOld.map(subject);
  const changed = compared.flatMap((cell) => changed1(subject(cell), policy, nowMs) ?? []);
  if (changed.length < FEWEST_NEW) return null;
  const together = togetherness([...changed.map((c) => c.subject), ...olds], typical(changed));
  const found = changed.map(({ z, change }) => {
    const others = olds.flatMap((old) => changeOf(old, change, nowMs) ?? []);
    const noise = others.length > 0 ? 1.57 / others.length : Number.POSITIVE_INFINITY;
    const weight = together / (together + noise);
    return { excess: clamp(z - (others.length > 0 ? weight * median(others) : 0), -MOST_OF_ONE, MOST_OF_ONE), weight };
  });
  const rest = together * (1 - mean(found.map(({ weight }) => weight)));
  const z = mean(found.map(({ excess }) => excess)) / Math.sqrt(rest + 1 / changed.length);
  return evidenceOfPool(test, changed, z, line, nowMs, pool);
}

interface Changed {
  subject: Subject;
  change: Change;
  z: number;
}

/** The change of one cell since its own deployment; null where too little was measured, before or after. */
function changed1(subject: Subject, policy: HealthPolicy, nowMs: number): Changed | null {
  const { reading, past, young } = subject;
  const clean = cleanSamples(reading);
  if (young || clean.length < policy.minSamples) return null;
  const sinceMs = nowMs - (clean[0]?.[0] ?? nowMs);
  const stretchMs = Math.min(Math.max(sinceMs, sustainedMs(policy)), LONGEST * sustainedMs(policy));
  const change: Change = { lagMs: nowMs - past.endMs, stretchMs, kind: 'mean' };
  const z = changeOf(subject, change, nowMs);
  return z === null ? null : { subject, change, z };
}

/** The change that most of the cells are asked for. */
function typical(changed: readonly Changed[]): Change {
  const of = (pick: (change: Change) => number) => median(changed.map(({ change }) => pick(change)));
  return { lagMs: of((c) => c.lagMs), stretchMs: of((c) => c.stretchMs), kind: 'mean' };
}

/**
 * How much cells move together, from 0 to 1: the variance over the past of the mean of their changes at the same time,
 * less what it would be for cells that have nothing to do with one another.
 */
function togetherness(subjects: readonly Subject[], change: Change): number {
  const sums = new Map<number, { sum: number; count: number }>();
  for (const { past } of subjects) {
    const usual = usualChange(past, change);
    if (usual === null || !(usual.spread > 0)) continue;
    const first = Math.round(past.endMs / past.blockMs);
    usual.changes.forEach((value, k) => {
      if (Number.isNaN(value)) return;
      const entry = sums.get(first - k) ?? { sum: 0, count: 0 };
      sums.set(first - k, { sum: entry.sum + value / usual.spread, count: entry.count + 1 });
    });
  }
  const enough = [...sums.values()].filter(({ count }) => count * 2 > subjects.length);
  if (enough.length === 0 || subjects.length < 2) return 0;
  const spread = 1.4826 * median(enough.map(({ sum, count }) => Math.abs(sum / count)));
  return clamp(spread ** 2 - 1 / subjects.length, 0, 1);
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
  const { scale } = changed[0]?.subject ?? { scale: null };
  const levels = changed.map(({ subject }) => subject.past.levels[0] ?? Number.NaN);
  const nows = changed.map(
    ({ subject, z: own, change }, i) => (levels[i] ?? 0) + own * (usualChange(subject.past, change)?.spread ?? 0),
  );
  const [value, baseline] = [scale?.back(median(nows)), scale?.back(median(levels))];
  const side = direction === 'lower' ? 'lower' : 'higher';
  const words = `${name} is ${side} on ${changed.length} cells with the new package than before, against ${onOld.length} with the old one`;
  return {
    signal: name,
    rule: 'ring-wide',
    verdict: z > line ? 'unhealthy' : 'healthy',
    cell: null,
    package: seen,
    fromMs: Math.min(...changed.map(({ change }) => nowMs - change.stretchMs)),
    toMs: nowMs,
    samples: changed.length,
    value: orNull(value),
    baseline: orNull(baseline),
    threshold: orNull(line),
    sentence: shortened(`${words}: ${shown(z)} deviations pooled; the line of this look is ${shown(line)}`),
    ...(signal.mode === 'shadow' && policy.mode === 'enforce' ? { shadow: true as const } : {}),
  };
}
