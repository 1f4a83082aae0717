import { expect } from 'vitest';
import type { ClusterStatus, WatchedRing } from '../../src/contract/status.js';
import { V1 } from '../support/fleet.js';
import { scene } from './health-scene.js';
import { OBSERVE, ours } from './observe-scene.js';
import { clusterSeen, deployedByOthers, ends, graduate, scenario, theRing } from './support.js';

/** A day on which no run of this test can be. */
const IN_THREE_DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'][(new Date().getUTCDay() + 3) % 7];

scenario(
  'a ring that only observes holds no other ring up, and its closed windows are told and not waited for',
  {
    rings: { 2: 2, 3: 1 },
    policies: {
      2: {
        ...OBSERVE,
        deployWindows: [{ days: [IN_THREE_DAYS], from: '00:00', to: '00:01', timezone: 'Etc/UTC' }],
      },
    },
  },
  async (world) => {
    await deployedByOthers(world, 'c2-1', V1);
    await graduate(world, V1);
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2)).toMatchObject({ converged: 1, skipped: 1, observed: { would: 1 } });
    expect(theRing(end, 2).observed?.waits.join()).toMatch(/^outside its deploy windows until 20/);
    expect(theRing(end, 3).converged).toBe(1);
    expect((await ours(world)).map((j) => j.cell)).toEqual(['c3-1', 'c3-1']);
  },
);

scenario(
  'a ring that only observes is watched on after a package came: what others do there, and whether it is well',
  {
    ...scene({ rings: { 2: 2 }, policies: { 2: OBSERVE } }),
    more: { ...scene().more, coordination: { reconcileEvery: '2s' } },
  },
  async (world) => {
    const watched = async (fits: (ring: WatchedRing) => boolean) => {
      const isSo = ({ rings }: ClusterStatus) => rings.some((r) => r.ring === 2 && r.watched && fits(r.watched));
      return (await clusterSeen(world, isSo)).rings.find((r) => r.ring === 2)?.watched?.sentence;
    };
    await graduate(world, V1);
    await ends(world, V1);
    expect(await watched((w) => w.would === 2 && w.healthy === true)).toBe(
      `only observed: would deploy ${V1} to 2 of 2 cells; ring 2 is healthy`,
    );
    await deployedByOthers(world, 'c2-1', V1);
    await watched((w) => w.would === 1);
    await world.fault({ kind: 'error-burst', cell: 'c2-1', version: V1, size: 0.5 });
    expect(await watched((w) => w.healthy === false)).toMatch(/would stop for this: ring 2 is unhealthy \(c2-1\): /);
    expect(await ours(world)).toEqual([]);
    const acting = { ...world.topology, rings: (world.topology.rings as object[]).map(withoutPolicy) };
    await world.cells.cluster().applyTopology({ topology: acting, by: 'test' });
    const { rings } = await world.cells.cluster().status();
    expect(rings.find((r) => r.ring === 2)?.watched).toBeUndefined();
  },
);

const withoutPolicy = (ring: object) => ({ ...ring, policy: undefined });
