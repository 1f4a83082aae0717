import { WorkflowUpdateFailedError } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import { expect } from 'vitest';
import { packageRolloutId } from '../../src/contract/ids.js';
import { V0, V1, V2, V3 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import {
  cellNow,
  clusterSeen,
  ends,
  expectRejected,
  graduate,
  jobsSeen,
  ringOf,
  scenario,
  seen,
  statusOrNull,
  theRing,
  toVersion,
} from './support.js';

const ask = (world: World, version: string, updateId?: string) =>
  world.cells.rollout(version).deployRing({ ring: 0, by: 'release-tools' }, updateId ? { updateId } : {});
const BLOCKS = { 0: { onFailure: 'block' } };

scenario(
  'deployRing asked twice joins the pass under way, and looks again at a finished one',
  { jobMs: 1000 },
  async (world) => {
    const asked = await Promise.all([ask(world, V1), ask(world, V1)]);
    for (const answer of await Promise.all(asked.map((a) => a.answer(40_000)))) {
      expect(answer).toMatchObject({ ring: 0, version: V1, outcome: 'converged', blocking: false });
      expect(answer.cells).toEqual({ total: 1, converged: 1, failed: 0, rolledBack: 0, quarantined: 0, skipped: 0 });
    }
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'converged' });
    // Its PDM ran with the deployment: there is nothing left to migrate.
    const migrated = await world.cells.rollout(V1).migrateRing({ ring: 0, by: 'release-tools' });
    expect(await migrated.answer(40_000)).toMatchObject({ outcome: 'converged' });
    const jobs = await world.jobs();
    expect(jobs).toMatchObject([{ cell: 'qa', kind: 'configure', post_deploy_migrations: 'include' }]);
  },
);

scenario('deployRing again for a ring that has drifted converges what drifted', {}, async (world) => {
  await world.deploy(V1);
  await world.fault({ kind: 'changed-by-hand', cell: 'qa', version: V0 });
  expect(await world.deploy(V1)).toMatchObject({ outcome: 'converged' });
  expect((await cellNow(world, 'qa')).version).toBe(V1);
  expect(toVersion(await world.jobs(), V1)).toHaveLength(2);
});

scenario(
  'deployRing of a ring that is unknown or beyond the perimeter fails as Rejected; one that other tools deploy is empty',
  {},
  async (world) => {
    expect(await world.deploy(V1, 1)).toMatchObject({ outcome: 'converged', empty: true, cells: { total: 0 } });
    const handle = world.client.workflow.getHandle(packageRolloutId(V1));
    for (const ring of [99, 2]) {
      for (const name of ['deployRing', 'migrateRing']) {
        const failure = await failureOf(handle.executeUpdate(name, { args: [{ ring, by: 'release-tools' }] }));
        expect(failure.type).toBe('Rejected');
        expect(failure.details?.[0]).toEqual({
          path: 'ring',
          value: String(ring),
          expected: expect.stringMatching(/inside the perimeter: 0, 1/),
        });
      }
    }
    const status = await statusOrNull(world, V1);
    expect(status?.rejected).toMatchObject(
      ['99', '99', '2', '2'].map((value, i) => ({
        message: i % 2 ? 'migrateRing' : 'deployRing',
        path: 'ring',
        value,
      })),
    );
    expect(status?.finishedAt).toBeNull();
    expect(await world.jobs()).toEqual([]);
  },
);

async function failureOf(act: Promise<unknown>): Promise<ApplicationFailure> {
  const answer = await act.catch((error: unknown) => error);
  if (answer instanceof WorkflowUpdateFailedError) return answer.cause as ApplicationFailure;
  throw new Error(`expected a failure, was answered ${JSON.stringify(answer)}`);
}

