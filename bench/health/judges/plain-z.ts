import type { CellView, Judge, Look } from '../rollout.js';
import type { Point } from '../world.js';
import { METRICS, type Metric, NO_HOLDS, numbers } from './metrics.js';

const LINE = 3;
/** Five minutes of samples. */
const IN_A_ROW = 10;
/** A mean and a deviation need some past: half a day of it. */
const FEWEST = 144;

/**
 * A plain z-score, as anomaly alerts on golden signals describe it: mean and standard deviation of the day before the
 * deployment, and |z| > 3 in the direction that is worse for five minutes. A cell with too little of a past is not judged.
 */
export const plainZScore: Judge = {
  name: 'plain z-score',
  begin() {
    const moments = new WeakMap<readonly Point[], Moments | null>();
    const known = (points: readonly Point[]) => {
      if (!moments.has(points)) moments.set(points, momentsOf(points));
      return moments.get(points) ?? null;
    };
    return ({ onNew }: Look) => ({
      stop: onNew.some((cell) => METRICS.some((metric) => isAnomalous(cell, metric, known))),
      holds: NO_HOLDS,
    });
  },
};

interface Moments {
  mean: number;
  deviation: number;
}

function momentsOf(points: readonly Point[]): Moments | null {
  const values = numbers(points).map(([, value]) => value);
  if (values.length < FEWEST) return null;
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1);
  return { mean, deviation: Math.sqrt(variance) };
}

function isAnomalous(
  cell: CellView,
  { name, worse }: Metric,
  known: (points: readonly Point[]) => Moments | null,
): boolean {
  const lately = (cell.after()[name] ?? []).slice(-IN_A_ROW);
  const moments = known(cell.baseline[name] ?? []);
  if (moments === null || lately.length < IN_A_ROW) return false;
  return lately.every(([, value]) => {
    const z = (value - moments.mean) / moments.deviation;
    return worse === 'lower' ? z < -LINE : worse === 'higher' ? z > LINE : Math.abs(z) > LINE;
  });
}
