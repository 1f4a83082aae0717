import type { World } from '../support/world.js';

export const OBSERVE = { mode: 'observe' };

/** Jobs that the coordinator ordered. */
export const ours = async (world: World) =>
  (await world.jobs()).filter((job) => job.idempotency_key.startsWith('ccc/'));
