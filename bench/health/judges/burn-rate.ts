import type { CellView, Judge, Look } from '../rollout.js';
import type { Point } from '../world.js';
import { METRICS, type Metric, NO_HOLDS } from './metrics.js';

const MINUTE_MS = 60_000;

/** Ten points. */
const FEWEST_MS = 5 * MINUTE_MS;

const PAIRS = [
  { factor: 14.4, longMs: 60 * MINUTE_MS, shortMs: 5 * MINUTE_MS },
  { factor: 6, longMs: 360 * MINUTE_MS, shortMs: 30 * MINUTE_MS },
];

export type Reach = 'over the deployment' | 'since the deployment';

/**
 * Multi-window burn rate alone, as The Site Reliability Workbook has it. Windows reach back over the deployment, as they do
 * where an alert decides about deployments too, with the past before it in steps of five minutes; or they end where the
 * deployment did, and are shorter while it is young: then only points that a rate over five minutes has wholly from after
 * it, and ten of them.
 */
export const burnRateOnly = (name: string, reach: Reach): Judge => ({
  name,
  begin() {
    return ({ onNew, nowMs }: Look) => ({
      stop: onNew.some((cell) =>
        METRICS.some((metric) => PAIRS.some((pair) => isBurning(cell, metric, pair, nowMs, reach))),
      ),
      holds: NO_HOLDS,
    });
  },
});

function isBurning(
  cell: CellView,
  { name, worse, budget }: Metric,
  pair: (typeof PAIRS)[number],
  nowMs: number,
  reach: Reach,
): boolean {
  if (budget === null) return false;
  const cleanMs = (cell.deployedAtMs ?? nowMs) + 5 * MINUTE_MS;
  const isYoung = nowMs - cleanMs < FEWEST_MS;
  if (reach === 'since the deployment' && isYoung) return false;
  const earliestMs = reach === 'since the deployment' ? cleanMs : 0;
  const burns = [pair.shortMs, pair.longMs].map((lengthMs) => {
    const bad = meanSince(cell, name, Math.max(earliestMs, nowMs - lengthMs), nowMs);
    return (worse === 'lower' ? 1 - bad : bad) / budget;
  });
  return burns.every((burn) => burn > pair.factor);
}

/** The mean over time: both steps weigh as much as the time that they stand for. NaN where nothing was measured. */
function meanSince(cell: CellView, name: string, fromMs: number, nowMs: number): number {
  let [sum, weights] = [0, 0];
  const add = (points: readonly Point[], stepMs: number) => {
    for (let i = points.length - 1; i >= 0; i--) {
      const point = points[i];
      if (point === undefined || point[0] < fromMs) break;
      if (point[0] > nowMs || !Number.isFinite(point[1])) continue;
      sum += point[1] * stepMs;
      weights += stepMs;
    }
  };
  add(cell.after()[name] ?? [], MINUTE_MS / 2);
  add(cell.baseline[name] ?? [], 5 * MINUTE_MS);
  return sum / weights;
}
