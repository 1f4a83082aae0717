import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { simulatedCellUrl, startSimulator } from '../../src/simulator/index.js';
import { AmpClient, closeAll, NEW, OLD, order, simulate, TOPOLOGY } from './amp-client.js';
import { ask, rangeOf, vectorAt } from './prometheus-api.js';

afterEach(closeAll);

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** As they stand in the example of a topology. */
const QUERIES = (cell: string) => ({
  apdex: `gitlab_service_apdex:ratio_5m{cell="${cell}",type="webservice"}`,
  errors: `gitlab_service_errors:ratio_5m{cell="${cell}",type="webservice"}`,
  traffic: `gitlab_service_ops:rate_5m{cell="${cell}",type="webservice"}`,
  saturation: `max(gitlab_component_saturation:ratio{cell="${cell}"})`,
});
const HEALTH = 'min(gitlab_deployment_health:service{env="gprd",stage="main"})';

const only = <T>(values: Map<string, T>): T => {
  expect(values.size).toBe(1);
  return [...values.values()][0] as T;
};

describe('the two calls of Prometheus', () => {
  test('answer what a topology asks of every cell', async () => {
    const { url } = await simulate();
    for (const cell of ['cell-1', 'cell-2', 'legacy']) {
      const { apdex, errors, traffic, saturation } = QUERIES(cell);
      const value = async (query: string) => Number(only(await vectorAt(url, query, Date.now())));
      expect(await value(apdex)).toBeGreaterThan(0.98);
      expect(await value(errors)).toBeLessThan(0.01);
      expect(await value(traffic)).toBeGreaterThan(1);
      expect(await value(saturation)).toBeLessThan(0.9);
    }
    expect(only(await vectorAt(url, HEALTH, Date.now()))).toBe('1');
  });

  test('answer the same numbers that a scrape gets at that moment', async () => {
    const { url } = await simulate();
    for (const cell of ['qa', 'legacy', 'cell-1']) {
      // A scrape between two equal answers has seen the same moment.
      for (;;) {
        const select = `{__name__=~"gitlab_.*",cell="${cell}"}`;
        const before = await vectorAt(url, select, Date.now());
        const text = await (await fetch(`${simulatedCellUrl(url, cell)}/metrics`)).text();
        const after = await vectorAt(url, select, Date.now());
        if (JSON.stringify([...before]) !== JSON.stringify([...after])) continue;
        const scraped = text.split('\n').flatMap((line) => {
          const [, name, labels = '', value] = /^([\w:]+)\{(.*cell=.*)\} (\S+)$/.exec(line) ?? [];
          return name ? [[`${name}{${labels.split(',').sort().join(',')}}`, value] as const] : [];
        });
        expect(scraped).toHaveLength(16);
        expect(new Map(scraped)).toEqual(before);
        break;
      }
    }
  });

  test('answer a past before the simulator began, one instant as in a range', async () => {
    const { url } = await simulate();
    const endMs = Date.now();
    const range = { startMs: endMs - DAY_MS, endMs, stepMs: 30_000 };
    const { apdex, saturation } = QUERIES('cell-1');
    for (const query of [apdex, saturation]) {
      const values = only(await rangeOf(url, query, range));
      expect(values.size).toBe(2881);
      for (const atMs of [range.startMs, range.startMs + 100 * 30_000, endMs]) {
        expect(only(await vectorAt(url, query, atMs))).toBe(values.get(atMs));
      }
      expect(new Set(values.values()).size).toBeGreaterThan(1000);
    }
  });

  test('are asked by GET or POST, a form before an address, in seconds or RFC 3339', async () => {
    const { url } = await simulate();
    const time = '2026-11-21T12:00:00.250Z';
    const query = 'sum by (cell) (gitlab_service_ops:rate_5m)';
    const get = await ask(url, 'query', { query, time });
    expect(get).toMatchObject({ http: 200, status: 'success', data: { resultType: 'vector' } });
    const post = await ask(url, 'query', { query, time: String(Date.parse(time) / 1000) }, 'POST');
    expect(post).toEqual(get);
    expect(get.data?.result).toHaveLength(4);
    const both = await fetch(`${url}/api/v1/query?query=1&time=${time}`, { method: 'POST', body: 'query=2' });
    expect(await both.json()).toMatchObject({ data: { result: [Date.parse(time) / 1000, '2'] } });
    const range = { query, start: time, end: '2026-11-21T13:00:00+01:00', step: '1m30s' };
    expect(await ask(url, 'query_range', range)).toMatchObject({ http: 400, errorType: 'bad_data' });
    const hour = { ...range, end: '2026-11-21T14:00:00+01:00' };
    expect(await ask(url, 'query_range', hour, 'POST')).toEqual(await ask(url, 'query_range', hour));
  });

  test('answer numbers as scalars, and over a range as one series', async () => {
    const { url } = await simulate();
    expect((await ask(url, 'query', { query: '-0.25', time: '7' })).data).toEqual({
      resultType: 'scalar',
      result: [7, '-0.25'],
    });
    expect((await ask(url, 'query_range', { query: 'Inf', start: '7', end: '8', step: '0.5' })).data).toEqual({
      resultType: 'matrix',
      result: [{ metric: {}, values: [7, 7.5, 8].map((at) => [at, '+Inf']) }],
    });
  });

  test('answer NaN where a quiet cell has 0/0, and nothing where there is no such series', async () => {
    const { url } = await simulate();
    expect(only(await vectorAt(url, QUERIES('qa').apdex, Date.now()))).toBe('NaN');
    expect(only(await vectorAt(url, QUERIES('qa').traffic, Date.now()))).toBe('0');
    expect(await vectorAt(url, QUERIES('cell-77').apdex, Date.now())).toEqual(new Map());
    expect(await vectorAt(url, QUERIES('cell-1').apdex, -1000)).toEqual(new Map());
  });

  test('repeat the last value for five minutes, and then know nothing', async () => {
    const { url } = await simulate();
    const nowMs = Date.now();
    const future = await rangeOf(url, QUERIES('cell-1').traffic, {
      startMs: nowMs + MINUTE_MS,
      endMs: nowMs + 10 * MINUTE_MS,
      stepMs: MINUTE_MS,
    });
    const values = only(future);
    expect(new Set(values.values()).size).toBe(1);
    expect(values.size).toBeGreaterThanOrEqual(4);
    expect(values.size).toBeLessThanOrEqual(5);
  });

  test.each([
    [
      'query',
      { query: 'rate(up[5m])' },
      400,
      /invalid parameter "query": "rate" is not answered here: the simulator answers/,
    ],
    ['query', { query: 'up{' }, 400, /parse error/],
    ['query', {}, 400, /no expression found|parse error/],
    ['query', { query: 'up', time: 'now' }, 400, /invalid parameter "time": cannot parse "now" to a valid timestamp/],
    ['query', { query: 'up', time: '2026-11-21 12:00' }, 400, /invalid parameter "time"/],
    ['query', { query: 'label_replace({__name__=~".+"},"cell","","cell",".*")' }, 422, /same labelset/],
    ['query_range', { query: 'up', end: '2', step: '1' }, 400, /invalid parameter "start"/],
    ['query_range', { query: 'up', start: '1', step: '1' }, 400, /invalid parameter "end"/],
    ['query_range', { query: 'up', start: '1', end: '2' }, 400, /invalid parameter "step"/],
    ['query_range', { query: 'up', start: '1', end: '2', step: 'often' }, 400, /invalid parameter "step"/],
    ['query_range', { query: 'up', start: '1', end: '2', step: '0' }, 400, /zero or negative query resolution/],
    ['query_range', { query: 'up', start: '2', end: '1', step: '1' }, 400, /end timestamp must not be before start/],
    ['query_range', { query: 'up', start: '0', end: '11001', step: '1' }, 400, /maximum resolution of 11,000 points/],
  ] as const)('refuse %s %j as Prometheus does', async (call, params, http, message) => {
    const { url } = await simulate();
    const answer = await ask(url, call, params);
    expect(answer).toEqual({
      http,
      status: 'error',
      errorType: http === 400 ? 'bad_data' : 'execution',
      error: expect.stringMatching(message),
    });
  });

  test('refuse a query over more series than can be answered soon', async () => {
    const cells = Array.from({ length: 40 }, (_, i) => ({ id: `cell-${i}` }));
    const { url } = await simulate({ topology: { rings: [{ ring: 2, cells }] } });
    const range = { query: '{__name__=~"gitlab.*"}', start: '0', end: '10999', step: '1' };
    expect(await ask(url, 'query_range', range)).toMatchObject({
      http: 422,
      error: expect.stringContaining('too many'),
    });
  });
});

