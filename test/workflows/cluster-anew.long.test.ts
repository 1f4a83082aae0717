import { expect } from 'vitest';
import { V1 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import {
  clusterSeen,
  ends,
  expectRejected,
  forwardAfter,
  graduate,
  jobsSeen,
  pause,
  ringOf,
  scenario,
  seen,
  toVersion,
} from './support.js';

const who = { by: 'alice', reason: 'because' };
const terminate = (world: World, workflowId: string) =>
  world.client.workflow.getHandle(workflowId).terminate('by hand');

/** Forward jobs since a brake was answered, on cells that the answer did not name. */
const started = async (world: World, since: number, inFlight: string[]): Promise<string[]> =>
  forwardAfter(await world.jobs(), since).flatMap(({ cell }) => (inFlight.includes(cell) ? [] : [cell]));

/** The acts that a cluster which is gone had kept stand in its history, not in the status of the next one. */
const forgetClusterActs = ({ acts }: World): void => {
  acts.splice(0, acts.length, ...acts.filter((a) => a.version !== null));
};

scenario(
  'a lane in use leaves the topology only with a consent; the package then waits for its lane, and the cluster goes on',
  {
    rings: { 2: 1, 3: 1 },
    policies: { 2: { bakeTime: '1h' } },
    more: { lanes: { urgent: { maxParallel: 2 } } },
  },
  async (world) => {
    await graduate(world, V1, { lane: 'urgent' });
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
    const { lanes: _, ...without } = world.topology;
    const apply = (topology: unknown, more = {}) =>
      world.cells.cluster().applyTopology({ topology, by: 'alice', ...more });
    await expectRejected(apply(without), 'lanes.urgent');
    await apply(without, { allowRemoval: true });
    await world.cells.rollout(V1).override({ wait: 'bake', ring: 2, ...who });
    const held = await seen(world, V1, (s) => s.waitingFor?.kind === 'topology');
    expect(held.waitingFor).toMatchObject({ ring: 3, detail: expect.stringContaining('urgent') });
    await world.cells.cluster().engageBrake({ ...who, brakeId: 'stop' });
    await apply(world.topology);
    await clusterSeen(world, (s) => s.queue.some((q) => q.held?.kind === 'brake'));
    await world.cells.cluster().releaseBrake({ ...who, brakeId: 'stop' });
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario(
  'a lane that was refused with a graduation is none of the package’s: it is still deployed',
  { rings: { 2: 1 } },
  async (world) => {
    await world.deploy(V1);
    await expectRejected(graduate(world, V1, { lane: 'nope' }), 'lane');
    expect((await world.deploy(V1)).outcome).toBe('converged');
    await graduate(world, V1);
    expect(await ends(world, V1)).toMatchObject({ state: 'converged', lane: null });
  },
);

scenario(
  'a brake of a cluster that began anew holds: its answer waits for passes that the cluster has to find first',
  { rings: { 2: 8 }, policies: { 2: { maxParallel: 2 } }, jobMs: 1200 },
  async (world) => {
    const cluster = world.cells.cluster();
    // The number of the old cluster’s brakes grows past what the new one will count to.
    for (const brakeId of ['a', 'b', 'c', 'd']) {
      await cluster.engageBrake({ ...who, brakeId });
      await cluster.releaseBrake({ ...who, brakeId });
    }
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length > 1);
    await terminate(world, 'cell-cluster');
    forgetClusterActs(world);
    await cluster.applyTopology({ topology: world.topology, by: 'alice' });
    const { inFlight } = await cluster.engageBrake({ ...who, brakeId: 'stop' });
    const answeredAt = Date.now();
    expect(inFlight.length).toBeGreaterThan(0);
    await seen(world, V1, (s) => s.state === 'braked' && ringOf(s, 2)?.inFlight === 0);
    expect(await started(world, answeredAt, inFlight)).toEqual([]);
    await clusterSeen(world, (s) => s.waitingFor === null);
    for (const brakeId of ['cold-start', 'stop']) await cluster.releaseBrake({ ...who, brakeId });
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

const EIGHT = { rings: { 2: 8 }, policies: { 2: { maxParallel: 2 } }, jobMs: 1200 };

scenario(
  'a package brake covers the pass that an earlier run of the rollout started, and the pass goes on under the new one',
  EIGHT,
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length > 1);
    await terminate(world, `package-rollout/${V1}`);
    await graduate(world, V1);
    const { inFlight } = await world.cells.rollout(V1).engageBrake({ ...who, brakeId: 'stop' });
    const answeredAt = Date.now();
    expect(inFlight.length).toBeGreaterThan(0);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'braked' && ringOf(s, 2)?.inFlight === 0);
    expect(await started(world, answeredAt, inFlight)).toEqual([]);
    await world.cells.rollout(V1).releaseBrake({ ...who, brakeId: 'stop' });
    expect((await ends(world, V1)).state).toBe('converged');
    expect(toVersion(await world.jobs(), V1)).toHaveLength(8);
  },
);

scenario(
  'a package brake outlives the run that engaged it; an abort reaches the pass of that run',
  EIGHT,
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length > 1);
    const { inFlight } = await world.cells.rollout(V1).engageBrake({ ...who, brakeId: 'kept' });
    const answeredAt = Date.now();
    await terminate(world, `package-rollout/${V1}`);
    await graduate(world, V1);
    const braked = await seen(world, V1, (s) => s.brakes.length > 0 && ringOf(s, 2)?.state === 'braked');
    expect(braked.brakes).toMatchObject([{ brakeId: 'kept', by: 'alice' }]);
    await world.cells.rollout(V1).abort(who);
    expect((await ends(world, V1)).state).toBe('aborted');
    expect(await started(world, answeredAt, inFlight)).toEqual([]);
    await clusterSeen(world, (s) => s.rings.every((r) => r.rollout === undefined));
  },
);

scenario(
  'a package brake outlives the run that engaged it, also where no pass is under way to tell of it',
  { rings: { 2: 1, 3: 1 }, policies: { 3: { approval: 'required' } } },
  async (world) => {
    const rollout = world.cells.rollout(V1);
    await graduate(world, V1);
    await seen(world, V1, (s) => s.waitingFor?.kind === 'approval' && ringOf(s, 2)?.finishedAt);
    await rollout.engageBrake({ ...who, brakeId: 'kept' });
    await terminate(world, `package-rollout/${V1}`);
    await graduate(world, V1, { reason: 'again' });
    await rollout.approveRing({ ...who, ring: 3 });
    const braked = await seen(world, V1, (s) => s.waitingFor?.kind === 'brake');
    expect(braked.brakes).toMatchObject([{ brakeId: 'kept', by: 'alice' }]);
    await pause(1_000);
    expect(toVersion(await world.jobs(), V1).map((j) => j.cell)).toEqual(['c2-1']);
    await rollout.releaseBrake({ ...who, brakeId: 'kept' });
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario(
  'a grant whose pass never came is free again once its rollout begins anew',
  { rings: { 2: 1 } },
  async (world) => {
    const other = await world.client.workflow.start('Nobody', { workflowId: 'ring-rollout/2', taskQueue: 'nobody' });
    await graduate(world, V1);
    await clusterSeen(world, (s) => s.rings.some((r) => r.ring === 2 && r.rollout));
    await terminate(world, `package-rollout/${V1}`);
    await graduate(world, V1);
    await other.terminate('it held the id of the ring’s pass');
    expect((await ends(world, V1)).state).toBe('converged');
  },
);
