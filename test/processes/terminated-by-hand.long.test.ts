import { afterAll, describe, expect, test, vi } from 'vitest';
import { packageRolloutId } from '../../src/contract/ids.js';
import { fleet, type Policy, V1, V2 } from '../support/fleet.js';
import {
  cellRun,
  expectConvergedOnce,
  expectInvariantsOf,
  expectNothingTwice,
  isUnderWay,
  of,
  openStage,
  ringRun,
  type Stage,
} from '../support/stage.js';

// They wait most of the time.
vi.setConfig({ testTimeout: 180_000, maxConcurrency: 8 });

const stages: Stage[] = [];
afterAll(async () => {
  await Promise.all(stages.map((stage) => stage.close()));
});

const outer = (sizes: Record<number, number>, policy: Policy = {}, more: Record<string, unknown> = {}) =>
  fleet(sizes, { 2: { deployTimeout: '2m', ...policy } }, more);

/** Jobs take three seconds, and `factor` times as long on all cells but the first. */
async function play(topology: Record<string, unknown>, factor = 3): Promise<Stage> {
  const stage = await openStage({ topology, durationMs: 3_000 });
  stages.push(stage);
  await stage.fault({ kind: 'slow', jobKind: 'configure', after: 1, factor });
  await stage.startWorker();
  await stage.apply();
  return stage;
}

const graduate = (stage: Stage, version = V1) => stage.cells.rollout(version).graduate({ by: 'release-tools' });
const underWay = (stage: Stage, cells: number, kind = 'configure') =>
  stage.until(`${cells} jobs under way`, async () => of(await stage.jobs(), kind).filter(isUnderWay).length === cells);
const runOf = async (stage: Stage, cell: string): Promise<string> => (await cellRun(stage, cell).describe()).runId;

