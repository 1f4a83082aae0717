import type { CellView, Judge, Look, Opinion } from '../rollout.js';
import type { Point } from '../world.js';
import { METRICS, type Metric, NO_HOLDS, numbers } from './metrics.js';

/** Kayenta's settings. */
const TOLERANCE = 0.25;
/** Two-sided confidence of 0.98. */
const QUANTILE = 2.3263;
const FEWEST = 50;
/** The mean of the canary's points over the control's, which must not lie on the better side of this for the metric to fail. */
const EFFECT_SIZE = 1;
/** An analysis each five minutes, over the newest points. */
const EVERY_MS = 5 * 60_000;
const NEWEST = 60;

export type Control = 'ring' | 'own past';

/**
 * Automated canary analysis as Kayenta's judge does it: for each metric a Mann-Whitney U test of the canary's points
 * against the control's; the metric fails where the 98 % interval of the shift (Hodges-Lehmann) lies wholly beyond a
 * quarter of its estimate, in the direction that is worse, and where the effect size does: the ratio of means, from 1 on or
 * up to 1, as `MannWhitneyClassifier` of the project has it by default (effect size thresholds 1.0 and 1.0, tolerance
 * 0.25; the confidence of 0.98 is its judge's). Every metric counts as critical. At least 50 points: the first
 * cell is held until it has them.
 *
 * The canary's points are means over the cells on the new package; the control's, means over the cells on the old one at
 * the same time (`ring`), or the same cells' before their deployments (`own past`).
 */
export const mannWhitney = (name: string, control: Control): Judge => ({
  name,
  begin() {
    let last: { atMs: number; opinion: Opinion } | null = null;
    return (look: Look): Opinion => {
      if (last !== null && look.nowMs - last.atMs < EVERY_MS) return last.opinion;
      const opinion = analyse(look, control);
      last = { atMs: look.nowMs, opinion };
      return opinion;
    };
  },
});

function analyse({ onNew, onOld }: Look, control: Control): Opinion {
  const sides = METRICS.map((metric) => ({
    metric,
    canary: pooled(onNew.map((cell) => cell.after()[metric.name] ?? [])),
    control: control === 'ring' ? pooled(onOld.map((cell) => cell.after()[metric.name] ?? [])) : pastOf(onNew, metric),
  }));
  const enough = sides.filter((side) => side.canary.length >= FEWEST && side.control.length >= FEWEST);
  const first = onNew[0];
  if (enough.length === 0) return { stop: false, holds: onNew.length === 1 && first ? new Set([first.id]) : NO_HOLDS };
  return { stop: enough.some((side) => isWorse(side.metric, side.canary, side.control)), holds: NO_HOLDS };
}

/** The newest means over cells at the same instant. */
function pooled(series: readonly (readonly Point[])[]): number[] {
  const sums = new Map<number, { sum: number; count: number }>();
  for (const points of series) {
    for (const [at, value] of numbers(points.slice(-NEWEST))) {
      const entry = sums.get(at) ?? { sum: 0, count: 0 };
      sums.set(at, { sum: entry.sum + value, count: entry.count + 1 });
    }
  }
  const instants = [...sums.keys()].sort((a, b) => a - b).slice(-NEWEST);
  return instants.map((at) => (sums.get(at)?.sum ?? 0) / (sums.get(at)?.count ?? 1));
}

/** Means over cells as long before each one's deployment. */
function pastOf(cells: readonly CellView[], { name }: Metric): number[] {
  const pasts = cells.map((cell) => numbers(cell.recent(name).slice(-NEWEST)).reverse());
  const length = Math.max(0, ...pasts.map((past) => past.length));
  return Array.from({ length }, (_, i) => {
    const values = pasts.flatMap((past) => past[i]?.[1] ?? []);
    return values.reduce((sum, v) => sum + v, 0) / values.length;
  });
}

function isWorse({ worse }: Metric, canary: readonly number[], control: readonly number[]): boolean {
  const { low, high, estimate } = shiftOf(canary, control);
  const bearable = TOLERANCE * Math.abs(estimate);
  const ratio = meanOf(canary) / meanOf(control);
  const [isHigh, isLow] = [low > bearable && !(ratio < EFFECT_SIZE), high < -bearable && !(ratio > EFFECT_SIZE)];
  return worse === 'higher' ? isHigh : worse === 'lower' ? isLow : isHigh || isLow;
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;

/** The Hodges-Lehmann estimate of the shift with its interval, from the ordered pairwise differences. */
function shiftOf(
  canary: readonly number[],
  control: readonly number[],
): { low: number; high: number; estimate: number } {
  const [n, m] = [canary.length, control.length];
  const differences = new Float64Array(n * m);
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) differences[i * m + j] = (canary[i] ?? 0) - (control[j] ?? 0);
  differences.sort();
  const reach = QUANTILE * Math.sqrt((n * m * (n + m + 1)) / 12);
  const at = (k: number) => differences[Math.min(n * m - 1, Math.max(0, Math.round(k)))] ?? 0;
  return { low: at((n * m) / 2 - reach), high: at((n * m) / 2 + reach), estimate: at((n * m) / 2) };
}
