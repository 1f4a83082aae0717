import type { CellView, Judge, Look } from '../rollout.js';
import type { Point } from '../world.js';
import { METRICS, type Metric, NO_HOLDS } from './metrics.js';

const MINUTE_MS = 60_000;

const PAIRS = [
  { factor: 14.4, longMs: 60 * MINUTE_MS, shortMs: 5 * MINUTE_MS },
  { factor: 6, longMs: 360 * MINUTE_MS, shortMs: 30 * MINUTE_MS },
];

/**
 * Multi-window burn rate alone, as The Site Reliability Workbook has it: windows reach back over the deployment, as they
 * do where an alert decides about deployments too. The past before the deployment is there in steps of five minutes.
 */
export const burnRateOnly: Judge = {
  name: 'burn rate only',
  begin() {
    return ({ onNew, nowMs }: Look) => ({
      stop: onNew.some((cell) => METRICS.some((metric) => PAIRS.some((pair) => isBurning(cell, metric, pair, nowMs)))),
      holds: NO_HOLDS,
    });
  },
};

function isBurning(
  cell: CellView,
  { name, worse, budget }: Metric,
  pair: (typeof PAIRS)[number],
  nowMs: number,
): boolean {
  if (budget === null) return false;
  const burns = [pair.shortMs, pair.longMs].map((lengthMs) => {
    const bad = meanSince(cell, name, nowMs - lengthMs, nowMs);
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
