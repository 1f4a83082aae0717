import { expect } from 'vitest';
import { V1, V2 } from '../support/fleet.js';
import { block, unblock } from './blocks-scene.js';
import {
  clusterSeen,
  ends,
  expectRejected,
  forwardAfter,
  graduate,
  jobsSeen,
  rawSignal,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

scenario(
  'a block lets cells in flight finish, and after its answer no other cell gets the package; lifted, it goes on',
  { rings: { 2: 6, 3: 1 }, policies: { 2: { maxParallel: 2 } }, jobMs: 1200 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length > 1);
    const { inFlight, blocked, graduated } = await block(world);
    const answeredAt = Date.now();
    expect(inFlight.length).toBeGreaterThan(0);
    expect(blocked).toMatchObject([{ version: V1, by: 'alice', reason: 'INC-4711' }]);
    expect(graduated).toMatchObject([{ version: V1, blocked: true }]);
    const held = await seen(world, V1, (s) => s.state === 'braked' && ringOf(s, 2)?.inFlight === 0);
    expect(held.waitingFor).toMatchObject({ kind: 'brake', ring: 2, blocked: V1 });
    expect(held.waitingFor?.next.join()).toContain(`cellctl unblock ${V1}`);
    const jobs = await world.jobs();
    expect(jobs.every((j) => j.state === 'succeeded')).toBe(true);
    for (const job of forwardAfter(jobs, answeredAt)) expect(inFlight).toContain(job.cell);
    expect(theRing(held, 2).pending).toBeGreaterThan(0);
    await unblock(world);
    expect((await ends(world, V1)).state).toBe('converged');
    const { acts, blocked: none } = await world.cells.cluster().status();
    expect(none).toEqual([]);
    expect(acts.map((a) => a.act)).toEqual(expect.arrayContaining(['blockVersion', 'unblockVersion']));
  },
);

scenario(
  'inside the perimeter a blocked package is refused at once, and says what to type',
  { rings: { 2: 1 } },
  async (world) => {
    await block(world, V1);
    const next = [`cellctl unblock ${V1} --reason "…"`];
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'refused', code: 'blocked', blocking: false, next });
    expect(await world.deploy(V2)).toMatchObject({ outcome: 'refused', code: 'blocked', next });
    const migrate = await world.cells.rollout(V1).migrateRing({ ring: 0, by: 'release-tools' });
    expect(await migrate.answer()).toMatchObject({ outcome: 'refused', code: 'blocked' });
    expect(await world.jobs()).toEqual([]);
    await unblock(world);
    expect(await world.deploy(V2)).toMatchObject({ outcome: 'converged' });
  },
);

scenario('a block that makes no sense is rejected with its path; as a signal it is filed', {}, async (world) => {
  await expectRejected(block(world, V2, { fixedIn: V1 }), 'fixedIn');
  await expectRejected(block(world, '17.10.0'), 'version');
  await expectRejected(unblock(world, V1), 'version');
  await rawSignal(world, 'cell-cluster', 'unblockVersion', { version: V1, by: 'bob', reason: 'none is' });
  const filed = (message: string) => (s: { rejected: { message: string }[] }) =>
    s.rejected.filter((r) => r.message === message).length > 0;
  await clusterSeen(world, filed('unblockVersion'));
  await rawSignal(world, 'cell-cluster', 'blockVersion', { version: V1, by: 'alice', reason: 'as a signal' });
  const { blocked } = await clusterSeen(world, (s) => s.blocked.length > 0);
  expect(blocked).toMatchObject([{ version: V1, reason: 'as a signal' }]);
  expect((await expectRejected(unblock(world, V2), 'version')).expected).toContain(V1);
});