describe('the past', () => {
  const errors = QUERIES('cell-1').errors;
  const burst = { kind: 'error-burst', cell: 'cell-1', size: 0.3 };

  test('shows a fault when it was, also one that is asked for afterwards, and one that was taken away', async () => {
    const amp = await simulate();
    const atMs = Date.now() - DAY_MS;
    const clean = await vectorAt(amp.url, errors, atMs + 10 * MINUTE_MS);
    const id = await amp.addFault({
      ...burst,
      startAt: new Date(atMs).toISOString(),
      delayMs: MINUTE_MS,
      forMs: 30 * MINUTE_MS,
    });
    const minutes = async () => {
      const range = { startMs: atMs, endMs: atMs + 60 * MINUTE_MS, stepMs: MINUTE_MS };
      return [...only(await rangeOf(amp.url, errors, range)).values()].map(Number);
    };
    const before = await minutes();
    expect(Math.max(...before.slice(0, 2))).toBeLessThan(0.02);
    expect(Math.min(...before.slice(6, 31))).toBeGreaterThan(0.25);
    expect(Math.max(...before.slice(37))).toBeLessThan(0.02);
    await amp.control('DELETE', `/faults/${id}`);
    expect(await minutes()).toEqual(before);
    expect(Number(only(clean))).toBeLessThan(0.02);
  });

  test('shows which package ran when', async () => {
    const amp = await simulate();
    const startMs = Date.now() - MINUTE_MS;
    await amp.post('k', order());
    const endMs = Date.now() + 10;
    const range = { startMs, endMs, stepMs: 10 };
    const values = await rangeOf(amp.url, 'gitlab_version_info{cell="cell-1"}', range);
    const packages = [...values].map(([name, points]) => ({ name, at: [...points.keys()] }));
    expect(packages).toMatchObject([{ name: expect.stringContaining(NEW) }, { name: expect.stringContaining(OLD) }]);
    const [ofNew, ofOld] = packages.map(({ at }) => at);
    expect(Math.max(...(ofOld ?? []))).toBeLessThan(Math.min(...(ofNew ?? [])));
  });

  test('is without a cell while nobody could reach it', async () => {
    const amp = await simulate();
    await amp.addFault({ kind: 'unreachable', cell: 'cell-1' });
    expect(await vectorAt(amp.url, errors, Date.now())).toEqual(new Map());
    expect((await vectorAt(amp.url, errors, Date.now() - MINUTE_MS)).size).toBe(1);
    await amp.control('DELETE', '/faults');
    expect((await vectorAt(amp.url, errors, Date.now())).size).toBe(1);
  });
});

