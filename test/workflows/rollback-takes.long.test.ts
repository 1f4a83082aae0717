import { expect } from 'vitest';
import { V0, V1, V2 } from '../support/fleet.js';
import { backJobs, graceOf, LONG_GRACE, order } from './rollback-scene.js';
import {
  cellNow,
  clusterSeen,
  ends,
  graduate,
  jobsSeen,
  pause,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

const ASKED_FIRST_MS = 4_000;
/** Nothing but the takeover ends a job that hangs. */
const HANGS = { deployTimeout: '10m' };

scenario(
  'a rollback takes its rings: passes that do not end are terminated, their jobs cancelled, their cells taken over',
  {
    rings: { 2: 3, 3: 1 },
    policies: { 2: { ...HANGS, downtimeRollback: 'allowed', maxParallel: 3 }, 3: HANGS },
    apply: false,
  },
  async (world) => {
    const start = (type: string, workflowId: string, argument: object) =>
      world.client.workflow.start(type, {
        workflowId,
        taskQueue: world.taskQueue,
        args: [{ ...argument, oustAfterMs: ASKED_FIRST_MS }],
      });
    await start('CellCluster', 'cell-cluster', {});
    await world.apply();
    await start('PackageRollout', `package-rollout/${V1}`, { version: V1 });
    // Its own pass hangs in ring 3, and a newer package's in ring 2.
    await world.fault([
      { kind: 'job-hangs', cell: 'c3-1', version: V1, times: 1 },
      { kind: 'job-hangs', cell: 'c2-1', version: V2, times: 1 },
    ]);
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 3)?.inFlight === 1);
    await graduate(world, V2);
    await jobsSeen(world, (jobs) => toVersion(jobs, V2).some((j) => j.state === 'running'));
    const taken = await world.client.workflow.getHandle('ring-rollout/2').describe();

    const askedAt = Date.now();
    await world.cells.rollout(V1).abort({ by: 'alice', reason: 'bad', rollback: true });
    const end = await ends(world, V1);

    const jobs = await world.jobs();
    const cancelled = jobs.filter((j) => j.state === 'canceled');
    expect(cancelled.map((j) => `${j.cell} ${j.version}`)).toEqual([`c3-1 ${V1}`, `c2-1 ${V2}`]);
    for (const { cancel_requested_at: at } of cancelled) {
      expect(Date.parse(at ?? '') - askedAt).toBeGreaterThanOrEqual(ASKED_FIRST_MS);
    }
    const before = await world.client.workflow.getHandle('ring-rollout/2', taken.runId).describe();
    expect(before.status.name).toBe('TERMINATED');
    for (const cell of ['c3-1', 'c2-2', 'c2-3']) {
      expect(jobs.filter((j) => j.cell === cell).at(-1)).toMatchObject({ kind: 'rollback', version: V0 });
    }
    // What a cell ran before V1 AMP has forgotten where V2 has begun there: it is named, and not guessed.
    expect(end.state).toBe('aborted');
    expect(end.needsDowntime).toMatchObject([{ cell: 'c2-1', state: 'failed' }]);

    // Whoever lost the ring asks for it again.
    const next = await ends(world, V2);
    expect(next.state).toBe('converged');
    expect(theRing(next, 2).converged).toBe(3);
    expect((await cellNow(world, 'c2-1')).version).toBe(V2);
  },
);

scenario(
  'a rollback waits only so long for a pass that does not say whose it is to a cluster that began anew',
  { rings: { 2: 2 }, policies: { 2: { bakeTime: '1h', maxParallel: 2 } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
    const { workflow } = world.client;
    for (const id of ['cell-cluster', 'ring-rollout/2']) await workflow.getHandle(id).terminate('by hand');
    const dumb = await workflow.start('Nobody', { workflowId: 'ring-rollout/2', taskQueue: 'nobody' });
    await workflow.start('CellCluster', {
      workflowId: 'cell-cluster',
      taskQueue: world.taskQueue,
      args: [{ oustAfterMs: ASKED_FIRST_MS }],
    });
    world.acts.splice(0, world.acts.length, ...world.acts.filter((a) => a.version !== null));
    await world.apply();
    await seen(world, V1, (s) => s.waitingFor?.detail.includes('finds out who is in the ring'));
    const askedAt = Date.now();
    await world.cells.rollout(V1).abort({ by: 'alice', reason: 'bad', rollback: true });
    expect((await ends(world, V1)).state).toBe('rolled-back');
    const { status, closeTime } = await workflow.getHandle('ring-rollout/2', dumb.firstExecutionRunId).describe();
    expect(status.name).toBe('TERMINATED');
    expect((closeTime?.getTime() ?? 0) - askedAt).toBeGreaterThanOrEqual(ASKED_FIRST_MS);
    for (const cell of ['c2-1', 'c2-2']) expect((await cellNow(world, cell)).version).toBe(V0);
  },
);

scenario(
  'a rollback reaches also the run that has not ordered its job yet: nothing is ordered once the package is gone',
  { rings: { 2: 1 } },
  async (world) => {
    await world.client.workflow.start('PackageRollout', {
      workflowId: `package-rollout/${V1}`,
      taskQueue: world.taskQueue,
      args: [{ version: V1, oustAfterMs: 1_000 }],
    });
    await world.fault({ kind: 'error-share', share: 1, status: 503, method: 'POST', on: 'amp' });
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.inFlight === 1);
    await world.cells.rollout(V1).abort({ by: 'alice', reason: 'bad', rollback: true });
    expect((await ends(world, V1)).state).toBe('rolled-back');
    await world.clearFaults();
    // Longer than the run would take to try its order again.
    await pause(8_000);
    expect(await world.jobs()).toEqual([]);
    const run = await world.client.workflow.getHandle('cell-rollout/c2-1').describe();
    expect(run.status.name).not.toBe('RUNNING');
  },
);

scenario(
  'a rollback that is started again takes the ring that the one before it was granted and did not come to enter',
  { rings: { 2: 2 }, policies: { 2: LONG_GRACE } },
  async (world) => {
    const { workflow } = world.client;
    await graduate(world, V1);
    await seen(world, V1, graceOf(2));
    await world.cells.rollout(V1).abort(order());
    await ends(world, V1);
    // A pass says that it is over, and closes a moment later.
    await workflow.getHandle('ring-rollout/2').result();
    const other = await workflow.start('Nobody', { workflowId: 'ring-rollout/2', taskQueue: 'nobody' });
    await world.cells.rollback(V1).start(order());
    await clusterSeen(world, (s) => s.rings.some((r) => r.ring === 2 && r.rollout));
    await workflow.getHandle(`package-rollback/${V1}`).terminate('by hand');
    await world.cells.rollback(V1).start(order());
    await other.terminate('it held the id of the ring’s pass');
    const end = await world.cells.rollback(V1).result(60_000);
    expect(end).toMatchObject({ state: 'rolled-back', needsDowntime: [] });
    expect((await backJobs(world)).map((j) => j.cell).sort()).toEqual(['c2-1', 'c2-2']);
  },
);
