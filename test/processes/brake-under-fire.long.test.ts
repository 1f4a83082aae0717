import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { temporal } from '@temporalio/proto';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { startEmbeddedServer } from '../../src/config/embedded-server.js';
import { CLUSTER_WORKFLOW_ID, ringRolloutId } from '../../src/contract/ids.js';
import type { BrakeResult, RolloutRing } from '../../src/contract/status.js';
import { fleet, V0, V1, V2 } from '../support/fleet.js';
import { cancel, killerOf, order } from '../support/kills.js';
import {
  expectConvergedOnce,
  expectInvariantsOf,
  expectNothingTwice,
  isUnderWay,
  type LoggedJob,
  of,
  openStage,
  recorded,
  type Stage,
  type StageOptions,
} from '../support/stage.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 });

const ANSWERED_WITHIN_MS = 1_000;
const TRIES = 4;
/** 3 s, as the worker asks for, and what the server's own clocks take. */
const LONGEST_WAIT_MS = 6_000;
const FORWARD = ['configure', 'post_deploy_migrations'];

const stages: Stage[] = [];
const leftovers: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  await Promise.all(stages.map((stage) => stage.close()));
  for (const tidy of leftovers) await tidy();
});

async function open(options: StageOptions): Promise<Stage> {
  const stage = await openStage(options);
  stages.push(stage);
  return stage;
}

const graduate = (stage: Stage) => stage.cells.rollout(V1).graduate({ by: 'release-tools' });
const underWay = async (stage: Stage) => (await stage.jobs()).filter(isUnderWay);
const cluster = (stage: Stage) => stage.client.workflow.getHandle(CLUSTER_WORKFLOW_ID);
const release = (stage: Stage, brakeId: string) =>
  stage.cells.cluster().releaseBrake({ by: 'alice', brakeId, reason: 'out' });

interface Held extends BrakeResult {
  answeredAt: number;
  tookMs: number;
}

/** Engages a brake by its update alone. */
async function brake(stage: Stage, payload: Record<string, unknown>): Promise<Held> {
  const askedAt = Date.now();
  const answer = await recorded(stage, { act: 'engageBrake', version: null, payload }, () =>
    cluster(stage).executeUpdate<BrakeResult, [unknown]>('engageBrake', { args: [payload] }),
  );
  const answeredAt = Date.now();
  return { ...answer, answeredAt, tookMs: answeredAt - askedAt };
}

/** A machine may be busy with something else for a moment: of some brakes with the same id, the first answer in time. */
async function brakeInTime(stage: Stage, payload: Record<string, unknown>): Promise<Held> {
  const first = await brake(stage, payload);
  const tookMs = [first.tookMs];
  while (Math.min(...tookMs) >= ANSWERED_WITHIN_MS && tookMs.length < TRIES) {
    tookMs.push((await brake(stage, payload)).tookMs);
  }
  expect(Math.min(...tookMs)).toBeLessThan(ANSWERED_WITHIN_MS);
  return first;
}

/** Forward jobs that AMP was given after a brake's answer, but on the cells that the answer named. */
const escaped = (jobs: LoggedJob[], { answeredAt, inFlight }: Held): string[] =>
  jobs
    .filter((job) => FORWARD.includes(job.kind) && Date.parse(job.created_at) > answeredAt)
    .filter((job) => !inFlight.includes(job.cell))
    .map((job) => `${job.kind} on ${job.cell}`);

const isStill = ({ state, inFlight }: RolloutRing): boolean => state === 'braked' && inFlight === 0;

/** Cells whose jobs end some time after there are a hundred: their slots are free while the brake holds. */
const SOON = ['c2-97', 'c2-98', 'c2-99', 'c2-100', 'c2-101'];

