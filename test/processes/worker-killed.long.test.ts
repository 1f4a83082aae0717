import { afterAll, describe, expect, test } from 'vitest';
import { cellRolloutId } from '../../src/contract/ids.js';
import { fleet, V0, V1 } from '../support/fleet.js';
import { type Killer, killerOf, look, nth, order, told, verification, watchedAgainAfterMs } from '../support/kills.js';
import {
  expectConvergedOnce,
  expectInvariantsOf,
  expectNothingTwice,
  of,
  openStage,
  ringRun,
  type Stage,
} from '../support/stage.js';

const WATCHED_AGAIN_MS = 15_000;
const LONG = 240_000;

const stages: Stage[] = [];
afterAll(async () => {
  await Promise.all(stages.map((stage) => stage.close()));
});

async function play(topology: Record<string, unknown>): Promise<{ stage: Stage; killer: Killer }> {
  const stage = await openStage({ topology, durationMs: 2_000 });
  stages.push(stage);
  const killer = killerOf(stage, await stage.startWorker());
  await stage.apply();
  return { stage, killer };
}

const graduate = (stage: Stage) => stage.cells.rollout(V1).graduate({ by: 'release-tools' });
/** What the ring's pass tells Temporal itself, so that no worker is needed to know it. */
const isIn = (stage: Stage, ring: number, state: string) => async () => {
  const { searchAttributes } = await ringRun(stage, ring).describe();
  return searchAttributes.CellsState?.[0] === state;
};

/**
 * Every job whose end nobody knew when the worker died was asked for again soon after the next one was there. Where that
 * one died too before its time was over, the kill after it counts.
 */
async function expectWatchedAgain(stage: Stage, killer: Killer): Promise<void> {
  const kills = await killer.kills();
  const late = kills.flatMap((kill, i) => {
    const hadTime = (kills[i + 1]?.killedAt ?? Number.POSITIVE_INFINITY) > kill.backAt + WATCHED_AGAIN_MS;
    return kill.open
      .map((job) => ({
        what: `${kill.moment}: ${job.kind} on ${job.cell}`,
        after: watchedAgainAfterMs(stage, kill, job),
      }))
      .filter(({ after }) => hadTime && (after === null || after > WATCHED_AGAIN_MS));
  });
  expect(late).toEqual([]);
}

