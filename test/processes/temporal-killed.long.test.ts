import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type EmbeddedServer, startEmbeddedServer } from '../../src/config/embedded-server.js';
import { fleet, V1 } from '../support/fleet.js';
import type { Process } from '../support/processes.js';
import { expectInvariantsOf, expectNothingTwice, isUnderWay, of, openStage, type Stage } from '../support/stage.js';

let folder: string;
let server: EmbeddedServer;
let stage: Stage;
let worker: Process;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'temporal-killed-'));
  server = await startEmbeddedServer({ dbFile: join(folder, 'temporal.db') });
  const topology = fleet({ 2: 4, 3: 2 }, { 2: { bakeTime: '3s', gracePeriod: '3s' } });
  const temporal = { address: server.address, namespace: 'default' };
  stage = await openStage({ topology, temporal, durationMs: 3_000 });
  worker = await stage.startWorker();
});
afterEach(async () => {
  await stage.close();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Kills the server outright, and starts it again on its file and its port. */
async function killTemporal(): Promise<void> {
  const port = Number(new URL(`http://${server.address}`).port);
  server.kill('SIGKILL');
  await server.ended;
  await server.stop();
  server = await startEmbeddedServer({ dbFile: server.dbFile, port });
}

const underWay = async (kind: string) => of(await stage.jobs(), kind).filter(isUnderWay).length;

test('a Temporal server that dies again and again loses nothing, and no job is asked for twice', async () => {
  await stage.apply();
  const asked = await stage.cells.rollout(V1).deployRing({ ring: 0, by: 'release-tools' });
  await stage.until('the QA cell is being deployed', async () => (await underWay('configure')) === 1);
  await killTemporal();
  expect(await asked.answer(60_000)).toMatchObject({ outcome: 'converged', cells: { total: 1, converged: 1 } });

  expect(await stage.cells.rollout(V1).graduate({ by: 'release-tools' })).toEqual({ ring0: 'converged' });
  await stage.until('three cells are being deployed', async () => (await underWay('configure')) === 3);
  await killTemporal();
  await stage.ring(V1, 2, ({ state }) => state === 'baking' || state === 'grace');
  await killTemporal();
  await stage.until('migrations run', async () => (await underWay('post_deploy_migrations')) > 0);
  await killTemporal();

  const end = await stage.rolloutEnds(V1, 120_000);
  expect(end).toMatchObject({ state: 'converged', failures: [] });
  const jobs = await stage.jobs();
  expectNothingTwice(jobs);
  expect(of(jobs, 'configure')).toHaveLength(7);
  expect(of(jobs, 'post_deploy_migrations')).toHaveLength(6);
  expect(jobs.filter((job) => job.state !== 'succeeded' || job.cancel_requested_at !== null)).toEqual([]);
  await expectInvariantsOf(stage);
  // The worker has lived through all of it.
  worker.kill('SIGTERM');
  expect(await worker.ended).toEqual({ code: 0, signal: null });
}, 240_000);
