import { expect } from 'vitest';
import { V0, V1, V2 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import {
  cellNow,
  clusterSeen,
  ends,
  exceptionOf,
  forward,
  graduate,
  jobsSeen,
  pause,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

const CHART0 = '8.9.202502010900';
const halted = (world: World, version = V1, ring = 2) =>
  seen(world, version, (s) => ringOf(s, ring)?.state === 'halted' && ringOf(s, ring)?.inFlight === 0);

scenario(
  'a deployment that fails, at whatever stage, goes back to the version and chart before it, and is verified there',
  { rings: { 2: 6 }, policies: { 2: { failureBudget: 9, maxParallel: 6 } } },
  async (world) => {
    await world.fault([
      { kind: 'job-fails', cell: 'c2-2', version: V1, stage: 'install', switched: true },
      { kind: 'job-fails', cell: 'c2-3', version: V1, stage: 'install', switched: false },
      { kind: 'job-fails', cell: 'c2-4', version: V1, stage: 'finish' },
      { kind: 'job-fails', cell: 'c2-5', version: V1, stage: 'queued' },
      { kind: 'wrong-version', cell: 'c2-6', version: V1, where: 'cell' },
    ]);
    await graduate(world, V1);
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    const ring = theRing(end, 2);
    expect(ring).toMatchObject({ total: 6, converged: 1, rolledBack: 5, failed: 0, exceptionsTotal: 5 });
    for (const cell of ['c2-2', 'c2-3', 'c2-4', 'c2-5', 'c2-6']) {
      expect(await cellNow(world, cell)).toMatchObject({ version: V0, chart_version: CHART0 });
      expect(exceptionOf(end, 2, cell)).toMatchObject({ state: 'rolled-back', jobId: expect.any(String) });
    }
    const rollbacks = (await world.jobs()).filter((j) => j.kind === 'rollback');
    // What never started changed nothing: there is nothing to take back.
    expect(rollbacks.map((j) => j.cell).sort()).toEqual(['c2-2', 'c2-3', 'c2-4', 'c2-6']);
    for (const job of rollbacks) expect(job).toMatchObject({ version: V0, chart_version: CHART0 });
    expect(end.failures.map((f) => f.cell).sort()).toEqual(['c2-2', 'c2-3', 'c2-4', 'c2-5', 'c2-6']);
  },
);

scenario(
  'a cell that is not ready after its job goes back, and the ring halts with what to do next',
  { rings: { 2: 3, 3: 1 } },
  async (world) => {
    await world.fault({ kind: 'not-ready-after', cell: 'c2-1', version: V1 });
    await graduate(world, V1);
    const status = await halted(world);
    expect(status).toMatchObject({ state: 'halted', waitingFor: { kind: 'operator', ring: 2 } });
    expect(status.waitingFor?.next.join()).toMatch(/retry.*skip.*abort/);
    expect(exceptionOf(status, 2, 'c2-1')?.state).toBe('rolled-back');
    expect(await cellNow(world, 'c2-1')).toMatchObject({ version: V0, chart_version: CHART0 });
    expect(forward(await world.jobs()).map((j) => j.cell)).toEqual(['c2-1']);
  },
);

scenario(
  'a cell of which AMP says another version than was ordered is not taken for converged',
  { rings: { 2: 2 } },
  async (world) => {
    await world.fault({ kind: 'wrong-version', cell: 'c2-1', version: V1, where: 'amp', reports: V0 });
    await graduate(world, V1);
    const status = await halted(world);
    expect(theRing(status, 2)).toMatchObject({ converged: 0 });
    expect(exceptionOf(status, 2, 'c2-1')?.reason).toMatch(/verified/);
    expect(forward(await world.jobs()).map((j) => j.cell)).toEqual(['c2-1']);
  },
);

scenario(
  'a job that hangs past deployTimeout is cancelled, and its cell goes back',
  { rings: { 2: 2 }, policies: { 2: { deployTimeout: '2s' } } },
  async (world) => {
    await world.fault({ kind: 'job-hangs', cell: 'c2-1', version: V1, switched: true });
    await graduate(world, V1);
    const status = await halted(world);
    expect(exceptionOf(status, 2, 'c2-1')).toMatchObject({ state: 'rolled-back' });
    expect(exceptionOf(status, 2, 'c2-1')?.reason).toMatch(/past its time/);
    const [job] = toVersion(await world.jobs(), V1);
    expect(job).toMatchObject({ state: 'canceled', cancel_requested_at: expect.any(String) });
    expect((await cellNow(world, 'c2-1')).version).toBe(V0);
  },
);

scenario(
  'a cancel that AMP never confirms is a state of its own: no rollback beside the job, and a retry looks first',
  { rings: { 2: 2 }, policies: { 2: { deployTimeout: '1s', cancelTimeout: '1s' } } },
  async (world) => {
    await world.fault({ kind: 'job-hangs', cell: 'c2-1', version: V1, ignoreCancel: true });
    await graduate(world, V1);
    const status = await halted(world);
    expect(exceptionOf(status, 2, 'c2-1')).toMatchObject({ state: 'cancel-unconfirmed', jobId: expect.any(String) });
    await world.cells.rollout(V1).retryRing({ ring: 2, by: 'alice' });
    const after = await seen(world, V1, (s) => exceptionOf(s, 2, 'c2-1')?.reason.includes('busy'));
    expect(exceptionOf(after, 2, 'c2-1')?.state).toBe('cancel-unconfirmed');
    const jobs = (await world.jobs()).filter((j) => j.cell === 'c2-1');
    expect(jobs).toHaveLength(1);
  },
);

scenario(
  'a rollback that fails is its own state, never repeated by itself; retryRing looks first and goes on',
  { rings: { 2: 2 } },
  async (world) => {
    await world.fault([
      { kind: 'job-fails', cell: 'c2-1', version: V1, stage: 'finish' },
      { kind: 'rollback-fails', cell: 'c2-1' },
    ]);
    await graduate(world, V1);
    const status = await halted(world);
    expect(exceptionOf(status, 2, 'c2-1')).toMatchObject({ state: 'rollback-failed' });
    expect(status.failures).toMatchObject([{ ring: 2, cell: 'c2-1', state: 'rollback-failed' }]);
    const rollbacks = async () => (await world.jobs()).filter((j) => j.kind === 'rollback');
    expect(await rollbacks()).toHaveLength(1);
    await world.clearFaults();
    await world.cells.rollout(V1).retryRing({ ring: 2, by: 'alice', cells: ['c2-1'] });
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2)).toMatchObject({ converged: 2, failed: 0, exceptions: [] });
    expect(await rollbacks()).toHaveLength(1);
  },
);

