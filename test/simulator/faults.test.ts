import { afterEach, describe, expect, test } from 'vitest';
import { InputError, simulatedCellUrl, startSimulator } from '../../src/simulator/index.js';
import { closeAll, NEW, NEWER, OLD, order, simulate, TOPOLOGY, until } from './amp-client.js';

afterEach(closeAll);

describe('jobs that go wrong', () => {
  test.each([
    [{ stage: 'queued' }, { version: OLD, migrated_version: OLD, previous_version: null, state: 'ready' }],
    [
      { stage: 'install', switched: false },
      { version: OLD, migrated_version: OLD, previous_version: OLD },
    ],
    [
      { stage: 'install', switched: true },
      { version: NEW, migrated_version: OLD, previous_version: OLD },
    ],
    [{ stage: 'migrate' }, { version: NEW, migrated_version: NEW, state: 'failed' }],
    [{ stage: 'finish' }, { version: NEW, migrated_version: NEW, state: 'failed' }],
  ])('a job that fails with %j leaves %j', async (fault, tenant) => {
    for (const durationMs of [0, 50]) {
      const amp = await simulate({ durationMs });
      await amp.addFault({ kind: 'job-fails', cell: 'cell-1', error: 'broken', ...fault });
      const { body } = await amp.post('k', order({ post_deploy_migrations: 'include' }));
      const job = await amp.ended(body.id);
      expect(job).toMatchObject({ state: 'failed', error: 'broken' });
      expect(job.started_at === null).toBe(fault.stage === 'queued');
      expect(await amp.tenant('t-1')).toMatchObject(tenant);
    }
  });

  test('a fault strikes only what it names', async () => {
    const amp = await simulate();
    await amp.addFault({ kind: 'job-fails', tenant: 't-1', version: NEW, jobKind: 'configure' });
    expect((await amp.post('k1', order({ tenant: 't-2' }))).body.state).toBe('succeeded');
    expect((await amp.post('k2', order({ version: NEWER }))).body.state).toBe('succeeded');
    expect((await amp.post('k3', order({ kind: 'rollback' }))).body.state).toBe('succeeded');
    expect((await amp.post('k4', order())).body.state).toBe('failed');
  });

  test('a fault lets the first occasions pass, and strikes as often as it says', async () => {
    const amp = await simulate();
    const id = await amp.addFault({ kind: 'job-fails', after: 1, times: 2 });
    const states: string[] = [];
    for (const key of ['1', '2', '3', '4']) states.push((await amp.post(key, order())).body.state);
    expect(states).toEqual(['succeeded', 'failed', 'failed', 'succeeded']);
    const { body } = await amp.control('GET', '/faults');
    expect(body).toEqual({ faults: [{ id, kind: 'job-fails', after: 1, times: 2, hits: 2 }] });
  });

  test('migrations fail, alone and within a deployment; a deployment without them does not', async () => {
    const amp = await simulate();
    await amp.addFault({ kind: 'pdm-fails', cell: 'cell-1' });
    expect((await amp.post('k1', order())).body.state).toBe('succeeded');
    expect((await amp.post('k2', order({ kind: 'post_deploy_migrations' }))).body.state).toBe('failed');
    expect(await amp.tenant('t-1')).toMatchObject({ migrated_version: NEW, state: 'failed' });
    expect((await amp.post('k3', order({ post_deploy_migrations: 'include' }))).body.state).toBe('failed');
  });

  test('rollbacks fail, and deployments do not', async () => {
    const amp = await simulate();
    await amp.addFault({ kind: 'rollback-fails' });
    expect((await amp.post('k1', order())).body.state).toBe('succeeded');
    expect((await amp.post('k2', order({ kind: 'rollback', version: OLD }))).body.state).toBe('failed');
    expect((await amp.tenant('t-1')).version).toBe(NEW);
  });

  test('a job that hangs runs until it is cancelled', async () => {
    const amp = await simulate({ durationMs: 20 });
    await amp.addFault({ kind: 'job-hangs', switched: true });
    const { body: job } = await amp.post('k', order());
    await until(
      () => amp.tenant('t-1'),
      (tenant) => tenant.version === NEW,
    );
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect((await amp.job(job.id)).state).toBe('running');
    await amp.cancel(job.id);
    expect((await amp.ended(job.id)).state).toBe('canceled');
  });

  test('a job that ignores a cancel goes on hanging, and the log says that it was asked', async () => {
    const amp = await simulate();
    await amp.addFault({ kind: 'job-hangs', ignoreCancel: true });
    const { body: job } = await amp.post('k', order());
    expect((await amp.cancel(job.id)).body.state).toBe('running');
    expect((await amp.job(job.id)).state).toBe('running');
    const { body } = await amp.control<{ jobs: object[] }>('GET', '/log');
    expect(body.jobs).toMatchObject([{ cancel_requested_at: expect.any(String) }]);
  });

  test('a slow job takes so many times as long', async () => {
    const amp = await simulate({ durationMs: 50, spread: 0 });
    await amp.addFault({ kind: 'slow', factor: 4 });
    const { body } = await amp.post('k', order());
    const job = await amp.ended(body.id);
    expect(Date.parse(job.finished_at ?? '') - Date.parse(job.created_at)).toBe(200);
  });
});

