import { expect } from 'vitest';
import type { PackageRollbackStatus } from '../../src/contract/status.js';
import { V0, V1 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import {
  cellNow,
  clusterSeen,
  exceptionOf,
  graduate,
  jobsSeen,
  pause,
  ringOf,
  scenario,
  seen,
  toVersion,
} from './support.js';

/** A minor version more behind than any package is brought to. */
const OLD = '17.7.202501010900-0a1b2c3d4e5.5e4d3c2b1a0';
const SELDOM = { coordination: { reconcileEvery: '10h', lookEvery: '1s' } };
const who = { by: 'alice', reason: 'INC-4711' };

const byHand = (world: World, cell: string, version = V0) => world.fault({ kind: 'changed-by-hand', cell, version });

/** Ring 2 is through with V1, which bakes in ring 3; then all of ring 2 is changed, and a person has it brought back. */
async function reconciles(world: World, cells: string[]): Promise<void> {
  await graduate(world, V1);
  await seen(world, V1, (s) => ringOf(s, 2)?.state === 'converged' && ringOf(s, 3)?.state === 'baking');
  await bringsBack(world, cells);
}

/** All of ring 2, which nobody holds any more, is changed; a person has it brought back, and the first job begins. */
async function bringsBack(world: World, cells: string[]): Promise<void> {
  await clusterSeen(world, (s) => s.rings[2]?.rollout === undefined);
  for (const cell of cells) await byHand(world, cell);
  await world.cells.cluster().reconcile({ by: 'alice', cells });
  await jobsSeen(world, (jobs) => toVersion(jobs, V1).length === cells.length + 2);
}

/** The cluster brings no further cell to the package, whose rollout still goes on. */
async function stopsBeforeItsEnd(world: World): Promise<void> {
  await clusterSeen(world, (s) => s.rings[2]?.rollout === undefined);
  expect((await world.cells.rollout(V1).status()).finishedAt).toBeNull();
  expect(toVersion(await world.jobs(), V1)).toHaveLength(5);
}

const THREE = ['c2-1', 'c2-2', 'c2-3'];
const ONE_BY_ONE = { maxParallel: 1, downtimeRollback: 'allowed' };
const SCENE = { rings: { 2: 3, 3: 1 }, policies: { 2: ONE_BY_ONE, 3: { bakeTime: '1h' } }, jobMs: 2_000, more: SELDOM };

scenario(
  'a brake on a package holds for, and is answered by, a pass that reconciles a ring to it',
  SCENE,
  async (world) => {
    await reconciles(world, THREE);
    const { inFlight } = await world.cells.rollout(V1).engageBrake(who);
    expect(inFlight).toEqual([expect.stringMatching(/^c2-/)]);
    await pause(4_000);
    expect(toVersion(await world.jobs(), V1)).toHaveLength(5);
    await world.cells.rollout(V1).releaseBrake({ by: 'alice' });
    await clusterSeen(world, (s) => s.rings[2]?.rollout === undefined && s.rings[2]?.observed[V1] === 3);
  },
);

scenario(
  'an abort stops what the cluster brings to its package, however long it takes cells back',
  { ...SCENE, policies: { 2: { maxParallel: 1 }, 3: { bakeTime: '1h' } } },
  async (world) => {
    await world.fault({ kind: 'slow', jobKind: 'rollback', cell: 'c3-1', factor: 10 });
    await reconciles(world, THREE);
    await world.cells.rollout(V1).abort({ ...who, rollback: true });
    await stopsBeforeItsEnd(world);
    await world.cells.cluster().reconcile({ by: 'alice' });
    await seen(world, V1, (s) => s.state === 'aborted' || s.state === 'rolled-back');
    expect(toVersion(await world.jobs(), V1)).toHaveLength(5);
  },
);

scenario(
  "Temporal's cancel of a rollout stops what the cluster brings to its package, while a job of its own goes on",
  { ...SCENE, policies: { 2: { maxParallel: 1 }, 3: { deployTimeout: '5m' } } },
  async (world) => {
    await world.fault({ kind: 'slow', jobKind: 'configure', cell: 'c3-1', factor: 15 });
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'converged' && ringOf(s, 3)?.inFlight === 1);
    await bringsBack(world, THREE);
    await world.client.workflow.getHandle(`package-rollout/${V1}`).cancel();
    await stopsBeforeItsEnd(world);
  },
);

scenario('a rollback takes a ring from a pass that reconciles it', SCENE, async (world) => {
  await reconciles(world, THREE);
  const client = world.cells.rollback(V1);
  await client.start(who);
  const end: PackageRollbackStatus = await client.result(100_000);
  expect(end).toMatchObject({ state: 'rolled-back', needsDowntime: [] });
  for (const cell of [...THREE, 'c3-1']) expect((await cellNow(world, cell)).version).toBe(V0);
  expect(toVersion(await world.jobs(), V1)).toHaveLength(5);
});

scenario(
  'a ring whose PDM waits for every ring is free again once cells of it were reconciled',
  { rings: { 2: 2, 3: 1 }, policies: { 2: { migrateWhen: 'everywhere' } }, more: SELDOM },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => s.state === 'converged');
    await byHand(world, 'c2-1');
    await world.cells.cluster().reconcile({ by: 'alice', cells: ['c2-1'] });
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length === 4);
    await clusterSeen(world, (s) => s.rings[2]?.rollout === undefined && s.rings[2]?.observed[V1] === 2, 30_000);
  },
);

scenario(
  'a cell that somebody takes far back while it waits for its turn is not deployed past the stops in between',
  { rings: { 2: 2 }, policies: { 2: { maxParallel: 1 } }, jobMs: 2_500, more: SELDOM },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length === 1);
    const first = (await world.jobs())[0]?.cell;
    const other = first === 'c2-1' ? 'c2-2' : 'c2-1';
    await byHand(world, other, OLD);
    const halted = await seen(world, V1, (s) => s.state === 'halted');
    expect(exceptionOf(halted, 2, other)?.reason).toContain('upgrade-path');
    expect(toVersion(await world.jobs(), V1)).toHaveLength(1);
  },
);

scenario(
  'what cells run after a rollback that failed on them is looked at, and not what they ran before',
  { rings: { 2: 2 }, policies: { 2: { gracePeriod: '1h' } }, more: SELDOM },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'grace');
    await world.fault({ kind: 'rollback-fails', cell: 'c2-1', times: 3, switched: true });
    const client = world.cells.rollback(V1);
    await client.start(who);
    expect((await client.result(100_000)).rings).toMatchObject([{ ring: 2, failed: 1, rolledBack: 1 }]);
    await clusterSeen(world, (s) => s.rings[2]?.observed[V0] === 2);
  },
);

scenario(
  'a rollback that somebody terminated keeps nobody from taking back an older package',
  { rings: { 2: 1 }, policies: { 2: { gracePeriod: '1h' } }, jobMs: 3_000, more: SELDOM },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'grace');
    await world.cells.rollback(V1).start(who);
    await clusterSeen(world, (s) => s.blocked.length > 0);
    await world.client.workflow.getHandle(`package-rollback/${V1}`).terminate('by hand');
    const older = world.cells.rollback(V0);
    await world.until('the older package to be taken back', async () => {
      await older.start(who);
      return (await older.result(50_000)).rejected.length === 0;
    });
  },
);