scenario(
  'a PDM that fails holds every ring of that package: no PDM and no new cell starts anywhere; retryRing mends it',
  { rings: { 2: 2, 3: 4 }, policies: { 3: { maxParallel: 1 } }, jobMs: 600 },
  async (world) => {
    await world.fault({ kind: 'pdm-fails', cell: 'c2-1', version: V1 });
    await graduate(world, V1);
    const failed = await seen(world, V1, (s) => exceptionOf(s, 2, 'c2-1')?.state === 'migration-failed');
    expect(failed.failures).toMatchObject([{ cell: 'c2-1', state: 'migration-failed' }]);
    const held = await seen(
      world,
      V1,
      (s) => ringOf(s, 3)?.inFlight === 0 && (ringOf(s, 3)?.pending ?? 0) > 0 && ringOf(s, 2)?.inFlight === 0,
    );
    expect(held.rings.flatMap((r) => r.waitingFor?.kind ?? [])).toContain('operator');
    const before = await world.jobs();
    await pause(1_500);
    expect(await world.jobs()).toHaveLength(before.length);
    expect(toVersion(before, V1, 'post_deploy_migrations').map((j) => j.cell)).toEqual(['c2-1']);
    expect(theRing(held, 3).pending).toBeGreaterThan(0);
    await world.clearFaults();
    await world.cells.rollout(V1).retryRing({ ring: 2, by: 'alice' });
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    const pdm = toVersion(await world.jobs(), V1, 'post_deploy_migrations');
    expect(
      pdm
        .filter((j) => j.state === 'succeeded')
        .map((j) => j.cell)
        .sort(),
    ).toEqual(['c2-1', 'c2-2', 'c3-1', 'c3-2', 'c3-3', 'c3-4']);
  },
);