test('with a hundred cells in flight a brake is answered within a second and holds; turned into `cancel-cells` it takes them back', async () => {
  const policy = { maxParallel: 100, deployTimeout: '10m', pollInterval: '2s' };
  const stage = await open({ topology: fleet({ 2: 110 }, { 2: policy }), durationMs: 400 });
  const slow = { kind: 'slow', jobKind: 'configure' };
  await stage.fault(...SOON.map((cell) => ({ ...slow, cell, factor: 100 })));
  await stage.fault({ ...slow, after: 1, factor: 600 });
  await stage.startWorker();
  await stage.apply();
  await graduate(stage);
  await stage.until('a hundred jobs under way', async () => (await underWay(stage)).length === 100, 120_000);

  const held = await brakeInTime(stage, { by: 'alice', reason: 'fire', brakeId: 'fire', scope: 'outer' });
  expect(held.inFlight).toHaveLength(100);
  expect((await underWay(stage)).filter((job) => !held.inFlight.includes(job.cell))).toEqual([]);
  // Slots are free, cells are waiting, and none of them starts.
  const braked = await stage.ring(V1, 2, ({ state, inFlight }) => state === 'braked' && inFlight === 95);
  expect(braked).toMatchObject({ converged: 6, pending: 9, failed: 0, rolledBack: 0 });
  expect(escaped(await stage.jobs(), held)).toEqual([]);
  expect((await stage.jobs()).filter((job) => job.cancel_requested_at !== null)).toEqual([]);

  // The same brake again, with another mode, takes its own place.
  const running = (await underWay(stage)).map((job) => job.cell);
  const cancelling = await brakeInTime(stage, { by: 'alice', reason: 'fire', brakeId: 'fire', mode: 'cancel-cells' });
  expect(cancelling.inFlight.toSorted()).toEqual(running.toSorted());
  // A budget of 0 bears it: nothing has failed.
  const still = await stage.ring(V1, 2, isStill);
  expect(still).toMatchObject({ converged: 6, pending: 104, failed: 0, rolledBack: 0, exceptions: [] });
  expect(await stage.status(V1)).toMatchObject({ state: 'braked', failures: [] });
  const jobs = await stage.jobs();
  expect(escaped(jobs, cancelling)).toEqual([]);
  expectNothingTwice(jobs);
  const deployments = of(jobs, 'configure').filter((job) => running.includes(job.cell));
  expect(deployments.filter((job) => job.state !== 'canceled')).toEqual([]);
  const tenants = (await stage.tenants()).filter((tenant) => running.includes(tenant.cell_id));
  expect(tenants.filter((tenant) => tenant.version !== V0 || tenant.active_job !== null)).toEqual([]);
  await expectGoesOn(stage, 'fire');
});

/** With the brake off the ring goes on where it stopped. */
async function expectGoesOn(stage: Stage, brakeId: string): Promise<void> {
  const before = (await stage.jobs()).length;
  await stage.clearFaults();
  await release(stage, brakeId);
  await stage.until('the next job', async () => (await stage.jobs()).length > before);
  await expectInvariantsOf(stage);
  await stage.close();
}

