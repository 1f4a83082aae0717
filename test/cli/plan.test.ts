import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FailedError, NotFoundError } from '../../src/client/index.js';
import { parseTopology } from '../../src/domain/topology/index.js';
import { fleet } from '../support/fleet.js';
import { run, VERSION } from './harness.js';

const FILE = 'test/fixtures/topology.example.yaml';
const status = {
  ...{ cluster: 'test', perimeter: 1, rings: [], brakes: [], quarantined: [], blocked: [], graduated: [], queue: [] },
  ...{ autoDeploy: { state: 'running' } },
};
const parsed = parseTopology(fleet({ 2: 2 }));
const cells = (more: object = {}, answers: object = {}) => ({
  cluster: () => ({
    status: async () => ({ ...status, ...more }),
    topology: async () => parsed.ok && parsed.topology,
    forecast: async () => ({ version: VERSION, rings: [] }),
    judgeTopology: async () => [],
    ...answers,
  }),
});

it('shows where a package would go, what it would wait for, and what to type', async () => {
  const { exit, stdout } = await run(['plan', VERSION], cells());
  expect(exit).toBe(0);
  expect(stdout).toContain('ring 2 ring-2: 2 of 2 cells, first c2-1, at most 25 at once, nobody knows how long');
  expect(stdout).toContain(`  before: graduation, ${VERSION} has not graduated\n    → cellctl graduate ${VERSION}`);
});

it('says when each ring should converge, and which is late', async () => {
  const asked: unknown[] = [];
  const late = { ring: 2, name: 'r', exceptions: [], observed: {}, converged: null, desired: null, late: true };
  const answers = (expected: object) => ({
    forecast: async (ask: unknown) => {
      asked.push(ask);
      return { version: VERSION, rings: [{ ring: 2, version: VERSION, ...expected }] };
    },
  });
  const known = cells({ rings: [late] }, answers({ expectedAt: '2026-12-23T10:45:00Z' }));
  const { stdout } = await run(['plan', VERSION], known);
  expect(stdout).toContain('  expected to converge 10:45:00Z, if it graduates now\n  late with what it is getting now');
  expect(asked).toEqual([{ version: VERSION, planned: true }]);
  const graduated = [{ version: VERSION, graduatedAt: '', by: '', blocked: false, convergedAt: null }];
  const unknown = await run(['plan', VERSION], cells({ graduated }, answers({ unknown: 'ring 2 is halted' })));
  expect(unknown.stdout).toContain('  nobody knows when it converges: ring 2 is halted');
  expect(asked.at(-1)).toEqual({ version: VERSION });
});

it('of a topology says what the cluster itself would refuse; one of an earlier version is not asked', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plan-'));
  const file = join(folder, 'topology.json');
  writeFileSync(file, JSON.stringify(fleet({ 2: 2 })));
  const problem = { path: 'lanes.fast', value: 'missing', expected: 'the lane of V' };
  const refused = await run(['plan', file], cells({}, { judgeTopology: async () => [problem] }));
  const unasked = async () => {
    throw new FailedError('there is no such query', 'QueryNotRegistered');
  };
  const old = await run(['plan', file], cells({}, { judgeTopology: unasked }));
  rmSync(folder, { recursive: true });
  expect([refused.exit, refused.stdout]).toEqual([
    1,
    expect.stringContaining('refused: lanes.fast is missing; expected: the lane of V'),
  ]);
  expect(old.exit).toBe(0);
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
