import { expect } from 'vitest';
import { V0, V1, V2 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import {
  cellNow,
  ends,
  exceptionOf,
  forwardAfter,
  graduate,
  pause,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

/** With a poll a second such a cell is tried again after some six seconds, then twelve. */
const busy = (cell: string, forMs: number) => ({ kind: 'tenant-busy', cell, forMs });
const silent = (cell: string) => ({ kind: 'unreachable', cell });

const waiting = (world: World, version = V1, ring = 2) =>
  seen(world, version, (s) => ringOf(s, ring)?.waitingFor?.kind === 'cell-busy');

scenario(
  'a cell that stays busy is waited for, and its ring converges without a person once it is free',
  { rings: { 2: 3, 3: 1 } },
  async (world) => {
    await world.fault(busy('c2-3', 30_000));
    await graduate(world, V1);
    const status = await waiting(world);
    const ring = theRing(status, 2);
    expect(ring).toMatchObject({ state: 'rolling', converged: 2, failed: 0, pending: 1 });
    expect(exceptionOf(status, 2, 'c2-3')?.state).toBe('busy');
    expect(status).toMatchObject({ state: 'rolling-out', waitingFor: { kind: 'cell-busy', ring: 2 } });
    expect(ring.waitingFor?.detail).toMatch(/c2-3 is busy: job \S+ of somebody else/);
    expect(ring.waitingFor?.next[0]).toBe(`cellctl skip c2-3 --version ${V1} --reason "…"`);
    const until = Date.parse(ring.waitingFor?.until ?? '') - Date.parse(ring.waitingFor?.since ?? '');
    expect(until).toBe(4 * 3_600_000);
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2)).toMatchObject({ converged: 3, failed: 0, pending: 0, exceptions: [] });
    const ours = toVersion(await world.jobs(), V1);
    expect(ours.map((j) => j.cell)).toEqual(['c2-1', 'c2-2', 'c2-3', 'c3-1']);
    expect((await world.jobs()).filter((j) => j.cell === 'c2-3' && j.kind === 'post_deploy_migrations')).toHaveLength(
      1,
    );
  },
);

scenario(
  'within the failure budget the ring bakes without a silent cell, which comes to the package meanwhile, with its PDM',
  { rings: { 2: 3 }, policies: { 2: { failureBudget: 1, bakeTime: '60s' } } },
  async (world) => {
    await world.fault(silent('c2-3'));
    await graduate(world, V1);
    const status = await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
    expect(theRing(status, 2)).toMatchObject({ converged: 2, pending: 1, failed: 0 });
    expect(theRing(status, 2).waitingFor?.kind).toBe('bake');
    await world.clearFaults();
    const joined = await seen(world, V1, (s) => ringOf(s, 2)?.converged === 3);
    expect(theRing(joined, 2)).toMatchObject({ state: 'baking', pending: 0, exceptions: [] });
    expect(theRing(joined, 2).waitingFor?.until).toBe(theRing(status, 2).waitingFor?.until);
    const end = await ends(world, V1);
    expect(theRing(end, 2)).toMatchObject({ converged: 3, exceptions: [] });
    expect(toVersion(await world.jobs(), V1)).toHaveLength(3);
    expect(toVersion(await world.jobs(), V1, 'post_deploy_migrations')).toHaveLength(3);
  },
);

scenario(
  'a cell that is never free again is still pending in the verdict of a ring whose budget bears it',
  { rings: { 2: 3, 3: 1 }, policies: { 2: { failureBudget: 1 } } },
  async (world) => {
    await world.fault(silent('c2-2'));
    await graduate(world, V1);
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2)).toMatchObject({ converged: 2, pending: 1, failed: 0 });
    expect(exceptionOf(end, 2, 'c2-2')?.state).toBe('unreachable');
  },
);

scenario('a skip ends the wait for an unreachable cell', { rings: { 2: 3 } }, async (world) => {
  await world.fault(silent('c2-2'));
  await graduate(world, V1);
  await waiting(world);
  await world.cells.rollout(V1).skipCell({ cell: 'c2-2', by: 'alice', reason: 'being rebuilt' });
  const end = await ends(world, V1);
  expect(end.state).toBe('converged');
  expect(theRing(end, 2)).toMatchObject({ converged: 2, skipped: 1, failed: 0, pending: 0 });
  expect((await world.jobs()).filter((j) => j.cell === 'c2-2')).toEqual([]);
});

