import { expect } from 'vitest';
import { V1, V2, V3 } from '../support/fleet.js';
import { block } from './blocks-scene.js';
import { clusterSeen, ends, expectRejected, graduate, jobsSeen, ringOf, scenario, seen, toVersion } from './support.js';

scenario(
  'a blocked package that bakes goes no further, nor does its PDM run; the one with the fix takes its place by itself',
  { rings: { 2: 2, 3: 2 }, policies: { 2: { bakeTime: '10s', gracePeriod: '1s' } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
    await block(world);
    const held = await seen(world, V1, (s) => s.waitingFor?.blocked === V1 && ringOf(s, 2)?.state === 'braked');
    expect(held.state).toBe('braked');
    await expectRejected(graduate(world, V2), 'version');
    await block(world, V1, { fixedIn: V3 });
    await expectRejected(graduate(world, V2), 'version');
    await graduate(world, V3);
    expect(await ends(world, V3)).toMatchObject({ state: 'converged' });
    expect(await ends(world, V1)).toMatchObject({ state: 'superseded', supersededBy: V3 });
    const jobs = await world.jobs();
    expect(toVersion(jobs, V1, 'post_deploy_migrations')).toEqual([]);
    expect(jobs.filter((j) => j.cell.startsWith('c3-')).every((j) => j.version === V3)).toBe(true);
  },
);

scenario(
  'a deployRing under way when its package is blocked is answered, and what it waits for is the block',
  { jobMs: 1500, rings: { 2: 1 }, policies: { 0: { postDeployMigrations: 'separate' } } },
  async (world) => {
    const topology = structuredClone(world.topology) as { rings: { ring: number; cells: object[] }[] };
    const qa = topology.rings[0]?.cells[0] as { id: string; tenant: string };
    topology.rings[0]?.cells.push({ ...topology.rings[2]?.cells[0] } as object);
    topology.rings[2]?.cells.splice(0, 1);
    await world.cells.cluster().applyTopology({ topology, by: 'alice', allowRemoval: true });
    const asked = await world.cells.rollout(V1).deployRing({ ring: 0, by: 'release-tools' });
    await jobsSeen(world, (jobs) => jobs.some((j) => j.cell === qa.id && j.state === 'running'));
    await block(world);
    expect(await asked.answer(30_000)).toMatchObject({ outcome: 'refused', code: 'blocked', ring: 0 });
    await seen(world, V1, (s) => ringOf(s, 0)?.inFlight === 0);
    expect((await world.jobs()).map((j) => j.cell)).toEqual([qa.id]);
  },
);

scenario(
  'a package that waits for its turn when it is blocked leaves the queue, and poisons nothing behind it',
  { rings: { 2: 3 }, policies: { 2: { maxParallel: 1 } }, jobMs: 900 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length > 0);
    await graduate(world, V2);
    await seen(world, V2, (s) => s.waitingFor?.kind === 'ring-turn');
    await block(world, V2, { fixedIn: V3 });
    const { queue } = await clusterSeen(world, (s) => s.queue.length === 0);
    expect(queue).toEqual([]);
    await graduate(world, V3);
    expect((await ends(world, V3)).state).toBe('converged');
    expect((await ends(world, V1)).state).toBe('converged');
    expect(toVersion(await world.jobs(), V2)).toEqual([]);
  },
);
