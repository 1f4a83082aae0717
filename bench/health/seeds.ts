/**
 * Two sets of seeds. Constants of the judge are chosen by looking at rollouts of the development set only; the results that are kept come from the evaluation set, which nothing was chosen
 * by. `npm run bench:health -- --set development` runs the first one and keeps nothing.
 */
export const SETS = {
  development: { firstSeed: 1_000, rollouts: 480 },
  evaluation: { firstSeed: 900_000, rollouts: 600 },
} as const;

export type SetName = keyof typeof SETS;

/** Of the bootstrap intervals. */
export const BOOTSTRAP_SEED = 20_261_121;

/** The settings of the fixed-threshold rival. Not tuned on the development set yet: chosen by hand. */
export const LONGER_THRESHOLD = { budgets: 5, consecutive: 10 };
