import { expect } from 'vitest';
import { V1 } from '../support/fleet.js';
import type { LoggedJob, World } from '../support/world.js';
import {
  cellNow,
  clusterSeen,
  ends,
  exceptionOf,
  forward,
  graduate,
  jobsSeen,
  pause,
  ringOf,
  scenario,
  seen,
  toVersion,
} from './support.js';

const retry = (world: World, ring: number) => world.cells.rollout(V1).retryRing({ ring, by: 'alice' });
const pdmOf = (jobs: LoggedJob[], cell: string) =>
  toVersion(jobs, V1, 'post_deploy_migrations').filter((j) => j.cell === cell);

scenario(
  'a failed PDM holds its own and every other ring until its retry has succeeded, not only until it was retried',
  { rings: { 2: 2, 3: 3 }, policies: { 3: { maxParallel: 1 } }, jobMs: 500 },
  async (world) => {
    await world.fault({ kind: 'pdm-fails', cell: 'c2-1', version: V1 });
    await graduate(world, V1);
    await seen(world, V1, (s) => exceptionOf(s, 2, 'c2-1')?.state === 'migration-failed');
    const held = await seen(world, V1, (s) => ringOf(s, 3)?.inFlight === 0 && ringOf(s, 3)?.waitingFor);
    expect(ringOf(held, 3)?.waitingFor).toMatchObject({ kind: 'operator', ring: 3 });
    expect(ringOf(held, 3)?.waitingFor?.next[0]).toBe(`cellctl retry --ring 2 ${V1}`);
    await world.clearFaults();
    await world.fault({ kind: 'slow', jobKind: 'post_deploy_migrations', cell: 'c2-1', factor: 10 });
    const before = (await world.jobs()).map((j) => j.id);
    await retry(world, 2);
    const running = await jobsSeen(world, (jobs) => pdmOf(jobs, 'c2-1')[1]?.state === 'running');
    expect(running.filter((j) => !before.includes(j.id)).map((j) => j.cell)).toEqual(['c2-1']);
    expect((await ends(world, V1)).state).toBe('converged');
    const jobs = await world.jobs();
    const mendedAt = Date.parse(pdmOf(jobs, 'c2-1')[1]?.finished_at ?? '');
    const others = forward(jobs).filter((j) => !before.includes(j.id) && j.cell !== 'c2-1');
    expect(others.length).toBeGreaterThan(0);
    for (const job of others) expect(Date.parse(job.created_at)).toBeGreaterThanOrEqual(mendedAt);
  },
);

scenario(
  'PDM that failed on a soft ring holds the outer ones; asked for again it does not count as run; retryRing runs it',
  { rings: { 2: 1 }, policies: { 0: { postDeployMigrations: 'separate' } } },
  async (world) => {
    const migrate = async () =>
      await (await world.cells.rollout(V1).migrateRing({ ring: 0, by: 'release-tools' })).answer(40_000);
    await world.deploy(V1);
    await world.fault({ kind: 'pdm-fails', cell: 'qa', version: V1 });
    const failed = { outcome: 'failed', blocking: false, exceptions: [{ cell: 'qa', state: 'migration-failed' }] };
    expect(await migrate()).toMatchObject(failed);
    await world.clearFaults();
    expect(await migrate()).toMatchObject(failed);
    await graduate(world, V1);
    const held = await seen(world, V1, (s) => s.graduatedAt !== null && s.waitingFor?.kind === 'operator');
    expect(held.waitingFor).toMatchObject({ ring: 0, detail: expect.stringContaining('PDM failed on qa in ring 0') });
    await pause(1_000);
    expect((await world.jobs()).filter((j) => j.cell !== 'qa')).toEqual([]);
    expect(pdmOf(await world.jobs(), 'qa')).toHaveLength(1);
    await retry(world, 0);
    expect((await ends(world, V1)).state).toBe('converged');
    expect(pdmOf(await world.jobs(), 'qa').map((j) => j.state)).toEqual(['failed', 'succeeded']);
    expect(await cellNow(world, 'qa')).toMatchObject({ version: V1, migrated_version: V1 });
  },
);

scenario(
  'a package whose PDM has failed enters no further ring, whenever that would be its turn',
  { rings: { 2: 1, 3: 1 } },
  async (world) => {
    await world.cells.cluster().engageBrake({ by: 'alice', reason: 'wait', brakeId: 'three', scope: { ring: 3 } });
    await world.fault({ kind: 'pdm-fails', cell: 'c2-1', version: V1 });
    await graduate(world, V1);
    await seen(world, V1, (s) => exceptionOf(s, 2, 'c2-1')?.state === 'migration-failed');
    // It takes back that it waits for the ring, so that no release can let it in.
    await clusterSeen(world, (s) => s.queue.length === 0);
    await world.cells.cluster().releaseBrake({ by: 'alice', brakeId: 'three' });
    await pause(500);
    expect((await world.jobs()).filter((j) => j.cell === 'c3-1')).toEqual([]);
    await world.clearFaults();
    await retry(world, 2);
    expect((await ends(world, V1)).state).toBe('converged');
  },
);
