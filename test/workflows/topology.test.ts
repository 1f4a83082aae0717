import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { fleet, V0, V1 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import {
  cellNow,
  clusterSeen,
  ends,
  exceptionOf,
  expectRejected,
  graduate,
  jobsSeen,
  problemsOf,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

type Loose = Record<string, unknown> & {
  rings: { ring: number; cells: Record<string, unknown>[]; policy?: unknown }[];
};

const apply = (world: World, topology: unknown, more: Record<string, unknown> = {}) =>
  world.cells.cluster().applyTopology({ topology, by: 'alice', ...more });

/** A copy of the world's topology with a change. */
function changed(world: World, change: (t: Loose) => void): Loose {
  const copy = structuredClone(world.topology) as Loose;
  change(copy);
  return copy;
}
const ring = (t: Loose, number: number) => t.rings.find((r) => r.ring === number) as Loose['rings'][number];

scenario('a broken topology is refused whole, with every path, and nothing of it is applied', {}, async (world) => {
  const before = await world.cells.cluster().status();
  const broken = changed(world, (t) => {
    t.perimeter = -1;
    ring(t, 2).policy = { bakeTime: 'soon', maxParallel: 0, bakeTme: '1h' };
    ring(t, 2).cells.push({ id: 'Bad Id', tenant: 't-x', url: 'https://x.example' });
    ring(t, 0).cells.push(structuredClone(ring(t, 2).cells[0]) as Record<string, unknown>);
    t.rings.push({ ring: 9, cells: [{ id: 'fine', tenant: 't-fine', url: 'https://fine.example' }] });
  });
  const paths = (await problemsOf(apply(world, broken))).map((p) => p.path);
  for (const path of [
    'perimeter',
    'rings[2].policy.bakeTime',
    'rings[2].policy.maxParallel',
    'rings[2].policy.bakeTme',
    'rings[2].cells[2].id',
  ]) {
    expect(paths).toContain(path);
  }
  expect(paths.filter((p) => p.endsWith('.cells[1].id') || p.endsWith('.cells[0].id'))).not.toEqual([]);
  const after = await world.cells.cluster().status();
  expect(after.topologyRevision).toBe(before.topologyRevision);
  expect(after.rings.map((r) => r.ring)).toEqual([0, 1, 2]);
});

scenario(
  'another cluster is refused, expectRevision guards against somebody else’s change, and a topology that will make rings wait is warned of',
  {},
  async (world) => {
    const foreign = await expectRejected(apply(world, { ...world.topology, cluster: 'another' }), 'cluster');
    expect(foreign.expected).toContain('test');
    const { topologyRevision } = await world.cells.cluster().status();
    const other = changed(world, (t) => Object.assign(ring(t, 2), { name: 'renamed' }));
    const signals = { errors: { query: 'errors{cell="{{cell}}"}', worse: 'higher', max: 0.1 } };
    Object.assign(other, { health: { baseline: '5m', signals } });
    const answer = await apply(world, other, { expectRevision: topologyRevision });
    expect(answer.revision).toBe(topologyRevision + 1);
    expect(answer.warnings).toContainEqual(expect.stringContaining('ring 2: health.baseline is 5m'));
    const problem = await expectRejected(
      apply(world, world.topology, { expectRevision: topologyRevision }),
      'expectRevision',
    );
    expect(problem.expected).toContain(String(topologyRevision + 1));
    // The same again is no change.
    expect((await apply(world, other)).revision).toBe(topologyRevision + 1);
    // Whoever asks gets what is in force.
    expect((await world.cells.cluster().topology())?.rings.map((r) => r.name)).toContain('renamed');
  },
);

scenario(
  'cells that leave, or move, need consent beyond a tenth; what changed is answered',
  { rings: { 2: 12, 3: 2 } },
  async (world) => {
    const leaves = (count: number) => changed(world, (t) => void ring(t, 2).cells.splice(0, count));
    const moves = changed(world, (t) => void ring(t, 3).cells.push(...ring(t, 2).cells.splice(11, 1)));
    expect((await expectRejected(apply(world, leaves(2)), 'allowRemoval')).expected).toMatch(/2 of 16/);
    expect((await expectRejected(apply(world, moves), 'allowRemoval')).expected).toMatch(/c2-12.*ring 2 to ring 3/);
    expect((await apply(world, leaves(1))).changes).toMatchObject({
      cellsLeft: ['c2-1'],
      cellsJoined: [],
      cellsMoved: [],
    });
    expect((await apply(world, moves, { allowRemoval: true })).changes).toMatchObject({
      cellsMoved: [{ cell: 'c2-12', from: 2, to: 3 }],
      cellsJoined: ['c2-1'],
    });
    expect((await world.cells.cluster().status()).rings.map((r) => r.total)).toEqual([1, 0, 11, 3]);
  },
);

scenario(
  'a large topology travels gzipped; one above 512 KB, or unreadable, is refused and the cluster lives on',
  { apply: false },
  async (world) => {
    const large = fleet({ 2: 8_000 });
    const raw = (payload: Record<string, unknown>) =>
      world.client.workflow
        .getHandle('cell-cluster')
        .executeUpdate('applyTopology', { args: [{ by: 'alice', ...payload }] });
    await world.apply();
    await expect(raw({ topology: large })).rejects.toMatchObject({
      cause: { type: 'Rejected', details: [{ path: 'topology', expected: expect.stringMatching(/524288.*gzip/) }] },
    });
    await expect(raw({ gzip: 'A'.repeat(600_000) })).rejects.toMatchObject({
      cause: { type: 'Rejected', details: [{ path: 'gzip' }] },
    });
    for (const gzip of ['', 'not base64 ?', 'AAAA', Buffer.from('{}').toString('base64')]) {
      await expect(raw({ gzip })).rejects.toMatchObject({ cause: { type: 'Rejected' } });
    }
    await expect(raw({ topology: world.topology, gzip: 'AAAA' })).rejects.toMatchObject({
      cause: { type: 'Rejected' },
    });
    await expect(raw({})).rejects.toMatchObject({ cause: { type: 'Rejected' } });
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, 32)).toString('base64');
    expect(bomb.length).toBeLessThan(512 * 1024);
    await expect(raw({ gzip: bomb })).rejects.toMatchObject({
      cause: { type: 'Rejected', details: [{ path: 'gzip' }] },
    });
    const more = changed(world, (t) => Object.assign(ring(t, 2), { name: 'zipped' }));
    for (const count of [3_000, 9_000]) {
      const gzip = gzipSync(JSON.stringify(fleet({ 2: count, 3: 2 }))).toString('base64');
      await expect(raw({ gzip: gzip.slice(0, -8) })).rejects.toMatchObject({ cause: { type: 'Rejected' } });
    }
    await raw({ gzip: gzipSync(JSON.stringify(more)).toString('base64') });
    expect((await world.cells.cluster().status()).rings.find((r) => r.ring === 2)?.name).toBe('zipped');
  },
);

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
  'a cluster that begins without state beside cells that run packages brakes itself, shows what it found, and waits for a release by name',
  { rings: { 2: 2, 3: 1 }, apply: false },
  async (world) => {
    await apply(world, world.topology);
    const cold = await clusterSeen(world, (s) =>
      s.brakes.some((b) => b.brakeId === 'cold-start' && b.reason.includes(V0)),
    );
    expect(cold.brakes).toMatchObject([{ brakeId: 'cold-start', scope: 'cluster', by: 'coordinator' }]);
    expect(cold.rings.find((r) => r.ring === 2)?.observed).toEqual({ [V0]: 2 });
    await graduate(world, V1);
    await seen(world, V1, (s) => s.waitingFor?.kind === 'brake');
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'refused', code: 'braked' });
    expect(await world.jobs()).toEqual([]);
    await world.cells.cluster().releaseBrake({ by: 'alice', brakeId: 'cold-start', reason: 'looks right' });
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario(
  'a cluster whose cells run nothing yet needs no release',
  { rings: { 2: 1 }, apply: false, simulator: { initialVersion: null } },
  async (world) => {
    await apply(world, world.topology);
    await clusterSeen(world, (s) => s.waitingFor === null && s.brakes.length === 0);
    await graduate(world, V1);
    expect((await ends(world, V1)).state).toBe('converged');
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