describe.concurrent('a worker that is killed outright, and started again at once', () => {
  test(
    'while release-tools waits for ring 0: it gets its answer, of one job',
    async () => {
      const { stage, killer } = await play(fleet({ 2: 2 }));
      const asked = await stage.cells.rollout(V1).deployRing({ ring: 0, by: 'release-tools' });
      await killer.at('the order for the QA cell is on its way', order('configure', 'asked'));
      await killer.at('the QA cell is being deployed', nth(1, told('configure', 'running')));
      expect(await asked.answer(60_000)).toMatchObject({ outcome: 'converged', cells: { total: 1, converged: 1 } });
      await graduate(stage);
      await killer.at('ring 2 is looked at', nth(2, look));
      await killer.at('the first order of ring 2 is taken, its answer lost', order('configure', 'answered'));
      const end = await stage.rolloutEnds(V1, 120_000);
      expect(end).toMatchObject({ state: 'converged', failures: [] });
      const jobs = await stage.jobs();
      expect(of(jobs, 'configure')).toHaveLength(3);
      expect(jobs.filter((job) => job.cancel_requested_at !== null)).toEqual([]);
      expectNothingTwice(jobs);
      await expectWatchedAgain(stage, killer);
      await expectInvariantsOf(stage);
    },
    LONG,
  );

  test(
    'while cells are deployed',
    async () => {
      const { stage, killer } = await play(fleet({ 2: 5 }, { 2: { deployTimeout: '2m' } }));
      // Longer than a worker may be away unnoticed: there is something to watch when the next one is up.
      await stage.fault({ kind: 'slow', jobKind: 'configure', factor: 8 });
      await graduate(stage);
      await killer.at('the first cell is half done', nth(2, told('configure', 'running')));
      await killer.at('the third of four orders is taken, its answer lost', nth(3, order('configure', 'answered')));
      await killer.at('several cells are watched again', nth(3, told('configure')));
      await killer.at('AMP says that a job has ended', told('configure', 'succeeded'));
      await expectConvergedOnce(stage, V1, 5);
      await expectWatchedAgain(stage, killer);
    },
    LONG,
  );

  test(
    'while a ring is verified, bakes and waits for its grace period',
    async () => {
      const { stage, killer } = await play(fleet({ 2: 3 }, { 2: { bakeTime: '3s', gracePeriod: '3s' } }));
      await graduate(stage);
      await killer.at('the first cell is verified', verification);
      await killer.at('the last cells are verified', nth(2, verification));
      await killer.when('the ring bakes', isIn(stage, 2, 'baking'));
      await killer.when('the ring is in its grace period', isIn(stage, 2, 'grace'));
      await expectConvergedOnce(stage, V1, 3);
      await expectWatchedAgain(stage, killer);
    },
    LONG,
  );

  test(
    'while post-deployment migrations run, and the next ring begins',
    async () => {
      const { stage, killer } = await play(fleet({ 2: 3, 3: 2 }));
      await graduate(stage);
      await killer.at('the first migration is on its way', order('post_deploy_migrations', 'asked'));
      await killer.at('a migration is taken, its answer lost', order('post_deploy_migrations', 'answered'));
      await killer.at('migrations are watched again', nth(2, told('post_deploy_migrations')));
      await killer.at('AMP says that a migration has ended', told('post_deploy_migrations', 'succeeded'));
      await expectConvergedOnce(stage, V1, 5);
      await expectWatchedAgain(stage, killer);
    },
    LONG,
  );

  test(
    'while a cell goes back',
    async () => {
      const { stage, killer } = await play(fleet({ 2: 4 }, { 2: { failureBudget: 1, deployTimeout: '2m' } }));
      await stage.fault(
        { kind: 'job-fails', cell: 'c2-3', jobKind: 'configure', switched: true },
        { kind: 'slow', jobKind: 'rollback', factor: 25 },
      );
      await graduate(stage);
      await killer.at('AMP says that the job has failed', told('configure', 'failed'));
      await killer.at('the rollback is on its way', order('rollback', 'asked'));
      await killer.at('the rollback is taken, its answer lost', order('rollback', 'answered'));
      await killer.at('the rollback is watched again', told('rollback'));
      const end = await stage.rolloutEnds(V1, 120_000);
      expect(end.state).toBe('converged');
      expect(end.rings.at(-1)).toMatchObject({ total: 4, converged: 3, rolledBack: 1 });
      expect(end.rings.at(-1)?.exceptions).toMatchObject([{ cell: 'c2-3', state: 'rolled-back' }]);
      const jobs = await stage.jobs();
      expect(of(jobs, 'configure')).toHaveLength(4);
      expect(of(jobs, 'rollback')).toMatchObject([{ cell: 'c2-3', version: V0, state: 'succeeded' }]);
      expect(of(jobs, 'post_deploy_migrations')).toHaveLength(3);
      expectNothingTwice(jobs);
      await expectWatchedAgain(stage, killer);
      await expectInvariantsOf(stage);
    },
    LONG,
  );

  test(
    'while a cell is verified, beside another one that is told to cancel that cell: it goes back',
    async () => {
      const policy = { failureBudget: 1, maxParallel: 2, deployTimeout: '2m', verifyTimeout: '5m' };
      const stage = await openStage({ topology: fleet({ 2: 2 }, { 2: policy }), durationMs: 500 });
      stages.push(stage);
      const worker = await stage.startWorker();
      await stage.apply();
      await stage.fault({ kind: 'not-ready', cell: 'c2-2', version: V1 });
      await graduate(stage);
      await stage.until('the second cell to be verified', async () =>
        of(await stage.jobs(), 'configure').some((job) => job.cell === 'c2-2' && job.state === 'succeeded'),
      );
      await stage.startWorker();
      worker.kill('SIGKILL');
      await worker.ended;
      // What is told in the same moment is handed to the one that is gone, and by then another watches.
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      const cell = stage.client.workflow.getHandle(cellRolloutId('c2-2'));
      await cell.cancel();
      const ended = async () => (await cell.describe()).status.name;
      await stage.until('the run of the cell to end', async () => (await ended()) !== 'RUNNING', 60_000);
      expect(await ended()).toBe('COMPLETED');
      const ring = await stage.ring(V1, 2, ({ rolledBack }) => rolledBack === 1);
      expect(ring.exceptions).toMatchObject([{ cell: 'c2-2', state: 'rolled-back' }]);
      expect(of(await stage.jobs(), 'rollback')).toMatchObject([{ cell: 'c2-2', version: V0, state: 'succeeded' }]);
      await stage.rolloutEnds(V1, 120_000);
      expectNothingTwice(await stage.jobs());
      await expectInvariantsOf(stage);
    },
    LONG,
  );
});