scenario(
  'a ring that should have converged halts for a person, who goes on at that cell alone',
  { rings: { 2: 3 }, policies: { 2: { convergeWithin: '40s' } } },
  async (world) => {
    await world.fault(silent('c2-2'));
    await graduate(world, V1);
    await waiting(world);
    const halted = await seen(world, V1, (s) => s.state === 'halted');
    expect(halted.waitingFor).toMatchObject({ kind: 'operator', detail: expect.stringContaining('tried until') });
    expect(theRing(halted, 2)).toMatchObject({ converged: 2, failed: 1 });
    expect(toVersion(await world.jobs(), V1).map((j) => j.cell)).toEqual(['c2-1', 'c2-3']);
    await world.clearFaults();
    await world.cells.rollout(V1).retryRing({ ring: 2, by: 'alice' });
    expect((await ends(world, V1)).state).toBe('converged');
    expect(toVersion(await world.jobs(), V1).map((j) => j.cell)).toEqual(['c2-1', 'c2-3', 'c2-2']);
  },
);

scenario('a brake holds the wait, an abort ends it, and neither loses the cell', { rings: { 2: 2 } }, async (world) => {
  await world.fault(silent('c2-2'));
  await graduate(world, V1);
  await waiting(world);
  const { inFlight } = await world.cells.rollout(V1).engageBrake({ by: 'bob', reason: 'INC-1', brakeId: 'b' });
  const at = Date.now();
  await seen(world, V1, (s) => ringOf(s, 2)?.waitingFor?.kind === 'brake');
  await world.clearFaults();
  await pause(14_000);
  expect(forwardAfter(await world.jobs(), at).filter((j) => !inFlight.includes(j.cell))).toEqual([]);
  await world.cells.rollout(V1).releaseBrake({ by: 'bob', brakeId: 'b', reason: 'over' });
  expect((await ends(world, V1)).state).toBe('converged');
  await world.fault(silent('c2-2'));
  await graduate(world, V2);
  await waiting(world, V2);
  await world.cells.rollout(V2).abort({ by: 'bob', reason: 'INC-2', rollback: true });
  expect((await ends(world, V2)).state).toBe('rolled-back');
  await world.clearFaults();
  expect((await cellNow(world, 'c2-1')).version).toBe(V1);
});

scenario(
  'the clock by which it is tried again is carried over, and nothing is asked for twice',
  { rings: { 2: 6 }, policies: { 2: { maxParallel: 2 } }, apply: false },
  async (world) => {
    await world.client.workflow.start('CellCluster', {
      workflowId: 'cell-cluster',
      taskQueue: world.taskQueue,
      args: [{ continueAsNewAfter: 40 }],
    });
    await world.apply();
    await world.fault(silent('c2-3'));
    await graduate(world, V1);
    await waiting(world);
    const first = await world.client.workflow.getHandle('ring-rollout/2').describe();
    await world.until('the pass to continue as new while it waits', async () => {
      const now = await world.client.workflow.getHandle('ring-rollout/2').describe();
      return now.runId !== first.runId;
    });
    await waiting(world);
    await world.clearFaults();
    const end = await ends(world, V1);
    expect(theRing(end, 2)).toMatchObject({ converged: 6, exceptions: [] });
    expect(toVersion(await world.jobs(), V1)).toHaveLength(6);
  },
);

scenario(
  'whoever drives a ring inside the perimeter is answered when its busy cell has come too',
  { policies: { 0: { onFailure: 'block' } } },
  async (world) => {
    await world.fault(busy('qa', 30_000));
    const driven = await world.cells.rollout(V1).deployRing({ ring: 0, by: 'release-tools' });
    await waiting(world, V1, 0);
    expect(await driven.answer(90_000)).toMatchObject({ outcome: 'converged', cells: { converged: 1, failed: 0 } });
  },
);

scenario('a soft ring ends with its result, and waits for no busy cell', {}, async (world) => {
  await world.fault(busy('qa', 600_000));
  expect(await world.deploy(V1)).toMatchObject({ outcome: 'failed', blocking: false, cells: { failed: 1 } });
  expect((await cellNow(world, 'qa')).version).toBe(V0);
});