scenario(
  'a PDM that fails while the package waits for its next ring holds that ring too, whenever its turn comes',
  { rings: { 2: 1, 3: 2 } },
  async (world) => {
    await world.cells.cluster().engageBrake({ by: 'alice', reason: 'wait', brakeId: 'three', scope: { ring: 3 } });
    await world.fault({ kind: 'pdm-fails', cell: 'c2-1', version: V1 });
    await graduate(world, V1);
    await seen(world, V1, (s) => exceptionOf(s, 2, 'c2-1')?.state === 'migration-failed');
    await world.cells.cluster().releaseBrake({ by: 'alice', brakeId: 'three' });
    await clusterSeen(world, (s) => s.brakes.length === 0);
    await seen(world, V1, (s) => s.waitingFor?.kind === 'operator');
    await world.clearFaults();
    expect((await world.jobs()).filter((j) => j.cell.startsWith('c3-'))).toEqual([]);
    await world.cells.rollout(V1).retryRing({ ring: 2, by: 'alice' });
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario('a newer package may be deployed over a cell whose PDM failed', { rings: { 2: 1 } }, async (world) => {
  await world.fault({ kind: 'pdm-fails', cell: 'c2-1', version: V1 });
  await graduate(world, V1);
  await seen(world, V1, (s) => exceptionOf(s, 2, 'c2-1')?.state === 'migration-failed');
  await graduate(world, V2);
  await world.cells.rollout(V2).approveRing({ ring: 2, by: 'alice', reason: 'the migration is mended' });
  expect((await ends(world, V2)).state).toBe('converged');
  expect((await ends(world, V1)).state).toBe('superseded');
  expect(await cellNow(world, 'c2-1')).toMatchObject({ version: V2, migrated_version: V2 });
});

scenario(
  'the rule of return: migrated too far is not taken back by itself, unless downtime is allowed; autoRollback: never takes nothing back',
  {
    rings: { 2: 2, 3: 2, 4: 2 },
    policies: {
      2: { failureBudget: 1 },
      3: { failureBudget: 1, downtimeRollback: 'allowed' },
      4: { failureBudget: 1, autoRollback: 'never' },
    },
  },
  async (world) => {
    const cells = ['c2-2', 'c3-2', 'c4-2'];
    await world.fault(cells.map((cell) => ({ kind: 'job-fails', cell, version: V1, stage: 'finish' })));
    for (const cell of ['c2-2', 'c3-2']) {
      await world.fault({ kind: 'changed-by-hand', cell, version: V0, migratedVersion: V1 });
    }
    await graduate(world, V1);
    const end = await ends(world, V1);
    expect(exceptionOf(end, 2, 'c2-2')).toMatchObject({ state: 'failed' });
    expect(exceptionOf(end, 2, 'c2-2')?.reason).toMatch(/rollback needs downtime/);
    expect(exceptionOf(end, 3, 'c3-2')).toMatchObject({ state: 'rolled-back' });
    expect(exceptionOf(end, 4, 'c4-2')).toMatchObject({ state: 'failed', reason: expect.stringContaining('never') });
    expect((await world.jobs()).filter((j) => j.kind === 'rollback').map((j) => j.cell)).toEqual(['c3-2']);
    expect((await cellNow(world, 'c2-2')).version).toBe(V1);
    expect((await cellNow(world, 'c3-2')).version).toBe(V0);
  },
);

scenario(
  'autoRollback: ring takes the whole ring back when a cell fails',
  { rings: { 2: 4 }, policies: { 2: { autoRollback: 'ring', maxParallel: 1 } } },
  async (world) => {
    await world.fault({ kind: 'not-ready-after', cell: 'c2-3', version: V1 });
    await graduate(world, V1);
    const status = await seen(world, V1, (s) => s.state === 'halted' && ringOf(s, 2)?.rolledBack === 3);
    expect(theRing(status, 2)).toMatchObject({ converged: 0, pending: 1, inFlight: 0 });
    for (const cell of ['c2-1', 'c2-2', 'c2-3', 'c2-4']) expect((await cellNow(world, cell)).version).toBe(V0);
    expect(toVersion(await world.jobs(), V1).map((j) => j.cell)).toEqual(['c2-1', 'c2-2', 'c2-3']);
  },
);

scenario(
  'cells that are not the ones expected get no job, and stand as exceptions with their reasons; others go on',
  { rings: { 2: 7 }, policies: { 2: { failureBudget: 9 } } },
  async (world) => {
    await world.fault([
      { kind: 'unknown-tenant', cell: 'c2-2' },
      { kind: 'wrong-cell-id', cell: 'c2-3' },
      { kind: 'not-ready', cell: 'c2-4' },
      { kind: 'unreachable', cell: 'c2-5' },
      { kind: 'tenant-busy', cell: 'c2-6', forMs: 600_000 },
      { kind: 'changed-by-hand', cell: 'c2-7', version: V2, chartVersion: '8.10.9' },
    ]);
    await graduate(world, V1);
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2)).toMatchObject({ converged: 1, failed: 4, pending: 2, rolledBack: 0 });
    expect(exceptionOf(end, 2, 'c2-2')).toMatchObject({ state: 'failed', reason: expect.stringMatching(/tenant/) });
    expect(exceptionOf(end, 2, 'c2-3')).toMatchObject({ state: 'failed', reason: expect.stringMatching(/cell/) });
    expect(exceptionOf(end, 2, 'c2-4')).toMatchObject({ state: 'failed', reason: expect.stringMatching(/unhealthy/) });
    expect(exceptionOf(end, 2, 'c2-5')?.state).toBe('unreachable');
    expect(exceptionOf(end, 2, 'c2-6')?.state).toBe('busy');
    expect(exceptionOf(end, 2, 'c2-7')?.reason).toContain(V2);
    const ours = (await world.jobs()).filter((j) => !j.idempotency_key.startsWith('foreign/'));
    expect([...new Set(ours.map((j) => j.cell))]).toEqual(['c2-1']);
  },
);

