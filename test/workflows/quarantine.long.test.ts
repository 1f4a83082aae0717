import { expect } from 'vitest';
import { V1 } from '../support/fleet.js';
import { quarantine } from './quarantine-scene.js';
import { clusterSeen, ends, forward, graduate, jobsSeen, rawSignal, scenario, theRing, toVersion } from './support.js';

scenario(
  'a quarantine in the middle of a pass waits for the cell’s run, and leaves the cell out of what follows',
  { rings: { 2: 3 }, policies: { 2: { gracePeriod: '3s' } }, jobMs: 1500 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).some((j) => j.cell === 'c2-1' && j.state === 'running'));
    await rawSignal(world, 'cell-cluster', 'quarantineCell', { cell: 'c2-1', by: 'alice', reason: 'smoke' });
    await rawSignal(world, 'cell-cluster', 'quarantineCell', { cell: 'c2-3', by: 'alice', reason: 'smoke' });
    const end = await ends(world, V1);
    expect(theRing(end, 2)).toMatchObject({ converged: 1, quarantined: 2 });
    const jobs = forward(await world.jobs()).filter((j) => j.cell !== 'c2-2');
    expect(jobs.map((j) => [j.cell, j.kind])).toEqual([['c2-1', 'configure']]);
  },
);

scenario('a quarantine ends by itself when its time is up', { rings: { 2: 1 } }, async (world) => {
  await quarantine(world, 'c2-1', { expiresAt: new Date(Date.now() + 4_000).toISOString() });
  await clusterSeen(world, (s) => s.quarantined.length === 1);
  const { acts } = await clusterSeen(world, (s) => s.quarantined.length === 0);
  expect(acts.at(-1)).toMatchObject({ act: 'quarantineExpired', by: 'coordinator' });
  await graduate(world, V1);
  expect((await ends(world, V1)).state).toBe('converged');
});
