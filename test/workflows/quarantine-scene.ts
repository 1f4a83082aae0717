import type { World } from '../support/world.js';

export const quarantine = (world: World, cell: string, more: { expiresAt?: string } = {}) =>
  world.cells.cluster().quarantineCell({ cell, by: 'alice', reason: 'being rebuilt', ...more });