scenario(
  'a cell that was not ready or silent is put off, and tried again at the end of its ring',
  { rings: { 2: 5 }, policies: { 2: { maxParallel: 1 } }, jobMs: 1000 },
  async (world) => {
    await world.fault([
      { kind: 'not-ready', cell: 'c2-2', version: V0 },
      { kind: 'unreachable', cell: 'c2-3', version: V0 },
    ]);
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length === 2);
    const putOff = await seen(world, V1, (s) => exceptionOf(s, 2, 'c2-2') && exceptionOf(s, 2, 'c2-3'));
    expect(theRing(putOff, 2).waitingFor?.kind).not.toBe('operator');
    await world.clearFaults();
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2)).toMatchObject({ converged: 5, failed: 0, exceptions: [] });
    const order = toVersion(await world.jobs(), V1).map((j) => j.cell);
    expect(order).toEqual(['c2-1', 'c2-4', 'c2-5', 'c2-2', 'c2-3']);
  },
);

scenario(
  "a cell busy with somebody else's job gets ours at the end of its ring, when that job has ended",
  { rings: { 2: 7 }, policies: { 2: { maxParallel: 1 } }, jobMs: 1000 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length === 1);
    await world.fault({ kind: 'tenant-busy', cell: 'c2-2', forMs: 7_000 });
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2)).toMatchObject({ converged: 7, failed: 0, exceptions: [] });
    const order = toVersion(await world.jobs(), V1).map((j) => j.cell);
    expect(order.at(-1)).toBe('c2-2');
  },
);

scenario(
  'an urgent lane deploys to a cell that is unhealthy before',
  { rings: { 2: 1 }, more: { lanes: { urgent: { deployToUnhealthy: true } } } },
  async (world) => {
    await world.fault({ kind: 'not-ready', cell: 'c2-1', version: V0 });
    await graduate(world, V1, { lane: 'urgent' });
    const end = await ends(world, V1);
    expect(end).toMatchObject({ state: 'converged', lane: 'urgent' });
  },
);

scenario(
  'a cell that turns not ready while its ring bakes goes back, and the ring halts',
  { rings: { 2: 3, 3: 1 }, policies: { 2: { bakeTime: '8s', maxParallel: 3 } } },
  async (world) => {
    await world.fault({ kind: 'not-ready-after', cell: 'c2-2', version: V1, delayMs: 4_000 });
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
    const status = await halted(world);
    expect(exceptionOf(status, 2, 'c2-2')).toMatchObject({ state: 'rolled-back' });
    expect(theRing(status, 2)).toMatchObject({ converged: 2, rolledBack: 1 });
    expect((await cellNow(world, 'c2-2')).version).toBe(V0);
    expect((await world.jobs()).filter((j) => j.cell === 'c3-1')).toEqual([]);
  },
);

