import { afterEach, expect, it } from 'vitest';
import type { JobOrder } from '../../src/contract/activities.js';
import { jobKey } from '../../src/contract/ids.js';
import { type Simulator, simulatedCellUrl, startSimulator } from '../../src/simulator/index.js';
import { activitiesOn, attempt } from './environment.js';
import { NEW, OLD } from './fake-amp.js';

let simulator: Simulator | undefined;
afterEach(() => simulator?.close());

const topology = {
  cluster: 'prod',
  rings: [
    {
      ring: 0,
      cells: [
        { id: 'c1', tenant: 't1' },
        { id: 'c2', tenant: 't2' },
      ],
    },
  ],
};

async function numberOfJobs(url: string): Promise<number | undefined> {
  const answer = (await (await fetch(`${url}/v1/jobs?tenant=t1`)).json()) as { jobs?: unknown[] };
  return answer.jobs?.length;
}

it('brings a simulated cell to a package through lost answers and errors, with one job', async () => {
  const faults = [
    { kind: 'answer-lost', method: 'POST', times: 1 },
    { kind: 'error-share', share: 0.3, status: 503, on: 'amp' },
  ];
  simulator = await startSimulator({ topology, faults, durationMs: 300, initialVersion: OLD });
  const { url } = simulator;
  const activities = activitiesOn(url);
  const cell = { id: 'c1', tenant: 't1', url: simulatedCellUrl(url, 'c1') };
  const target = { cluster: 'prod', ring: 0, version: NEW, chartVersion: null };
  const order: JobOrder = {
    ...target,
    cell,
    key: jobKey({ cluster: 'prod', pass: 'p', cell: 'c1', kind: 'configure', version: NEW, order: 1 }),
    kind: 'configure',
    expectedVersion: OLD,
    scope: 'application',
    postDeployMigrations: 'skip',
    reason: '',
    requireReady: true,
    jobTimeoutMs: 60_000,
    cancelTimeoutMs: 5_000,
    pollIntervalMs: 50,
  };
  const look = () => attempt().run(activities.lookAtCells, { ...target, cells: [cell], askReadiness: false });
  expect(await look()).toMatchObject([{ onTarget: false, facts: { version: OLD } }]);
  expect(await attempt().run(activities.runJob, order)).toMatchObject({
    outcome: 'succeeded',
    job: { fromVersion: OLD },
  });
  const verification = await attempt().run(activities.verifyCell, {
    ...target,
    cell,
    migrated: false,
    health: null,
    witness: null,
    sinceMs: Date.now(),
    timeoutMs: 5_000,
    intervalMs: 50,
  });
  expect(verification).toMatchObject({ verified: true, facts: { previousVersion: OLD } });
  expect(await look()).toMatchObject([{ onTarget: true, problem: '' }]);
  const again = await attempt().run(activities.runJob, order);
  expect(again).toMatchObject({ outcome: 'succeeded' });
  await expect.poll(() => numberOfJobs(url)).toBe(1);
});
