import { expect } from 'vitest';
import { V1, V2, V3 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import {
  clusterSeen,
  ends,
  expectRejected,
  forwardAfter,
  graduate,
  jobsSeen,
  rawSignal,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

const block = (world: World, version = V1, more: Record<string, unknown> = {}) =>
  world.cells.cluster().blockVersion({ version, by: 'alice', reason: 'INC-4711', ...more });
const unblock = (world: World, version = V1) =>
  world.cells.cluster().unblockVersion({ version, by: 'bob', reason: 'it was the network' });

scenario(
  'a block lets cells in flight finish, and after its answer no other cell gets the package; lifted, it goes on',
  { rings: { 2: 6, 3: 1 }, policies: { 2: { maxParallel: 2 } }, jobMs: 1200 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length > 1);
    const { inFlight, blocked, graduated } = await block(world);
    const answeredAt = Date.now();
    expect(inFlight.length).toBeGreaterThan(0);
    expect(blocked).toMatchObject([{ version: V1, by: 'alice', reason: 'INC-4711' }]);
    expect(graduated).toMatchObject([{ version: V1, blocked: true }]);
    const held = await seen(world, V1, (s) => s.state === 'braked' && ringOf(s, 2)?.inFlight === 0);
    expect(held.waitingFor).toMatchObject({ kind: 'brake', ring: 2, blocked: V1 });
    expect(held.waitingFor?.next.join()).toContain(`cellctl unblock ${V1}`);
    const jobs = await world.jobs();
    expect(jobs.every((j) => j.state === 'succeeded')).toBe(true);
    for (const job of forwardAfter(jobs, answeredAt)) expect(inFlight).toContain(job.cell);
    expect(theRing(held, 2).pending).toBeGreaterThan(0);
    await unblock(world);
    expect((await ends(world, V1)).state).toBe('converged');
    const { acts, blocked: none } = await world.cells.cluster().status();
    expect(none).toEqual([]);
    expect(acts.map((a) => a.act)).toEqual(expect.arrayContaining(['blockVersion', 'unblockVersion']));
  },
);

scenario(
  'a blocked package that bakes goes no further, nor does its PDM run; the one with the fix takes its place by itself',
  { rings: { 2: 2, 3: 2 }, policies: { 2: { bakeTime: '2s', gracePeriod: '1s' } } },
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
  'inside the perimeter a blocked package is refused at once, and says what to type',
  { rings: { 2: 1 } },
  async (world) => {
    await block(world, V1);
    const next = [`cellctl unblock ${V1} --reason "…"`];
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'refused', code: 'blocked', blocking: false, next });
    expect(await world.deploy(V2)).toMatchObject({ outcome: 'refused', code: 'blocked', next });
    const migrate = await world.cells.rollout(V1).migrateRing({ ring: 0, by: 'release-tools' });
    expect(await migrate.answer()).toMatchObject({ outcome: 'refused', code: 'blocked' });
    expect(await world.jobs()).toEqual([]);
    await unblock(world);
    expect(await world.deploy(V2)).toMatchObject({ outcome: 'converged' });
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

scenario('a block that makes no sense is rejected with its path; as a signal it is filed', {}, async (world) => {
  await expectRejected(block(world, V2, { fixedIn: V1 }), 'fixedIn');
  await expectRejected(block(world, '17.10.0'), 'version');
  await expectRejected(unblock(world, V1), 'version');
  await rawSignal(world, 'cell-cluster', 'unblockVersion', { version: V1, by: 'bob', reason: 'none is' });
  const filed = (message: string) => (s: { rejected: { message: string }[] }) =>
    s.rejected.filter((r) => r.message === message).length > 0;
  await clusterSeen(world, filed('unblockVersion'));
  await rawSignal(world, 'cell-cluster', 'blockVersion', { version: V1, by: 'alice', reason: 'as a signal' });
  const { blocked } = await clusterSeen(world, (s) => s.blocked.length > 0);
  expect(blocked).toMatchObject([{ version: V1, reason: 'as a signal' }]);
  expect((await expectRejected(unblock(world, V2), 'version')).expected).toContain(V1);
});

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