scenario(
  'where a person must approve, deployRing answers at once, and goes in once approved',
  { policies: { 0: { approval: 'required', onFailure: 'block' } } },
  async (world) => {
    const refused = await world.deploy(V1);
    expect(refused).toMatchObject({ outcome: 'refused', code: 'approval', blocking: true });
    expect(refused.next?.join()).toContain('approve');
    expect(await world.jobs()).toEqual([]);
    await world.cells.rollout(V1).approveRing({ ring: 0, by: 'alice', reason: 'fine' });
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'converged' });
  },
);

scenario(
  'a ring that has, or is getting, a newer package refuses the older one',
  { policies: BLOCKS, jobMs: 1500 },
  async (world) => {
    const newer = await ask(world, V2);
    await jobsSeen(world, (jobs) => jobs.length > 0);
    const older = await world.deploy(V1);
    expect(older).toMatchObject({ outcome: 'refused', code: 'older_package', blocking: true, supersededBy: V2 });
    expect(await newer.answer(40_000)).toMatchObject({ outcome: 'converged' });
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'refused', code: 'older_package' });
    expect(toVersion(await world.jobs(), V1)).toEqual([]);
  },
);

scenario(
  'in a soft ring the newest wins: a running pass lets its job end and answers superseded',
  { jobMs: 2500 },
  async (world) => {
    const first = await ask(world, V1);
    await jobsSeen(world, (jobs) => jobs[0]?.state === 'running');
    const second = await ask(world, V2);
    expect(await first.answer(40_000)).toMatchObject({ outcome: 'superseded', supersededBy: V2, blocking: false });
    expect(await second.answer(40_000)).toMatchObject({ outcome: 'converged' });
    const [one, two] = await world.jobs();
    expect(one).toMatchObject({ version: V1, state: 'succeeded', cancel_requested_at: null });
    expect(Date.parse(two?.created_at ?? '')).toBeGreaterThanOrEqual(Date.parse(one?.finished_at ?? ''));
  },
);

scenario(
  'in a soft ring a waiting caller that a newer package replaces answers superseded and never runs',
  { jobMs: 2500 },
  async (world) => {
    await world.fault({ kind: 'slow', version: V1, factor: 4 });
    const first = await ask(world, V1);
    await jobsSeen(world, (jobs) => jobs[0]?.state === 'running');
    const second = await ask(world, V2);
    await clusterSeen(world, (s) => s.queue.some((q) => q.version === V2));
    const third = await ask(world, V3);
    expect(await second.answer(40_000)).toMatchObject({ outcome: 'superseded', supersededBy: V3 });
    expect(await third.answer(40_000)).toMatchObject({ outcome: 'converged' });
    expect((await first.answer(40_000)).outcome).toBe('superseded');
    expect(toVersion(await world.jobs(), V2)).toEqual([]);
  },
);

scenario(
  'a deployRing whose pass makes room for a rollback waits for its turn again, and answers what came of it',
  { jobMs: 1500 },
  async (world) => {
    await world.deploy(V1);
    const asked = await ask(world, V2);
    await jobsSeen(world, (jobs) => toVersion(jobs, V2)[0]?.state === 'running');
    await world.cells.rollout(V1).abort({ by: 'alice', reason: 'bad', rollback: true });
    expect((await ends(world, V1)).state).toBe('rolled-back');
    expect(await asked.answer(40_000)).toMatchObject({ outcome: 'converged', cells: { converged: 1 } });
    expect(toVersion(await world.jobs(), V2)).toHaveLength(1);
  },
);

scenario(
  'a deployRing that waits for its turn answers refused, braked, as soon as its package is braked',
  { policies: BLOCKS, jobMs: 1000 },
  async (world) => {
    await world.fault({ kind: 'slow', version: V1, factor: 12 });
    const first = await ask(world, V1);
    await jobsSeen(world, (jobs) => jobs[0]?.state === 'running');
    const second = await ask(world, V2);
    await clusterSeen(world, (s) => s.queue.some((q) => q.version === V2));
    await world.cells.rollout(V2).engageBrake({ by: 'alice', reason: 'suspicious', brakeId: 'mine' });
    expect(await second.answer(6_000)).toMatchObject({
      outcome: 'refused',
      code: 'braked',
      next: [expect.stringContaining('--id mine')],
    });
    expect((await world.jobs())[0]?.state).toBe('running');
    await clusterSeen(world, (s) => s.queue.length === 0);
    expect(await first.answer(40_000)).toMatchObject({ outcome: 'converged' });
    await world.cells.rollout(V2).releaseBrake({ by: 'alice', brakeId: 'mine' });
    expect(await world.deploy(V2)).toMatchObject({ outcome: 'converged' });
  },
);

