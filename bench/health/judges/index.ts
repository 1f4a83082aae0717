import type { Judge } from '../rollout.js';
import { LONGER_THRESHOLDS } from '../seeds.js';
import { burnRateOnly } from './burn-rate.js';
import { fixedThreshold } from './fixed-threshold.js';
import { mannWhitney } from './mann-whitney.js';
import { ours, oursAlone } from './ours.js';
import { plainZScore } from './plain-z.js';

export const RIVALS: readonly Judge[] = [
  fixedThreshold('fixed threshold', { budgets: 1, consecutive: 3 }),
  fixedThreshold('fixed threshold, balanced', LONGER_THRESHOLDS.balanced),
  fixedThreshold('fixed threshold, careful', LONGER_THRESHOLDS.careful),
  mannWhitney('Mann-Whitney, ring', 'ring'),
  mannWhitney('Mann-Whitney, own past', 'own past'),
  plainZScore,
  burnRateOnly('burn rate only', 'over the deployment'),
  burnRateOnly('burn rate only, since deployment', 'since the deployment'),
];

/** Ours is the first. */
export const JUDGES: readonly Judge[] = [ours, ...RIVALS];

/** Judged only where it is asked for by name. */
export const ON_DEMAND: readonly Judge[] = [oursAlone];

export { ours };
