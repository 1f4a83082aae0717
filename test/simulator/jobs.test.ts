import { afterEach, describe, expect, test } from 'vitest';
import { AmpClient, closeAll, NEW, NEWER, OLD, order, simulate, until } from './amp-client.js';

afterEach(closeAll);

describe('submitting', () => {
  test('a new key gives a new job, and the same key the same job whatever has happened since', async () => {
    const amp = await simulate();
    const body = order({ expected_version: OLD });
    const first = await amp.post('k', body);
    expect(first.status).toBe(201);
    expect(first.body).toMatchObject({ tenant: 't-1', kind: 'configure', state: 'succeeded', from_version: OLD });
    // By now the tenant does not run the expected version any more: the key is looked at first.
    const again = await amp.post('k', body);
    expect(again.status).toBe(200);
    expect(again.body).toEqual(first.body);
  });

  test('the order of a body’s fields makes no other body', async () => {
    const amp = await simulate();
    const body = order();
    await amp.post('k', body);
    const reversed = Object.fromEntries(Object.entries(body).reverse());
    expect((await amp.post('k', reversed)).status).toBe(200);
  });

  test('the same key gives its job while the tenant is busy with it', async () => {
    const amp = await simulate({ durationMs: 10_000 });
    const first = await amp.post('k', order());
    expect(await amp.post('k', order())).toMatchObject({ status: 200, body: { id: first.body.id } });
  });

  test('the same key with another body is refused, also where that body is bad', async () => {
    const amp = await simulate();
    await amp.post('k', order());
    for (const body of [order({ version: NEWER }), { nonsense: true }, 'not json']) {
      expect(await amp.post('k', body)).toMatchObject({
        status: 422,
        body: { error: { code: 'idempotency_key_reused' } },
      });
    }
  });

  test('a job without a key is refused', async () => {
    const amp = await simulate();
    const { status, body } = await amp.post(null, order());
    expect(status).toBe(422);
    expect(body.error.message).toMatch(/Idempotency-Key/);
  });

  test.each([
    ['tenant', order({ tenant: undefined })],
    ['kind', order({ kind: 'upgrade' })],
    ['version', order({ version: '' })],
    ['version', order({ version: 17 })],
    ['expected_version', order({ expected_version: null })],
    ['chart_version', order({ chart_version: 8 })],
    ['scope', order({ scope: undefined })],
    ['post_deploy_migrations', order({ post_deploy_migrations: true })],
    ['expectedVersion', order({ expectedVersion: OLD })],
    ['object', '{"tenant":'],
    ['object', ''],
  ])('a body that is wrong in %s is refused with its name', async (field, body) => {
    const amp = await simulate();
    const answer = await amp.post('k', body);
    expect(answer.status).toBe(422);
    expect(answer.body.error.message).toContain(field);
    expect(await amp.jobs()).toEqual([]);
  });

  test('a refused key stays free', async () => {
    const amp = await simulate();
    await amp.post('k', order({ tenant: 'nobody' }));
    expect((await amp.post('k', order())).status).toBe(201);
  });

  test('an unknown tenant is 404', async () => {
    const amp = await simulate();
    expect((await amp.post('k', order({ tenant: 'nobody' }))).status).toBe(404);
    expect((await amp.call('GET', '/v1/tenants/nobody')).status).toBe(404);
    expect((await amp.call('GET', '/v1/jobs/nothing')).status).toBe(404);
    expect((await amp.cancel('nothing')).status).toBe(404);
  });

  test('a tenant with a job under way is busy, and the answer names the job', async () => {
    const amp = await simulate({ durationMs: 10_000 });
    const first = await amp.post('k1', order());
    const second = await amp.post('k2', order());
    expect(second.status).toBe(409);
    expect(second.body.error).toMatchObject({ code: 'tenant_busy', job_id: first.body.id });
    expect((await amp.post('k3', order({ tenant: 't-2' }))).status).toBe(201);
  });

  test('a tenant that runs another version than expected is 412 with what it runs', async () => {
    const amp = await simulate();
    const { status, body } = await amp.post('k', order({ expected_version: NEWER }));
    expect(status).toBe(412);
    expect(body.error).toMatchObject({ code: 'version_changed', version: OLD });
  });

  test('a tenant that runs nothing that AMP knows of expects nothing', async () => {
    const amp = await simulate({ initialVersion: null });
    const { status, body } = await amp.post('k', order({ expected_version: OLD }));
    expect(status).toBe(412);
    expect(body.error.version).toBeNull();
    await amp.post('k', order());
    expect(await amp.tenant('t-1')).toMatchObject({ version: NEW, previous_version: null, migrated_version: null });
  });

  test('a token is asked for where one is set', async () => {
    const amp = await simulate({ token: 'secret' });
    expect((await amp.post('k', order())).status).toBe(201);
    for (const stranger of [new AmpClient(amp.url), new AmpClient(amp.url, { authorization: 'Bearer guess' })]) {
      expect((await stranger.post('k', order())).status).toBe(401);
      expect((await stranger.call('GET', '/v1/tenants/t-1')).status).toBe(401);
    }
  });
});

