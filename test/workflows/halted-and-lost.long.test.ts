import { expect } from 'vitest';
import { V0, V1, V2 } from '../support/fleet.js';
import {
  cellNow,
  ends,
  graduate,
  jobsSeen,
  pause,
  ringOf,
  scenario,
  seen,
  statusOrNull,
  theRing,
  toVersion,
} from './support.js';

/** Passes that halt, runs that somebody terminates, and what people ask for then. */

const by = 'alice';
const reason = 'because';
const BLOCKING = { onFailure: 'block', postDeployMigrations: 'separate', deployToUnhealthy: false };
const quickLook = { coordination: { lookEvery: '1s' } };

scenario(
  'migrateRing on a halted ring answers so, and its pass can still be retried',
  { rings: { 2: 1 }, policies: { 0: BLOCKING } },
  async (world) => {
    await world.fault({ kind: 'job-fails', cell: 'qa', version: V1, jobKind: 'configure', times: 1 });
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'halted' });
    const migrated = await (await world.cells.rollout(V1).migrateRing({ ring: 0, by })).answer(20_000);
    expect(migrated).toMatchObject({
      outcome: 'halted',
      next: [expect.stringContaining('retry'), expect.anything(), expect.anything()],
    });
    await world.cells.rollout(V1).retryRing({ ring: 0, by });
    await seen(world, V1, (s) => ringOf(s, 0)?.converged === 1);
    await world.cells.rollout(V1).abort({ by, reason });
    expect((await ends(world, V1)).state).toBe('aborted');
    const { status } = await world.client.workflow.getHandle('ring-rollout/0').describe();
    expect(status.name).toBe('COMPLETED');
  },
);

scenario(
  'deployRing on a ring whose PDM has failed answers so, and the PDM can still be retried',
  { rings: { 2: 1 }, policies: { 0: BLOCKING } },
  async (world) => {
    await world.deploy(V1);
    await world.fault({ kind: 'pdm-fails', cell: 'qa', times: 1 });
    await (await world.cells.rollout(V1).migrateRing({ ring: 0, by })).answer(20_000);
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'halted' });
    await world.cells.rollout(V1).retryRing({ ring: 0, by });
    await seen(world, V1, (s) => ringOf(s, 0)?.converged === 1 && ringOf(s, 0)?.exceptionsTotal === 0);
  },
);

scenario('an abort takes back a ring that was asked for again and refused', { rings: { 2: 1 } }, async (world) => {
  await world.deploy(V1);
  await world.cells.cluster().engageBrake({ by, reason, brakeId: 'zero', scope: { ring: 0 } });
  expect(await world.deploy(V1)).toMatchObject({ outcome: 'refused', code: 'braked' });
  await world.cells.rollout(V1).abort({ by, reason, rollback: true });
  expect((await ends(world, V1)).state).toBe('rolled-back');
  expect((await cellNow(world, 'qa')).version).toBe(V0);
});

scenario('an abort takes back what an earlier run of the package brought', { rings: { 2: 1 } }, async (world) => {
  await world.deploy(V1);
  await world.cells.rollout(V1).abort({ by, reason });
  await ends(world, V1);
  await world.cells.rollout(V1).restart({ by, reason });
  await world.cells.rollout(V1).abort({ by, reason, rollback: true });
  expect((await ends(world, V1)).state).toBe('rolled-back');
  expect((await cellNow(world, 'qa')).version).toBe(V0);
});

scenario(
  'an abort whose pass was terminated takes back a cell that was still in flight',
  { rings: { 2: 1 }, more: quickLook, jobMs: 4_000 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => jobs.some((j) => j.state === 'running'));
    await world.cells.rollout(V1).engageBrake({ by, reason, brakeId: 'b' });
    await world.client.workflow.getHandle('ring-rollout/2').terminate('by hand');
    await world.cells.rollout(V1).abort({ by, reason, rollback: true });
    await ends(world, V1);
    expect((await cellNow(world, 'c2-1')).version).toBe(V0);
  },
);

