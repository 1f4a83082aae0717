import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createReadCalendar } from '../../activities/calendar.js';
import type { Activities, CellRef, JobOrder } from '../../src/contract/activities.js';
import { jobKey } from '../../src/contract/ids.js';
import { activitiesOn, attempt } from './environment.js';
import { FakeAmp, NEW, OLD } from './fake-amp.js';

describe('what a calendar says', () => {
  it('is worked out from windows and freezes together, at the time of asking', async () => {
    const now = Date.parse('2026-12-22T19:00:00Z');
    const word = await createReadCalendar(() => now)({
      windows: [{ days: ['tue', 'wed', 'mon'], from: '07:00', to: '18:00', timezone: 'Europe/Berlin' }],
      freezes: [{ from: '2026-12-23T00:00:00Z', to: '2027-01-02T00:00:00Z', reason: 'holidays' }],
    });
    expect(word).toEqual({
      untilMs: Date.parse('2026-12-23T00:00:00Z'),
      freeze: null,
      window: { untilMs: Date.parse('2026-12-23T06:00:00Z') },
      opensMs: Date.parse('2027-01-04T06:00:00Z'),
      openings: expect.arrayContaining([
        { fromMs: Date.parse('2027-01-04T06:00:00Z'), toMs: Date.parse('2027-01-04T17:00:00Z') },
      ]),
    });
  });
});

describe('what a calendar with windows of ring and lane says', () => {
  it('is that both must be open', async () => {
    const now = Date.parse('2026-12-22T10:00:00Z');
    const tuesday = { days: ['tue' as const], timezone: 'UTC' };
    const windows = [{ ...tuesday, from: '07:00', to: '18:00' }];
    const alsoWithin = [{ ...tuesday, from: '16:00', to: '20:00' }];
    const opensMs = Date.parse('2026-12-22T16:00:00Z');
    const word = await createReadCalendar(() => now)({ windows, alsoWithin, freezes: [] });
    const [first] = word.openings ?? [];
    expect(first).toEqual({ fromMs: opensMs, toMs: Date.parse('2026-12-22T18:00:00Z') });
    expect(word).toMatchObject({ untilMs: opensMs, freeze: null, window: { untilMs: opensMs }, opensMs });
  });
});

describe('an order for which it is too late', () => {
  let amp: FakeAmp;
  let activities: Activities;
  let cell: CellRef;

  beforeEach(async () => {
    amp = await FakeAmp.start();
    activities = activitiesOn(amp.url);
    cell = amp.addCell('c1');
  });
  afterEach(() => amp.stop());

  const key = jobKey({ cluster: 'prod', pass: 'pass-1', cell: 'c1', kind: 'configure', version: NEW, order: 1 });
  const run = (notAfterMs: number, more: Partial<JobOrder> = {}) =>
    attempt().run(activities.runJob, {
      cluster: 'prod',
      ring: 2,
      cell,
      key,
      kind: 'configure',
      version: NEW,
      chartVersion: null,
      expectedVersion: OLD,
      scope: 'application',
      postDeployMigrations: 'skip',
      reason: 'test',
      requireReady: true,
      jobTimeoutMs: 60_000,
      cancelTimeoutMs: 2_000,
      pollIntervalMs: 50,
      notAfterMs,
      ...more,
    });
  const POST_JOB = /^POST \/v1\/jobs$/;

  it('is given while there is time', async () => {
    expect(await run(Date.now() + 60_000)).toMatchObject({ outcome: 'succeeded' });
  });

  it('is not given, and says what the tenant runs', async () => {
    expect(await run(Date.now())).toMatchObject({ outcome: 'not-ordered', why: 'closed', seen: { version: OLD } });
    expect(amp.count(POST_JOB)).toBe(0);
  });

  it('finds the job that was ordered in time, and watches it', async () => {
    const job = amp.begin(cell, key, 200);
    expect(await run(Date.now())).toMatchObject({ outcome: 'succeeded', job: { id: job.id } });
    expect(amp.jobs).toHaveLength(1);
  });

  it('finds the job whose answer was lost when time ran out', async () => {
    amp.fault(POST_JOB, 'lose-answer');
    // Before the next try the time is over.
    amp.fault(POST_JOB, { status: 503, headers: { 'retry-after': '1' } }, 1, 1);
    const job = run(Date.now() + 500);
    expect(await job).toMatchObject({ outcome: 'succeeded' });
    expect(amp.jobs).toHaveLength(1);
  });

  it('is not tried again when AMP comes back too late', async () => {
    amp.fault(POST_JOB, { status: 503, headers: { 'retry-after': '1' } }, 1);
    expect(await run(Date.now() + 500)).toMatchObject({ outcome: 'not-ordered', why: 'closed' });
    expect(amp.count(POST_JOB)).toBe(1);
    expect(amp.jobs).toEqual([]);
  });
});