describe.concurrent('a brake', () => {
  test('that is sent while ten callers wait for a ring answers them all, and holds', async () => {
    const policy = { onFailure: 'block', postDeployMigrations: 'separate', maxParallel: 1 };
    const topology = fleet({ 2: 1 }, { 0: policy });
    const [ring0] = topology.rings as { cells: unknown[] }[];
    ring0?.cells.push(...['qa-2', 'qa-3'].map((id) => ({ id, tenant: `t-${id}`, url: `https://${id}.example` })));
    const stage = await open({ topology, durationMs: 500 });
    await stage.fault({ kind: 'slow', cell: 'qa', factor: 20 });
    await stage.startWorker();
    await stage.apply();
    const deploy = (version: string) => stage.cells.rollout(version).deployRing({ ring: 0, by: 'release-tools' });
    const fiveOf = (version: string) => Promise.all(Array.from({ length: 5 }, () => deploy(version)));
    const running = await fiveOf(V1);
    await stage.until('the first job under way', async () => (await underWay(stage)).length === 1);
    const asked = [...running, ...(await fiveOf(V2))];
    await stage.until('the newer package to wait for its turn', async () => {
      const { waitingFor } = await stage.status(V2);
      return waitingFor?.kind === 'ring-turn';
    });

    const held = await brake(stage, { by: 'alice', reason: 'fire', brakeId: 'fire' });
    const answers = await Promise.all(asked.map((caller) => caller.answer(30_000)));
    const seen = answers.map(({ version, outcome, code, next }) => ({ version, outcome, code, next }));
    const next = [expect.stringContaining('brake off --id fire')];
    const refused = { outcome: 'refused', code: 'braked', next };
    expect(seen).toEqual([V1, V2].flatMap((version) => Array.from({ length: 5 }, () => ({ version, ...refused }))));
    // The pass learns that its one job has ended, and would go on now.
    await stage.ring(V1, 0, isStill);
    expect(escaped(await stage.jobs(), held)).toEqual([]);

    await stage.clearFaults();
    await release(stage, 'fire');
    const again = await stage.cells.rollout(V2).deployRing({ ring: 0, by: 'release-tools' });
    expect(await again.answer(60_000)).toMatchObject({ outcome: 'converged', cells: { total: 3, converged: 3 } });
    expectNothingTwice(await stage.jobs());
    await expectInvariantsOf(stage);
  });

  test('that is sent as a signal while no worker is up holds when one comes back', async () => {
    const stage = await open({ topology: fleet({ 2: 6 }, { 2: { maxParallel: 2 } }), durationMs: 1_000 });
    await stage.fault({ kind: 'slow', jobKind: 'configure', after: 1, times: 2, factor: 4 });
    const worker = await stage.startWorker();
    await stage.apply();
    await graduate(stage);
    await stage.until('two jobs under way', async () => (await underWay(stage)).length === 2);
    worker.kill('SIGKILL');
    await worker.ended;
    const payload = { by: 'alice', reason: 'fire', brakeId: 'fire', scope: 'outer' };
    const signalled = {
      act: 'engageBrake',
      version: null,
      payload,
      askedAt: Date.now(),
      answeredAt: null,
      answer: null,
    };
    stage.acts.push(signalled);
    await cluster(stage).signal('engageBrake', payload);
    // Two slots are free by now, and nobody has noticed.
    await stage.until('nothing under way', async () => (await underWay(stage)).length === 0);
    const before = await stage.jobs();

    await stage.startWorker();
    const held = await brake(stage, payload);
    expect(await stage.ring(V1, 2, isStill)).toMatchObject({ converged: 3, pending: 3 });
    const jobs = await stage.jobs();
    expect(escaped(jobs, held)).toEqual([]);
    expect(jobs).toHaveLength(before.length);
    expect((await stage.cells.cluster().status()).brakes).toMatchObject([{ brakeId: 'fire', by: 'alice' }]);

    await release(stage, 'fire');
    await expectConvergedOnce(stage, V1, 6);
  });

  test('just after one of two workers was killed waits for what that one had in its cache no longer than it must', async () => {
    const policy = { maxParallel: 2, deployTimeout: '5m', pollInterval: '1s' };
    const stage = await open({ topology: fleet({ 2: 6 }, { 2: policy }), durationMs: 1_000 });
    await stage.fault({ kind: 'slow', jobKind: 'configure', after: 1, factor: 40 });
    const first = await stage.startWorker();
    await stage.apply();
    await graduate(stage);
    await stage.until('two jobs under way', async () => (await underWay(stage)).length === 2);
    // The other one knows none of these workflows.
    await stage.startWorker();
    first.kill('SIGKILL');
    await first.ended;

    const held = await brake(stage, { by: 'alice', reason: 'fire', brakeId: 'fire' });
    expect(held.inFlight).toHaveLength(2);
    const waits = await waitsForTheDead(stage, [CLUSTER_WORKFLOW_ID, ringRolloutId(2)]);
    expect(waits.length).toBeGreaterThan(0);
    expect(Math.max(...waits)).toBeLessThan(LONGEST_WAIT_MS);
    expect(escaped(await stage.jobs(), held)).toEqual([]);
    await expectGoesOn(stage, 'fire');
  });

  test('that cancels cells is obeyed although the worker is killed over it, twice', async () => {
    const policy = { maxParallel: 3, deployTimeout: '2m', cancelTimeout: '1m' };
    const stage = await open({ topology: fleet({ 2: 5 }, { 2: policy }), durationMs: 1_000 });
    await stage.fault({ kind: 'slow', jobKind: 'configure', after: 1, factor: 60 });
    const killer = killerOf(stage, await stage.startWorker());
    await stage.apply();
    await graduate(stage);
    // One that only waits in AMP's queue has changed nothing: it would be cancelled, and nothing go back.
    const running = async () => (await stage.jobs()).filter(({ state }) => state === 'running');
    await stage.until('three jobs running', async () => (await running()).length === 3);

    const kills = (async () => {
      await killer.at('a cancel is taken, its answer lost', cancel('answered'));
      await killer.at('a rollback is taken, its answer lost', order('rollback', 'answered'));
    })();
    const held = await brake(stage, { by: 'alice', reason: 'fire', brakeId: 'fire', mode: 'cancel-cells' });
    expect(held.inFlight).toHaveLength(3);
    await kills;

    const ring = await stage.ring(V1, 2, isStill);
    expect(ring).toMatchObject({ converged: 1, pending: 4, failed: 0, rolledBack: 0, exceptions: [] });
    expect(await stage.status(V1)).toMatchObject({ state: 'braked', failures: [] });
    const jobs = await stage.jobs();
    expect(escaped(jobs, held)).toEqual([]);
    expectNothingTwice(jobs);
    const tenants = (await stage.tenants()).filter((tenant) => held.inFlight.includes(tenant.cell_id));
    expect(tenants.map(({ version, active_job }) => ({ version, active_job }))).toEqual(
      held.inFlight.map(() => ({ version: V0, active_job: null })),
    );
    await expectGoesOn(stage, 'fire');
  });

  test('in the middle of a continue-as-new holds', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'brake-under-fire-'));
    // The server asks every workflow to continue as new after so few events that one is always about to.
    const often = ['--dynamic-config-value', 'limit.historyCount.suggestContinueAsNew=40'];
    const server = await startEmbeddedServer({ dbFile: join(folder, 'temporal.db'), extraArgs: often });
    leftovers.push(server.stop, () => rm(folder, { recursive: true, force: true }));
    const temporal = { address: server.address, namespace: 'default' };
    const topology = fleet({ 2: 32 }, { 2: { maxParallel: 8 } });
    const stage = await open({ topology, temporal, durationMs: 500 });
    await stage.startWorker();
    await stage.apply();
    await graduate(stage);

    for (const [i, started] of [4, 12, 20].entries()) {
      await stage.until(`${started} jobs`, async () => (await stage.jobs()).length >= started);
      const brakeId = `fire-${i}`;
      const scope = i % 2 === 0 ? 'outer' : { ring: 2 };
      const held = await brake(stage, { by: 'alice', reason: 'fire', brakeId, scope });
      await stage.ring(V1, 2, isStill);
      expect(escaped(await stage.jobs(), held)).toEqual([]);
      await release(stage, brakeId);
    }
    await expectConvergedOnce(stage, V1, 32);
    for (const id of [CLUSTER_WORKFLOW_ID, ringRolloutId(2)]) {
      const ends = await endsOf(stage, id);
      expect(ends.filter((status) => status === 'CONTINUED_AS_NEW').length).toBeGreaterThan(2);
    }
  });
});

