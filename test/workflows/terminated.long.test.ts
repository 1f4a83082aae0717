import { expect } from 'vitest';
import { V1 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import { clusterSeen, ends, graduate, jobsSeen, ringOf, scenario, seen, theRing, toVersion } from './support.js';

const LOOKS_OFTEN = { coordination: { lookEvery: '1s' } };
const SCENE = { rings: { 2: 6 }, policies: { 2: { maxParallel: 3 } }, jobMs: 2500, more: LOOKS_OFTEN };

const terminate = (world: World, workflowId: string) =>
  world.client.workflow.getHandle(workflowId).terminate('by hand');

/** Several cells are in flight. */
const underWay = (world: World) =>
  jobsSeen(world, (jobs) => toVersion(jobs, V1).filter((j) => j.state === 'running').length === 3);

async function expectOnceEach(world: World): Promise<void> {
  const jobs = await world.jobs();
  for (const kind of ['configure', 'post_deploy_migrations']) {
    const cells = toVersion(jobs, V1, kind).map((j) => j.cell);
    expect(cells.sort()).toEqual(['c2-1', 'c2-2', 'c2-3', 'c2-4', 'c2-5', 'c2-6']);
  }
  expect(jobs.filter((j) => j.cancel_requested_at !== null)).toEqual([]);
}

scenario(
  'a RingRollout terminated by hand stops no job: its ring is granted again, and cells in flight are adopted',
  SCENE,
  async (world) => {
    await graduate(world, V1);
    await underWay(world);
    await terminate(world, 'ring-rollout/2');
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2)).toMatchObject({ total: 6, converged: 6, exceptions: [] });
    await expectOnceEach(world);
  },
);

scenario('a CellRollout terminated by hand leaks no slot: its job is found again', SCENE, async (world) => {
  await graduate(world, V1);
  const jobs = await underWay(world);
  const victims = toVersion(jobs, V1).filter((j) => j.state === 'running');
  await Promise.all(victims.map((j) => terminate(world, `cell-rollout/${j.cell}`)));
  const end = await ends(world, V1);
  expect(end.state).toBe('converged');
  expect(theRing(end, 2)).toMatchObject({ converged: 6, exceptions: [] });
  await expectOnceEach(world);
});

scenario(
  'a PackageRollout terminated by hand can be started again once a person released its ring',
  SCENE,
  async (world) => {
    await graduate(world, V1);
    await underWay(world);
    await terminate(world, `package-rollout/${V1}`);
    const { brakes } = await clusterSeen(world, (s) => s.brakes.length === 1);
    await graduate(world, V1, { reason: 'again' });
    await world.cells.cluster().releaseBrake({ by: 'alice', brakeId: brakes[0]?.brakeId ?? '', reason: 'it is back' });
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2).converged).toBe(6);
    await expectOnceEach(world);
  },
);

scenario(
  'a CellCluster terminated by hand comes back with a cold start, hears of what is under way, and goes on when released',
  SCENE,
  async (world) => {
    await graduate(world, V1);
    await underWay(world);
    await terminate(world, 'cell-cluster');
    // What the run that is gone had kept stands in its history, not in the status of the next one.
    world.acts.splice(0, world.acts.length, ...world.acts.filter((a) => a.version !== null));
    await world.cells.cluster().applyTopology({ topology: world.topology, by: 'alice' });
    const cold = await clusterSeen(world, (s) => s.brakes.some((b) => b.brakeId === 'cold-start'));
    expect(cold.brakes[0]?.by).toBe('coordinator');
    await seen(world, V1, (s) => s.state === 'braked' && ringOf(s, 2)?.inFlight === 0);
    await world.cells.cluster().releaseBrake({ by: 'alice', brakeId: 'cold-start', reason: 'looks right' });
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    await expectOnceEach(world);
    await clusterSeen(world, (s) => s.graduated.some((g) => g.version === V1));
  },
);

scenario(
  'a brake that a pass cannot confirm says so after 10 s and names it; it stays on, and whoever comes next obeys it',
  { rings: { 2: 2 }, jobMs: 2500 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).some((j) => j.state === 'running'));
    // First the package: it would give the ring back at once.
    await terminate(world, `package-rollout/${V1}`);
    await terminate(world, 'ring-rollout/2');
    const askedAt = Date.now();
    const brake = { by: 'alice', reason: 'incident', brakeId: 'stop' };
    await expect(world.cells.cluster().engageBrake(brake)).rejects.toMatchObject({
      type: 'BrakeUnconfirmed',
      message: expect.stringMatching(/stop.*ring-rollout\/2 did not answer/),
    });
    expect(Date.now() - askedAt).toBeGreaterThanOrEqual(10_000);
    expect((await world.cells.cluster().status()).brakes).toMatchObject([{ brakeId: 'stop', by: 'alice' }]);
    await graduate(world, V1, { reason: 'again' });
    await seen(world, V1, (s) => s.waitingFor?.kind === 'brake');
    expect(toVersion(await world.jobs(), V1).map((j) => j.cell)).toEqual(['c2-1']);
    await world.cells.cluster().releaseBrake({ by: 'alice', brakeId: 'stop', reason: 'over' });
    expect(theRing(await ends(world, V1), 2)).toMatchObject({ converged: 2, exceptions: [] });
    expect(toVersion(await world.jobs(), V1).map((j) => j.cell)).toEqual(['c2-1', 'c2-2']);
  },
);
