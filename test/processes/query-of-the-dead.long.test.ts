import { afterEach, beforeEach, expect, test } from 'vitest';
import { fleet, V1 } from '../support/fleet.js';
import { openStage, type Stage } from '../support/stage.js';

let stage: Stage;
beforeEach(async () => {
  const coordination = { lookEvery: '4s', reconcileEvery: '1h' };
  stage = await openStage({ topology: fleet({ 2: 1 }, {}, { coordination }) });
});
afterEach(() => stage.close());

/** The cluster, and whether a workflow task of its has ever failed. */
const cluster = () => stage.client.workflow.getHandle('cell-cluster');
const failedTasks = async () =>
  ((await cluster().fetchHistory()).events ?? []).filter((e) => e.workflowTaskFailedEventAttributes);

test('a question that waited while its worker died does not keep the cluster from being replayed', async () => {
  const first = await stage.startWorker();
  await stage.apply();
  // The package is open, so that the cluster looks after it every now and then.
  await stage.cells.rollout(V1).deployRing({ ring: 0, by: 'release-tools' });
  await stage.until('ring 0', async () => (await stage.status(V1)).rings.some((r) => r.convergedAt !== null));
  first.kill('SIGKILL');
  await first.ended;
  // It waits for the dead worker; meanwhile a timer fires, for which a task waits as well.
  const question = stage.client.withDeadline(Date.now() + 60_000, () => cluster().query('status'));
  const answer = question.then(
    () => 'answered',
    (error: unknown) => String(error),
  );
  const second = await stage.startWorker();
  expect(await answer).toMatch(/answered|ask again/);
  await stage.cells.cluster().reconcile({ by: 'alice' });
  await stage.until('an answer', () => stage.cells.cluster().status());
  second.kill('SIGKILL');
  await second.ended;

  await stage.startWorker();
  expect(await stage.until('the cluster', () => stage.cells.cluster().status())).toMatchObject({ cluster: 'test' });
  expect(await failedTasks()).toEqual([]);
}, 240_000);
