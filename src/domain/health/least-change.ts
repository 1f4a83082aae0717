import { budgetOf, type Reading } from './readings.js';
import type { Scale } from './scale.js';

/** A change counts from this share of the budget that an objective leaves, whatever a signal's own noise is. */
const LEAST_OF_BUDGET = 0.5;
/** Without an objective: from this share of the level on its scale (a tenth of the value, under a square root). */
const LEAST_OF_LEVEL = 0.05;

/** The smallest change on the scale that matters. */
export function leastChange({ signal }: Reading, scale: Scale, level: number): number {
  const { slo, worse } = signal;
  if (slo === undefined) return LEAST_OF_LEVEL * Math.abs(level);
  const amount = scale.amount(scale.value(level));
  return scale.level(amount + LEAST_OF_BUDGET * budgetOf(slo, worse)) - level;
}
