import { expect } from 'vitest';
import { V1 } from '../support/fleet.js';
import { clusterSeen, ends, expectRejected, graduate, ringOf, scenario, seen } from './support.js';

const who = { by: 'alice', reason: 'because' };

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