scenario(
  'a package whose pass was lost under its brake goes on when the brake is off',
  { rings: { 2: 3 }, policies: { 2: { maxParallel: 1 } }, jobMs: 500, more: quickLook },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length > 1);
    await world.cells.rollout(V1).engageBrake({ by, reason, brakeId: 'b' });
    await world.client.workflow.getHandle('ring-rollout/2').terminate('by hand');
    const braked = await seen(world, V1, (s) => s.state === 'braked' && s.waitingFor?.kind === 'brake');
    expect(braked.waitingFor?.next[0]).toContain('brake off');
    await world.cells.rollout(V1).releaseBrake({ by, brakeId: 'b' });
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario('a retry under a brake is done when the brake is off', { rings: { 2: 2 }, jobMs: 500 }, async (world) => {
  await graduate(world, V1);
  await seen(world, V1, (s) => ringOf(s, 2)?.startedAt);
  await world.client.workflow.getHandle('ring-rollout/2').cancel();
  await seen(world, V1, (s) => s.state === 'halted');
  await world.cells.rollout(V1).engageBrake({ by, reason, brakeId: 'b' });
  await world.cells.rollout(V1).retryRing({ ring: 2, by });
  await world.cells.rollout(V1).releaseBrake({ by, brakeId: 'b' });
  expect((await ends(world, V1)).state).toBe('converged');
});

scenario(
  'a cell that is going back when its run is terminated still counts: the ring halts',
  { rings: { 2: 2, 3: 1 }, policies: { 2: { bakeTime: '15s' } }, more: quickLook },
  async (world) => {
    await world.fault({ kind: 'slow', jobKind: 'rollback', factor: 80 });
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
    await world.fault({ kind: 'not-ready', cell: 'c2-1', version: V1 });
    await jobsSeen(world, (jobs) => jobs.some((j) => j.kind === 'rollback' && j.state === 'running'));
    await world.client.workflow.getHandle('cell-rollout/c2-1').terminate('by hand');
    const halted = await seen(world, V1, (s) => ringOf(s, 2)?.state === 'halted');
    expect(theRing(halted, 2)).toMatchObject({ total: 2, converged: 1, rolledBack: 1 });
    expect((await world.jobs()).filter((j) => j.cell === 'c2-1').map((j) => j.kind)).toEqual(['configure', 'rollback']);
  },
);

scenario(
  'a retry that fails goes back to what the cell ran before the package, not to the package',
  { rings: { 2: 1 } },
  async (world) => {
    await world.fault([
      { kind: 'job-fails', cell: 'c2-1', version: V1, jobKind: 'configure', stage: 'finish', switched: true },
      { kind: 'rollback-fails', cell: 'c2-1', times: 1 },
    ]);
    await graduate(world, V1);
    await seen(world, V1, (s) => s.state === 'halted' && ringOf(s, 2)?.exceptions[0]?.state === 'rollback-failed');
    await world.cells.rollout(V1).retryRing({ ring: 2, by });
    await seen(world, V1, (s) => s.state === 'halted' && ringOf(s, 2)?.exceptions[0]?.state === 'rolled-back');
    expect((await cellNow(world, 'c2-1')).version).toBe(V0);
  },
);

scenario(
  'one cell whose API refuses the token is that cell’s failure, not the ring’s',
  { rings: { 2: 3 }, policies: { 2: { failureBudget: 1 } } },
  async (world) => {
    await world.fault({ kind: 'error-share', share: 1, status: 401, on: 'cell', cell: 'c2-2', version: V1 });
    await graduate(world, V1);
    const end = await ends(world, V1);
    expect(theRing(end, 2)).toMatchObject({ converged: 2, rolledBack: 1 });
    expect(theRing(end, 2).exceptions[0]?.reason).toContain('401');
  },
);

