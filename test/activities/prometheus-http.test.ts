import { setMaxListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PrometheusApi } from '../../activities/ports.js';
import { gridOf, MAX_POINTS, prometheusOverHttp } from '../../activities/prometheus-http.js';
import { FakeHttp, type Reply } from './fake-http.js';

let server: FakeHttp;
let prometheus: PrometheusApi;

const matrix = (result: unknown[], more: object = {}): Reply => ({
  json: { status: 'success', data: { resultType: 'matrix', result }, ...more },
});

beforeEach(async () => {
  server = await FakeHttp.start(() => matrix([]));
  prometheus = prometheusOverHttp({ url: `${server.url}/prometheus/`, timeoutMs: 15_000 });
});
afterEach(() => server.stop());

const RANGE = { query: 'up', fromMs: 60_000, toMs: 120_000, stepMs: 30_000 };
const ask = (reply: Reply) => {
  server.handle = () => reply;
  return prometheus.range(RANGE);
};

describe('a question', () => {
  it('travels as a form, with a time limit of its own', async () => {
    await prometheus.range({ ...RANGE, query: 'up{a="b+c"} # é' });
    const [heard] = server.heard;
    expect(heard).toMatchObject({ method: 'POST', path: '/prometheus/api/v1/query_range' });
    expect(heard?.headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect(Object.fromEntries(heard?.form ?? [])).toEqual({
      query: 'up{a="b+c"} # é',
      start: '90.000',
      end: '120.000',
      step: '30.000',
      timeout: '15000ms',
    });
  });

  it('about one moment is answered by one point a series', async () => {
    server.handle = () => ({
      json: {
        status: 'success',
        data: { resultType: 'vector', result: [{ metric: { a: 'b' }, value: [5.5, '2'] }] },
      },
    });
    const { series } = await prometheus.instant({ query: 'up', atMs: 5_500 });
    expect(series).toEqual([{ labels: { a: 'b' }, points: [[5_500, 2]] }]);
    expect(server.heard[0]?.path).toBe('/prometheus/api/v1/query');
    expect(server.heard[0]?.form.get('time')).toBe('5.500');
  });

  it('about a scalar is answered by a series without labels', async () => {
    server.handle = () => ({ json: { status: 'success', data: { resultType: 'scalar', result: [5, '2'] } } });
    const { series } = await prometheus.instant({ query: '2', atMs: 5_000 });
    expect(series).toEqual([{ labels: {}, points: [[5_000, 2]] }]);
  });

  it.each([
    ['a token', { token: 'geheim' }, '', 'Bearer geheim'],
    ['a user in the URL', {}, 'me:p%40ss@', `Basic ${Buffer.from('me:p@ss').toString('base64')}`],
    ['a token before a user', { token: 'geheim' }, 'me:x@', 'Bearer geheim'],
    ['nothing', {}, '', undefined],
  ])('says who asks by %s', async (_, options, user, authorization) => {
    const url = server.url.replace('//', `//${user}`);
    await prometheusOverHttp({ url, ...options }).range(RANGE);
    expect(server.heard[0]?.headers.authorization).toBe(authorization);
  });

  it('about a range without a moment in it is not asked', async () => {
    const { series } = await prometheus.range({ ...RANGE, fromMs: 61_000, toMs: 89_000 });
    expect(series).toEqual([]);
    expect(server.heard).toEqual([]);
  });
});

describe('the moments of a range', () => {
  it('are the same from look to look, and none is the beginning itself', () => {
    expect(gridOf({ fromMs: 60_000, toMs: 125_000, stepMs: 30_000 })).toEqual({
      startMs: 90_000,
      endMs: 120_000,
      stepMs: 30_000,
    });
    expect(gridOf({ fromMs: 61_000, toMs: 125_000, stepMs: 30_000 }).startMs).toBe(90_000);
  });

  it('are never more than Prometheus answers', () => {
    const week = 7 * 86_400_000;
    const { startMs, endMs, stepMs } = gridOf({ fromMs: 1, toMs: week, stepMs: 1_000 });
    expect(stepMs).toBeGreaterThan(1_000);
    expect((endMs - startMs) / stepMs + 1).toBeLessThanOrEqual(MAX_POINTS);
    expect((endMs - startMs) / stepMs + 1).toBeGreaterThan(MAX_POINTS - 5);
  });
});

describe('an answer', () => {
  it('keeps what is no finite number as what it is', async () => {
    const values = ['1', 'NaN', '+Inf', '-Inf', '1e-05', '-3.5'].map((value, at) => [at + 0.5, value]);
    const { series } = await ask(matrix([{ metric: { __name__: 'up' }, values }]));
    expect(series[0]?.points).toEqual([
      [500, 1],
      [1_500, Number.NaN],
      [2_500, Number.POSITIVE_INFINITY],
      [3_500, Number.NEGATIVE_INFINITY],
      [4_500, 0.00001],
      [5_500, -3.5],
    ]);
  });

  it('may be empty, and may have histograms where there should be numbers', async () => {
    expect((await ask(matrix([]))).series).toEqual([]);
    const { series } = await ask(matrix([{ metric: { a: 'b' }, histograms: [[1, { count: '2' }]] }]));
    expect(series).toEqual([{ labels: { a: 'b' }, points: [] }]);
  });

  it('carries its warnings, and notes no mere information', async () => {
    const { warnings } = await ask(matrix([], { warnings: ['store 3 is away'], infos: ['not a counter'] }));
    expect(warnings).toEqual(['store 3 is away']);
  });

  it('tells the time of Prometheus, where that is another', async () => {
    const { asOfMs } = await ask({ ...(matrix([]) as object), headers: { date: 'Tue, 18 Mar 2025 09:06:00 GMT' } });
    expect(asOfMs).toBe(Date.parse('2025-03-18T09:06:00Z'));
  });

  it.each<[string, Reply, object]>([
    ['a cut connection', 'drop', { kind: 'unreachable' }],
    ['500', { status: 500 }, { kind: 'server', status: 500, retryAfterMs: null }],
    [
      '503 with a time to come back',
      { status: 503, headers: { 'retry-after': '7' } },
      { kind: 'server', status: 503, retryAfterMs: 7_000 },
    ],
    ['429', { status: 429, headers: { 'retry-after': '2' } }, { kind: 'throttled', retryAfterMs: 2_000 }],
    ['401', { status: 401 }, { kind: 'denied', status: 401 }],
    ['403', { status: 403 }, { kind: 'denied', status: 403 }],
    ['400', { status: 400, json: { errorType: 'bad_data', error: 'parse error' } }, { kind: 'bad-query' }],
    ['422', { status: 422, json: { errorType: 'execution', error: 'many-to-many' } }, { kind: 'execution' }],
    ['503 for a slow query', { status: 503, json: { errorType: 'timeout' } }, { kind: 'too-slow' }],
    ['404', { status: 404 }, { kind: 'protocol', status: 404 }],
    ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }, { kind: 'protocol', status: 302 }],
    ['a page of somebody else', { text: '<html>' }, { kind: 'protocol', status: 200 }],
    ['an error with status 200', { json: { status: 'error' } }, { kind: 'protocol', status: 200 }],
    ['a value that is none', matrix([{ metric: {}, values: [[1, 'x']] }]), { kind: 'protocol', status: 200 }],
    ['a point without a value', matrix([{ metric: {}, values: [[1]] }]), { kind: 'protocol', status: 200 }],
    ['an answer beyond all bounds', { text: ' '.repeat(33 * 1024 * 1024) }, { kind: 'too-large' }],
  ])('that is %s is a PrometheusError', async (_, reply, trouble) => {
    await expect(ask(reply)).rejects.toMatchObject({ name: 'PrometheusError', trouble });
  });

  it('that does not come is waited for so long, and a moment more for Prometheus to say why', async () => {
    server.handle = () => 'hang';
    const sinceMs = Date.now();
    const lost = prometheusOverHttp({ url: server.url, timeoutMs: 100 }).range(RANGE);
    await expect(lost).rejects.toMatchObject({ trouble: { kind: 'timeout' } });
    expect(Date.now() - sinceMs).toBeGreaterThanOrEqual(590);
  });

  it('says in its error what Prometheus said', async () => {
    const reply = { status: 400, json: { errorType: 'bad_data', error: '1:5: parse error' } };
    await expect(ask(reply)).rejects.toThrow('Prometheus answers 400: bad_data: 1:5: parse error');
  });

  it('of nobody at all is unreachable', async () => {
    const { url } = server;
    await server.stop();
    const lost = prometheusOverHttp({ url, timeoutMs: 200 }).range(RANGE);
    await expect(lost).rejects.toMatchObject({ trouble: { kind: 'unreachable' } });
    server = await FakeHttp.start(() => 'hang');
  });
});

describe('many questions at once', () => {
  it('reach Prometheus eight at a time, and all are answered', async () => {
    let [open, most] = [0, 0];
    const slow = prometheusOverHttp({ url: server.url });
    server.handle = () => {
      open += 1;
      most = Math.max(most, open);
      return matrix([]);
    };
    const all = Array.from({ length: 40 }, async () => {
      await slow.range(RANGE);
      open -= 1;
    });
    await Promise.all(all);
    expect(server.heard).toHaveLength(40);
    expect(most).toBeLessThanOrEqual(8);
  });

  it('leave the queue when nobody wants their answer any more', async () => {
    server.handle = () => 'hang';
    const stop = new AbortController();
    setMaxListeners(0, stop.signal);
    const reason = new Error('enough');
    const all = Array.from({ length: 12 }, () => prometheus.range(RANGE, stop.signal));
    setTimeout(() => stop.abort(reason), 30);
    const ends = await Promise.allSettled(all);
    expect(ends.every((end) => end.status === 'rejected' && end.reason === reason)).toBe(true);
    server.handle = () => matrix([]);
    await expect(prometheus.range(RANGE)).resolves.toMatchObject({ series: [] });
    expect(server.heard.length).toBeLessThanOrEqual(9);
  });
});
