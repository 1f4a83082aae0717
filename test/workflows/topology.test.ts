import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { fleet, V0, V1 } from '../support/fleet.js';
import { clusterSeen, ends, expectRejected, graduate, problemsOf, scenario, seen } from './support.js';
import { apply, changed, ring } from './topology-scene.js';

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
  // Whoever only asks is told the same.
  const judged = await world.cells.cluster().judgeTopology({ topology: broken, by: 'alice' });
  expect(judged.map(({ path }) => path)).toEqual(paths);
  expect(await world.cells.cluster().judgeTopology({ topology: world.topology, by: 'alice' })).toEqual([]);
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
    const signals = { errors: { query: 'errors{cell="{{cell}}"}', worse: 'higher', max: 0.1, zScore: 3 } };
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
