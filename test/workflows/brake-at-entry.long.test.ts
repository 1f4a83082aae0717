import { expect } from 'vitest';
import { V1 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import {
  ends,
  forwardAfter,
  graduate,
  jobsSeen,
  pause,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

/** A brake that comes between the grant of a ring and the first order in it. */

const person = { by: 'alice', reason: 'incident' };

const BRAKES: [string, (world: World) => Promise<{ brakeId: string; inFlight: string[] }>][] = [
  ['the cluster', (world) => world.cells.cluster().engageBrake({ ...person, brakeId: 'b' })],
  ['its ring', (world) => world.cells.cluster().engageBrake({ ...person, brakeId: 'b', scope: { ring: 2 } })],
  ['its package', (world) => world.cells.rollout(V1).engageBrake({ ...person, brakeId: 'b' })],
];

for (const [whose, engage] of BRAKES) {
  scenario(`a brake of ${whose} holds a pass that was let in and has ordered nothing yet`, {}, async (world) => {
    await world.fault({ kind: 'error-share', share: 1, status: 503, method: 'GET', on: 'amp' });
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.startedAt);
    expect(await engage(world)).toEqual({ brakeId: 'b', inFlight: [] });
    await world.clearFaults();
    const braked = await seen(world, V1, (s) => ringOf(s, 2)?.state === 'braked');
    expect(theRing(braked, 2)).toMatchObject({ total: 2, pending: 2, waitingFor: { kind: 'brake' } });
    await pause(1_000);
    expect(await world.jobs()).toEqual([]);
    const off = { by: 'alice', brakeId: 'b' };
    await (whose === 'its package'
      ? world.cells.rollout(V1).releaseBrake(off)
      : world.cells.cluster().releaseBrake(off));
    expect((await ends(world, V1)).state).toBe('converged');
  });
}

/** From the grant on, through the entry and the look, to the first orders: at least one of them meets each. */
const MOMENTS_MS = { 2: 0, 3: 20, 4: 45, 5: 70, 6: 100, 7: 140, 8: 200, 9: 300 };

scenario(
  'a brake at whatever moment after the grant: no forward job after its answer but on cells that it names',
  { rings: Object.fromEntries(Object.keys(MOMENTS_MS).map((ring) => [ring, 3])), jobMs: 100 },
  async (world) => {
    const cluster = world.cells.cluster();
    const brake = (ring: number) => cluster.engageBrake({ ...person, brakeId: `b${ring}`, scope: { ring } });
    const release = (ring: number) => cluster.releaseBrake({ by: 'alice', brakeId: `b${ring}` });
    const rings = Object.entries(MOMENTS_MS).map(([ring, afterMs]) => ({ ring: Number(ring), afterMs }));
    for (const { ring } of rings) await brake(ring);
    await graduate(world, V1);
    for (const { ring, afterMs } of rings) {
      await seen(world, V1, (s) => s.waitingFor?.kind === 'brake' && s.waitingFor.ring === ring);
      await release(ring);
      await pause(afterMs);
      const { inFlight } = await brake(ring);
      const answeredAt = Date.now();
      // Whatever it lets finish has finished, and more than a first order would have taken is over.
      await jobsSeen(world, (jobs) => jobs.every((j) => j.finished_at !== null));
      await pause(500);
      const late = forwardAfter(await world.jobs(), answeredAt).filter((j) => j.cell.startsWith(`c${ring}-`));
      expect(late.filter((j) => !inFlight.includes(j.cell)).map((j) => j.cell)).toEqual([]);
      await release(ring);
    }
    expect((await ends(world, V1)).state).toBe('converged');
    expect(toVersion(await world.jobs(), V1)).toHaveLength(3 * rings.length);
  },
);
