import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AmpClient, NEW, OLD, order, TOPOLOGY, until } from './amp-client.js';
import { rangeOf, vectorAt } from './prometheus-api.js';

const MAIN = fileURLToPath(new URL('../../src/simulator/main.ts', import.meta.url));
const { AMP_TOKEN: _token, ...env } = process.env;

let folder: string;
let topology: string;
const children: ChildProcess[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'simulator-'));
  topology = file('topology.yaml', JSON.stringify(TOPOLOGY));
});
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function run(flags: string[], more: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...flags], { env: { ...env, ...more } });
  children.push(child);
  return child;
}

async function listening(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('no standard output');
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return (JSON.parse(line) as { listening: string }).listening;
}

async function ended(child: ChildProcess): Promise<{ status: number; stdout: string; stderr: string }> {
  const text = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk) => (text.stdout += String(chunk)));
  child.stderr?.on('data', (chunk) => (text.stderr += String(chunk)));
  const [status] = (await once(child, 'close')) as [number];
  return { status, ...text };
}

/** Longer than a process of a busy machine takes to be there again. */
const JOB_MS = 10_000;

test('a simulator that is killed in the middle of its jobs goes on with them, and remembers every key', async () => {
  const state = join(folder, 'state.jsonl');
  const flags = ['--topology', topology, '--port', '0', '--state', state, '--duration', `${JOB_MS}ms`, '--spread', '0'];
  const first = run(flags);
  const before = new AmpClient(await listening(first));
  const { body: running } = await before.post('k1', order());
  await until(
    () => before.job(running.id),
    (job) => job.state === 'running',
  );
  const { body: queued } = await before.post('k2', order({ tenant: 't-2' }));
  first.kill('SIGKILL');
  await once(first, 'close');

  const second = run(flags);
  const after = new AmpClient(await listening(second));
  expect(await after.post('k1', order())).toMatchObject({ status: 200, body: { id: running.id } });
  expect((await after.post('k3', order())).status).toBe(409);
  expect(await after.job(running.id)).toMatchObject({ state: 'running', from_version: OLD });
  for (const { id, created_at } of [running, queued]) {
    const job = await after.ended(id, 2 * JOB_MS);
    expect(job).toMatchObject({ state: 'succeeded', created_at });
    expect(Date.parse(job.finished_at ?? '') - Date.parse(created_at)).toBe(JOB_MS);
  }
  expect(await after.tenant('t-2')).toMatchObject({ version: NEW, previous_version: OLD, active_job: null });
  const log = await after.control<{ jobs: object[] }>('GET', '/log');
  expect(log.body.jobs).toMatchObject([{ submissions: 2 }, { submissions: 1 }]);
  second.kill('SIGTERM');
  expect(await once(second, 'close')).toEqual([0, null]);
}, 60_000);

test('a simulator that is killed goes on with the same metrics, and remembers faults and packages of the past', async () => {
  const flags = ['--topology', topology, '--port', '0', '--state', join(folder, 'killed.jsonl'), '--duration', '0'];
  const first = run(flags);
  const before = new AmpClient(await listening(first));
  await before.post('k', order());
  await before.addFault({ kind: 'error-burst', cell: 'cell-1', size: 0.2, startAt: '2026-01-01T00:00:00Z' });
  const endMs = Date.now();
  const curves = (url: string) =>
    rangeOf(url, '{cell="cell-1"}', { startMs: endMs - 3_600_000, endMs, stepMs: 60_000 });
  const curvesBefore = await curves(before.url);
  expect(curvesBefore.size).toBe(17);
  first.kill('SIGKILL');
  await once(first, 'close');

  const second = run(flags);
  expect(await curves(await listening(second))).toEqual(curvesBefore);
  second.kill('SIGKILL');
}, 60_000);

test('a token of the environment is asked for', async () => {
  const child = run(['--topology', topology, '--port', '0'], { AMP_TOKEN: 'secret' });
  const url = await listening(child);
  expect((await new AmpClient(url).call('GET', '/v1/tenants/t-1')).status).toBe(401);
  const known = new AmpClient(url, { authorization: 'Bearer secret' });
  expect((await known.call('GET', '/v1/tenants/t-1')).status).toBe(200);
  child.kill('SIGKILL');
}, 20_000);

test('it says at its start that it answers in the place of a Prometheus', async () => {
  const child = run(['--topology', topology, '--port', '0', '--day', '1m', '--quiet', 'cell-2']);
  const said = once(child.stderr as Readable, 'data');
  const url = await listening(child);
  expect(String(await said)).toContain('answers /api/v1/query and /api/v1/query_range itself');
  const traffic = await vectorAt(url, 'max by (cell) (gitlab_service_ops:rate_5m)', Date.now());
  expect(traffic.get('{cell="cell-2"}')).toBe('0');
  expect(Number(traffic.get('{cell="qa"}'))).toBeGreaterThan(0);
  child.kill('SIGKILL');
}, 20_000);

describe('bad input', () => {
  test.each([
    ['no port', () => ['--topology', topology], /--port: nothing; expected a whole number from 0 to 65535/],
    ['a bad port', () => ['--topology', topology, '--port', 'http'], /--port: "http"; expected/],
    ['no topology', () => ['--port', '0'], /--topology: nothing; expected a file/],
    ['a bad duration', () => ['--topology', topology, '--port', '0', '--duration', '5'], /--duration: "5"; expected/],
    ['an unknown flag', () => ['--topologie', topology], /unknown option '--topologie'/],
    [
      'a missing file',
      () => ['--topology', '/nowhere.yaml', '--port', '0'],
      /nowhere.yaml: .*expected a readable file/,
    ],
    [
      'a topology that is not YAML',
      () => ['--topology', file('broken.yaml', 'rings: [}'), '--port', '0'],
      /broken.yaml: .*expected YAML or JSON/,
    ],
    [
      'a topology without rings',
      () => ['--topology', file('no-rings.yaml', 'cluster: x'), '--port', '0'],
      /no-rings.yaml: rings: nothing; expected a list of rings/,
    ],
    [
      'a bad fault',
      () => ['--topology', topology, '--port', '0', '--faults', file('faults.yaml', '- { kind: slow, factor: fast }')],
      /faults.yaml: faults\[0\].factor: "fast"; expected a number above 0/,
    ],
    [
      'a broken state file',
      () => ['--topology', topology, '--port', '0', '--state', file('broken.jsonl', '{"is":\n{}\n')],
      /broken.jsonl: line 1: .*expected one JSON object/,
    ],
  ])(
    '%s ends with status 2 and says what is expected',
    async (_name, flags, message) => {
      const { status, stdout, stderr } = await ended(run(flags()));
      expect(stderr).toMatch(message);
      expect(stdout).toBe('');
      expect(status).toBe(2);
    },
    20_000,
  );
});
