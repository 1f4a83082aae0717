import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Activities, CellRef, JobOrder } from '../../src/contract/activities.js';
import { FAILURE } from '../../src/contract/failures.js';
import { jobKey } from '../../src/contract/ids.js';
import { activitiesOn, attempt, until } from './environment.js';
import { FakeAmp, NEW, OLD } from './fake-amp.js';

const OTHER = '17.11.202503250906-1a387d336a7.c1c3e017782';
const POST_JOB = /^POST \/v1\/jobs$/;
const keyOf = (pass: string, cluster = 'prod') =>
  jobKey({ cluster, pass, cell: 'c1', kind: 'configure', version: NEW, order: 1 });

let amp: FakeAmp;
let activities: Activities;
let cell: CellRef;

beforeEach(async () => {
  amp = await FakeAmp.start();
  activities = activitiesOn(amp.url);
  cell = amp.addCell('c1');
});
afterEach(() => amp.stop());

const order = (changes: Partial<JobOrder> = {}): JobOrder => ({
  cluster: 'prod',
  ring: 2,
  cell,
  key: keyOf('pass-1'),
  kind: 'configure',
  version: NEW,
  chartVersion: 'chart-new',
  expectedVersion: OLD,
  scope: 'application',
  postDeployMigrations: 'skip',
  reason: 'package-rollout',
  requireReady: true,
  jobTimeoutMs: 60_000,
  cancelTimeoutMs: 2_000,
  pollIntervalMs: 50,
  ...changes,
});
const run = (changes: Partial<JobOrder> = {}) => attempt().run(activities.runJob, order(changes));

describe('the good path', () => {
  it('orders one job, heartbeats its id at once, and reports what the tenant ran before', async () => {
    amp.next = { takesMs: 300, ends: 'succeeded' };
    const here = attempt();
    const report = await here.run(activities.runJob, order());
    const job = amp.jobs[0];
    expect(report).toMatchObject({
      outcome: 'succeeded',
      job: { id: job?.id, fromVersion: OLD, fromChartVersion: 'chart-old', startedAt: job?.started_at },
    });
    expect(amp.jobs).toHaveLength(1);
    expect(JSON.parse(job?.body ?? '')).toEqual({
      tenant: cell.tenant,
      kind: 'configure',
      version: NEW,
      expected_version: OLD,
      chart_version: 'chart-new',
      scope: 'application',
      post_deploy_migrations: 'skip',
      reason: 'package-rollout',
    });
    expect(here.heartbeats).toContainEqual({ jobId: job?.id, before: expect.objectContaining({ version: OLD }) });
  });

  it('does not poll a job that has ended by the time it is answered', async () => {
    expect((await run()).outcome).toBe('succeeded');
    expect(amp.requests.filter((request) => request.includes('/v1/'))).toEqual([
      `GET /v1/tenants/${cell.tenant}`,
      'POST /v1/jobs',
    ]);
  });

  it('looks at a young job more often than its interval says', async () => {
    amp.next = { takesMs: 1_100, ends: 'succeeded' };
    const beganMs = Date.now();
    expect((await run({ pollIntervalMs: 60_000 })).outcome).toBe('succeeded');
    expect(Date.now() - beganMs).toBeLessThan(20_000);
  });

  it('looks at an old job at its interval', async () => {
    const job = amp.begin(cell, keyOf('pass-1'), 2_500);
    job.started_at = new Date(Date.now() - 3_600_000).toISOString();
    expect((await run({ pollIntervalMs: 1_500 })).outcome).toBe('succeeded');
    // Once where it is found, and then at most every 1.2 s, an interval less a fifth.
    expect(amp.count(/^GET \/v1\/jobs\/[^?]/)).toBeLessThanOrEqual(4);
  });

  it.each([
    ['behind ours: it is taken to ours', -15, 15],
    ['ahead of ours: it is left as it is', 15, 0],
  ])('knows when it ended where the clock of AMP is %s', async (_, minutes, laterMinutes) => {
    const shiftMs = minutes * 60_000;
    const date = new Date(Date.now() + shiftMs).toUTCString();
    const ended = new Date(Date.now() + shiftMs - 5_000).toISOString();
    const job = amp.begin(cell, keyOf('pass-1'), 60_000);
    Object.assign(job, { state: 'succeeded', finished_at: ended });
    amp.fault(/^GET \/v1\/jobs/, { status: 200, headers: { date }, body: { jobs: [job] } });
    const report = await run({ findOnly: true });
    if (report.outcome !== 'succeeded') throw new Error(report.outcome);
    expect(report.job.finishedAt).toBe(ended);
    const laterMs = (report.job.finishedMs ?? 0) - Date.parse(ended);
    expect(Math.round(laterMs / 60_000)).toBe(laterMinutes);
  });

  it('reports a job that fails with the words of AMP', async () => {
    amp.next = { takesMs: 50, ends: 'failed' };
    expect(await run()).toMatchObject({ outcome: 'failed', job: { error: 'it broke' } });
  });
});

