/**
 * Sets of seeds. Constants and rules of the judge are chosen by looking at rollouts of the development sets only; the
 * results that are kept come from the evaluation set, which nothing was chosen by. `spent` was the evaluation set until
 * the rules were changed by what it showed. `npm run bench:health -- --set development` runs the first one and keeps
 * nothing.
 */
export const SETS = {
  development: { firstSeed: 1_000, rollouts: 480 },
  spent: { firstSeed: 900_000, rollouts: 600 },
  evaluation: { firstSeed: 71_300_000, rollouts: 600 },
} as const;

export type SetName = keyof typeof SETS;

/** Of the bootstrap intervals. */
export const BOOTSTRAP_SEED = 20_261_121;

/**
 * Fixed thresholds that wait longer than Argo Rollouts' examples do, chosen on the first 80 rollouts of the development
 * set out of 3, 5, 10, 20 or 40 budgets with 10, 15, 20 or 30 failures in a row: `balanced` stops few good packages (2 of
 * 40) and finds most among those that do; `careful` is the one that exposes the fewest cells of those that stopped none.
 */
export const LONGER_THRESHOLDS = {
  balanced: { budgets: 10, consecutive: 15 },
  careful: { budgets: 20, consecutive: 15 },
} as const;