scenario(
  'in a ring that blocks, a newer package waits for the one that runs',
  { policies: BLOCKS, jobMs: 1500 },
  async (world) => {
    const first = await ask(world, V1);
    await jobsSeen(world, (jobs) => jobs.length > 0);
    const second = await ask(world, V2);
    expect(await first.answer(40_000)).toMatchObject({ outcome: 'converged' });
    expect(await second.answer(40_000)).toMatchObject({ outcome: 'converged' });
  },
);

scenario('a QA cell that fails is reported, blocks nobody, and the next package goes in over it', {}, async (world) => {
  await world.fault([
    { kind: 'job-fails', cell: 'qa', version: V1, stage: 'finish' },
    { kind: 'rollback-fails', cell: 'qa' },
  ]);
  const failed = await world.deploy(V1);
  expect(failed).toMatchObject({ outcome: 'failed', blocking: false, cells: { failed: 1, converged: 0 } });
  expect(failed.exceptions).toMatchObject([{ cell: 'qa', state: 'rollback-failed' }]);
  const cluster = await clusterSeen(world, (s) => s.rings.find((r) => r.ring === 0)?.rollout === undefined);
  expect(cluster.rings.find((r) => r.ring === 0)?.state).not.toBe('halted');
  expect(await graduate(world, V1)).toEqual({ ring0: 'failed' });
  await world.clearFaults();
  expect(await world.deploy(V2)).toMatchObject({ outcome: 'converged' });
  await world.cells.rollout(V2).recordCheck({ ring: 0, name: 'qa', outcome: 'failed', by: 'release-tools' });
  const checked = await world.deploy(V2);
  expect(checked).toMatchObject({ blocking: false, checks: [{ name: 'qa', outcome: 'failed', by: 'release-tools' }] });
});

scenario(
  'a ring that blocks stays halted, says what to do, and a retry mends it',
  { policies: BLOCKS },
  async (world) => {
    await world.fault({ kind: 'job-fails', cell: 'qa', version: V1, stage: 'finish' });
    const halted = await world.deploy(V1);
    expect(halted).toMatchObject({ outcome: 'halted', blocking: true });
    expect(halted.next?.join()).toContain('retry');
    await world.clearFaults();
    await world.cells.rollout(V1).retryRing({ ring: 0, by: 'alice' });
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'converged' });
  },
);

scenario(
  'a halted ring inside the perimeter is taken over by a newer package on command',
  { policies: BLOCKS },
  async (world) => {
    await world.fault({ kind: 'job-fails', cell: 'qa', version: V1, stage: 'finish' });
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'halted' });
    expect(await world.deploy(V2)).toMatchObject({ outcome: 'converged' });
    expect((await cellNow(world, 'qa')).version).toBe(V2);
  },
);

scenario(
  'the sixth caller waiting on one rollout is rejected at once, and the five get their answers',
  { jobMs: 3000 },
  async (world) => {
    const five = await Promise.all(Array.from({ length: 5 }, () => ask(world, V1)));
    await expectRejected(
      ask(world, V1).then((a) => a.answer(5_000)),
      'ring',
    );
    for (const asked of five) expect(await asked.answer(40_000)).toMatchObject({ outcome: 'converged' });
    expect(await world.jobs()).toHaveLength(1);
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'converged' });
  },
);