scenario(
  'the only cell of a ring turns not ready while it bakes: it goes back, and the ring halts before its bake is over',
  { rings: { 2: 1 }, policies: { 2: { bakeTime: '2m' } } },
  async (world) => {
    await world.fault({ kind: 'not-ready-after', cell: 'c2-1', version: V1, delayMs: 4_000 });
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
    const status = await halted(world);
    expect(exceptionOf(status, 2, 'c2-1')).toMatchObject({ state: 'rolled-back' });
    const { brakeId, inFlight } = await world.cells.cluster().engageBrake({ by: 'alice', reason: 'a look at it' });
    expect(inFlight).toEqual([]);
    await world.cells.cluster().releaseBrake({ by: 'alice', brakeId, reason: 'looked' });
  },
);

scenario(
  'a cell that turns not ready in the grace period goes back: PDM has not run on it',
  { rings: { 2: 2 }, policies: { 2: { gracePeriod: '8s', maxParallel: 3 } } },
  async (world) => {
    await world.fault({ kind: 'not-ready-after', cell: 'c2-2', version: V1, delayMs: 4_000 });
    await graduate(world, V1);
    const status = await halted(world);
    expect(exceptionOf(status, 2, 'c2-2')?.state).toBe('rolled-back');
    expect(toVersion(await world.jobs(), V1, 'post_deploy_migrations')).toEqual([]);
  },
);

scenario(
  'a cell that gives no answer when the bake should end is not taken for healthy: the ring waits and names it',
  { rings: { 2: 2, 3: 1 }, policies: { 2: { bakeTime: '10s', maxParallel: 2 } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
    await world.fault({ kind: 'unreachable', cell: 'c2-2' });
    const status = await seen(world, V1, (s) => ringOf(s, 2)?.waitingFor?.kind === 'health');
    expect(theRing(status, 2).waitingFor?.detail).toContain('c2-2');
    expect(theRing(status, 2)).toMatchObject({ failed: 0, rolledBack: 0 });
    expect((await world.jobs()).filter((j) => j.cell === 'c3-1')).toEqual([]);
    // The watch begins anew: until it has its answers nothing is known, and silence holds as before.
    await world.cells.rollout(V1).retryRing({ ring: 2, by: 'alice' });
    await pause(2_000);
    expect(theRing(await world.cells.rollout(V1).status(), 2).state).toBe('baking');
    expect((await world.jobs()).filter((j) => j.cell === 'c3-1')).toEqual([]);
    await world.clearFaults();
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario(
  'a cell that somebody changed between the look and the order is judged anew, and gets its package',
  { rings: { 2: 4 }, policies: { 2: { maxParallel: 1 } }, jobMs: 1200 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length > 0);
    const other = '17.9.202502280900-1a1b2c3d4e5.6e4d3c2b1a0';
    await world.fault({ kind: 'changed-by-hand', cell: 'c2-4', version: other });
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2)).toMatchObject({ converged: 4, exceptions: [] });
    const [job] = toVersion(await world.jobs(), V1).filter((j) => j.cell === 'c2-4');
    expect(job?.from_version).toBe(other);
  },
);

scenario(
  'a ring that has cells but none converged is halted, never converged',
  { rings: { 2: 2, 3: 1 }, policies: { 2: { failureBudget: 5 } } },
  async (world) => {
    await world.fault([
      { kind: 'unknown-tenant', cell: 'c2-1' },
      { kind: 'unknown-tenant', cell: 'c2-2' },
    ]);
    await graduate(world, V1);
    const status = await halted(world);
    expect(theRing(status, 2)).toMatchObject({ converged: 0, failed: 2 });
    expect(forward(await world.jobs())).toEqual([]);
  },
);

scenario('a job whose answer was lost is asked for once', { rings: { 2: 3 } }, async (world) => {
  await world.fault([
    { kind: 'answer-lost', cell: 'c2-1', method: 'POST', times: 1 },
    { kind: 'error-share', cell: 'c2-2', method: 'POST', status: 502, share: 1, processed: true, times: 2 },
  ]);
  await graduate(world, V1);
  expect((await ends(world, V1)).state).toBe('converged');
  for (const job of await world.jobs()) expect(job.state).toBe('succeeded');
  expect(toVersion(await world.jobs(), V1)).toHaveLength(3);
});
