import type { World } from '../support/world.js';

export const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();

export const override = (world: World, version: string, wait: 'freeze' | 'approval', ring = 2) =>
  world.cells.rollout(version).override({ wait, ring, by: 'alice', reason: 'the fix for INC-4711' });

export type Topology = Record<string, unknown> & { rings: { ring: number; policy?: object }[] };

/** Applies the world's topology with another policy of one ring. */
export async function apply(world: World, ring: number, policy: Record<string, unknown>): Promise<void> {
  const topology = structuredClone(world.topology) as Topology;
  const found = topology.rings.find((r) => r.ring === ring);
  Object.assign(found ?? {}, { policy: { ...found?.policy, ...policy } });
  await world.cells.cluster().applyTopology({ topology, by: 'test', releaseColdStart: true });
}

export const frozen = (forMs: number, reason = 'holidays') => ({
  freezes: [{ from: inMs(-60_000), to: inMs(forMs), reason }],
});

export const FOR_LONG = 3_600_000;