describe('AMP that misbehaves', () => {
  test('an answer is lost, and the job is there', async () => {
    const amp = await simulate();
    await amp.addFault({ kind: 'answer-lost', method: 'POST', times: 1 });
    await expect(amp.post('k', order())).rejects.toThrow('fetch failed');
    expect(await amp.post('k', order())).toMatchObject({ status: 200, body: { state: 'succeeded' } });
  });

  test.each([500, 502, 503, 504, 429, 401, 403])('AMP answers %i before it does anything', async (status) => {
    const amp = await simulate();
    await amp.addFault({ kind: 'error-share', status, share: 1, retryAfter: 3, times: 1 });
    const refused = await amp.post('k', order());
    expect(refused.status).toBe(status);
    expect(refused.headers.get('retry-after')).toBe('3');
    expect(await amp.jobs()).toEqual([]);
  });

  test('AMP answers an error although it took the job', async () => {
    const amp = await simulate();
    await amp.addFault({ kind: 'error-share', status: 500, share: 1, processed: true, method: 'POST' });
    expect((await amp.post('k', order())).status).toBe(500);
    expect(await amp.jobs()).toHaveLength(1);
  });

  test('a share of the answers are errors, the same ones for the same seed', async () => {
    const outcomes = async (): Promise<number[]> => {
      const amp = await simulate({ seed: 5 });
      await amp.addFault({ kind: 'error-share', status: 503, share: 0.3 });
      const seen: number[] = [];
      for (let i = 0; i < 100; i += 1) seen.push((await amp.call('GET', '/v1/tenants/t-1')).status);
      return seen;
    };
    const first = await outcomes();
    const errors = first.filter((status) => status === 503).length;
    expect(errors).toBeGreaterThan(15);
    expect(errors).toBeLessThan(45);
    expect(await outcomes()).toEqual(first);
  });

  test('somebody else’s job takes an idle tenant at once', async () => {
    const amp = await simulate();
    await amp.addFault({ kind: 'tenant-busy', cell: 'cell-1', forMs: 600 });
    const busy = await amp.post('k', order());
    expect(busy.status).toBe(409);
    const foreign = await amp.job(busy.body.error.job_id ?? '');
    expect(foreign).toMatchObject({ state: 'running', idempotency_key: expect.stringMatching(/^foreign\//) });
    await amp.ended(foreign.id);
    expect((await amp.post('k', order())).status).toBe(201);
  });

  test('somebody else’s job takes a tenant as soon as its job has ended', async () => {
    const amp = await simulate();
    await amp.addFault({ kind: 'tenant-busy', tenant: 't-1', forMs: 60_000, after: 1 });
    expect((await amp.post('k1', order())).status).toBe(201);
    expect((await amp.post('k2', order({ version: NEWER }))).status).toBe(409);
  });

  test('a tenant is unknown, or another cell’s, or said to run another version', async () => {
    const amp = await simulate();
    const unknown = await amp.addFault({ kind: 'unknown-tenant', cell: 'cell-1' });
    expect((await amp.call('GET', '/v1/tenants/t-1')).status).toBe(404);
    expect((await amp.post('k', order())).status).toBe(404);
    expect((await amp.control('DELETE', `/faults/${unknown}`)).status).toBe(204);
    await amp.addFault({ kind: 'wrong-cell-id', tenant: 't-1', reports: 'cell-9' });
    await amp.addFault({ kind: 'wrong-version', where: 'amp', cell: 'cell-1', version: NEW, reports: NEWER });
    expect(await amp.tenant('t-1')).toMatchObject({ cell_id: 'cell-9', version: OLD });
    await amp.post('k', order());
    expect(await amp.tenant('t-1')).toMatchObject({ version: NEWER });
  });

  test('a tenant is changed by hand at once, also under a job', async () => {
    const amp = await simulate();
    await amp.addFault({ kind: 'changed-by-hand', tenant: 't-1', version: NEWER });
    expect(await amp.tenant('t-1')).toMatchObject({ version: NEWER, previous_version: null, migrated_version: OLD });
    expect((await amp.post('k', order({ expected_version: OLD }))).status).toBe(412);
  });

  test('a tenant that is changed by hand under a job keeps the change until the job installs', async () => {
    const amp = await simulate({ durationMs: 300, spread: 0 });
    const { body: job } = await amp.post('k', order());
    await amp.addFault({ kind: 'changed-by-hand', tenant: 't-1', version: NEWER });
    expect((await amp.tenant('t-1')).version).toBe(NEWER);
    expect(await amp.ended(job.id)).toMatchObject({ state: 'succeeded' });
    expect((await amp.tenant('t-1')).version).toBe(NEW);
  });
});

describe('cells that misbehave', () => {
  const readiness = async (url: string, cell: string) =>
    (await fetch(`${simulatedCellUrl(url, cell)}/-/readiness?all=1`)).status;

  test('a cell is not ready once it runs a version, until it is off it', async () => {
    const amp = await simulate();
    await amp.addFault({ kind: 'not-ready-after', version: NEW });
    expect(await readiness(amp.url, 'cell-1')).toBe(200);
    await amp.post('k1', order());
    const response = await fetch(`${simulatedCellUrl(amp.url, 'cell-1')}/-/readiness?all=1`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ db_check: [{ status: 'failed', message: expect.any(String) }] });
    expect(await readiness(amp.url, 'cell-2')).toBe(200);
    await amp.post('k2', order({ kind: 'rollback', version: OLD }));
    expect(await readiness(amp.url, 'cell-1')).toBe(200);
  });

  test('a cell becomes unready only some time after it runs a version', async () => {
    const amp = await simulate();
    await amp.addFault({ kind: 'not-ready-after', version: NEW, delayMs: 100 });
    await amp.post('k1', order());
    expect(await readiness(amp.url, 'cell-1')).toBe(200);
    await until(
      () => readiness(amp.url, 'cell-1'),
      (status) => status === 503,
    );
  });

  test('a cell is not ready now, until the fault is taken away', async () => {
    const amp = await simulate();
    await amp.addFault({ kind: 'not-ready', cell: 'cell-1' });
    expect(await readiness(amp.url, 'cell-1')).toBe(503);
    expect((await amp.control('DELETE', '/faults')).status).toBe(204);
    expect(await readiness(amp.url, 'cell-1')).toBe(200);
    expect((await amp.control('DELETE', '/faults/fault-1')).status).toBe(404);
  });

  test('a cell cannot be reached', async () => {
    const amp = await simulate();
    await amp.addFault({ kind: 'unreachable', cell: 'cell-1' });
    await expect(readiness(amp.url, 'cell-1')).rejects.toThrow('fetch failed');
    expect(await readiness(amp.url, 'cell-2')).toBe(200);
  });

  test('a cell reports another revision than its package’s', async () => {
    const amp = await simulate();
    await amp.addFault({ kind: 'wrong-version', cell: 'cell-1', version: NEW });
    await amp.post('k', order());
    const response = await fetch(`${simulatedCellUrl(amp.url, 'cell-1')}/api/v4/metadata`);
    expect(await response.json()).toMatchObject({ revision: 'badc0ffee00' });
    expect((await amp.tenant('t-1')).version).toBe(NEW);
  });

  test('a cell’s endpoints answer errors', async () => {
    const amp = await simulate();
    await amp.addFault({ kind: 'error-share', on: 'cell', cell: 'cell-1', status: 429, share: 1, retryAfter: 1 });
    expect(await readiness(amp.url, 'cell-1')).toBe(429);
    expect(await readiness(amp.url, 'cell-2')).toBe(200);
    expect((await amp.call('GET', '/v1/tenants/t-1')).status).toBe(200);
  });
});

describe('bad faults', () => {
  test.each([
    ['faults', { kind: 'slow' }],
    ['faults[0].kind', [{}]],
    ['faults[0].kind', [{ kind: 'explodes' }]],
    ['faults[0].factor', [{ kind: 'slow' }]],
    ['faults[0].factor', [{ kind: 'slow', factor: 0 }]],
    ['faults[1].stage', [{ kind: 'not-ready' }, { kind: 'job-fails', stage: 'cleanup' }]],
    ['faults[0].switched', [{ kind: 'job-fails', switched: 'yes' }]],
    ['faults[0].jobKind', [{ kind: 'job-hangs', jobKind: 'deploy' }]],
    ['faults[0].jobkind', [{ kind: 'job-hangs', jobkind: 'configure' }]],
    ['faults[0].status', [{ kind: 'error-share', share: 1, status: 418 }]],
    ['faults[0].share', [{ kind: 'error-share', status: 500 }]],
    ['faults[0].share', [{ kind: 'error-share', status: 500, share: 1.5 }]],
    ['faults[0].times', [{ kind: 'not-ready', times: 0 }]],
    ['faults[0].after', [{ kind: 'not-ready', after: 0.5 }]],
    ['faults[0].version', [{ kind: 'not-ready-after' }]],
    ['faults[0].method', [{ kind: 'answer-lost', method: 'DELETE' }]],
    ['faults[0].forMs', [{ kind: 'tenant-busy', cell: 'cell-1', forMs: '1s' }]],
    ['faults[0].cell', [{ kind: 'tenant-busy', forMs: 10 }]],
    ['faults[0].cell', [{ kind: 'unreachable', cell: 'cell-77' }]],
    ['faults[0].tenant', [{ kind: 'changed-by-hand', tenant: 't-77', version: NEW }]],
    ['faults[0].size', [{ kind: 'error-burst' }]],
    ['faults[0].size', [{ kind: 'latency', size: 0 }]],
    ['faults[0].size', [{ kind: 'traffic-loss', size: 1.1 }]],
    ['faults[0].type', [{ kind: 'latency', size: 0.1, type: 'gitaly' }]],
    ['faults[0].component', [{ kind: 'saturation', size: 0.1, component: 'brain' }]],
    ['faults[0].component', [{ kind: 'error-burst', size: 0.1, component: 'disk_space' }]],
    ['faults[0].rampMs', [{ kind: 'slow-drift', signal: 'apdex', size: 0.1 }]],
    ['faults[0].signal', [{ kind: 'slow-drift', signal: 'version', size: 0.1, rampMs: 1 }]],
    ['faults[0].type', [{ kind: 'slow-drift', signal: 'saturation', size: 0.1, rampMs: 1, type: 'git' }]],
    ['faults[0].component', [{ kind: 'slow-drift', signal: 'apdex', size: 0.1, rampMs: 1, component: 'disk_space' }]],
    ['faults[0].signals', [{ kind: 'missing-series', signals: [] }]],
    ['faults[0].signals[1]', [{ kind: 'frozen-values', signals: ['apdex', 'mood'] }]],
    ['faults[0].startAt', [{ kind: 'missing-series', startAt: '2026-11-21T12:00:00' }]],
    ['faults[0].orNewer', [{ kind: 'missing-series', orNewer: true }]],
    ['faults[0].times', [{ kind: 'missing-series', times: 1 }]],
  ])('the path %s is named for %j', async (path, faults) => {
    const started = startSimulator({ topology: TOPOLOGY, faults });
    const error: unknown = await started.then((simulator) => simulator.close()).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).problems).toMatchObject([{ path, value: expect.any(String) }]);
  });

  test('a fault that is asked for badly is refused with its path, and none of its list is in force', async () => {
    const amp = await simulate();
    const bad = [{ kind: 'not-ready' }, { kind: 'slow', factor: -1 }];
    expect(await amp.control('POST', '/faults', bad)).toMatchObject({
      status: 422,
      body: { error: { code: 'invalid_fault', problems: [{ path: 'faults[1].factor', value: '-1' }] } },
    });
    expect((await amp.control('GET', '/faults')).body).toEqual({ faults: [] });
  });
});