scenario('a workflow with a bad argument ends Failed, and keeps no id', { rings: { 2: 1 } }, async (world) => {
  const started: [string, string, unknown[]][] = [
    ['RingRollout', 'ring-rollout/2', [{}]],
    ['RingRollout', 'ring-rollout/7', []],
    ['CellRollout', 'cell-rollout/c2-1', [{}]],
    ['CellRollout', 'cell-rollout/c9', []],
    ['PackageRollout', 'package-rollout/x', []],
    ['PackageRollout', `package-rollout/${V2}`, [{ version: V2, state: { bad: true } }]],
  ];
  for (const [type, workflowId, args] of started) {
    const handle = await world.client.workflow.start(type, { workflowId, taskQueue: 'cells', args });
    await expect(handle.result(), workflowId).rejects.toThrow();
    expect((await handle.describe()).status.name, workflowId).toBe('FAILED');
  }
  await graduate(world, V1);
  expect((await ends(world, V1)).state).toBe('converged');
});

scenario('a ring that is granted and cannot be entered says what has its id', { rings: { 2: 1 } }, async (world) => {
  const other = await world.client.workflow.start('Nobody', { workflowId: 'ring-rollout/2', taskQueue: 'nobody' });
  await graduate(world, V1);
  const waits = await seen(world, V1, (s) => s.waitingFor?.detail.includes('has not closed'));
  expect(waits.waitingFor).toMatchObject({
    kind: 'ring-turn',
    ring: 2,
    next: [expect.stringContaining('ring-rollout/2')],
  });
  await other.terminate('over');
  expect((await ends(world, V1)).state).toBe('converged');
  expect((await statusOrNull(world, V1))?.waitingFor).toBeNull();
});

scenario(
  'a cell run of a lost pass orders nothing once its package is aborted and another is in the ring',
  { rings: { 2: 2 }, policies: { 2: { firstCells: 2 } }, more: quickLook },
  async (world) => {
    await world.fault({ kind: 'error-share', share: 1, status: 503, method: 'POST', on: 'amp', cell: 'c2-1' });
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => jobs.some((j) => j.cell === 'c2-2' && j.state === 'succeeded'));
    await world.cells.rollout(V1).engageBrake({ by, reason, brakeId: 'p' });
    await world.client.workflow.getHandle('ring-rollout/2').terminate('by hand');
    await seen(world, V1, (s) => s.state === 'braked' && s.waitingFor?.kind === 'brake');
    await world.cells.rollout(V1).abort({ by, reason });
    expect((await ends(world, V1)).state).toBe('aborted');
    await graduate(world, V2);
    await jobsSeen(world, (jobs) => toVersion(jobs, V2).length > 0);
    // One attempt at an order tries for 20 s; what is being tried at this moment may still go through.
    await pause(25_000);
    await world.clearFaults();
    expect((await ends(world, V2)).state).toBe('converged');
    expect(toVersion(await world.jobs(), V1).filter((j) => j.cell === 'c2-1')).toEqual([]);
  },
);

scenario(
  'a cell run of a lost pass orders nothing where another package is in the ring, and has not come to its cell yet',
  { rings: { 2: 3 }, policies: { 2: { firstCells: 1, maxParallel: 3, deployTimeout: '10m' } }, more: quickLook },
  async (world) => {
    await world.fault({ kind: 'error-share', share: 1, status: 503, method: 'POST', on: 'amp', cell: 'c2-3' });
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.converged === 2);
    await world.cells.rollout(V1).engageBrake({ by, reason, brakeId: 'p' });
    await world.client.workflow.getHandle('ring-rollout/2').terminate('by hand');
    await seen(world, V1, (s) => s.state === 'braked' && s.waitingFor?.kind === 'brake');
    await world.cells.rollout(V1).abort({ by, reason });
    expect((await ends(world, V1)).state).toBe('aborted');
    // The first cell alone is under way for as long as its run needs to notice.
    await world.fault({ kind: 'job-hangs', cell: 'c2-1', version: V2, times: 1 });
    await graduate(world, V2);
    await jobsSeen(world, (jobs) => toVersion(jobs, V2).length > 0);
    const run = world.client.workflow.getHandle('cell-rollout/c2-3');
    const result = await world.client.withDeadline(Date.now() + 80_000, () => run.result());
    expect(result).toMatchObject({ version: V1, state: 'pending', jobId: null });
    expect(toVersion(await world.jobs(), V1).filter((j) => j.cell === 'c2-3')).toEqual([]);
  },
);
