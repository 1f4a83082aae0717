import { expect } from 'vitest';
import { cell, V0, V1, V2, V3 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import {
  cellNow,
  clusterSeen,
  ends,
  exceptionOf,
  expectRejected,
  forward,
  graduate,
  jobsSeen,
  rawSignal,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

const quarantine = (world: World, cell: string, more: { expiresAt?: string } = {}) =>
  world.cells.cluster().quarantineCell({ cell, by: 'alice', reason: 'being rebuilt', ...more });
const deploy = async (world: World, version: string, fixes?: string) =>
  (
    await world.cells.rollout(version).deployRing({ ring: 0, by: 'release-tools', ...(fixes ? { fixes } : {}) })
  ).answer();

/** Until a job of the package is under way in the ring. */
const under = (world: World, version: string, ring: number) =>
  jobsSeen(world, (jobs) =>
    toVersion(jobs, version).some((j) => j.cell.startsWith(`c${ring}-`) && j.state === 'running'),
  );

scenario(
  'a quarantined cell gets nothing, is counted and named, and comes back with the next package',
  { rings: { 2: 3 } },
  async (world) => {
    const cluster = world.cells.cluster();
    await quarantine(world, 'c2-2');
    await expectRejected(cluster.quarantineCell({ cell: 'nobody', by: 'alice', reason: 'x' }), 'cell');
    const { quarantined, acts } = await cluster.status();
    expect(quarantined).toMatchObject([{ cell: 'c2-2', by: 'alice', reason: 'being rebuilt' }]);
    expect(acts.filter(({ act }) => act === 'quarantineCell')).toHaveLength(1);
    await graduate(world, V1);
    const first = await ends(world, V1);
    expect(theRing(first, 2)).toMatchObject({ total: 3, converged: 2, quarantined: 1 });
    expect(exceptionOf(first, 2, 'c2-2')?.reason).toContain('being rebuilt');
    expect((await cellNow(world, 'c2-2')).version).toBe(V0);
    await cluster.readmitCell({ cell: 'c2-2', by: 'alice', reason: 'rebuilt' });
    await graduate(world, V2);
    expect(theRing(await ends(world, V2), 2)).toMatchObject({ converged: 3, quarantined: 0 });
  },
);

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

scenario(
  'a cell that joins a cluster which runs already is out until it is readmitted, or says join: auto',
  { rings: { 2: 2 } },
  async (world) => {
    await graduate(world, V1);
    await ends(world, V1);
    const topology = structuredClone(world.topology) as { rings: { ring: number; cells: object[] }[] };
    topology.rings.find(({ ring }) => ring === 2)?.cells.push(cell('n-1'), { ...cell('n-2'), join: 'auto' });
    await world.cells.cluster().applyTopology({ topology, by: 'bob' });
    const { quarantined } = await world.cells.cluster().status();
    expect(quarantined).toMatchObject([{ cell: 'n-1', by: 'coordinator' }]);
  },
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
  'auto-deploy pauses itself beyond maxDrift: deployRing is refused as blocking, a fix enters, and it resumes by itself',
  { rings: { 2: 1 }, more: { coordination: { maxDrift: 1 } } },
  async (world) => {
    await world.fault({ kind: 'job-fails', version: V1 });
    await graduate(world, V1);
    await seen(world, V1, (s) => s.state === 'halted');
    await world.fault({ kind: 'job-fails', version: V2 });
    await graduate(world, V2);
    const paused = await clusterSeen(world, (s) => s.autoDeploy.state === 'paused');
    expect(paused.drift).toEqual({ max: 2, byRing: { 2: 2 } });
    const refused = await deploy(world, V3);
    expect(refused).toMatchObject({ outcome: 'refused', code: 'drift', blocking: true });
    expect(refused.next?.join()).toContain('--fixes');
    const fixed = await deploy(world, V3, 'INC-4711');
    expect(fixed.outcome).toBe('converged');
    await graduate(world, V3);
    await ends(world, V3);
    const after = await clusterSeen(world, (s) => s.autoDeploy.state === 'running' && s.drift.max === 0);
    expect(after.acts.map(({ act }) => act)).toContain('pauseAutoDeploy');
  },
);

scenario(
  'requireRing0: only a package that converged in ring 0 may graduate',
  { rings: { 2: 1 }, more: { coordination: { requireRing0: true } } },
  async (world) => {
    await expectRejected(world.cells.rollout(V1).graduate({ by: 'release-tools' }), 'ring0');
    expect((await deploy(world, V1)).outcome).toBe('converged');
    await graduate(world, V1);
    expect((await ends(world, V1)).state).toBe('converged');
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
