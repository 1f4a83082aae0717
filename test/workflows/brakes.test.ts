import { expect } from 'vitest';
import { V0, V1, V2 } from '../support/fleet.js';
import { brake, inFlightOn, release, wide } from './brake-scene.js';
import {
  cellNow,
  ends,
  exceptionOf,
  expectRejected,
  forward,
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
  'a brake lets cells in flight finish, and no forward job is created after its answer but on cells that it names',
  { rings: { 2: 7 }, policies: wide, jobMs: 1500 },
  async (world) => {
    await inFlightOn(world, V1, 2);
    const { brakeId, inFlight } = await brake(world);
    const answeredAt = Date.now();
    expect(inFlight.length).toBeGreaterThan(0);
    const braked = await seen(world, V1, (s) => s.state === 'braked' && ringOf(s, 2)?.inFlight === 0);
    expect(braked.waitingFor).toMatchObject({ kind: 'brake', ring: 2 });
    expect(braked.waitingFor?.next.join()).toContain(brakeId);
    const jobs = await world.jobs();
    for (const job of forwardAfter(jobs, answeredAt)) expect(inFlight).toContain(job.cell);
    expect(jobs.every((j) => j.state === 'succeeded')).toBe(true);
    expect(theRing(braked, 2).pending).toBeGreaterThan(0);
    await release(world, brakeId);
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario(
  'cancel-cells takes cells in flight back to what they ran; they are pending again and spend no budget',
  { rings: { 2: 4 }, policies: wide, jobMs: 3000 },
  async (world) => {
    await inFlightOn(world, V1, 2);
    const { brakeId, inFlight } = await brake(world, { mode: 'cancel-cells' });
    const braked = await seen(world, V1, (s) => s.state === 'braked' && ringOf(s, 2)?.inFlight === 0);
    const ring = theRing(braked, 2);
    expect(ring).toMatchObject({ failed: 0, rolledBack: 0, exceptions: [] });
    expect(ring.pending).toBe(4 - ring.converged);
    expect(inFlight.length).toBeGreaterThan(0);
    for (const cell of inFlight) expect((await cellNow(world, cell)).version).toBe(V0);
    expect(braked.failures).toEqual([]);
    await release(world, brakeId);
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2)).toMatchObject({ converged: 4, failed: 0 });
  },
);

scenario(
  'a brake id again replaces, a release needs a name where several hold, and nonsense is rejected',
  {},
  async (world) => {
    await expectRejected(release(world), 'brakeId');
    await brake(world, { brakeId: 'one', expiresAt: new Date(Date.now() + 60_000).toISOString() });
    await brake(world, { brakeId: 'one', scope: 'outer', mode: 'finish-ring', reason: 'only outside' });
    const { brakes } = await world.cells.cluster().status();
    expect(brakes).toMatchObject([{ brakeId: 'one', scope: 'outer', mode: 'finish-ring', reason: 'only outside' }]);
    expect(brakes[0]).not.toHaveProperty('expiresAt');
    await brake(world, { brakeId: 'two' });
    const problem = await expectRejected(release(world), 'brakeId');
    expect(problem.expected).toMatch(/one.*two/);
    await expectRejected(release(world, 'three'), 'brakeId');
    await release(world, 'two');
    await release(world);
    expect((await world.cells.cluster().status()).brakes).toEqual([]);
  },
);

scenario('an outer brake holds outer rings and leaves the perimeter alone', {}, async (world) => {
  const { brakeId } = await brake(world, { scope: 'outer' });
  expect(await world.deploy(V1)).toMatchObject({ outcome: 'converged' });
  await graduate(world, V1);
  await seen(world, V1, (s) => s.waitingFor?.kind === 'brake' && s.waitingFor.detail.includes(brakeId));
  expect((await world.jobs()).filter((j) => j.cell !== 'qa')).toEqual([]);
  await release(world, brakeId);
  expect((await ends(world, V1)).state).toBe('converged');
});

scenario(
  'deployRing under a brake answers at once: refused, braked, until when and what ends it',
  {},
  async (world) => {
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const { brakeId } = await brake(world, { expiresAt });
    const answer = await world.deploy(V1);
    expect(answer).toMatchObject({ outcome: 'refused', code: 'braked', until: expiresAt, blocking: false });
    expect(answer.next?.join()).toContain(brakeId);
    // Ring 1 blocks, so its caller may not go on.
    expect(await world.deploy(V1, 1)).toMatchObject({ outcome: 'refused', code: 'braked', blocking: true });
    expect(await world.jobs()).toEqual([]);
    await release(world);
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'converged' });
  },
);

scenario("a package's brake stops that package and no other", { rings: { 2: 1 } }, async (world) => {
  await world.deploy(V1);
  await world.cells.rollout(V1).engageBrake({ by: 'bob', reason: 'suspicious', brakeId: 'v1' });
  expect(await world.deploy(V1)).toMatchObject({ outcome: 'refused', code: 'braked' });
  await graduate(world, V1);
  const held = await seen(world, V1, (s) => s.state === 'braked');
  expect(held.brakes).toMatchObject([{ brakeId: 'v1', scope: 'package', mode: 'finish-cells', by: 'bob' }]);
  await graduate(world, V2);
  expect((await ends(world, V2)).state).toBe('converged');
  expect(toVersion(await world.jobs(), V1).map((j) => j.cell)).toEqual(['qa']);
});

scenario('a brake that expires releases by itself, and that is kept', {}, async (world) => {
  await brake(world, { brakeId: 'short', expiresAt: new Date(Date.now() + 8_000).toISOString() });
  await graduate(world, V1);
  const held = await seen(world, V1, (s) => s.waitingFor?.kind === 'brake');
  expect(held.waitingFor?.until).toBeDefined();
  expect((await ends(world, V1)).state).toBe('converged');
  const cluster = await world.cells.cluster().status();
  expect(cluster.brakes).toEqual([]);
  expect(cluster.acts.map((a) => a.outcome).join()).toContain('short expired');
});

scenario('a brake never stops a rollback', { rings: { 2: 3 }, jobMs: 1500 }, async (world) => {
  await world.fault({ kind: 'job-fails', cell: 'c2-1', version: V1, stage: 'finish' });
  await graduate(world, V1);
  await jobsSeen(world, (jobs) => toVersion(jobs, V1)[0]?.state === 'running');
  await brake(world);
  const back = await seen(world, V1, (s) => exceptionOf(s, 2, 'c2-1')?.state === 'rolled-back');
  expect(theRing(back, 2).rolledBack).toBe(1);
  expect((await cellNow(world, 'c2-1')).version).toBe(V0);
  expect((await world.cells.cluster().status()).brakes).toHaveLength(1);
});

scenario(
  'a brake sent while no worker is up holds before anything else happens',
  { rings: { 2: 9 }, policies: wide, jobMs: 2500 },
  async (world) => {
    await inFlightOn(world, V1, 2);
    await world.stopWorkers();
    const sentAt = Date.now();
    await rawSignal(world, 'cell-cluster', 'engageBrake', { by: 'alice', reason: 'night', brakeId: 'dark' });
    await world.startWorker();
    await seen(world, V1, (s) => s.state === 'braked' && ringOf(s, 2)?.inFlight === 0);
    const { inFlight } = await brake(world, { brakeId: 'dark', reason: 'night' });
    expect(inFlight).toEqual([]);
    const known = forward(await world.jobs()).length;
    expect(forwardAfter(await world.jobs(), sentAt).length).toBeLessThanOrEqual(3);
    await release(world, 'dark');
    await ends(world, V1);
    expect(forward(await world.jobs()).length).toBeGreaterThan(known);
  },
);
