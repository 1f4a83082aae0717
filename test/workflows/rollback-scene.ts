import { expect } from 'vitest';
import type { PackageRollbackStatus } from '../../src/contract/status.js';
import { whatIsOpen } from '../support/evidence.js';
import { V1 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import { ringOf } from './support.js';

export const order = (more: Record<string, unknown> = {}) => ({ by: 'alice', reason: 'INC-4711', ...more });

/** Takes a package back, and answers how that ended. */
export async function rollback(
  world: World,
  version = V1,
  more: Record<string, unknown> = {},
): Promise<PackageRollbackStatus> {
  const client = world.cells.rollback(version);
  expect(await client.start(order(more))).toBe(true);
  try {
    return await client.result(180_000);
  } catch (error) {
    const seen = JSON.stringify(await client.status().catch(String), null, 1);
    const open = await whatIsOpen(world.client);
    throw new Error(`${error}; last seen: ${seen}; open:\n${open.join('\n')}`, { cause: error });
  }
}

export const backJobs = async (world: World) => (await world.jobs()).filter((j) => j.kind === 'rollback');

export const stays = (status: PackageRollbackStatus) => status.needsDowntime.map((e) => e.cell).sort();

export const exceptions = (status: PackageRollbackStatus) => status.rings.flatMap((r) => r.exceptions);

export const graceOf = (ring: number) => (s: Parameters<typeof ringOf>[0]) => ringOf(s, ring)?.state === 'grace';

export const LONG_GRACE = { gracePeriod: '1h' };

/** Starts a cell cluster again that was terminated: what the one before it kept stands in its history. */
export async function applyAnew(world: World): Promise<void> {
  world.acts.splice(0, world.acts.length, ...world.acts.filter((a) => a.version !== null));
  await world.apply();
}
