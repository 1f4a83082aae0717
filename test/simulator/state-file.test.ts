import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { InputError, startSimulator } from '../../src/simulator/index.js';
import { AmpClient, closeAll, NEW, NEWER, OLD, order, TOPOLOGY } from './amp-client.js';
import { vectorAt } from './prometheus-api.js';

let folder: string;
let stateFile: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'simulator-'));
  stateFile = join(folder, 'state.jsonl');
});
afterEach(async () => {
  await closeAll();
  rmSync(folder, { recursive: true });
});

/** One life of a simulator on the state file. */
async function life<T>(work: (amp: AmpClient) => Promise<T>, options: object = {}): Promise<T> {
  const simulator = await startSimulator({ topology: TOPOLOGY, durationMs: 0, stateFile, ...options });
  try {
    return await work(new AmpClient(simulator.url));
  } finally {
    await simulator.close();
  }
}

test('tenants, jobs, keys and submissions outlive a restart', async () => {
  const before = await life(async (amp) => {
    await amp.post('k1', order());
    await amp.post('k1', order());
    await amp.addFault({ kind: 'changed-by-hand', cell: 'legacy', version: NEWER });
    return (await amp.control('GET', '/log')).body;
  });
  await life(
    async (amp) => {
      expect((await amp.control('GET', '/log')).body).toEqual(before);
      expect(before).toMatchObject({ jobs: [{ submissions: 2 }] });
      expect(await amp.tenant('t-1')).toMatchObject({ version: NEW, previous_version: OLD });
      expect((await amp.post('k1', order())).status).toBe(200);
      expect((await amp.post('k1', order({ version: NEWER }))).status).toBe(422);
      expect((await amp.post('k2', order())).body.id).toBe('job-2');
      const { body } = await amp.control<{ tenants: object[] }>('GET', '/state');
      expect(body.tenants[1]).toMatchObject({ cell_id: 'legacy', version: NEWER });
    },
    { initialVersion: null },
  );
});

test('a job goes on by the clock while nothing runs', async () => {
  const job = await life((amp) => amp.post('k', order()), { durationMs: 200, spread: 0 });
  await new Promise((resolve) => setTimeout(resolve, 250));
  await life(async (amp) => {
    const done = await amp.job(job.body.id);
    expect(done.state).toBe('succeeded');
    expect(Date.parse(done.finished_at ?? '') - Date.parse(done.created_at)).toBe(200);
    expect(await amp.tenant('t-1')).toMatchObject({ version: NEW, previous_version: OLD, active_job: null });
  });
});

test('a cancel that was asked for holds after a restart', async () => {
  const id = await life(
    async (amp) => {
      await amp.addFault({ kind: 'job-hangs', times: 1 });
      const { body } = await amp.post('k', order());
      await new Promise((resolve) => setTimeout(resolve, 60));
      expect((await amp.cancel(body.id)).body.state).toBe('running');
      return body.id;
    },
    { durationMs: 1000, spread: 0 },
  );
  await life(async (amp) => expect((await amp.ended(id)).state).toBe('canceled'));
});

test('faults that were asked for stay in force with their counts, and deleted ones stay away', async () => {
  await life(async (amp) => {
    await amp.addFault({ kind: 'job-fails', times: 1 });
    const gone = await amp.addFault({ kind: 'not-ready' });
    await amp.control('DELETE', `/faults/${gone}`);
    await amp.post('k1', order());
  });
  await life(async (amp) => {
    expect((await amp.control('GET', '/faults')).body).toMatchObject({ faults: [{ id: 'fault-1', hits: 1 }] });
    expect((await amp.post('k2', order())).body.state).toBe('succeeded');
    expect(await amp.addFault({ kind: 'not-ready' })).toBe('fault-3');
  });
});

test('a fault of a file is not counted anew after a restart', async () => {
  const faults = [
    { kind: 'job-fails', times: 1 },
    { kind: 'changed-by-hand', cell: 'cell-2', version: NEWER },
  ];
  await life(
    async (amp) => {
      expect((await amp.post('k1', order())).body.state).toBe('failed');
      await amp.post('k2', order({ tenant: 't-2' }));
    },
    { faults },
  );
  await life(
    async (amp) => {
      expect((await amp.post('k3', order())).body.state).toBe('succeeded');
      expect((await amp.tenant('t-2')).version).toBe(NEW);
    },
    { faults },
  );
});

test('a cell that joins the topology is there after a restart, with the ones that were', async () => {
  await life((amp) => amp.post('k1', order()));
  const joined = { ring: 3, cells: [{ id: 'cell-3', tenant: 't-3' }] };
  await life(
    async (amp) => {
      expect((await amp.tenant('t-3')).version).toBe(OLD);
      expect((await amp.tenant('t-1')).version).toBe(NEW);
    },
    { topology: { ...TOPOLOGY, rings: [...TOPOLOGY.rings, joined] } },
  );
});

test('the file is short again after a restart', async () => {
  await life(async (amp) => {
    await amp.post('k', order());
    for (let i = 0; i < 50; i += 1) await amp.post('k', order());
  });
  const long = readFileSync(stateFile, 'utf8').split('\n').length;
  await life(async (amp) => expect(await amp.jobs()).toHaveLength(1));
  expect(readFileSync(stateFile, 'utf8').split('\n').length).toBeLessThan(long - 40);
});

test('a torn last line is left out', async () => {
  await life((amp) => amp.post('k1', order()));
  appendFileSync(stateFile, '{"is":"job","job":{"job":{"id":"jo');
  await life(async (amp) => {
    expect(await amp.jobs()).toHaveLength(1);
    expect((await amp.post('k2', order())).status).toBe(201);
  });
  await life(async (amp) => expect(await amp.jobs()).toHaveLength(2));
});

test.each([
  ['{"is":"state","format":1}\n{"is":"jo\n{"is":"state","format":1}\n', 'line 2'],
  ['{"is":"state","format":1}\n{"is":"jo\n', 'line 2'],
  ['{"is":"state","format":2}\n', 'line 1.format'],
  ['{"is":"state","format":1}\n{"is":"submitted-again"}\n', 'line 2.id'],
  ['{"is":"weather"}\n', 'line 1.is'],
  ['[]\n', 'line 1'],
])('a broken line of %j is named: %s', async (text, path) => {
  writeFileSync(stateFile, text);
  const error: unknown = await life(() => Promise.resolve()).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(InputError);
  expect((error as InputError).problems[0]?.path).toBe(path);
  // A file that cannot be read is left as it is.
  expect(readFileSync(stateFile, 'utf8')).toBe(text);
});

test('a state file from before cells had a history is read: what a cell runs, it has run since ever', async () => {
  await life((amp) => amp.addFault({ kind: 'changed-by-hand', cell: 'legacy', version: NEW }));
  const old = readFileSync(stateFile, 'utf8').replaceAll(/,"installs":\[[^\]]*\]/g, '');
  expect(old).not.toContain('installs');
  writeFileSync(stateFile, old);
  await life(async ({ url }) => {
    const packages = await vectorAt(
      url,
      'count by (package) (gitlab_version_info)',
      Date.parse('2026-01-01T00:00:00Z'),
    );
    expect(packages).toEqual(
      new Map([
        [`{package="${NEW}"}`, '1'],
        [`{package="${OLD}"}`, '3'],
      ]),
    );
  });
});
