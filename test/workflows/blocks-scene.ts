import { V1 } from '../support/fleet.js';
import type { World } from '../support/world.js';

export const block = (world: World, version = V1, more: Record<string, unknown> = {}) =>
  world.cells.cluster().blockVersion({ version, by: 'alice', reason: 'INC-4711', ...more });

export const unblock = (world: World, version = V1) =>
  world.cells.cluster().unblockVersion({ version, by: 'bob', reason: 'it was the network' });
