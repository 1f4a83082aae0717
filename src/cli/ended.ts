import type { SeenRollout } from '../client/index.js';
import type { RolloutState } from '../contract/status.js';

const ENDS: readonly RolloutState[] = ['superseded', 'aborted', 'rolled-back', 'expired'];

/** Whether nothing of this rollout will change any more. `converged` is its end only once the last PDM has run. */
export const hasEnded = ({ state, finishedAt, cutOff }: SeenRollout): boolean =>
  finishedAt !== null || cutOff !== undefined || ENDS.includes(state);
