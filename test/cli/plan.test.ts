import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { NotFoundError } from '../../src/client/index.js';
import { parseTopology } from '../../src/domain/topology/index.js';
import { fleet } from '../support/fleet.js';
import { run, VERSION } from './harness.js';

const FILE = 'test/fixtures/topology.example.yaml';
const status = {
  ...{ cluster: 'test', perimeter: 1, rings: [], brakes: [], quarantined: [], blocked: [], graduated: [], queue: [] },
  ...{ autoDeploy: { state: 'running' } },
};
const parsed = parseTopology(fleet({ 2: 2 }));
const cells = (more: object = {}) => ({
  cluster: () => ({ status: async () => ({ ...status, ...more }), topology: async () => parsed.ok && parsed.topology }),
});

it('shows where a package would go, what it would wait for, and what to type', async () => {
  const { exit, stdout } = await run(['plan', VERSION], cells());
  expect(exit).toBe(0);
  expect(stdout).toContain('ring 2 ring-2: 2 of 2 cells, first c2-1, at most 25 at once, nobody knows how long');
  expect(stdout).toContain(`  before: graduation, ${VERSION} has not graduated\n    → cellctl graduate ${VERSION}`);
});

it('ends with 1 where the package would be refused', async () => {
  const blocked = [{ version: VERSION, by: 'ann', reason: 'INC-1', since: '' }];
  const { exit, stdout } = await run(['plan', VERSION, '--json'], cells({ blocked }));
  expect([exit, JSON.parse(stdout).refused]).toEqual([1, ['it is blocked by ann: INC-1']]);
});

it('shows what a topology would change; of another cluster it is refused', async () => {
  const { exit, stdout } = await run(['plan', FILE], cells());
  expect([exit, stdout]).toEqual([1, expect.stringContaining('refused: it is another cluster than test')]);
});

it('warns of what a topology allows and will hardly do', async () => {
  const signals = { errors: { query: 'errors{cell="{{cell}}"}', worse: 'higher', max: 0.1 } };
  const folder = mkdtempSync(join(tmpdir(), 'plan-'));
  const file = join(folder, 'topology.json');
  writeFileSync(file, JSON.stringify(fleet({ 2: 2 }, {}, { health: { minSamples: 1, signals } })));
  const { exit, stderr } = await run(['plan', file], cells());
  rmSync(folder, { recursive: true });
  expect([exit, stderr]).toEqual([0, expect.stringContaining('warning: ring 2: health.minSamples is 1')]);
});

it('has nothing to compare with where there is no cluster yet', async () => {
  const none = async () => {
    throw new NotFoundError('cell-cluster', false);
  };
  const { exit, stdout } = await run(['plan', FILE], { cluster: () => ({ status: none, topology: none }) });
  expect([exit, stdout]).toEqual([0, expect.stringContaining('would change: ')]);
});

it('takes a lane only with a package', async () => {
  expect((await run(['plan', FILE, '--lane', 'urgent'])).exit).toBe(2);
});
