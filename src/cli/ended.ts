import type { PackageRolloutStatus, RolloutState } from '../contract/status.js';

const ENDS: readonly RolloutState[] = ['superseded', 'aborted', 'rolled-back', 'expired'];

/** Whether nothing of this rollout will change any more. `converged` is its end only once the last PDM has run. */
export const hasEnded = ({ state, finishedAt }: PackageRolloutStatus): boolean =>
  finishedAt !== null || ENDS.includes(state);
