import type { MeasuredCell } from './cell.js';
import { WINDOW } from './clock.js';
import { budgetOf, usualShares } from './requests.js';
import type { ServiceType } from './services.js';

/** Multi-window burn rates, as the legacy stages judge themselves by: factor of the budget, over both windows. */
const BURNS = [
  { factor: 14.4, windows: ['1h', '5m'] },
  { factor: 6, windows: ['6h', '30m'] },
] as const;

/**
 * 1 where a service of an observed cell is healthy, 0 where it burns its budget. It is made of the shares that are to be
 * expected, not of single requests: these windows are long, and the cell is large.
 */
export function deploymentHealth(cell: MeasuredCell, type: ServiceType): (step: number) => 0 | 1 {
  const budget = budgetOf(type);
  const usual = usualShares(cell, type);
  const parts = [
    { signal: 'apdex', budget: budget.slow, share: usual.slow },
    { signal: 'errors', budget: budget.failed, share: usual.failed },
  ] as const;
  return (step) => {
    const burns = ({ signal, budget, share }: (typeof parts)[number], window: keyof typeof WINDOW, factor: number) =>
      share + cell.worsening({ signal, type }, step - WINDOW[window], step) > factor * budget;
    const isBurning = BURNS.some(({ factor, windows }) =>
      parts.some((part) => windows.every((window) => burns(part, window, factor))),
    );
    return isBurning ? 0 : 1;
  };
}
