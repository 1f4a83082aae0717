import { expect } from 'vitest';
import { V0, V1, V2 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import {
  cellNow,
  ends,
  exceptionOf,
  forward,
  forwardAfter,
  graduate,
  jobsSeen,
  mostAtOnce,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

/** Every long-lived workflow continues as new after so few events that it happens again and again in one test. */
const OFTEN = 40;
/** A package's history is the shortest. */
const OFTEN_FOR_PACKAGE = 25;

async function begin(world: World, version = V1, continueAsNewAfter = OFTEN): Promise<void> {
  const start = (type: string, workflowId: string, argument: object, after = continueAsNewAfter) =>
    world.client.workflow.start(type, {
      workflowId,
      taskQueue: world.taskQueue,
      args: [{ ...argument, continueAsNewAfter: after }],
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
  await start('CellCluster', 'cell-cluster', {});
  await world.apply();
  await start(
    'PackageRollout',
    `package-rollout/${version}`,
    { version },
    Math.min(continueAsNewAfter, OFTEN_FOR_PACKAGE),
  );
}

/** When the runs of a workflow ended by continuing as new, in epoch ms. */
async function turnsOf(world: World, workflowId: string): Promise<number[]> {
  const handle = world.client.workflow.getHandle(workflowId);
  let { runId } = await handle.describe();
  const turns: number[] = [];
  for (;;) {
    const { events } = await world.client.workflow.getHandle(workflowId, runId).fetchHistory();
    const started = events?.[0]?.workflowExecutionStartedEventAttributes;
    const before = started?.continuedExecutionRunId;
    if (!before) return turns;
    turns.push(Number(events?.[0]?.eventTime?.seconds ?? 0) * 1_000 + Number(events?.[0]?.eventTime?.nanos ?? 0) / 1e6);
    runId = before;
  }
}

scenario(
  'cluster, package and ring continue as new with work in flight: the window is not drained, no slot is lost, no job is asked for twice',
  { rings: { 2: 14, 3: 2 }, policies: { 2: { maxParallel: 4 } }, jobMs: 900, apply: false },
  async (world) => {
    await begin(world);
    await world.deploy(V1);
    await graduate(world, V1);
    const end = await ends(world, V1, 120_000);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2)).toMatchObject({ total: 14, converged: 14, exceptions: [] });
    const jobs = await world.jobs();
    for (const kind of ['configure', 'post_deploy_migrations']) {
      const cells = toVersion(jobs, V1, kind)
        .map((j) => j.cell)
        .filter((c) => c !== 'qa');
      expect(cells).toHaveLength(16);
      expect(new Set(cells).size).toBe(16);
    }
    expect(mostAtOnce(jobs.filter((j) => j.cell.startsWith('c2')))).toBe(4);
    const turns = await turnsOf(world, 'ring-rollout/2');
    expect(turns.length).toBeGreaterThan(1);
    const across = turns.filter((at) =>
      jobs.some(
        (j) => j.cell.startsWith('c2') && Date.parse(j.created_at) < at && at < Date.parse(j.finished_at ?? ''),
      ),
    );
    expect(across.length).toBeGreaterThan(0);
    expect((await turnsOf(world, 'cell-cluster')).length).toBeGreaterThan(1);
    expect((await turnsOf(world, `package-rollout/${V1}`)).length).toBeGreaterThan(0);
    expect(end.acts.map((a) => a.act)).toEqual(['deployRing', 'graduate']);
  },
  180_000,
);

scenario(
  'brakes that land while everything continues as new all hold, and none is lost',
  { rings: { 2: 10 }, policies: { 2: { maxParallel: 3 } }, jobMs: 700, apply: false },
  async (world) => {
    await begin(world, V1, 25);
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length > 2);
    for (let round = 1; round <= 3; round += 1) {
      const brakeId = `round-${round}`;
      const [cluster, own] = await Promise.all([
        world.cells.cluster().engageBrake({ by: 'alice', reason: 'look', brakeId }),
        world.cells.rollout(V1).engageBrake({ by: 'bob', reason: 'look', brakeId: `own-${round}` }),
      ]);
      const answeredAt = Date.now();
      const known = new Set([...cluster.inFlight, ...own.inFlight]);
      await seen(world, V1, (s) => ringOf(s, 2)?.inFlight === 0);
      const after = forwardAfter(await world.jobs(), answeredAt);
      for (const job of after) expect(known).toContain(job.cell);
      const before = forward(await world.jobs()).length;
      await world.cells.cluster().releaseBrake({ by: 'alice', brakeId });
      await seen(world, V1, (s) => s.waitingFor?.detail.includes(`own-${round}`));
      expect(forward(await world.jobs())).toHaveLength(before);
      await world.cells.rollout(V1).releaseBrake({ by: 'bob', brakeId: `own-${round}` });
    }
    const end = await ends(world, V1, 120_000);
    expect(end.state).toBe('converged');
    expect(toVersion(await world.jobs(), V1)).toHaveLength(10);
    expect(end.acts.filter((a) => a.act === 'releaseBrake')).toHaveLength(3);
  },
  180_000,
);

scenario(
  'failures, a retry and an abort with rollback survive continue-as-new',
  { rings: { 2: 6 }, policies: { 2: { failureBudget: 1, maxParallel: 3, bakeTime: '1h' } }, jobMs: 500, apply: false },
  async (world) => {
    await begin(world, V1, 25);
    await world.fault([2, 4].map((i) => ({ kind: 'job-fails', cell: `c2-${i}`, version: V1, stage: 'finish' })));
    await graduate(world, V1);
    const halted = await seen(world, V1, (s) => ringOf(s, 2)?.state === 'halted' && ringOf(s, 2)?.inFlight === 0);
    expect(exceptionOf(halted, 2, 'c2-2')?.state).toBe('rolled-back');
    await world.clearFaults();
    await world.cells.rollout(V1).retryRing({ ring: 2, by: 'alice' });
    const baking = await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
    expect(theRing(baking, 2)).toMatchObject({ converged: 6, exceptions: [] });
    await world.cells.rollout(V1).abort({ by: 'alice', reason: 'enough', rollback: true });
    expect((await ends(world, V1)).state).toBe('rolled-back');
    for (const i of [1, 2, 3, 4, 5, 6]) expect((await cellNow(world, `c2-${i}`)).version).toBe(V0);
    expect((await turnsOf(world, 'cell-cluster')).length).toBeGreaterThan(0);
    await graduate(world, V2);
    await seen(world, V2, (s) => ringOf(s, 2)?.state === 'baking');
  },
  180_000,
);

scenario(
  'deployRing callers are answered although their rollout would continue as new',
  { jobMs: 2000, apply: false },
  async (world) => {
    await begin(world, V1, 12);
    const asked = await Promise.all(
      Array.from({ length: 4 }, () => world.cells.rollout(V1).deployRing({ ring: 0, by: 'release-tools' })),
    );
    for (const one of asked) expect(await one.answer(60_000)).toMatchObject({ outcome: 'converged' });
    expect(await graduate(world, V1)).toEqual({ ring0: 'converged' });
    expect((await ends(world, V1)).state).toBe('converged');
    expect(toVersion(await world.jobs(), V1).filter((j) => j.cell === 'qa')).toHaveLength(1);
  },
);

scenario(
  'a look at a ring so large that it outlasts a run goes on where it was',
  { rings: { 2: 450 }, apply: false },
  async (world) => {
    await world.client.workflow.start('CellCluster', {
      workflowId: 'cell-cluster',
      taskQueue: world.taskQueue,
      args: [{ continueAsNewAfter: 20 }],
    });
    await world.apply();
    expect((await turnsOf(world, 'cell-cluster')).length).toBeGreaterThan(0);
    const { rings } = await world.cells.cluster().status();
    expect(rings.find((r) => r.ring === 2)).toMatchObject({ observed: { [V0]: 450 } });
  },
);
