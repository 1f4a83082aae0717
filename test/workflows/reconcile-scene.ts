import { expect } from 'vitest';
import { V1 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import { cellNow, ends, graduate } from './support.js';

export const OFTEN = { coordination: { reconcileEvery: '2s' } };

export const SELDOM = { coordination: { reconcileEvery: '10h' } };

export const BUDGET = { failureBudget: 1 };

export const ON_V1 = { version: V1, migrated_version: V1 };

export const exceptionsOf = async (world: World, ring: number) =>
  (await world.cells.cluster().status()).rings.find((r) => r.ring === ring)?.exceptions ?? [];

export async function converge(world: World, version = V1) {
  await graduate(world, version);
  expect((await ends(world, version)).state).toBe('converged');
}

export const runs = (world: World, cell: string, wanted: Record<string, unknown>) =>
  world.until(
    `${cell} to run what it should`,
    async () => {
      const now = await cellNow(world, cell);
      return Object.entries(wanted).every(([field, value]) => now[field as keyof typeof now] === value);
    },
    60_000,
  );

export const byHand = (world: World, cell: string, version: string) =>
  world.fault({ kind: 'changed-by-hand', cell, version });

export const reconcile = (world: World, which: Record<string, unknown> = {}) =>
  world.cells.cluster().reconcile({ by: 'alice', ...which });