/** How long tasks lay in the queue of a worker that took them no more, in ms, by the server's clock. */
async function waitsForTheDead(stage: Stage, workflowIds: string[]): Promise<number[]> {
  const histories = await Promise.all(workflowIds.map((id) => stage.client.workflow.getHandle(id).fetchHistory()));
  return histories.flatMap(({ events }) =>
    (events ?? []).flatMap((event) => {
      const timedOut = event.workflowTaskTimedOutEventAttributes;
      if (timedOut?.timeoutType !== SCHEDULE_TO_START) return [];
      const scheduled = events?.find((e) => String(e.eventId) === String(timedOut.scheduledEventId));
      return scheduled ? [msOf(event) - msOf(scheduled)] : [];
    }),
  );
}

const { TIMEOUT_TYPE_SCHEDULE_TO_START: SCHEDULE_TO_START } = temporal.api.enums.v1.TimeoutType;
const msOf = ({ eventTime }: { eventTime?: { seconds?: unknown; nanos?: number | null } | null }): number =>
  Number(eventTime?.seconds ?? 0) * 1_000 + (eventTime?.nanos ?? 0) / 1e6;

async function endsOf(stage: Stage, workflowId: string): Promise<string[]> {
  const ends: string[] = [];
  const runs = stage.client.workflow.list({ query: `WorkflowId = '${workflowId}'` });
  for await (const { status } of runs) ends.push(status.name);
  return ends;
}
