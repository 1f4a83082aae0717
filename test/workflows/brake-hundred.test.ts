import { expect } from 'vitest';
import { V0, V1 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import { cellNow, forwardAfter, graduate, jobsSeen, ringOf, scenario, seen, theRing, toVersion } from './support.js';

const HUNDRED = { rings: { 2: 130 }, policies: { 2: { maxParallel: 100, deployTimeout: '2m' } } };

async function hundredInFlight(world: World): Promise<void> {
  // The first cell passes by itself; the others are slow enough to be all under way at once.
  await world.fault({ kind: 'slow', version: V1, jobKind: 'configure', after: 1, factor: 500 });
  await graduate(world, V1);
  await jobsSeen(world, (jobs) => toVersion(jobs, V1).filter((j) => j.state === 'running').length === 100);
}

scenario(
  'with 100 cells in flight a brake is answered within a second, and no forward job is created after it',
  HUNDRED,
  async (world) => {
    await hundredInFlight(world);
    const askedAt = Date.now();
    const { inFlight } = await world.cells.cluster().engageBrake({ by: 'alice', reason: 'incident' });
    const answeredAt = Date.now();
    expect(answeredAt - askedAt).toBeLessThan(1_000);
    expect(inFlight).toHaveLength(100);
    const cancelAskedAt = Date.now();
    await world.cells.cluster().engageBrake({ by: 'alice', reason: 'worse', brakeId: 'all', mode: 'cancel-cells' });
    expect(Date.now() - cancelAskedAt).toBeLessThan(1_000);
    const braked = await seen(
      world,
      V1,
      (s) => ringOf(s, 2)?.inFlight === 0 && ringOf(s, 2)?.state === 'braked',
      120_000,
    );
    expect(theRing(braked, 2)).toMatchObject({ converged: 1, pending: 129, failed: 0, rolledBack: 0 });
    const jobs = await world.jobs();
    expect(forwardAfter(jobs, answeredAt)).toEqual([]);
    expect(toVersion(jobs, V1).filter((j) => j.state === 'canceled')).toHaveLength(100);
    for (const cell of inFlight) expect((await cellNow(world, cell)).version).toBe(V0);
  },
  240_000,
);
