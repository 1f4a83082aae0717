import { expect } from 'vitest';
import { V0, V1 } from '../support/fleet.js';
import { BUDGET, byHand, converge, OFTEN, ON_V1, reconcile, runs, SELDOM } from './reconcile-scene.js';
import {
  cellNow,
  clusterSeen,
  ends,
  exceptionOf,
  forward,
  graduate,
  jobsSeen,
  pause,
  scenario,
  toVersion,
} from './support.js';

scenario(
  'a cell that was busy when its ring was done comes to the package by itself, with its PDM',
  { rings: { 2: 3 }, policies: { 2: BUDGET }, more: OFTEN },
  async (world) => {
    await world.fault({ kind: 'tenant-busy', cell: 'c2-3', forMs: 20_000 });
    await graduate(world, V1);
    expect(exceptionOf(await ends(world, V1), 2, 'c2-3')?.state).toBe('busy');
    await runs(world, 'c2-3', ON_V1);
    const healed = await clusterSeen(world, (s) => s.rings[2]?.exceptionsTotal === 0 && s.rings[2].onDesired === 3);
    expect(healed.rings[2]).toMatchObject({ converged: V1, state: 'converged' });
    expect(healed.acts.find((a) => a.act === 'reconcile')).toMatchObject({ by: 'coordinator' });
    expect(toVersion(await world.jobs(), V1)).toHaveLength(3);
  },
);

scenario(
  'a cell that joins a ring, or is let back from quarantine, comes to its package at once',
  { rings: { 2: 3, 3: 1 }, more: SELDOM, apply: false },
  async (world) => {
    const all = structuredClone(world.topology) as { rings: { ring: number; cells: Record<string, unknown>[] }[] };
    const fewer = structuredClone(all);
    Object.assign(all.rings.find((r) => r.ring === 2)?.cells[2] ?? {}, { join: 'auto' });
    fewer.rings.find((r) => r.ring === 2)?.cells.pop();
    await world.apply(fewer);
    await world.cells.cluster().quarantineCell({ cell: 'c2-2', by: 'alice', reason: 'being rebuilt' });
    await converge(world);
    expect((await cellNow(world, 'c2-3')).version).toBe(V0);
    await world.cells.cluster().applyTopology({ topology: all, by: 'alice' });
    await runs(world, 'c2-3', ON_V1);
    expect((await cellNow(world, 'c2-2')).version).toBe(V0);
    await world.cells.cluster().readmitCell({ cell: 'c2-2', by: 'alice', reason: 'rebuilt' });
    await runs(world, 'c2-2', ON_V1);
    await clusterSeen(world, (s) => s.rings[2]?.onDesired === 3 && s.rings[2].rollout === undefined);
  },
);

scenario(
  'nothing is converged under a brake; it is when the brake is gone',
  { rings: { 2: 3 }, more: SELDOM },
  async (world) => {
    await converge(world);
    await byHand(world, 'c2-1', V0);
    await world.cells.cluster().engageBrake({ by: 'bob', reason: 'INC-1', brakeId: 'b', scope: { ring: 2 } });
    await reconcile(world, { cells: ['c2-1'] });
    const held = await clusterSeen(world, (s) => s.queue[0]?.held?.kind === 'brake');
    expect(held.queue).toMatchObject([{ ring: 2, version: V1, cells: 1, by: 'alice' }]);
    const before = forward(await world.jobs()).length;
    await pause(1_500);
    expect(forward(await world.jobs())).toHaveLength(before);
    await world.cells.cluster().releaseBrake({ by: 'bob', brakeId: 'b', reason: 'over' });
    await jobsSeen(world, (jobs) => jobs.filter((j) => j.cell === 'c2-1' && j.kind === 'configure').length === 2);
    await runs(world, 'c2-1', { version: V1 });
  },
);