describe('an order that was given before', () => {
  it('survives an answer that is lost: the same key again, one job', async () => {
    amp.fault(POST_JOB, 'lose-answer');
    expect((await run()).outcome).toBe('succeeded');
    expect(amp.count(POST_JOB)).toBe(2);
    expect(amp.jobs).toHaveLength(1);
  });

  it('adopts the job of a killed worker that still runs, and orders nothing', async () => {
    const job = amp.begin(cell, keyOf('pass-1'), 200);
    expect(await run()).toMatchObject({ outcome: 'succeeded', job: { id: job.id, fromChartVersion: 'chart-old' } });
    expect(amp.count(POST_JOB)).toBe(0);
  });

  it('adopts the job of a killed worker that has ended, also where the tenant runs the new version by now', async () => {
    const job = amp.begin(cell, keyOf('pass-1'), 0);
    expect(await run()).toMatchObject({ outcome: 'succeeded', job: { id: job.id, fromChartVersion: 'chart-old' } });
    expect(amp.jobs).toHaveLength(1);
  });

  it('finds its failed job behind a cell that is not ready any more', async () => {
    const job = amp.begin(cell, keyOf('pass-1'), 0, 'failed');
    amp.cell('c1').readiness = 'not-ready';
    expect(await run()).toMatchObject({ outcome: 'failed', job: { id: job.id } });
  });

  it('goes on with the job named in the heartbeat of the attempt before', async () => {
    const job = amp.begin(cell, keyOf('pass-1'), 200);
    const before = {
      version: OLD,
      chartVersion: 'chart-noted',
      migratedVersion: null,
      previousVersion: null,
      previousChartVersion: null,
    };
    const report = await attempt({ heartbeatDetails: { jobId: job.id, before } }).run(activities.runJob, order());
    expect(report).toMatchObject({ outcome: 'succeeded', job: { id: job.id, fromChartVersion: 'chart-noted' } });
    expect(amp.requests.every((request) => request === `GET /v1/jobs/${job.id}`)).toBe(true);
  });

  it('finds its job behind a 422 that is about its own key', async () => {
    amp.begin(cell, keyOf('pass-1'), 0, 'canceled');
    expect((await run()).outcome).toBe('canceled');
    expect(amp.jobs).toHaveLength(1);
  });
});

