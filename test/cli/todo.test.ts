import { expect, it } from 'vitest';
import { NotFoundError } from '../../src/client/index.js';
import { V2 } from '../support/fleet.js';
import { run } from './harness.js';
import { halted } from './statuses.js';

const status = {
  ...{
    cluster: 'prod',
    perimeter: 1,
    rings: [],
    brakes: [],
    quarantined: [],
    blocked: [],
    graduated: [],
    queue: [],
    waitingFor: null,
    rejected: [],
  },
  ...{ autoDeploy: { state: 'running' } },
};
const cells = (open: unknown[]) => ({
  cluster: () => ({ status: async () => status }),
  listRollouts: async () => open,
  rollout: () => ({ status: async () => halted }),
});

it('lists what waits for a person, with the commands that would end it', async () => {
  const { exit, stdout } = await run(['todo'], cells([{ version: halted.version }]));
  expect(exit).toBe(0);
  expect(stdout).toContain(`operator ring 3 ${halted.version}  ops, 1m ago`);
  expect(stdout).toContain(`→ cellctl retry --ring 3 ${halted.version}`);
});

it('is one document with --json, and can speak of one team alone', async () => {
  const { stdout } = await run(['todo', '--json'], cells([{ version: halted.version }]));
  expect(JSON.parse(stdout)[0]).toMatchObject({ kind: 'brake', team: 'ops', next: [expect.any(String)] });
  const none = await run(['todo', '--team', 'release-managers'], cells([{ version: halted.version }]));
  expect(none).toMatchObject({ exit: 0, stdout: 'nothing waits for a person\n' });
});

it('names a deployment for a cell inside the perimeter, where nothing is reconciled, and a reconcile beyond it', async () => {
  const failed = (cell: string) => [{ cell, state: 'failed', reason: 'job job-1 failed' }];
  const ring = (number: number, cell: string) => ({
    ...{ ring: number, desired: halted.version, converged: null, convergedAt: null, exceptions: failed(cell) },
  });
  const rings = [ring(0, 'qa'), ring(2, 'cell-1')];
  const cluster = () => ({ status: async () => ({ ...status, rings }) });
  const { stdout } = await run(['todo', '--json'], { ...cells([]), cluster });
  expect(JSON.parse(stdout)).toMatchObject([
    { team: 'release-managers', next: ['cellctl health qa', `cellctl deploy --ring 0 ${halted.version}`] },
    { team: 'ops', next: ['cellctl health cell-1', 'cellctl cluster reconcile --cells cell-1 --reason "…"'] },
  ]);
});

it('asks each rollback under way what it waits for; one that ends meanwhile waits for nobody', async () => {
  const by = { by: 'ann', reason: 'INC-4711', since: '2026-12-23T10:00:00Z' };
  const rollbacks = [halted.version, V2].map((version) => ({ version, ...by }));
  const waits = { ...halted, brakes: [], rejected: [] };
  const rollback = (version: string) => ({
    status: async () => (version === V2 ? Promise.reject(new NotFoundError('x', true)) : waits),
  });
  const cluster = () => ({ status: async () => ({ ...status, rollbacks }) });
  const { exit, stdout } = await run(['todo', '--json'], { ...cells([]), cluster, rollback });
  expect(exit).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject([{ kind: 'operator', detail: expect.stringContaining('the rollback of') }]);
});
