import { expect } from 'vitest';
import { V0, V1, V2, V3 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import {
  cellNow,
  clusterSeen,
  ends,
  exceptionOf,
  expectRejected,
  forward,
  forwardAfter,
  graduate,
  jobsSeen,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

const abort = (world: World, version = V1, more: Record<string, unknown> = {}) =>
  world.cells.rollout(version).abort({ by: 'alice', reason: 'wrong', ...more });

scenario(
  'an abort starts no further cell, lets those in flight settle, frees the ring, and keeps who, when and why',
  { rings: { 2: 7, 3: 2 }, policies: { 2: { maxParallel: 3 } }, jobMs: 1500 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length > 2);
    await abort(world);
    const answeredAt = Date.now();
    const end = await ends(world, V1);
    expect(end).toMatchObject({ state: 'aborted', waitingFor: null });
    expect(theRing(end, 2)).toMatchObject({ inFlight: 0, failed: 0 });
    expect(theRing(end, 2).converged + theRing(end, 2).pending).toBe(7);
    expect(end.acts).toContainEqual(expect.objectContaining({ act: 'abort', by: 'alice', reason: 'wrong' }));
    const jobs = await world.jobs();
    expect(jobs.every((j) => j.state === 'succeeded' && j.cancel_requested_at === null)).toBe(true);
    expect(forwardAfter(jobs, answeredAt + 2_000)).toEqual([]);
    const cluster = await clusterSeen(world, (s) => s.rings.every((r) => r.rollout === undefined));
    expect(cluster.graduated).toEqual([]);
    expect(cluster.queue).toEqual([]);
  },
);

scenario('an abort never cancels PDM: it finishes first', { rings: { 2: 2 } }, async (world) => {
  await world.fault({ kind: 'slow', jobKind: 'post_deploy_migrations', factor: 60 });
  await graduate(world, V1);
  await jobsSeen(world, (jobs) => toVersion(jobs, V1, 'post_deploy_migrations')[0]?.state === 'running');
  await abort(world);
  expect((await ends(world, V1)).state).toBe('aborted');
  const pdm = toVersion(await world.jobs(), V1, 'post_deploy_migrations');
  expect(pdm).toMatchObject([{ state: 'succeeded', cancel_requested_at: null }]);
});

scenario(
  'an abort with rollback goes outermost ring first, and ends rolled-back when every cell is back',
  { rings: { 2: 2, 3: 3 }, policies: { 2: { gracePeriod: '1h' }, 3: { gracePeriod: '1h', maxParallel: 3 } } },
  async (world) => {
    await world.deploy(V1);
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 3)?.state === 'grace');
    await abort(world, V1, { rollback: true });
    const end = await ends(world, V1);
    expect(end.state).toBe('rolled-back');
    expect(end.needsDowntime ?? []).toEqual([]);
    const back = (await world.jobs()).filter((j) => j.kind === 'rollback');
    expect(back.map((j) => j.cell.slice(0, 2))).toEqual(['c3', 'c3', 'c3', 'c2', 'c2', 'qa']);
    const lastOuter = Math.max(...back.slice(0, 3).map((j) => Date.parse(j.finished_at ?? '')));
    expect(Date.parse(back[3]?.created_at ?? '')).toBeGreaterThanOrEqual(lastOuter);
    for (const cell of ['qa', 'c2-1', 'c2-2', 'c3-1', 'c3-2', 'c3-3']) {
      expect(await cellNow(world, cell)).toMatchObject({ version: V0, chart_version: '8.9.202502010900' });
    }
    const cluster = await world.cells.cluster().status();
    expect(cluster.graduated).toEqual([]);
    // Nothing brings the newest again by itself.
    expect(cluster.rings.filter((r) => r.ring > 1).map((r) => r.desired)).not.toContain(V1);
    expect(forward(await world.jobs()).filter((j) => Date.parse(j.created_at) > lastOuter)).toEqual([]);
  },
);

