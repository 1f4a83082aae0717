import { afterEach, beforeEach, expect, test } from 'vitest';
import { fleet, V1, V2 } from '../support/fleet.js';
import { openStage, type Stage } from '../support/stage.js';

let stage: Stage;
beforeEach(async () => {
  const coordination = { lookEvery: '6s', reconcileEvery: '1h' };
  stage = await openStage({ topology: fleet({ 2: 1 }, { 2: { bakeTime: '10m' } }, { coordination }) });
});
afterEach(() => stage.close());

const cluster = () => stage.client.workflow.getHandle('cell-cluster');
type About = 'timerStartedEventAttributes' | 'workflowTaskFailedEventAttributes';
const countOf = async (about: About) =>
  ((await cluster().fetchHistory()).events ?? []).filter((event) => event[about]).length;

test('a question that waited while its worker died does not keep the cluster from being replayed', async () => {
  const first = await stage.startWorker();
  await stage.apply();
  // While a ring is held the cluster looks after it, so that a timer fires every few seconds.
  await stage.cells.rollout(V1).graduate({ by: 'release-tools' });
  await stage.ring(V1, 2, ({ state }) => state === 'baking');
  const timers = await countOf('timerStartedEventAttributes');
  await stage.until('the next timer', async () => (await countOf('timerStartedEventAttributes')) > timers);
  first.kill('SIGKILL');
  await first.ended;
  // It waits 10 s for the dead worker. Meanwhile the timer fires, and its task waits as long from then on.
  const question = stage.client.withDeadline(Date.now() + 60_000, () => cluster().query('status'));
  const answer = question.then(
    () => 'answered',
    (error: unknown) => String(error),
  );
  const second = await stage.startWorker();
  expect(await answer).toMatch(/answered|ask again/);
  // A signal for the cluster: on replay signals come before timers.
  const asked = await stage.cells.rollout(V2).deployRing({ ring: 0, by: 'release-tools' });
  expect(await asked.answer(60_000)).toMatchObject({ outcome: 'converged' });
  second.kill('SIGKILL');
  await second.ended;

  await stage.startWorker();
  expect(await stage.until('the cluster', () => stage.cells.cluster().status())).toMatchObject({ cluster: 'test' });
  expect(await countOf('workflowTaskFailedEventAttributes')).toBe(0);
}, 240_000);