scenario(
  'the same update id gives the same answer, also after the rollout has ended, and starts nothing',
  { rings: { 2: 1 } },
  async (world) => {
    const first = await (await ask(world, V1, '4711-deployRing-0')).answer(40_000);
    expect(await (await ask(world, V1, '4711-deployRing-0')).answer(40_000)).toEqual(first);
    await graduate(world, V1);
    await ends(world, V1);
    expect(await (await ask(world, V1, '4711-deployRing-0')).answer(40_000)).toEqual(first);
    expect((await world.client.workflow.getHandle(packageRolloutId(V1)).describe()).status.name).toBe('COMPLETED');
    expect(toVersion(await world.jobs(), V1)).toHaveLength(2);
  },
);

scenario(
  "a check of release-tools that fails is the ring's failure where the ring blocks",
  { policies: BLOCKS },
  async (world) => {
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'converged' });
    await world.cells.rollout(V1).recordCheck({ ring: 0, name: 'qa', outcome: 'failed', by: 'release-tools' });
    const answer = await world.deploy(V1);
    expect(answer.outcome).not.toBe('converged');
    expect(answer).toMatchObject({ blocking: true, checks: [{ name: 'qa', outcome: 'failed' }] });
    expect(await graduate(world, V1)).toEqual({ ring0: 'failed' });
  },
);

scenario(
  'inside the perimeter PDM runs only on migrateRing, once, and never where a newer package runs',
  { policies: { 0: { postDeployMigrations: 'separate', downtimeRollback: 'never' } } },
  async (world) => {
    const migrate = async (version: string) =>
      await (await world.cells.rollout(version).migrateRing({ ring: 0, by: 'release-tools' })).answer(40_000);
    await world.deploy(V1);
    expect(toVersion(await world.jobs(), V1, 'post_deploy_migrations')).toEqual([]);
    expect(await migrate(V1)).toMatchObject({ outcome: 'converged', cells: { converged: 1 } });
    expect(await cellNow(world, 'qa')).toMatchObject({ version: V1, migrated_version: V1 });
    expect(await migrate(V1)).toMatchObject({ outcome: 'converged' });
    expect(toVersion(await world.jobs(), V1, 'post_deploy_migrations')).toHaveLength(1);
    await world.deploy(V2);
    expect(await migrate(V1)).toMatchObject({ outcome: 'refused', code: 'newer_running', blocking: false });
    expect(toVersion(await world.jobs(), V1, 'post_deploy_migrations')).toHaveLength(1);
    expect((await cellNow(world, 'qa')).migrated_version).toBe(V1);
  },
);

scenario(
  'migrateRing of a package that the ring does not run yet runs no PDM',
  { policies: { 0: { postDeployMigrations: 'separate', onFailure: 'block' } } },
  async (world) => {
    const asked = await world.cells.rollout(V1).migrateRing({ ring: 0, by: 'release-tools' });
    const answer = await asked.answer(40_000);
    expect(answer.outcome).not.toBe('converged');
    expect(answer.exceptions[0]?.reason).toContain(V0);
    expect(await world.jobs()).toEqual([]);
  },
);

scenario(
  'a PDM that fails on migrateRing is told to its caller, and a retry mends it',
  { policies: { 0: { postDeployMigrations: 'separate', onFailure: 'block' } } },
  async (world) => {
    await world.deploy(V1);
    await world.fault({ kind: 'pdm-fails', cell: 'qa', version: V1 });
    const migrate = async () =>
      await (await world.cells.rollout(V1).migrateRing({ ring: 0, by: 'release-tools' })).answer(40_000);
    const failed = await migrate();
    expect(failed).toMatchObject({ outcome: 'halted', blocking: true });
    expect(failed.exceptions).toMatchObject([{ cell: 'qa', state: 'migration-failed' }]);
    await world.clearFaults();
    await world.cells.rollout(V1).retryRing({ ring: 0, by: 'alice' });
    expect(await migrate()).toMatchObject({ outcome: 'converged' });
    const status = await seen(world, V1, (s) => ringOf(s, 0)?.state === 'converged');
    expect(theRing(status, 0).exceptions).toEqual([]);
  },
);
