import type { World } from '../support/world.js';
import { graduate, jobsSeen, toVersion } from './support.js';

export const brake = (world: World, more: Record<string, unknown> = {}) =>
  world.cells.cluster().engageBrake({ by: 'alice', reason: 'incident', ...more });
export const release = (world: World, brakeId?: string) =>
  world.cells.cluster().releaseBrake({ by: 'alice', ...(brakeId ? { brakeId } : {}) });
export const wide = { 2: { maxParallel: 3 } };

/** Rolls out until the first cell has passed and others are in flight on the ring. */
export async function inFlightOn(world: World, version: string, ring: number): Promise<void> {
  await graduate(world, version);
  await jobsSeen(
    world,
    (jobs) =>
      toVersion(jobs, version).filter((j) => j.cell.startsWith(`c${ring}-`) && j.state === 'running').length > 1,
  );
}