scenario(
  'an abort with rollback lists the cells that the rule of return excludes, and then ends aborted',
  { rings: { 2: 2, 3: 1 }, policies: { 3: { bakeTime: '1h' } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'converged' && ringOf(s, 3)?.state === 'baking');
    await abort(world, V1, { rollback: true });
    const end = await ends(world, V1);
    expect(end.state).toBe('aborted');
    expect(end.needsDowntime?.map((e) => e.cell).sort()).toEqual(['c2-1', 'c2-2']);
    for (const e of end.needsDowntime ?? []) expect(e.reason).toMatch(/downtime/);
    expect((await cellNow(world, 'c3-1')).version).toBe(V0);
    expect((await cellNow(world, 'c2-1')).version).toBe(V1);
  },
);

scenario(
  'an abort with rollback takes back a ring in the middle of its pass, cells in flight included',
  { rings: { 2: 6 }, policies: { 2: { maxParallel: 3 } }, jobMs: 1500 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length > 2);
    await abort(world, V1, { rollback: true });
    expect((await ends(world, V1)).state).toBe('rolled-back');
    for (let i = 1; i <= 6; i += 1) expect((await cellNow(world, `c2-${i}`)).version).toBe(V0);
  },
);

for (const rollback of [false, true]) {
  scenario(
    `an abort${rollback ? ' with rollback' : ''} at the very moment the next ring is granted wins`,
    { rings: { 2: 1, 3: 2 }, policies: { 2: { gracePeriod: '1h' } } },
    async (world) => {
      await world.cells.cluster().engageBrake({ by: 'alice', reason: 'wait', brakeId: 'three', scope: { ring: 3 } });
      await graduate(world, V1);
      await seen(world, V1, (s) => s.waitingFor?.kind === 'brake');
      // The grant and the abort meet.
      await Promise.all([
        world.cells.cluster().releaseBrake({ by: 'alice', brakeId: 'three' }),
        abort(world, V1, { rollback }),
      ]);
      const end = await ends(world, V1);
      expect(end.state).toBe(rollback ? 'rolled-back' : 'aborted');
      await clusterSeen(world, (s) => s.rings.every((r) => r.rollout === undefined) && s.queue.length === 0);
      // At most a first cell was on its way; where it went back, everything is as before.
      expect((await world.jobs()).filter((j) => j.cell === 'c3-2')).toEqual([]);
      if (rollback) expect((await cellNow(world, 'c3-1')).version).toBe(V0);
      await graduate(world, V2);
      await seen(world, V2, (status) => ringOf(status, 3)?.state === 'converged');
    },
  );
}

scenario(
  'a version that was aborted ends at once when it is started again; only restart opens it, and it goes on',
  { rings: { 2: 2 } },
  async (world) => {
    await world.deploy(V1);
    await abort(world);
    expect((await ends(world, V1)).state).toBe('aborted');
    const before = (await world.jobs()).length;
    const refused = await world.deploy(V1);
    expect(refused).toMatchObject({ outcome: 'refused', code: 'ended' });
    expect(refused.next?.join()).toContain('restart');
    expect((await ends(world, V1)).state).toBe('aborted');
    await expect(graduate(world, V1)).rejects.toThrow();
    expect((await ends(world, V1)).state).toBe('aborted');
    expect(await world.jobs()).toHaveLength(before);
    await world.cells.rollout(V1).restart({ by: 'alice', reason: 'mended' });
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'converged' });
    expect(await graduate(world, V1)).toEqual({ ring0: 'converged' });
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario('a rollout that goes on, or that was superseded, cannot be restarted', { rings: { 2: 1 } }, async (world) => {
  await world.deploy(V1);
  await expectRejected(world.cells.rollout(V1).restart({ by: 'alice', reason: 'it goes on' }), 'version');
  await graduate(world, V2);
  expect(await ends(world, V1)).toMatchObject({ state: 'superseded', supersededBy: V2 });
  await ends(world, V2);
  await expect(world.cells.rollout(V1).restart({ by: 'alice', reason: 'again' })).rejects.toThrow();
  const after = await ends(world, V1);
  expect(after.state).toBe('superseded');
  expect(toVersion(await world.jobs(), V1).map((j) => j.cell)).toEqual(['qa']);
});

