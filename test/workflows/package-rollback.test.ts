import { expect } from 'vitest';
import type { PackageRollbackStatus } from '../../src/contract/status.js';
import { V0, V1, V2, V3 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import {
  cellNow,
  clusterSeen,
  ends,
  expectRejected,
  forward,
  graduate,
  jobsSeen,
  ringOf,
  scenario,
  seen,
  toVersion,
} from './support.js';

/** Takes a package back, and answers how that ended. */
async function rollback(
  world: World,
  version = V1,
  more: Record<string, unknown> = {},
): Promise<PackageRollbackStatus> {
  const client = world.cells.rollback(version);
  expect(await client.start({ by: 'alice', reason: 'INC-4711', ...more })).toBe(true);
  return await client.result(100_000);
}

const backJobs = async (world: World) => (await world.jobs()).filter((j) => j.kind === 'rollback');
const stays = (status: PackageRollbackStatus) => status.needsDowntime.map((e) => e.cell).sort();

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
  'in the middle of a pass, and under a brake: cells in flight go back too, and nothing holds it up',
  { rings: { 2: 6 }, policies: { 2: { maxParallel: 3 } }, jobMs: 1500 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length > 2);
    await world.cells.cluster().engageBrake({ by: 'alice', reason: 'incident', brakeId: 'all' });
    const end = await rollback(world);
    expect(end).toMatchObject({ state: 'rolled-back', needsDowntime: [] });
    for (let i = 1; i <= 6; i += 1) expect((await cellNow(world, `c2-${i}`)).version).toBe(V0);
    expect((await ends(world, V1)).state).toBe('rolled-back');
    expect((await world.cells.cluster().status()).brakes).toMatchObject([{ brakeId: 'all' }]);
  },
);

scenario(
  'cells that the rule of return excludes are named and left, unless they are named by a person',
  { rings: { 2: 3, 3: 1 }, policies: { 3: { bakeTime: '1h' } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'converged' && ringOf(s, 3)?.state === 'baking');
    const end = await rollback(world);
    expect(end.state).toBe('rolled-back');
    expect(stays(end)).toEqual(['c2-1', 'c2-2', 'c2-3']);
    for (const e of end.needsDowntime) expect(e.reason).toMatch(/downtime/);
    expect((await cellNow(world, 'c3-1')).version).toBe(V0);
    expect((await cellNow(world, 'c2-1')).version).toBe(V1);
    const again = await rollback(world, V1, { allowDowntime: ['c2-1', 'c2-3'] });
    expect(stays(again)).toEqual(['c2-2']);
    expect((await cellNow(world, 'c2-1')).version).toBe(V0);
    expect((await cellNow(world, 'c2-2')).version).toBe(V1);
    expect((await backJobs(world)).map((j) => j.cell).sort()).toEqual(['c2-1', 'c2-3', 'c3-1']);
  },
);

scenario(
  'a dry run says what would be done, and does nothing',
  { rings: { 2: 2, 3: 2 }, policies: { 3: { bakeTime: '1h' } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'converged' && ringOf(s, 3)?.state === 'baking');
    const before = await world.jobs();
    const plan = await rollback(world, V1, { dryRun: true });
    expect(plan).toMatchObject({ dryRun: true, rings: [], needsDowntime: [] });
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

scenario(
  'after it the one with the fix goes its way, and after an unblock the next package asks a person',
  { rings: { 2: 2 }, policies: { 2: { gracePeriod: '1h' } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'grace');
    await rollback(world);
    await world.cells.cluster().unblockVersion({ version: V1, by: 'bob', reason: 'V2 mends it' });
    await graduate(world, V2);
    const asks = await seen(world, V2, (s) => s.waitingFor?.kind === 'approval');
    expect(asks.waitingFor?.detail).toContain(V1);
    expect(asks.waitingFor?.next.join()).toContain(`cellctl approve --ring 2 ${V2}`);
    await world.cells.cluster().blockVersion({ version: V1, by: 'bob', reason: 'V3 mends it', fixedIn: V3 });
    await graduate(world, V3);
    await seen(world, V3, (s) => ringOf(s, 2)?.state === 'grace');
    expect(toVersion(await world.jobs(), V2)).toEqual([]);
  },
);
