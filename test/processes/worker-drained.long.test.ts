import { afterEach, beforeEach, expect, test } from 'vitest';
import { fleet, V1 } from '../support/fleet.js';
import { expectConvergedOnce, isUnderWay, of, openStage, type Stage } from '../support/stage.js';

const CELLS = 51;

/** In which fewer than half of the jobs are to be looked at, once another worker is there. */
const AT_ONCE_MS = 400;

let stage: Stage;

beforeEach(async () => {
  const policy = { maxParallel: 50, deployTimeout: '2m' };
  stage = await openStage({ topology: fleet({ 2: CELLS }, { 2: policy }), durationMs: 400 });
});
afterEach(() => stage.close());

/** When each job was asked for first since then, epoch ms. */
function firstLooks({ amp }: Stage, sinceMs: number): number[] {
  const first = new Map<string, number>();
  for (const { at, phase, method, path } of amp.passed) {
    const isLook = phase === 'asked' && method === 'GET' && /^\/v1\/jobs\/[^/]+$/.test(path);
    if (isLook && at >= sinceMs && !first.has(path)) first.set(path, at);
  }
  return [...first.values()];
}

const mostAtOnce = (looks: number[]): number =>
  Math.max(...looks.map((from) => looks.filter((at) => at >= from && at < from + AT_ONCE_MS).length));

test('workers that are told to stop in the middle of 50 jobs cancel none of them, and others go on, not with all at one moment', async () => {
  // The first cell goes alone and is quick; the fifty after it take long enough for all of them to begin.
  await stage.fault({ kind: 'slow', jobKind: 'configure', after: 1, factor: 75 });
  const stopped = await Promise.all([stage.startWorker(), stage.startWorker()]);
  await stage.apply();
  await stage.cells.rollout(V1).graduate({ by: 'release-tools' });
  await stage.until('fifty jobs under way', async () => (await stage.jobs()).filter(isUnderWay).length === CELLS - 1);

  for (const worker of stopped) worker.kill('SIGTERM');
  expect(await Promise.all(stopped.map((worker) => worker.ended))).toEqual(
    stopped.map(() => ({ code: 0, signal: null })),
  );
  const stoppedAt = Date.now();
  await stage.startWorker();
  const inTheMiddle = of(await stage.jobs(), 'configure');
  expect(inTheMiddle.filter((job) => job.cancel_requested_at !== null)).toEqual([]);

  const looks = await stage.until('all jobs to be looked at again', async () => {
    const looked = firstLooks(stage, stoppedAt);
    return looked.length === CELLS - 1 && looked;
  });
  expect(mostAtOnce(looks)).toBeLessThan(looks.length / 2);

  const jobs = await expectConvergedOnce(stage, V1, CELLS);
  expect(jobs.filter((job) => job.cancel_requested_at !== null)).toEqual([]);
}, 180_000);