scenario(
  'a rolled-back version that is restarted may be deployed again',
  { rings: { 2: 1 }, policies: { 2: { bakeTime: '15s' } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
    await abort(world, V1, { rollback: true });
    expect((await ends(world, V1)).state).toBe('rolled-back');
    await world.cells.rollout(V1).restart({ by: 'alice', reason: 'it was the network' });
    await graduate(world, V1);
    expect((await ends(world, V1)).state).toBe('converged');
    expect((await cellNow(world, 'c2-1')).version).toBe(V1);
  },
);

scenario(
  'after an abort the fixed package goes its way, over the cells that the aborted one left behind',
  { rings: { 2: 5 }, policies: { 2: { maxParallel: 1 } }, jobMs: 700 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length > 1);
    await abort(world);
    await ends(world, V1);
    await graduate(world, V2);
    const end = await ends(world, V2);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2).converged).toBe(5);
  },
);

scenario(
  'a package that is aborted while it waits for its turn leaves the queue, and poisons nothing behind it',
  { rings: { 2: 4 }, policies: { 2: { maxParallel: 1 } }, jobMs: 1000 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length > 0);
    await graduate(world, V2);
    await seen(world, V2, (s) => s.waitingFor?.kind === 'ring-turn');
    await abort(world, V2);
    expect((await ends(world, V2)).state).toBe('aborted');
    await graduate(world, V3);
    expect((await ends(world, V3)).state).toBe('converged');
    expect(toVersion(await world.jobs(), V2)).toEqual([]);
    expect((await world.cells.cluster().status()).queue).toEqual([]);
  },
);

scenario(
  "Temporal's cancel on a PackageRollout is an abort",
  { rings: { 2: 5 }, policies: { 2: { maxParallel: 1 } }, jobMs: 800 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length > 1);
    const handle = world.client.workflow.getHandle(`package-rollout/${V1}`);
    await handle.cancel();
    const end = await ends(world, V1);
    expect(end.state).toBe('aborted');
    expect((await handle.describe()).status.name).toBe('COMPLETED');
    expect(end.acts.map((a) => a.act)).toContain('abort');
    expect((await world.jobs()).every((j) => j.state === 'succeeded')).toBe(true);
  },
);

scenario(
  "Temporal's cancel on a CellRollout cancels the job and takes the cell back",
  { rings: { 2: 3 }, policies: { 2: { failureBudget: 1 } }, jobMs: 3000 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => jobs.find((j) => j.cell === 'c2-2')?.state === 'running');
    await world.client.workflow.getHandle('cell-rollout/c2-2').cancel();
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(exceptionOf(end, 2, 'c2-2')).toMatchObject({ state: 'rolled-back' });
    expect(toVersion(await world.jobs(), V1).find((j) => j.cell === 'c2-2')).toMatchObject({ state: 'canceled' });
    expect((await cellNow(world, 'c2-2')).version).toBe(V0);
  },
);

scenario("Temporal's cancel on CellCluster is refused, and filed", { rings: { 2: 1 } }, async (world) => {
  const handle = world.client.workflow.getHandle('cell-cluster');
  await handle.cancel();
  const cluster = await clusterSeen(world, (s) => s.rejected.length > 0);
  expect(cluster.rejected[0]).toMatchObject({ message: 'cancel' });
  expect((await handle.describe()).status.name).toBe('RUNNING');
  await graduate(world, V1);
  expect((await ends(world, V1)).state).toBe('converged');
});

scenario('an abort answers those who wait for a ring of it', { jobMs: 3000 }, async (world) => {
  const asked = await world.cells.rollout(V1).deployRing({ ring: 0, by: 'release-tools' });
  await jobsSeen(world, (jobs) => jobs.length > 0);
  await Promise.all([abort(world), abort(world)]);
  expect(await asked.answer(30_000)).toMatchObject({ outcome: 'aborted' });
  expect((await ends(world, V1)).state).toBe('aborted');
  expect((await world.jobs()).every((j) => j.cancel_requested_at === null)).toBe(true);
});
