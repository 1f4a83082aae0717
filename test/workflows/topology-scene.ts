import type { World } from '../support/world.js';

export type Loose = Record<string, unknown> & {
  rings: { ring: number; cells: Record<string, unknown>[]; policy?: unknown }[];
};

export const apply = (world: World, topology: unknown, more: Record<string, unknown> = {}) =>
  world.cells.cluster().applyTopology({ topology, by: 'alice', ...more });

/** A copy of the world's topology with a change. */
export function changed(world: World, change: (t: Loose) => void): Loose {
  const copy = structuredClone(world.topology) as Loose;
  change(copy);
  return copy;
}

export const ring = (t: Loose, number: number) => t.rings.find((r) => r.ring === number) as Loose['rings'][number];
