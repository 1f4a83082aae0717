import { expect } from 'vitest';
import { V0, V1, V2 } from '../support/fleet.js';
import { backJobs, rollback } from './rollback-scene.js';
import { cellNow, clusterSeen, ends, expectRejected, forward, graduate, ringOf, scenario, seen } from './support.js';

scenario(
  'a package that bakes goes back from every cell, outermost ring first; it is blocked, and its rollout ends rolled-back',
  { rings: { 2: 2, 3: 3 }, policies: { 2: { gracePeriod: '1h' }, 3: { gracePeriod: '1h', maxParallel: 3 } } },
  async (world) => {
    await world.deploy(V1);
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 3)?.state === 'grace');
    const end = await rollback(world);
    expect(end).toMatchObject({ state: 'rolled-back', by: 'alice', reason: 'INC-4711', needsDowntime: [] });
    expect(end.rings.map((r) => [r.ring, r.total, r.rolledBack])).toEqual([
      [0, 1, 1],
      [2, 2, 2],
      [3, 3, 3],
    ]);
    expect(end.plan).toMatchObject([{ ring: 0 }, { ring: 2, cells: 2, targets: { [V0]: 2 } }, { ring: 3, cells: 3 }]);
    const back = await backJobs(world);
    expect(back.map((j) => j.cell.slice(0, 2))).toEqual(['c3', 'c3', 'c3', 'c2', 'c2', 'qa']);
    for (const cell of ['qa', 'c2-1', 'c2-2', 'c3-1', 'c3-2', 'c3-3']) {
      expect(await cellNow(world, cell)).toMatchObject({ version: V0, chart_version: '8.9.202502010900' });
    }
    expect(await ends(world, V1)).toMatchObject({ state: 'rolled-back' });
    const cluster = await clusterSeen(world, (s) => s.rings.every((r) => r.rollout === undefined));
    expect(cluster.blocked).toMatchObject([{ version: V1, by: 'alice', reason: 'INC-4711' }]);
    expect(cluster.graduated).toEqual([]);
    expect(cluster.acts.map((a) => a.act)).toEqual(expect.arrayContaining(['rollback', 'blockVersion']));
    // Nothing brings it back: neither its rollout, nor whoever asks for it.
    const answer = await world.deploy(V1);
    expect(answer).toMatchObject({ outcome: 'refused', code: 'blocked' });
    expect(answer.next?.join()).toContain(`cellctl unblock ${V1}`);
    expect(await world.deploy(V2)).toMatchObject({ outcome: 'refused', code: 'blocked' });
    await expectRejected(graduate(world, V2), 'version');
    const last = Math.max(...back.map((j) => Date.parse(j.finished_at ?? '')));
    expect(forward(await world.jobs()).filter((j) => Date.parse(j.created_at) > last)).toEqual([]);
  },
);

scenario(
  'a dry run says what would be done, and does nothing',
  { rings: { 2: 2, 3: 2 }, policies: { 3: { bakeTime: '1h' } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'converged' && ringOf(s, 3)?.state === 'baking');
    const before = await world.jobs();
    const plan = await rollback(world, V1, { dryRun: true, allowDowntime: ['c2-11'] });
    expect(plan).toMatchObject({ dryRun: true, rings: [], needsDowntime: [] });
    expect(plan.rejected).toMatchObject([{ message: 'rollback', by: 'alice', path: 'allowDowntime', value: 'c2-11' }]);
    expect(plan.plan).toMatchObject([
      { ring: 2, cells: 2, targets: {}, staysTotal: 2 },
      { ring: 3, cells: 2, targets: { [V0]: 2 }, stays: [] },
    ]);
    expect(plan.plan[0]?.stays.every((e) => e.needsDowntime)).toBe(true);
    expect(await world.jobs()).toEqual(before);
    const cluster = await world.cells.cluster().status();
    expect(cluster.blocked).toEqual([]);
    expect(cluster.graduated).toMatchObject([{ version: V1 }]);
    expect((await seen(world, V1, () => true)).state).toBe('baking');
  },
);
