import { temporal } from '@temporalio/proto';
import { expect } from 'vitest';
import { V0, V1, V2 } from '../support/fleet.js';
import { brake, inFlightOn, release, wide } from './brake-scene.js';
import {
  cellNow,
  ends,
  expectRejected,
  forward,
  graduate,
  jobsSeen,
  pause,
  rawSignal,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

scenario('cancel-cells never cancels PDM', { rings: { 2: 1 } }, async (world) => {
  await world.fault({ kind: 'slow', jobKind: 'post_deploy_migrations', factor: 60 });
  await graduate(world, V1);
  await jobsSeen(world, (jobs) => toVersion(jobs, V1, 'post_deploy_migrations').some((j) => j.state === 'running'));
  const { inFlight } = await brake(world, { mode: 'cancel-cells' });
  expect(inFlight).toEqual(['c2-1']);
  const [pdm] = await jobsSeen(world, (jobs) => toVersion(jobs, V1, 'post_deploy_migrations')[0]?.finished_at).then(
    (jobs) => toVersion(jobs, V1, 'post_deploy_migrations'),
  );
  expect(pdm).toMatchObject({ state: 'succeeded', cancel_requested_at: null });
});

scenario(
  'finish-ring lets the ring that was entered finish with its PDM, and the next one does not start',
  { rings: { 2: 4, 3: 1 }, policies: wide, jobMs: 2500 },
  async (world) => {
    await inFlightOn(world, V1, 2);
    const { brakeId } = await brake(world, { mode: 'finish-ring' });
    const held = await seen(world, V1, (s) => ringOf(s, 2)?.state === 'converged' && s.waitingFor?.kind === 'brake');
    expect(theRing(held, 2)).toMatchObject({ converged: 4, total: 4 });
    const jobs = await world.jobs();
    expect(toVersion(jobs, V1, 'post_deploy_migrations')).toHaveLength(4);
    expect(jobs.filter((j) => j.cell === 'c3-1')).toEqual([]);
    await release(world, brakeId);
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario(
  'cancel-cells never cancels a scope: full job: it finishes and is judged',
  { rings: { 2: 3 }, policies: { 2: { scope: 'full', maxParallel: 3 } }, jobMs: 2000 },
  async (world) => {
    await inFlightOn(world, V1, 2);
    await brake(world, { mode: 'cancel-cells' });
    const braked = await seen(world, V1, (s) => ringOf(s, 2)?.inFlight === 0);
    expect(theRing(braked, 2)).toMatchObject({ converged: 3, failed: 0, rolledBack: 0 });
    expect((await world.jobs()).filter((j) => j.cancel_requested_at !== null)).toEqual([]);
  },
);

scenario(
  'a brake of a cluster that an operator reset holds: it is not taken for one that is older than those it has forgotten',
  { rings: { 2: 6 }, policies: { 2: { maxParallel: 2 } }, jobMs: 4000 },
  async (world) => {
    await inFlightOn(world, V1, 2);
    const cluster = world.client.workflow.getHandle('cell-cluster');
    const { events } = await cluster.fetchHistory();
    const lastTask = events?.findLast((e) => e.workflowTaskCompletedEventAttributes)?.eventId;
    for (const brakeId of ['one', 'two', 'three']) await brake(world, { brakeId, scope: { ring: 2 } });
    for (const brakeId of ['one', 'two', 'three']) await release(world, brakeId);
    await world.client.workflowService.resetWorkflowExecution({
      namespace: world.client.options.namespace,
      workflowExecution: { workflowId: 'cell-cluster' },
      reason: 'a bad deployment of workers',
      workflowTaskFinishEventId: lastTask ?? null,
      requestId: 'reset',
      resetReapplyType: temporal.api.enums.v1.ResetReapplyType.RESET_REAPPLY_TYPE_NONE,
    });
    // What those acts were it knows no more.
    world.acts.splice(0, world.acts.length, ...world.acts.filter(({ act }) => !/Brake$/.test(act)));
    await brake(world, { brakeId: 'fire', scope: { ring: 2 } });
    const held = await seen(world, V1, (s) => ringOf(s, 2)?.state === 'braked' && ringOf(s, 2)?.inFlight === 0);
    const before = forward(await world.jobs()).length;
    await pause(6_000);
    expect(forward(await world.jobs())).toHaveLength(before);
    expect(theRing(held, 2).pending).toBeGreaterThan(0);
    await release(world, 'fire');
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario('a brake on one ring stops that ring only', { rings: { 2: 1, 3: 1 } }, async (world) => {
  await brake(world, { scope: { ring: 3 }, brakeId: 'three' });
  await graduate(world, V1);
  const held = await seen(world, V1, (s) => ringOf(s, 2)?.state === 'converged' && s.waitingFor?.kind === 'brake');
  expect(held.waitingFor).toMatchObject({ ring: 3, detail: expect.stringContaining('three') });
  expect((await world.jobs()).filter((j) => j.cell === 'c3-1')).toEqual([]);
  await release(world, 'three');
  expect((await ends(world, V1)).state).toBe('converged');
});

scenario(
  'a brake on the cluster and one on the package: the ring goes on when both are off',
  { rings: { 2: 4 }, policies: wide, jobMs: 2500 },
  async (world) => {
    await inFlightOn(world, V1, 2);
    await brake(world, { brakeId: 'everywhere' });
    await world.cells.rollout(V1).engageBrake({ by: 'bob', reason: 'look', brakeId: 'mine' });
    await seen(world, V1, (s) => ringOf(s, 2)?.inFlight === 0);
    const before = forward(await world.jobs()).length;
    await release(world, 'everywhere');
    const still = await seen(world, V1, (s) => s.waitingFor?.detail.includes('mine'));
    expect(still.state).toBe('braked');
    expect(forward(await world.jobs())).toHaveLength(before);
    await world.cells.rollout(V1).releaseBrake({ by: 'bob', brakeId: 'mine' });
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario(
  "a package's brake that expires while the ring is braked lets it go on",
  { rings: { 2: 4 }, policies: wide, jobMs: 2500 },
  async (world) => {
    await inFlightOn(world, V1, 2);
    const expiresAt = new Date(Date.now() + 10_000).toISOString();
    await world.cells.rollout(V1).engageBrake({ by: 'bob', reason: 'look', brakeId: 'short', expiresAt });
    await seen(world, V1, (s) => s.state === 'braked');
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario(
  'an abort with rollback takes cells back under a brake',
  { rings: { 2: 2, 3: 1 }, policies: { 2: { gracePeriod: '1h' } } },
  async (world) => {
    await brake(world, { scope: { ring: 3 }, brakeId: 'three' });
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'grace');
    await brake(world, { brakeId: 'all' });
    await world.cells.rollout(V1).abort({ by: 'alice', reason: 'bad', rollback: true });
    expect((await ends(world, V1)).state).toBe('rolled-back');
    for (const cell of ['c2-1', 'c2-2']) expect((await cellNow(world, cell)).version).toBe(V0);
  },
);

scenario(
  'the bake clock runs on under a brake; what would follow it waits',
  { rings: { 2: 1, 3: 1 }, policies: { 2: { bakeTime: '9s' } } },
  async (world) => {
    await graduate(world, V1);
    const baking = await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
    const { brakeId } = await brake(world);
    const bakedAt = Date.parse(theRing(baking, 2).convergedAt ?? '') + 9_000;
    await pause(bakedAt - Date.now() + 1_000);
    const held = await seen(world, V1, (s) => s.waitingFor?.kind === 'brake');
    expect(held.state).toBe('braked');
    expect((await world.jobs()).filter((j) => j.cell === 'c3-1' || j.kind === 'post_deploy_migrations')).toEqual([]);
    const releasedAt = Date.now();
    await release(world, brakeId);
    const jobs = await jobsSeen(world, (all) => all.some((j) => j.cell === 'c3-1'));
    const first = jobs.find((j) => j.cell === 'c3-1');
    expect(Date.parse(first?.created_at ?? '') - releasedAt).toBeLessThan(8_500);
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario(
  'PDM of a baked ring waits for a brake',
  { rings: { 2: 2 }, policies: { 2: { gracePeriod: '1h' } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'grace');
    const { brakeId } = await brake(world);
    await world.cells.rollout(V1).override({ wait: 'grace-period', ring: 2, by: 'alice', reason: 'enough' });
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'braked');
    expect(toVersion(await world.jobs(), V1, 'post_deploy_migrations')).toEqual([]);
    await release(world, brakeId);
    expect((await ends(world, V1)).state).toBe('converged');
    expect(toVersion(await world.jobs(), V1, 'post_deploy_migrations')).toHaveLength(2);
    await expect(world.cells.rollout(V1).engageBrake({ by: 'bob', reason: 'late' })).rejects.toThrow(/ended|goes on/);
  },
);

scenario(
  'a brake holds while ten deployRing callers wait, and each of them gets its answer',
  { jobMs: 2000, policies: { 0: { onFailure: 'block' } } },
  async (world) => {
    const first = await Promise.all(
      Array.from({ length: 5 }, () => world.cells.rollout(V1).deployRing({ ring: 0, by: 'release-tools' })),
    );
    await jobsSeen(world, (jobs) => jobs.some((j) => j.cell === 'qa'));
    const second = await Promise.all(
      Array.from({ length: 5 }, () => world.cells.rollout(V2).deployRing({ ring: 0, by: 'release-tools' })),
    );
    const { inFlight } = await brake(world);
    expect(inFlight).toEqual(['qa']);
    const early = await Promise.all(first.map((a) => a.answer(30_000)));
    for (const answer of early) expect(answer.outcome).toBe('converged');
    const late = await Promise.all(second.map((a) => a.answer(30_000)));
    for (const answer of late) expect(answer).toMatchObject({ outcome: 'refused', code: 'braked' });
    expect(toVersion(await world.jobs(), V2)).toEqual([]);
  },
);

scenario(
  'brakes are as many as every pass can be told; one more is refused, and those that are on hold',
  { rings: { 2: 1 }, policies: { 2: { bakeTime: '1h' } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
    const long = { by: 'alice', reason: 'x'.repeat(300) };
    const all = Array.from({ length: 50 }, (_, i) => ({ ...long, brakeId: `b${i}` }));
    const [cluster, rollout] = [world.cells.cluster(), world.cells.rollout(V1)];
    for (const id of ['cell-cluster', `package-rollout/${V1}`]) {
      await Promise.all(all.map((b) => rawSignal(world, id, 'engageBrake', b)));
    }
    await seen(world, V1, (s) => s.brakes.length === 50);
    for (const whose of [cluster, rollout]) {
      const refused = await expectRejected(whose.engageBrake({ ...long, brakeId: 'one-more' }), 'brakeId');
      expect(refused.expected).toContain('at most 50');
      const replaced = { by: 'alice', reason: 'short', brakeId: 'b7' };
      expect(await whose.engageBrake(replaced)).toMatchObject({ brakeId: 'b7' });
      expect((await whose.status()).brakes).toHaveLength(50);
    }
  },
);
