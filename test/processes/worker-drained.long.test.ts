import { afterEach, beforeEach, expect, test } from 'vitest';
import { fleet, V1 } from '../support/fleet.js';
import { expectConvergedOnce, isUnderWay, of, openStage, type Stage } from '../support/stage.js';

const CELLS = 51;

let stage: Stage;

beforeEach(async () => {
  const policy = { maxParallel: 50, deployTimeout: '2m' };
  stage = await openStage({ topology: fleet({ 2: CELLS }, { 2: policy }), durationMs: 400 });
});
afterEach(() => stage.close());

test('workers that are told to stop in the middle of 50 jobs cancel none of them, and others go on', async () => {
  // The first cell goes alone and is quick; the fifty after it take long enough for all of them to begin.
  await stage.fault({ kind: 'slow', jobKind: 'configure', after: 1, factor: 75 });
  const stopped = await Promise.all([stage.startWorker(), stage.startWorker()]);
  await stage.apply();
  await stage.cells.rollout(V1).graduate({ by: 'release-tools' });
  await stage.until('fifty jobs under way', async () => (await stage.jobs()).filter(isUnderWay).length === CELLS - 1);

  const next = stage.startWorker();
  for (const worker of stopped) worker.kill('SIGTERM');
  expect(await Promise.all(stopped.map((worker) => worker.ended))).toEqual(
    stopped.map(() => ({ code: 0, signal: null })),
  );
  await next;
  const inTheMiddle = of(await stage.jobs(), 'configure');
  expect(inTheMiddle.filter((job) => job.cancel_requested_at !== null)).toEqual([]);

  const jobs = await expectConvergedOnce(stage, V1, CELLS);
  expect(jobs.filter((job) => job.cancel_requested_at !== null)).toEqual([]);
}, 180_000);