describe('another life on the same state file', () => {
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });

  async function life<T>(options: object, work: (amp: AmpClient) => Promise<T>): Promise<T> {
    const simulator = await startSimulator({ topology: TOPOLOGY, durationMs: 0, ...options });
    try {
      return await work(new AmpClient(simulator.url));
    } finally {
      await simulator.close();
    }
  }

  const curvesUntil = (url: string, endMs: number) =>
    rangeOf(url, '{__name__=~"gitlab_.+"}', { startMs: endMs - DAY_MS, endMs, stepMs: 10 * MINUTE_MS });

  test('has the same past: packages, faults that are in force, that are over, that were taken away', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'simulator-'));
    folders.push(folder);
    const options = { stateFile: join(folder, 'state.jsonl'), dayMs: DAY_MS / 1000 };
    const inFile = { kind: 'latency', cell: 'cell-2', size: 0.2 };
    const [curves, endMs] = await life({ ...options, faults: [inFile] }, async (amp) => {
      await amp.post('k', order());
      await amp.addFault({ kind: 'saturation', version: NEW, size: 0.1 });
      const id = await amp.addFault({ kind: 'error-burst', size: 0.1, forMs: 5 });
      await amp.addFault({
        kind: 'missing-series',
        cell: 'qa',
        startAt: new Date(Date.now() - MINUTE_MS).toISOString(),
      });
      await new Promise((resolve) => setTimeout(resolve, 20));
      await amp.control('DELETE', `/faults/${id}`);
      const nowMs = Date.now();
      return [await curvesUntil(amp.url, nowMs), nowMs];
    });
    for (const faults of [[inFile], []]) {
      expect(await life({ ...options, faults }, ({ url }) => curvesUntil(url, endMs))).toEqual(curves);
    }
    expect(await life({ ...options, seed: 2 }, ({ url }) => curvesUntil(url, endMs))).not.toEqual(curves);
  });

  test('ends a fault that is no longer in the file, and begins it anew when it is there again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'simulator-'));
    folders.push(folder);
    const options = { stateFile: join(folder, 'state.jsonl') };
    const faults = [{ kind: 'missing-series', cell: 'cell-1' }];
    const isThere = async (amp: AmpClient) => (await vectorAt(amp.url, QUERIES('cell-1').apdex, Date.now())).size === 1;
    expect(await life({ ...options, faults }, isThere)).toBe(false);
    expect(await life({ ...options, faults }, isThere)).toBe(false);
    expect(await life(options, isThere)).toBe(true);
    expect(await life({ ...options, faults }, isThere)).toBe(false);
  });
});
