import type { CellView, Judge, Look } from '../rollout.js';
import { METRICS, type Metric, NO_HOLDS } from './metrics.js';

export interface FixedThreshold {
  /** The threshold, in multiples of the objective's budget: 1 is the objective itself. */
  budgets: number;
  /** So many failed measurements in a row fail the analysis. */
  consecutive: number;
}

/**
 * Fixed thresholds with consecutive failures, as an AnalysisTemplate of Argo Rollouts has them: each look measures each
 * metric of each cell on the new package against a `failureCondition`, and so many failures in a row fail the analysis.
 * A measurement that is missing or no number is neither a failure nor a success, and holds nothing.
 */
export const fixedThreshold = (name: string, { budgets, consecutive }: FixedThreshold): Judge => ({
  name,
  begin() {
    const failures = new Map<string, number>();
    return ({ onNew }: Look) => {
      let stop = false;
      for (const cell of onNew) {
        for (const metric of METRICS) {
          const failed = isFailure(cell, metric, budgets);
          const key = `${cell.id} ${metric.name}`;
          const count = failed ? (failures.get(key) ?? 0) + 1 : 0;
          failures.set(key, count);
          stop ||= count >= consecutive;
        }
      }
      return { stop, holds: NO_HOLDS };
    };
  },
});

function isFailure(cell: CellView, { name, worse, limit, budget }: Metric, budgets: number): boolean {
  const value = cell.after()[name]?.at(-1)?.[1];
  if (value === undefined || limit === null) return false;
  if (budget === null) return value > limit;
  return worse === 'lower' ? value < 1 - budgets * budget : value > budgets * budget;
}
