import { expect } from 'vitest';
import { V0, V1 } from '../support/fleet.js';
import { asked } from '../support/patience.js';
import type { World } from '../support/world.js';
import { cellNow, ends, graduate, jobsSeen, pause, ringOf, scenario, seen, theRing, toVersion } from './support.js';

/** A pass that is lost leaves runs behind that go on on its cells: the next one counts no cell before they have ended. */

const by = 'alice';
const SCENE = {
  rings: { 2: 2 },
  policies: { 2: { bakeTime: '15s', maxParallel: 2 } },
  more: { coordination: { lookEvery: '1s' } },
};

/** The ring bakes, and its first cell turns bad: a run of its pass is to take it back. */
async function turnsBad(world: World, times?: number): Promise<void> {
  await graduate(world, V1);
  await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
  await world.fault({ kind: 'not-ready', cell: 'c2-1', version: V1, ...(times === undefined ? {} : { times }) });
  await seen(world, V1, (s) => ringOf(s, 2)?.state === 'rolling-back');
}

/** Terminates the pass over ring 2, and waits until the next one has looked at its cells. */
async function loseThePass(world: World): Promise<void> {
  const pass = world.client.workflow.getHandle('ring-rollout/2');
  const { runId } = await pass.describe();
  await pass.terminate('by hand');
  await world.until('another pass', async () => (await pass.describe()).runId !== runId);
  await world.until('its look', async () => (await asked(() => pass.query<{ total: number }>('status'))).total > 0);
}

async function expectGoneBackOnce(world: World): Promise<void> {
  const halted = await seen(world, V1, (s) => ringOf(s, 2)?.state === 'halted');
  expect(theRing(halted, 2)).toMatchObject({ converged: 1, rolledBack: 1 });
  expect(theRing(halted, 2).exceptions).toMatchObject([{ cell: 'c2-1', state: 'rolled-back' }]);
  expect((await cellNow(world, 'c2-1')).version).toBe(V0);
  await pause(1_000);
  const onIt = (await world.jobs()).filter((j) => j.cell === 'c2-1');
  expect(onIt.map((j) => j.kind)).toEqual(['configure', 'rollback']);
}

scenario('a cell that a lost pass takes back is not deployed again unasked', SCENE, async (world) => {
  await world.fault({ kind: 'slow', jobKind: 'rollback', factor: 80 });
  await turnsBad(world);
  await jobsSeen(world, (jobs) => jobs.some((j) => j.kind === 'rollback' && j.state === 'running'));
  await loseThePass(world);
  await expectGoneBackOnce(world);
  await world.clearFaults();
  await world.cells.rollout(V1).retryRing({ ring: 2, by });
  expect((await ends(world, V1)).state).toBe('converged');
});

scenario(
  'a cell that a lost pass is about to take back does not count as converged, however well it looks',
  SCENE,
  async (world) => {
    await world.fault({ kind: 'error-share', share: 1, status: 503, jobKind: 'rollback', method: 'POST', on: 'amp' });
    await turnsBad(world, 3);
    await loseThePass(world);
    const waits = await seen(world, V1, (s) => ringOf(s, 2)?.state === 'rolling');
    expect(theRing(waits, 2)).toMatchObject({ converged: 1, inFlight: 1, cellsInFlight: ['c2-1'] });
    await world.clearFaults();
    await expectGoneBackOnce(world);
  },
);

scenario(
  'a PDM that a lost pass began is waited for, not taken for a cell that is not on target',
  { rings: { 2: 1 }, policies: { 0: { onFailure: 'block', postDeployMigrations: 'separate' } } },
  async (world) => {
    await world.deploy(V1);
    await world.fault({ kind: 'slow', jobKind: 'post_deploy_migrations', factor: 80 });
    const asked = await world.cells.rollout(V1).migrateRing({ ring: 0, by });
    await jobsSeen(world, (jobs) => jobs.some((j) => j.kind === 'post_deploy_migrations' && j.state === 'running'));
    await world.client.workflow.getHandle('ring-rollout/0').terminate('by hand');
    expect(await asked.answer(40_000)).toMatchObject({ outcome: 'converged', exceptions: [] });
    expect(toVersion(await world.jobs(), V1, 'post_deploy_migrations')).toHaveLength(1);
  },
);

scenario(
  'a brake names the cell that a run of a lost pass may still order for, although the pass has halted before it came to it',
  { rings: { 2: 3 }, policies: { 2: { maxParallel: 3 } }, more: { coordination: { lookEvery: '1s' } } },
  async (world) => {
    await world.fault([
      { kind: 'error-share', share: 1, status: 503, method: 'POST', on: 'amp', cell: 'c2-2' },
      { kind: 'job-fails', cell: 'c2-3', version: V1, jobKind: 'configure', times: 1 },
    ]);
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.rolledBack === 1 && ringOf(s, 2)?.inFlight === 1);
    await loseThePass(world);
    await seen(world, V1, (s) => ringOf(s, 2)?.rolledBack === 1);
    const { inFlight } = await world.cells.cluster().engageBrake({ by, reason: 'incident', brakeId: 'b' });
    expect(inFlight).toEqual(['c2-2']);
    await world.clearFaults();
    const jobs = await jobsSeen(world, (all) => all.some((j) => j.cell === 'c2-2' && j.state === 'succeeded'));
    expect(toVersion(jobs, V1).filter((j) => j.cell === 'c2-2')).toHaveLength(1);
  },
);
