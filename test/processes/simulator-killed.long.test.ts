import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fleet, V1 } from '../support/fleet.js';
import { order } from '../support/kills.js';
import { type Process, startSimulator } from '../support/processes.js';
import { expectConvergedOnce, isUnderWay, openStage, ringRun, type Stage } from '../support/stage.js';

const TOPOLOGY = fleet({ 2: 4, 3: 2 }, { 2: { bakeTime: '4s' } });

let folder: string;
let simulator: Process & { url: string };
let stage: Stage;

/** Starts AMP where it was before, on what it has kept. */
async function startAmp(port: number): Promise<void> {
  const stateFile = join(folder, 'state.jsonl');
  simulator = await startSimulator({ topologyFile: join(folder, 'topology.json'), stateFile, port, durationMs: 3_000 });
}

async function killAmp(): Promise<() => Promise<void>> {
  const { port } = new URL(simulator.url);
  simulator.kill('SIGKILL');
  await simulator.ended;
  return () => startAmp(Number(port));
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'simulator-killed-'));
  await writeFile(join(folder, 'topology.json'), JSON.stringify(TOPOLOGY));
  await startAmp(0);
  stage = await openStage({ topology: TOPOLOGY, ampAt: () => simulator.url });
});
afterEach(async () => {
  await stage.close();
  simulator.kill('SIGKILL');
  await simulator.ended;
  await rm(folder, { recursive: true, force: true });
});

const ring = async (n: number) => (await stage.status(V1)).rings.find((r) => r.ring === n);

test('AMP and cells that die again and again are waited for; no cell is blamed, and no job is asked for twice', async () => {
  await stage.startWorker();
  await stage.apply();
  await stage.cells.rollout(V1).graduate({ by: 'release-tools' });

  // Three cells are being deployed, and AMP stays away for longer than anybody asks it again in silence.
  await stage.until('three jobs under way', async () => (await stage.jobs()).filter(isUnderWay).length === 3);
  const back = await killAmp();
  const held = await stage.until('the ring to be held', async () => {
    const status = await stage.status(V1);
    return status.waitingFor?.kind === 'operator' && status;
  });
  expect(held).toMatchObject({ failures: [], state: 'rolling-out' });
  const untouched = { failed: 0, rolledBack: 0, inFlight: 3, exceptions: [] };
  expect(held.rings.at(-1)).toMatchObject({ ring: 2, ...untouched });
  expect(held.waitingFor?.next).not.toEqual([]);
  await back();

  // The ring bakes, and nobody answers: silence is not health, nor is it a failure.
  await stage.until('ring 2 bakes', async () => (await ringState(2)) === 'baking');
  const backAgain = await killAmp();
  const silent = await stage.until('the bake to wait for the cells', async () => {
    const { waitingFor } = await stage.status(V1);
    return (waitingFor?.kind === 'health' || waitingFor?.kind === 'operator') && waitingFor;
  });
  expect(silent.ring).toBe(2);
  expect(await ring(2)).toMatchObject({ converged: 4, failed: 0, rolledBack: 0, exceptions: [] });
  expect(await ring(3)).toBeUndefined();
  await backAgain();

  // AMP takes an order, and dies before it can say so.
  await new Promise<void>((resolve) => {
    const isTaken = order('post_deploy_migrations', 'answered');
    stage.amp.watch((exchange) => {
      if (!isTaken(exchange)) return false;
      stage.amp.watch(null);
      simulator.kill('SIGKILL');
      resolve();
      return true;
    });
  });
  await (await killAmp())();

  const jobs = await expectConvergedOnce(stage, V1, 6);
  expect(jobs.some((job) => job.submissions > 1)).toBe(true);
}, 240_000);

async function ringState(n: number): Promise<unknown> {
  const { searchAttributes } = await ringRun(stage, n).describe();
  return searchAttributes.CellsState?.[0];
}