describe('any one request', () => {
  const faults = [0, 1, 2, 3].flatMap((after) => (['drop', 'lose-answer'] as const).map((fault) => ({ after, fault })));
  it.each(faults)('number $after that meets "$fault" leaves one job, that succeeds', async ({ after, fault }) => {
    amp.next = { takesMs: 150, ends: 'succeeded' };
    amp.fault(/\/v1\//, fault, 1, after);
    expect((await run()).outcome).toBe('succeeded');
    expect(amp.jobs).toHaveLength(1);
  });
});

describe('a tenant that another job holds', () => {
  it('is busy where the job is a stranger’s', async () => {
    const job = amp.begin(cell, 'somebody/else', 10_000);
    const report = await run();
    expect(report).toMatchObject({ outcome: 'not-ordered', why: 'busy', seen: { version: OLD } });
    expect(report).toHaveProperty('detail', expect.stringContaining(job.id));
  });

  it('is waited for where the job is other work of an older pass of ours, and then looked at again', async () => {
    amp.begin(cell, keyOf('pass-0'), 200, 'succeeded', OTHER);
    expect(await run()).toMatchObject({ outcome: 'not-ordered', why: 'changed', seen: { version: OTHER } });
    expect(amp.count(POST_JOB)).toBe(0);
  });

  it.each(['succeeded', 'failed'] as const)(
    'is adopted where the job is the same work of an older pass of ours: it %s, and nothing is ordered',
    async (outcome) => {
      const job = amp.begin(cell, keyOf('pass-0'), 200, outcome);
      expect(await run()).toMatchObject({ outcome, job: { id: job.id } });
      expect(amp.count(POST_JOB)).toBe(0);
    },
  );

  it('is busy where the job is another cluster’s', async () => {
    amp.begin(cell, keyOf('pass-0', 'other'), 10_000);
    expect(await run()).toMatchObject({ why: 'busy' });
  });

  it.each([
    ['of our own key', keyOf('pass-1'), { outcome: 'succeeded' }],
    ['of an older pass, for the same work', keyOf('pass-0'), { outcome: 'succeeded' }],
    ['of a stranger', 'somebody/else', { outcome: 'not-ordered', why: 'busy' }],
  ])('gives way after a 409 whose job is %s', async (_, key, expected) => {
    const tenant = { ...amp.tenant(cell) };
    const job = amp.begin(cell, key, 300);
    amp.fault(/^GET \/v1\/tenants/, { status: 200, body: tenant });
    amp.fault(POST_JOB, { status: 409, body: { error: { code: 'tenant_busy', job_id: job.id } } });
    expect(await run()).toMatchObject(expected);
    expect(amp.jobs).toHaveLength(1);
  });

  it('is busy where other work of an older pass never ends', async () => {
    amp.begin(cell, keyOf('pass-0'), 60_000, 'succeeded', OTHER);
    expect(await run({ jobTimeoutMs: 300 })).toMatchObject({ why: 'busy' });
  });
});

describe('an order that makes no sense any more', () => {
  it('is not given where the tenant runs another version', async () => {
    amp.tenant(cell).version = NEW;
    expect(await run()).toMatchObject({ why: 'changed', seen: { version: NEW } });
    expect(amp.jobs).toHaveLength(0);
  });

  it('is refused by the fence where the version changed at the last moment', async () => {
    amp.fault(/^GET \/v1\/tenants/, { status: 200, body: { ...amp.tenant(cell) } });
    amp.tenant(cell).version = NEW;
    expect(await run()).toMatchObject({ why: 'changed', seen: { version: NEW } });
    expect(amp.count(POST_JOB)).toBe(1);
  });

  it('is refused with AMP’s own words on a 422', async () => {
    amp.fault(POST_JOB, { status: 422, body: { error: { code: 'bad_version', message: 'no such package' } } });
    expect(await run()).toMatchObject({ why: 'refused', detail: expect.stringContaining('no such package') });
  });

  it('names a tenant that AMP does not know, at the look and at the order', async () => {
    expect(await run({ cell: { ...cell, tenant: 'nobody' } })).toMatchObject({ why: 'unknown-tenant', seen: null });
    amp.fault(POST_JOB, { status: 404 });
    expect(await run()).toMatchObject({ why: 'unknown-tenant' });
  });

  it.each([
    ['cell', { cell_id: 'c9' }],
    ['ring', { ring: 7 }],
  ])('is not given to a tenant of another %s', async (_, changes) => {
    Object.assign(amp.tenant(cell), changes);
    expect(await run()).toMatchObject({ why: 'mismatch' });
    expect(amp.jobs).toHaveLength(0);
  });

  it.each([
    ['not-ready', 'db_check'],
    ['silent', 'does not answer'],
  ] as const)('is not given to a cell that is %s', async (readiness, words) => {
    amp.cell('c1').readiness = readiness;
    expect(await run()).toMatchObject({ why: readiness, detail: expect.stringContaining(words) });
    expect(amp.jobs).toHaveLength(0);
  });

  it('is given to such a cell where readiness is not required', async () => {
    amp.cell('c1').readiness = 'not-ready';
    expect(await run({ requireReady: false })).toMatchObject({ outcome: 'succeeded' });
  });
});

describe('an AMP in trouble', () => {
  it('comes back after the Retry-After of a 429, and not before', async () => {
    amp.fault(POST_JOB, { status: 429, headers: { 'retry-after': '1' } });
    const startMs = Date.now();
    expect((await run()).outcome).toBe('succeeded');
    expect(Date.now() - startMs).toBeGreaterThanOrEqual(1_000);
    expect(amp.count(POST_JOB)).toBe(2);
  });

  it('rides out a short storm of errors, also while it watches', async () => {
    amp.next = { takesMs: 200, ends: 'succeeded' };
    amp.fault(POST_JOB, { status: 503 }, 2);
    amp.fault(/^GET \/v1\/jobs\//, 'drop', 2);
    expect((await run()).outcome).toBe('succeeded');
    expect(amp.jobs).toHaveLength(1);
  });

  it('is nobody’s failure: a long storm fails the activity as AmpUnavailable, and the job goes on', async () => {
    amp.next = { takesMs: 10_000, ends: 'succeeded' };
    amp.fault(/^GET \/v1\/jobs\//, { status: 500 }, 1_000);
    const failure = run();
    await expect(failure).rejects.toMatchObject({ type: FAILURE.ampUnavailable, nonRetryable: true });
    await expect(failure).rejects.toMatchObject({ details: [{ jobId: amp.jobs[0]?.id }] });
    expect(amp.jobs[0]).toMatchObject({ state: 'running', cancels: 0 });
  });

  it('counts an answer that cannot be read as AMP’s trouble', async () => {
    amp.fault(/^GET \/v1\/tenants/, { status: 200, body: { hello: 1 } }, 1_000);
    await expect(run()).rejects.toMatchObject({ type: FAILURE.ampUnavailable });
  });

  it('fails as AccessDenied after two tries', async () => {
    amp.fault(/^GET \/v1\/tenants/, { status: 401 }, 1_000);
    await expect(run()).rejects.toMatchObject({ type: FAILURE.accessDenied, nonRetryable: true });
    expect(amp.requests).toHaveLength(2);
  });

  it('is unavailable where nobody listens', async () => {
    const url = amp.url;
    await amp.stop();
    const failure = attempt().run(activitiesOn(url).runJob, order());
    await expect(failure).rejects.toMatchObject({ type: FAILURE.ampUnavailable });
    amp = await FakeAmp.start();
  });
});

describe('a job that takes too long', () => {
  it('is cancelled, and timed out', async () => {
    amp.next = { takesMs: 60_000, ends: 'succeeded' };
    expect(await run({ jobTimeoutMs: 300 })).toMatchObject({ outcome: 'timed-out', job: { id: amp.jobs[0]?.id } });
    expect(amp.jobs[0]?.state).toBe('canceled');
  });

  it('has succeeded where it did so before the cancel came', async () => {
    amp.next = { takesMs: 700, ends: 'succeeded' };
    amp.ignoresCancel = true;
    expect((await run({ jobTimeoutMs: 300 })).outcome).toBe('succeeded');
  });

  it('stays unconfirmed where AMP says yes and nothing stops', async () => {
    amp.next = { takesMs: 60_000, ends: 'succeeded' };
    amp.ignoresCancel = true;
    const report = await run({ jobTimeoutMs: 100, cancelTimeoutMs: 400 });
    expect(report).toMatchObject({ outcome: 'cancel-unconfirmed', job: { id: amp.jobs[0]?.id, fromVersion: OLD } });
  });

  it('is timed out also where another worker carries the cancel on', async () => {
    const job = amp.begin(cell, keyOf('pass-1'), 60_000);
    const here = attempt({ heartbeatDetails: { jobId: job.id, timingOut: true } });
    expect((await here.run(activities.runJob, order())).outcome).toBe('timed-out');
  });

  it('is left to run where it is a PDM, and answered as timed out', async () => {
    amp.next = { takesMs: 60_000, ends: 'succeeded' };
    expect((await run({ kind: 'post_deploy_migrations', jobTimeoutMs: 200 })).outcome).toBe('timed-out');
    expect(amp.jobs[0]).toMatchObject({ state: 'running', cancels: 0 });
  });
});

describe('a cancel', () => {
  beforeEach(() => {
    amp.next = { takesMs: 60_000, ends: 'succeeded' };
  });

  it('that the workflow asked for cancels the job and returns once AMP says that it ended', async () => {
    const here = attempt();
    const report = here.run(activities.runJob, order());
    await until(() => amp.jobs.length === 1);
    here.cancel();
    expect(await report).toMatchObject({ outcome: 'canceled', job: { id: amp.jobs[0]?.id } });
    expect(amp.jobs[0]?.state).toBe('canceled');
  });

  it('rides out an AMP in trouble', async () => {
    const here = attempt();
    const report = here.run(activities.runJob, order({ cancelTimeoutMs: 5_000 }));
    await until(() => amp.jobs.length === 1);
    amp.fault(/cancel$/, { status: 500 }, 4);
    here.cancel();
    expect((await report).outcome).toBe('canceled');
  });

  it('that AMP never confirms is reported so, with the job', async () => {
    amp.ignoresCancel = true;
    const here = attempt();
    const report = here.run(activities.runJob, order({ cancelTimeoutMs: 300 }));
    await until(() => amp.jobs.length === 1);
    here.cancel();
    expect(await report).toMatchObject({ outcome: 'cancel-unconfirmed', job: { id: amp.jobs[0]?.id } });
  });

  it('before anything was ordered orders nothing', async () => {
    const here = attempt();
    here.cancel();
    expect(await here.run(activities.runJob, order())).toMatchObject({ outcome: 'not-ordered', why: 'cancelled' });
    expect(amp.count(POST_JOB)).toBe(0);
  });

  it('while a POST’s fate is unknown finds the job by its key', async () => {
    amp.fault(POST_JOB, 'lose-answer');
    amp.fault(POST_JOB, { status: 503 }, 1_000);
    const here = attempt();
    const report = here.run(activities.runJob, order());
    await until(() => amp.count(POST_JOB) >= 2);
    here.cancel();
    expect(await report).toMatchObject({ outcome: 'canceled', job: { id: amp.jobs[0]?.id } });
    expect(amp.jobs).toHaveLength(1);
  });

  it.each(['shutDown', 'terminate'] as const)(
    'is not what a %s means: the job goes on, and so can another attempt',
    async (stop) => {
      const here = attempt();
      const report = here.run(activities.runJob, order());
      await until(() => here.heartbeats.some((beat) => (beat as { jobId?: string }).jobId !== undefined));
      here[stop]();
      await expect(report).rejects.toMatchObject({ type: FAILURE.watchInterrupted, nonRetryable: false });
      expect(amp.jobs[0]).toMatchObject({ state: 'running', cancels: 0 });
      expect(here.heartbeats.at(-1)).toMatchObject({ jobId: amp.jobs[0]?.id });
    },
  );

  it('by key alone finds the job and stops it, or says that there is none', async () => {
    expect(await run({ cancelOnly: true })).toMatchObject({ outcome: 'not-ordered', why: 'cancelled' });
    const job = amp.begin(cell, keyOf('pass-1'), 60_000);
    expect(await run({ cancelOnly: true })).toMatchObject({ outcome: 'canceled', job: { id: job.id } });
    expect(await run({ cancelOnly: true })).toMatchObject({ outcome: 'canceled', job: { id: job.id } });
    expect(amp.count(POST_JOB)).toBe(0);
  });

  it('that nobody answers for any more is found and watched, never ordered', async () => {
    expect(await run({ findOnly: true })).toMatchObject({ outcome: 'not-ordered', why: 'cancelled' });
    const job = amp.begin(cell, keyOf('pass-1'), 100);
    expect(await run({ findOnly: true })).toMatchObject({ outcome: 'succeeded', job: { id: job.id } });
    expect(amp.count(POST_JOB)).toBe(0);
  });
});
