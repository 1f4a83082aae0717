import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { fleet, V0, V1, V2 } from '../support/fleet.js';
import { expectInvariantsOf, expectNothingTwice, of, openStage, type Stage } from '../support/stage.js';

/** `ROLLBACK_CELLS`: in so many cells; a tenth of them in the first outer ring. */
const TOTAL = Number(process.env.ROLLBACK_CELLS || 60);
const CELLS = { 2: TOTAL / 10, 3: TOTAL - TOTAL / 10 };
const KILLS = 5;
const LOST_SHARE = 0.1;

const stages: Stage[] = [];
afterAll(async () => {
  await Promise.all(stages.map((stage) => stage.close()));
});

/** Every tenth answer of AMP never comes: it has done what it was asked, and nobody hears of it. */
function loseAnswers(stage: Stage): () => number {
  let answers = 0;
  let lost = 0;
  stage.amp.watch(({ phase, path }) => {
    if (phase !== 'answered' || !path.startsWith('/v1/')) return false;
    answers += 1;
    if (answers % Math.round(1 / LOST_SHARE) !== 0) return false;
    lost += 1;
    return true;
  });
  return () => lost;
}

test(`a rollback over ${TOTAL} cells ends with every cell on its own earlier package and none asked twice, while workers are killed and a tenth of AMP’s answers is lost`, async () => {
  const wide = { maxParallel: 40, gracePeriod: '1h' };
  const stage = await openStage({ topology: fleet(CELLS, { 2: wide, 3: wide }), durationMs: 500 });
  stages.push(stage);
  let worker = await stage.startWorker();
  await stage.apply();
  // Ring 2 has had a package in between: its cells go back to that one, the others to the one before.
  const block = (ring: number) => ({ by: 'alice', reason: 'only ring 2', brakeId: 'three', scope: { ring } });
  await stage.cells.cluster().engageBrake(block(3));
  await stage.cells.rollout(V1).graduate({ by: 'release-tools' });
  await stage.ring(V1, 2, ({ state, converged }) => state === 'grace' && converged === CELLS[2]);
  await stage.cells.rollout(V1).abort({ by: 'alice', reason: 'V2 is next' });
  await stage.rolloutEnds(V1, 60_000);
  await stage.cells.cluster().releaseBrake({ by: 'alice', brakeId: 'three' });
  await stage.cells.rollout(V2).graduate({ by: 'release-tools' });
  await stage.until(
    'V2 on every cell',
    async () => (await stage.tenants()).filter((t) => t.version === V2 && t.active_job === null).length === TOTAL,
    240_000,
  );
  await stage.ring(V2, 3, ({ state }) => state === 'grace');

  // Long enough for a worker to be killed over them.
  await stage.fault({ kind: 'slow', jobKind: 'rollback', factor: 4 });
  const lost = loseAnswers(stage);
  expect(await stage.cells.rollback(V2).start({ by: 'alice', reason: 'INC-4711' })).toBe(true);
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const soMany = Math.round((TOTAL * kill) / (KILLS + 1));
    await stage.until(
      `${soMany} cells on their way back`,
      async () => of(await stage.jobs(), 'rollback').length >= soMany,
      180_000,
    );
    worker.kill('SIGKILL');
    await sleep(500);
    worker = await stage.startWorker();
  }
  const end = await stage.cells.rollback(V2).result(300_000);

  expect(lost()).toBeGreaterThan(TOTAL / 10);
  expect(end).toMatchObject({ state: 'rolled-back', needsDowntime: [] });
  expect(end.rings.map(({ ring, rolledBack, exceptions }) => [ring, rolledBack, exceptions])).toEqual([
    [2, CELLS[2], []],
    [3, CELLS[3], []],
  ]);
  const tenants = (await stage.tenants()).filter(({ cell_id }) => /^c[23]-/.test(cell_id));
  expect(tenants).toHaveLength(TOTAL);
  const wrong = tenants.filter(({ cell_id, version }) => version !== (cell_id.startsWith('c2-') ? V1 : V0));
  expect(wrong).toEqual([]);
  const back = of(await stage.jobs(), 'rollback');
  expect(back).toHaveLength(TOTAL);
  expect(back.filter(({ state }) => state !== 'succeeded')).toEqual([]);
  expectNothingTwice(await stage.jobs());
  const lastOfThree = Math.max(...back.filter((j) => j.cell.startsWith('c3-')).map((j) => Date.parse(j.created_at)));
  const firstOfTwo = Math.min(...back.filter((j) => j.cell.startsWith('c2-')).map((j) => Date.parse(j.created_at)));
  expect(firstOfTwo).toBeGreaterThan(lastOfThree);
  stage.amp.watch(null);
  expect((await stage.cells.cluster().status()).blocked).toMatchObject([{ version: V2 }]);
  await expectInvariantsOf(stage);
}, 900_000);