describe.concurrent('a workflow that is terminated by hand', () => {
  test('a CellRollout is noticed by its pass, which finds its job and goes on', async () => {
    const stage = await play(outer({ 2: 4 }, { maxParallel: 2 }));
    await graduate(stage);
    await underWay(stage, 2);
    const [job] = (await stage.jobs()).filter(isUnderWay);
    const cell = job?.cell ?? '';
    const before = await runOf(stage, cell);
    await cellRun(stage, cell).terminate('by hand');
    await stage.until('a run of the cell again', async () => (await runOf(stage, cell)) !== before);
    expect((await stage.jobs()).find((j) => j.id === job?.id)?.cancel_requested_at).toBeNull();

    await underWay(stage, 1, 'post_deploy_migrations');
    const [migration] = (await stage.jobs()).filter(isUnderWay);
    await cellRun(stage, migration?.cell ?? '').terminate('by hand');
    await expectConvergedOnce(stage, V1, 4);
  });

  test('a RingRollout is followed by another pass, which adopts the cells that still run', async () => {
    const stage = await play(outer({ 2: 5, 3: 2 }, { maxParallel: 3 }));
    await graduate(stage);
    await underWay(stage, 3);
    const running = (await stage.jobs()).filter(isUnderWay).map((job) => job.cell);
    const runs = await Promise.all(running.map((cell) => runOf(stage, cell)));
    const first = (await ringRun(stage, 2).describe()).runId;
    await ringRun(stage, 2).terminate('by hand');
    await stage.until('another pass', async () => (await ringRun(stage, 2).describe()).runId !== first);
    // The cells' own runs lived on.
    expect(await Promise.all(running.map((cell) => runOf(stage, cell)))).toEqual(runs);
    await expectConvergedOnce(stage, V1, 7);
  });

  test('a RingRollout whose cells have switched already is followed by one that orders nothing again', async () => {
    const stage = await play(outer({ 2: 3 }));
    await graduate(stage);
    await stage.until('two cells that run the package while their jobs go on', async () => {
      const busy = (await stage.tenants()).filter((t) => t.version === V1 && t.active_job !== null);
      return busy.length === 2;
    });
    await ringRun(stage, 2).terminate('by hand');
    await expectConvergedOnce(stage, V1, 3);
  });

  test('a RingRollout is followed by another pass, which waits for the migrations that run, and takes none for done that fails', async () => {
    const stage = await play(outer({ 2: 3 }));
    await stage.fault(
      { kind: 'slow', jobKind: 'post_deploy_migrations', factor: 2 },
      { kind: 'pdm-fails', cell: 'c2-3' },
    );
    await graduate(stage);
    await underWay(stage, 2, 'post_deploy_migrations');
    await ringRun(stage, 2).terminate('by hand');
    const ring = await stage.ring(V1, 2, ({ state }) => state === 'halted' || state === 'converged');
    expect(ring).toMatchObject({ state: 'halted', exceptions: [{ cell: 'c2-3', state: 'migration-failed' }] });
    const status = await stage.status(V1);
    expect(status).toMatchObject({ state: 'halted', finishedAt: null, waitingFor: { kind: 'operator' } });
    expectNothingTwice(await stage.jobs());
    await expectInvariantsOf(stage);
  });

  test('a RingRollout is followed by a pass whose adopted cells a brake cancels like any other', async () => {
    const stage = await play(outer({ 2: 4 }), 20);
    await graduate(stage);
    await underWay(stage, 3);
    const first = (await ringRun(stage, 2).describe()).runId;
    await ringRun(stage, 2).terminate('by hand');
    await stage.until('another pass', async () => (await ringRun(stage, 2).describe()).runId !== first);
    const ring = await stage.ring(V1, 2, ({ inFlight }) => inFlight === 3);
    expect(ring).toMatchObject({ converged: 1, failed: 0 });

    const held = await stage.cells.cluster().engageBrake({ by: 'alice', reason: 'fire', mode: 'cancel-cells' });
    expect(held.inFlight.toSorted()).toEqual(['c2-2', 'c2-3', 'c2-4']);
    const still = await stage.ring(V1, 2, ({ state, inFlight }) => state === 'braked' && inFlight === 0);
    expect(still).toMatchObject({ converged: 1, pending: 3, failed: 0, rolledBack: 0, exceptions: [] });
    const cancelled = of(await stage.jobs(), 'configure').filter((job) => job.state === 'canceled');
    expect(cancelled.map((job) => job.cell).toSorted()).toEqual(['c2-2', 'c2-3', 'c2-4']);

    await stage.clearFaults();
    await stage.cells.cluster().releaseBrake({ by: 'alice' });
    expect(await stage.rolloutEnds(V1, 120_000)).toMatchObject({ state: 'converged', failures: [] });
    await expectInvariantsOf(stage);
  });

  test('a RingRollout inside the perimeter leaves its caller with an answer, of one job a cell', async () => {
    const stage = await play(outer({ 2: 1 }));
    await stage.fault({ kind: 'slow', cell: 'qa', factor: 3 });
    const asked = await stage.cells.rollout(V1).deployRing({ ring: 0, by: 'release-tools' });
    await underWay(stage, 1);
    await ringRun(stage, 0).terminate('by hand');
    expect(await asked.answer(60_000)).toMatchObject({ outcome: 'converged', cells: { total: 1, converged: 1 } });
    const jobs = await stage.jobs();
    expect(jobs).toMatchObject([{ cell: 'qa', kind: 'configure', state: 'succeeded', cancel_requested_at: null }]);
    await expectInvariantsOf(stage);
  });

  test('a PackageRollout leaves its ring braked; once released the pass ends and the ring is free', async () => {
    const stage = await play(outer({ 2: 6 }, { maxParallel: 2 }, { coordination: { lookEvery: '2s' } }));
    await graduate(stage);
    await underWay(stage, 2);
    await stage.client.workflow.getHandle(packageRolloutId(V1)).terminate('by hand');

    const brakeId = 'starter-gone-ring-2';
    const brake = await stage.until('the brake', async () => {
      const { brakes } = await stage.cells.cluster().status();
      return brakes.find((b) => b.brakeId === brakeId);
    });
    expect(brake).toMatchObject({ scope: { ring: 2 }, by: 'coordinator' });
    const held = await stage.until('nothing under way', async () => {
      const jobs = await stage.jobs();
      return !jobs.some(isUnderWay) && jobs;
    });
    expect(held.length).toBeLessThan(6);
    const state = async () => (await ringRun(stage, 2).describe()).searchAttributes.CellsState?.[0];
    await stage.until('the pass to be braked', async () => (await state()) === 'braked');
    expect(await stage.jobs()).toHaveLength(held.length);

    await stage.clearFaults();
    await stage.cells.cluster().releaseBrake({ by: 'alice', brakeId, reason: 'looked at it' });
    await stage.until('the pass to end', async () => (await ringRun(stage, 2).describe()).status.name === 'COMPLETED');
    expect(await state()).toBe('converged');
    await graduate(stage, V2);
    expect(await stage.rolloutEnds(V2, 120_000)).toMatchObject({ state: 'converged', failures: [] });
    const jobs = await stage.jobs();
    expectNothingTwice(jobs);
    for (const version of [V1, V2]) {
      const ofIt = jobs.filter((job) => job.version === version);
      expect([of(ofIt, 'configure').length, of(ofIt, 'post_deploy_migrations').length]).toEqual([6, 6]);
    }
    expect(jobs.filter((job) => job.state !== 'succeeded' || job.cancel_requested_at !== null)).toEqual([]);
    expect(await stage.cells.cluster().status()).toMatchObject({ queue: [], brakes: [] });
    await expectInvariantsOf(stage);
  });
});