describe('what a job does to its tenant', () => {
  test('a configure remembers what the tenant ran, and infers the chart where none is named', async () => {
    const amp = await simulate();
    await amp.post('k1', order());
    expect(await amp.tenant('t-1')).toEqual({
      tenant: 't-1',
      cell_id: 'cell-1',
      version: NEW,
      previous_version: OLD,
      chart_version: '8.10.202503180906',
      previous_chart_version: '8.9.202502010900',
      migrated_version: OLD,
      state: 'ready',
      active_job: null,
    });
    await amp.post('k2', order({ version: NEWER, chart_version: '8.10.1-rc2' }));
    expect(await amp.tenant('t-1')).toMatchObject({
      version: NEWER,
      previous_version: NEW,
      chart_version: '8.10.1-rc2',
      previous_chart_version: '8.10.202503180906',
    });
  });

  test('a configure to the version that runs already does not change what it ran before', async () => {
    const amp = await simulate();
    await amp.post('k1', order());
    await amp.post('k2', order({ chart_version: '8.10.1-rc2' }));
    expect(await amp.tenant('t-1')).toMatchObject({
      version: NEW,
      chart_version: '8.10.1-rc2',
      previous_version: OLD,
      previous_chart_version: '8.9.202502010900',
    });
  });

  test('a rollback installs what it names and leaves what the tenant ran before', async () => {
    const amp = await simulate();
    await amp.post('k1', order());
    const back = { kind: 'rollback', version: OLD, chart_version: '8.9.202502010900', expected_version: NEW };
    await amp.post('k2', order(back));
    const after = { version: OLD, chart_version: '8.9.202502010900', previous_version: OLD };
    expect(await amp.tenant('t-1')).toMatchObject(after);
    // A reinstall of what runs is a rollback too.
    expect(await amp.post('k3', order({ ...back, expected_version: OLD }))).toMatchObject({
      status: 201,
      body: { state: 'succeeded' },
    });
    expect(await amp.tenant('t-1')).toMatchObject(after);
  });

  test('migrations that are included begin after the version changed, and before the job ended', async () => {
    const amp = await simulate({ durationMs: 400, spread: 0 });
    const { body: job } = await amp.post('k', order({ post_deploy_migrations: 'include' }));
    const seen: string[] = [];
    await until(
      async () => {
        const tenant = await amp.tenant('t-1');
        const now = `${tenant.version === NEW} ${tenant.migrated_version === NEW} ${tenant.state}`;
        if (seen.at(-1) !== now) seen.push(now);
        return tenant;
      },
      (tenant) => tenant.active_job === null,
    );
    expect(seen.filter((now) => !now.endsWith('ready'))).toEqual([
      'false false changing',
      'true false changing',
      'true true changing',
    ]);
    expect(seen.at(-1)).toBe('true true ready');
    expect((await amp.job(job.id)).state).toBe('succeeded');
  });

  test('a job is queued, then running, then succeeded, and takes its time', async () => {
    const amp = await simulate({ durationMs: 300, spread: 0 });
    const { body: queued } = await amp.post('k', order());
    expect(queued).toMatchObject({ state: 'queued', started_at: null, finished_at: null });
    expect((await amp.tenant('t-1')).active_job).toBe(queued.id);
    await until(
      () => amp.job(queued.id),
      (job) => job.state === 'running' && job.started_at !== null,
    );
    const done = await amp.ended(queued.id);
    expect(done.state).toBe('succeeded');
    expect(Date.parse(done.finished_at ?? '') - Date.parse(done.created_at)).toBe(300);
  });

  test('migrations alone run only where the tenant runs that version', async () => {
    const amp = await simulate();
    const pdm = { kind: 'post_deploy_migrations', version: NEW };
    const early = await amp.post('k1', order(pdm));
    expect(early.body).toMatchObject({ state: 'failed', error: expect.stringContaining(OLD) });
    expect(await amp.tenant('t-1')).toMatchObject({ migrated_version: OLD, state: 'failed' });
    await amp.post('k2', order());
    expect((await amp.post('k3', order(pdm))).body.state).toBe('succeeded');
    expect(await amp.tenant('t-1')).toMatchObject({ migrated_version: NEW, state: 'ready' });
  });

  test('the newest migrations count: a rollback does not take them back', async () => {
    const amp = await simulate();
    await amp.post('k1', order({ version: NEWER, post_deploy_migrations: 'include' }));
    await amp.post('k2', order({ kind: 'rollback', version: NEW }));
    await amp.post('k3', order({ kind: 'post_deploy_migrations', version: NEW }));
    expect(await amp.tenant('t-1')).toMatchObject({ version: NEW, migrated_version: NEWER });
  });

  test('smoke tests succeed where the cell is ready, and change nothing', async () => {
    const amp = await simulate();
    const smoke = { kind: 'smoke_tests', version: OLD };
    expect((await amp.post('k1', order(smoke))).body.state).toBe('succeeded');
    await amp.addFault({ kind: 'not-ready', cell: 'cell-1' });
    expect((await amp.post('k2', order(smoke))).body).toMatchObject({
      state: 'failed',
      error: expect.stringContaining('not ready'),
    });
    expect(await amp.tenant('t-1')).toMatchObject({ state: 'ready', version: OLD });
  });
});

