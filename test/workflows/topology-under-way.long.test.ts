import { expect } from 'vitest';
import { V1 } from '../support/fleet.js';
import {
  cellNow,
  clusterSeen,
  ends,
  exceptionOf,
  graduate,
  jobsSeen,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';
import { apply, changed, ring } from './topology-scene.js';

scenario(
  'a pass keeps the snapshot it began with while its ring changes; a cell that left is dropped and named',
  { rings: { 2: 4 }, policies: { 2: { maxParallel: 1 } }, jobMs: 900 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length === 1);
    const shrunk = changed(world, (t) => {
      ring(t, 2).cells.splice(3, 1);
      ring(t, 2).policy = { maxParallel: 1, bakeTime: '1h' };
    });
    await apply(world, shrunk, { allowRemoval: true });
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2)).toMatchObject({ total: 3, converged: 3 });
    expect(exceptionOf(end, 2, 'c2-4')?.state).toBe('left');
    expect(toVersion(await world.jobs(), V1)).toHaveLength(3);
    expect((await clusterSeen(world, (s) => s.rings.every((r) => r.rollout === undefined))).rings[2]?.total).toBe(3);
  },
);

scenario(
  'a ring that is taken out of the topology while a package waits for it is left out',
  { rings: { 2: 1, 3: 2 }, policies: { 3: { approval: 'required' } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => s.waitingFor?.kind === 'approval');
    await apply(
      world,
      changed(world, (t) => void t.rings.splice(3, 1)),
      { allowRemoval: true },
    );
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(ringOf(end, 3)).toBeUndefined();
  },
);

scenario(
  'a cell that leaves while its job is under way is let come to its end, and counts no more',
  { rings: { 2: 3 }, policies: { 2: { maxParallel: 1 } }, jobMs: 1_500 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).some((j) => j.cell === 'c2-1' && j.state === 'running'));
    const left = changed(world, (t) => void ring(t, 2).cells.shift());
    await apply(world, left, { allowRemoval: true });
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2)).toMatchObject({ total: 2, converged: 2 });
    expect(exceptionOf(end, 2, 'c2-1')).toMatchObject({ state: 'left', jobId: expect.any(String) });
    expect(toVersion(await world.jobs(), V1, 'post_deploy_migrations').map((j) => j.cell)).not.toContain('c2-1');
  },
);

scenario(
  'a ring whose last cell leaves while it bakes holds its package up no longer than that',
  { rings: { 2: 1, 3: 2 }, policies: { 2: { bakeTime: '10s' } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
    const left = changed(world, (t) => void ring(t, 2).cells.shift());
    await apply(world, left, { allowRemoval: true });
    expect(await ends(world, V1)).toMatchObject({ state: 'converged', rings: [{ ring: 2, empty: true }, { ring: 3 }] });
  },
);

scenario(
  'a ring that leaves the topology while a package rolls over it holds nothing up, and is forgotten',
  { rings: { 2: 2, 3: 2 }, policies: { 2: { maxParallel: 1 } }, jobMs: 1_500 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).some((j) => j.state === 'running'));
    const gone = changed(world, (t) => void t.rings.splice(2, 1));
    await apply(world, gone, { allowRemoval: true });
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2).exceptions.map((e) => e.state)).toEqual(['left', 'left']);
    expect(theRing(end, 3)).toMatchObject({ converged: 2 });
    await clusterSeen(world, (s) => s.rings.map((r) => r.ring).join() === '0,1,3');
  },
);

scenario(
  'a cell that moves to another ring skips no ring, and never goes back: it comes to what its new ring runs when that does',
  {
    rings: { 2: 2, 3: 2 },
    policies: { 3: { approval: 'required' } },
    more: { coordination: { reconcileEvery: '10h' } },
  },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => s.waitingFor?.kind === 'approval');
    await clusterSeen(world, (s) => s.rings[2]?.rollout === undefined && s.rings[2]?.converged === V1);
    const inward = changed(world, (t) => void ring(t, 2).cells.push(...ring(t, 3).cells.splice(1, 1)));
    await apply(world, inward, { allowRemoval: true });
    // It comes to what ring 2 converged on.
    await world.until('c3-2 to come to the package of its ring', async () => {
      return (await cellNow(world, 'c3-2')).migrated_version === V1;
    });
    await clusterSeen(world, (s) => s.rings[2]?.rollout === undefined && s.rings[2]?.onDesired === 3);
    const outward = changed(world, (t) => void ring(t, 3).cells.push(...ring(t, 2).cells.splice(1, 1)));
    await apply(world, outward, { allowRemoval: true });
    await world.cells.rollout(V1).approveRing({ ring: 3, by: 'alice' });
    const end = await ends(world, V1);
    expect(theRing(end, 3)).toMatchObject({ total: 3, converged: 3 });
    // What had come there with its old ring was taken as it is.
    expect(toVersion(await world.jobs(), V1).filter((j) => j.cell === 'c2-2')).toHaveLength(1);
  },
);
