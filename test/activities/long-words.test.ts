import { afterAll, beforeAll, expect, test } from 'vitest';
import { ampOverHttp } from '../../activities/amp-http.js';
import { cellsOverHttp } from '../../activities/cell-http.js';
import { FakeHttp, type Reply } from './fake-http.js';

/** The tail of a job's log, as long as somebody thought useful. */
const LOG = 'error: '.repeat(5_000);
const JOB = {
  ...{ id: 'job-1', tenant: 't1', kind: 'configure', version: 'v', from_version: null, state: 'failed' },
  ...{ created_at: '2026-11-22T10:00:00Z', started_at: null, finished_at: null },
  ...{ error: LOG, log_url: null, idempotency_key: null },
};

let said: Reply;
let http: FakeHttp;
beforeAll(async () => {
  http = await FakeHttp.start(() => said);
});
afterAll(() => http.stop());

const isCut = (text: string | null | undefined): boolean => text?.length === 400 && text.endsWith('…');

test('what AMP says of a failed job is kept to a few lines', async () => {
  said = { json: JOB };
  expect(isCut((await ampOverHttp({ url: http.url }).getJob('job-1')).error)).toBe(true);
  said = { json: { ...JOB, error: 'no space left' } };
  expect((await ampOverHttp({ url: http.url }).getJob('job-1')).error).toBe('no space left');
});

test('what AMP says of a call that it refuses is kept to a few lines', async () => {
  said = { status: 422, json: { error: { code: 'invalid', message: LOG } } };
  const refused = await ampOverHttp({ url: http.url })
    .getJob('job-1')
    .catch((error: Error) => error.message);
  expect(isCut(refused as string)).toBe(true);
});

test('what a cell says of its checks is kept to a few lines', async () => {
  said = { status: 503, json: { status: 'failed', db_check: [{ status: 'failed', message: LOG }] } };
  const { state, detail } = await cellsOverHttp().readiness(http.url);
  expect(state).toBe('not-ready');
  expect(isCut(detail)).toBe(true);
});