describe('cancelling', () => {
  test('a queued job that is cancelled has changed nothing', async () => {
    const amp = await simulate({ durationMs: 60_000 });
    const { body: job } = await amp.post('k', order());
    const canceled = await amp.cancel(job.id);
    expect(canceled.body).toMatchObject({ state: 'canceled', started_at: null, finished_at: expect.any(String) });
    expect(await amp.tenant('t-1')).toMatchObject({ version: OLD, previous_version: null, active_job: null });
    expect((await amp.post('k2', order())).status).toBe(201);
  });

  test('a running job stops a little later', async () => {
    const amp = await simulate({ durationMs: 2000, spread: 0 });
    const { body: job } = await amp.post('k', order());
    await until(
      () => amp.job(job.id),
      (seen) => seen.state === 'running',
    );
    expect((await amp.cancel(job.id)).body.state).toBe('running');
    expect((await amp.cancel(job.id)).body.state).toBe('running');
    expect(await amp.ended(job.id)).toMatchObject({ state: 'canceled', error: null });
    expect(await amp.tenant('t-1')).toMatchObject({ version: OLD, previous_version: OLD, active_job: null });
  });

  test('a finished job stays as it is', async () => {
    const amp = await simulate();
    const { body: job } = await amp.post('k', order());
    expect((await amp.cancel(job.id)).body).toEqual(job);
  });
});

describe('listing', () => {
  test('jobs come newest first, by tenant, by state, and as many as asked for', async () => {
    const amp = await simulate();
    await amp.addFault({ kind: 'job-fails', version: NEWER });
    await amp.post('k1', order());
    await amp.post('k2', order({ tenant: 't-2' }));
    await amp.post('k3', order({ version: NEWER }));
    await amp.addFault({ kind: 'job-hangs', cell: 'cell-2' });
    await amp.post('k4', order({ tenant: 't-2', version: NEWER }));
    const keys = async (query: string) => (await amp.jobs(query)).map((job) => job.idempotency_key);
    expect(await keys('')).toEqual(['k4', 'k3', 'k2', 'k1']);
    expect(await keys('?limit=2')).toEqual(['k4', 'k3']);
    expect(await keys('?tenant=t-1')).toEqual(['k3', 'k1']);
    expect(await keys('?tenant=t-1&state=failed')).toEqual(['k3']);
    expect(await keys('?state=running')).toEqual(['k4']);
    expect(await keys('?state=succeeded&limit=1')).toEqual(['k2']);
    expect(await keys('?tenant=nobody')).toEqual([]);
  });

  test.each(['limit=0', 'limit=many', 'state=done'])('the filter %s is refused by name', async (filter) => {
    const amp = await simulate();
    const answer = await amp.call('GET', `/v1/jobs?${filter}`);
    expect(answer.status).toBe(422);
    expect(answer.body.error.message).toContain(filter.split('=')[0]);
  });
});

test('the log tells everything about every job, oldest first', async () => {
  const amp = await simulate({ seed: 7 });
  const body = order({ expected_version: OLD, reason: 'because' });
  await amp.post('k1', body);
  await amp.post('k1', body);
  await amp.post('k2', order({ version: NEWER }));
  const log = await amp.control<{ jobs: { created_at: string }[] }>('GET', '/log');
  expect(log.body.jobs).toMatchObject([
    {
      id: 'job-1',
      cell: 'cell-1',
      scope: 'application',
      post_deploy_migrations: 'skip',
      expected_version: OLD,
      chart_version: '8.10.202503180906',
      from_chart_version: '8.9.202502010900',
      cancel_requested_at: null,
      reason: 'because',
      submissions: 2,
      tenant_after: { version: NEW },
    },
    { id: 'job-2', from_version: NEW, submissions: 1, tenant_after: { version: NEWER, previous_version: NEW } },
  ]);
  const later = new Date(Date.now() + 1000).toISOString();
  expect((await amp.control('GET', `/log?since=${later}`)).body).toEqual({ jobs: [] });
  expect((await amp.control('GET', '/log?since=yesterday')).status).toBe(422);
});
