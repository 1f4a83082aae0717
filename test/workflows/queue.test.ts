import { expect } from 'vitest';
import { V1, V2, V3 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import { ends, exceptionOf, graduate, jobsSeen, ringOf, scenario, seen, toVersion } from './support.js';

/** Until a job of the package is under way in the ring. */
const under = (world: World, version: string, ring: number) =>
  jobsSeen(world, (jobs) =>
    toVersion(jobs, version).some((j) => j.cell.startsWith(`c${ring}-`) && j.state === 'running'),
  );

scenario(
  'a newer package takes the place of one that waits; the one that runs goes on to its end',
  { rings: { 2: 3 }, jobMs: 1500 },
  async (world) => {
    await graduate(world, V1);
    await under(world, V1, 2);
    await graduate(world, V2);
    await seen(world, V2, (s) => s.waitingFor?.kind === 'ring-turn');
    await graduate(world, V3);
    const replaced = await ends(world, V2);
    expect(replaced).toMatchObject({ state: 'superseded', supersededBy: V3 });
    expect((await ends(world, V1)).state).toBe('converged');
    expect((await ends(world, V3)).state).toBe('converged');
    expect(toVersion(await world.jobs(), V2)).toEqual([]);
  },
);

scenario(
  'an urgent package that preempts takes the ring: cells in flight end, no other starts, and what ran is superseded',
  {
    rings: { 2: 6 },
    policies: { 2: { maxParallel: 2 } },
    jobMs: 1500,
    more: { lanes: { urgent: { bakeTime: '0s' } } },
  },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(
      world,
      (jobs) => toVersion(jobs, V1).filter((j) => j.state === 'running' && j.cell !== 'c2-1').length > 1,
    );
    await graduate(world, V2, { lane: 'urgent', preempt: true });
    const ousted = await ends(world, V1);
    expect(ousted).toMatchObject({ state: 'superseded', supersededBy: V2 });
    expect(ringOf(ousted, 2)?.inFlight).toBe(0);
    expect((await ends(world, V2)).state).toBe('converged');
    const jobs = await world.jobs();
    expect(toVersion(jobs, V1).every((j) => j.state === 'succeeded')).toBe(true);
    expect(new Set(toVersion(jobs, V1).map((j) => j.cell)).size).toBeLessThan(6);
  },
);

scenario(
  'a cell that is more than one minor version behind is not deployed: upgrade-path, with the stops in between',
  { rings: { 2: 1 }, simulator: { initialVersion: '17.7.202501010900-0a1b2c3d4e5.5e4d3c2b1a0' } },
  async (world) => {
    await graduate(world, V1);
    const halted = await seen(world, V1, (s) => s.state === 'halted');
    expect(exceptionOf(halted, 2, 'c2-1')?.reason).toContain('upgrade-path');
    expect(exceptionOf(halted, 2, 'c2-1')?.reason).toContain('17.8, then 17.9');
    expect(await world.jobs()).toEqual([]);
  },
);
