import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CellToMeasure, createMeasure, type Measured } from '../../activities/measure.js';
import { prometheusOverHttp } from '../../activities/prometheus-http.js';
import type { HealthPolicy } from '../../src/contract/health.js';
import { FakePrometheus } from './fake-prometheus.js';

const MINUTE = 60_000;
const DEPLOYED = Date.parse('2025-03-18T09:06:00Z');
const NOW = DEPLOYED + 10 * MINUTE;

const SHORT = { totalMs: 500, firstPauseMs: 20, maxPauseMs: 100 };

let patience = SHORT;
let timeoutMs = 15_000;
let server: FakePrometheus;
beforeEach(async () => {
  patience = SHORT;
  timeoutMs = 15_000;
  server = await FakePrometheus.start();
  server.behind = (query) => [{ at: () => Number(/cell-(\d+)/.exec(query)?.[1] ?? 0) }];
});
afterEach(() => server.http.stop());

const cell = (id: string, changes: Partial<CellToMeasure> = {}): CellToMeasure => ({
  id,
  baseline: null,
  after: { fromMs: DEPLOYED, toMs: NOW },
  ...changes,
});
const cells = (count: number) => Array.from({ length: count }, (_, at) => cell(`cell-${at}`));

const POLICY: HealthPolicy = {
  windowMs: 10 * MINUTE,
  baselineMs: 60 * MINUTE,
  intervalMs: MINUTE,
  minSamples: 5,
  onInconclusive: 'hold',
  inconclusiveTimeoutMs: 60 * MINUTE,
  mode: 'enforce',
  quiet: null,
  signals: {},
};
const SIGNALS = { apdex: 'apdex{cell="{{cell}}"}' };

async function measure(
  wanted: readonly CellToMeasure[],
  signals: Record<string, string> = SIGNALS,
  signal = new AbortController().signal,
): Promise<Measured> {
  const prometheus = prometheusOverHttp({ url: server.http.url, timeoutMs });
  const policy = {
    ...POLICY,
    signals: Object.fromEntries(
      Object.entries(signals).map(([name, query]) => [name, { query, worse: 'lower' as const }]),
    ),
  };
  return createMeasure({ prometheus, prometheusPatience: patience })({ cells: wanted, policy }, signal);
}

async function measured(...order: Parameters<typeof measure>) {
  const answer = await measure(...order);
  if (answer.outcome !== 'measured') throw new Error(`${answer.outcome}: ${answer.reason}`);
  return answer;
}

const valuesOf = (samples: [number, number][] | undefined) => [...new Set(samples?.map(([, value]) => value))];

describe('measuring', () => {
  it('brings every signal of a cell, before and after, each sample within its own window', async () => {
    const baseline = { fromMs: DEPLOYED - 70 * MINUTE, toMs: DEPLOYED - 10 * MINUTE };
    const { cells: found, silent } = await measured([cell('cell-7', { baseline })], {
      apdex: 'apdex{cell="{{cell}}"}',
      errors: 'errors{cell="{{cell}}"}',
    });
    const [one] = found;
    expect(silent).toEqual([]);
    expect(one).toMatchObject({ cell: 'cell-7', problems: [] });
    for (const name of ['apdex', 'errors']) {
      expect(one?.after[name]).toHaveLength(10);
      expect(one?.after[name]?.[0]).toEqual([DEPLOYED + MINUTE, 7]);
      expect(one?.after[name]?.at(-1)?.[0]).toBe(NOW);
      expect(one?.baseline[name]).toHaveLength(12);
      expect(one?.baseline[name]?.[0]?.[0]).toBe(baseline.fromMs + 4 * MINUTE);
      expect(one?.baseline[name]?.at(-1)?.[0]).toBe(baseline.toMs - MINUTE);
    }
    // When the samples of the past were taken is not asked: that would cost more than they do.
    expect(server.queries.map((query) => query.includes('timestamp(')).sort()).toEqual([false, false, true, true]);
  });

  it('takes the past in the steps in which it is judged, and not more points than Prometheus answers', async () => {
    const past = (ms: number) => ({ baseline: { fromMs: DEPLOYED - ms, toMs: DEPLOYED }, after: null });
    const { cells: day } = await measured([cell('cell-1', past(24 * 60 * MINUTE))]);
    expect(day[0]?.baseline.apdex).toHaveLength(288);
    const { cells: years } = await measured([cell('cell-1', past(1_000 * 24 * 60 * MINUTE))]);
    expect(years[0]?.baseline.apdex?.length).toBeGreaterThan(10_990);
    expect(years[0]?.baseline.apdex?.length).toBeLessThanOrEqual(11_000);
  });

  it('asks for fifty cells in one request, and gives each its own', async () => {
    const { cells: found } = await measured(cells(120));
    expect(server.queries).toHaveLength(3);
    expect(found.map((one) => valuesOf(one.after.apdex))).toEqual(Array.from({ length: 120 }, (_, at) => [at]));
  });

  it('gives each cell of a batch its own window', async () => {
    const late = cell('cell-2', { after: { fromMs: DEPLOYED + 8 * MINUTE, toMs: NOW } });
    const { cells: found } = await measured([late, cell('cell-1')]);
    expect(server.queries).toHaveLength(1);
    expect(found.map((one) => [one.cell, one.after.apdex?.length])).toEqual([
      ['cell-2', 2],
      ['cell-1', 10],
    ]);
  });

  it('fills in labels, and names a cell that lacks one', async () => {
    const labelled = cell('cell-1', { labels: { region: 'eu"west' } });
    const signals = { apdex: 'apdex{cell="{{cell}}",region="{{label.region}}"}' };
    const { cells: found, silent } = await measured([labelled, cell('cell-2')], signals);
    expect(server.queries[0]).toContain('region="eu\\"west"');
    expect(found[0]?.after.apdex).toHaveLength(10);
    expect(found[1]?.problems).toEqual([
      { signal: 'apdex', window: 'after', problem: expect.stringContaining('cell-2 has no label "region"') },
    ]);
    expect(silent).toEqual(['cell-2']);
  });

  it('needs no request where nothing is wanted', async () => {
    expect((await measured([cell('cell-1', { after: null })])).silent).toEqual([]);
    expect((await measured([cell('cell-1')], {})).silent).toEqual([]);
    expect(server.queries).toEqual([]);
  });
});

describe('what is no measurement of this deployment', () => {
  it('is a value taken before it, whenever it is shown', async () => {
    server.behind = () => [{ at: () => 1, takenAt: (ms) => Math.min(ms, DEPLOYED) }];
    const { cells: found, silent } = await measured([cell('cell-1')]);
    expect(found[0]?.after.apdex).toEqual([]);
    expect(silent).toEqual(['cell-1']);
  });

  it('is the value of an expression over such a value', async () => {
    server.behind = (query) => [{ at: () => 1, takenAt: (ms) => (query.includes('stale') ? DEPLOYED : ms) }];
    const queries = { fresh: 'max(fresh{cell="{{cell}}"})', mixed: 'max(fresh{cell="{{cell}}"}) / stale' };
    const { cells: found } = await measured([cell('cell-1')], queries);
    expect(found[0]?.after.fresh).toHaveLength(10);
    expect(found[0]?.after.mixed).toEqual([]);
  });

  it('is a value that is shown on and on', async () => {
    const last = DEPLOYED + 4 * MINUTE;
    server.behind = () => [{ at: () => 1, takenAt: (ms) => Math.min(ms, last) }];
    const { cells: found } = await measured([cell('cell-1')]);
    // A sample is fresh for three intervals.
    expect(found[0]?.after.apdex?.at(-1)?.[0]).toBe(last + 3 * MINUTE);
  });

  it('is a value from the future of Prometheus', async () => {
    server.headers = { date: new Date(DEPLOYED + 5 * MINUTE).toUTCString() };
    const { cells: found } = await measured([cell('cell-1')]);
    expect(found[0]?.after.apdex?.at(-1)?.[0]).toBe(DEPLOYED + 5 * MINUTE);
  });
});

describe('what is no good answer', () => {
  it('of one cell names it: silent', async () => {
    server.behind = (query) => (query.includes('cell-4') ? [] : [{ at: () => 1 }]);
    const { cells: found, silent } = await measured(cells(10));
    expect(silent).toEqual(['cell-4']);
    expect(found[4]?.problems).toEqual([]);
    expect(found.filter((one) => one.after.apdex?.length === 10)).toHaveLength(9);
  });

  it('in one signal only does not make a cell silent', async () => {
    server.behind = (query) => (query.includes('errors') ? [] : [{ at: () => 1 }]);
    const { cells: found, silent } = await measured([cell('cell-1')], {
      ...SIGNALS,
      errors: 'errors{cell="{{cell}}"}',
    });
    expect(silent).toEqual([]);
    expect(found[0]?.after.errors).toEqual([]);
  });

  it('keeps what is not a finite number, for the judge to see', async () => {
    const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    server.behind = () => [{ at: (ms) => odd[(ms / MINUTE) % 3] ?? 0 }];
    const { cells: found } = await measured([cell('cell-1')]);
    expect(new Set(valuesOf(found[0]?.after.apdex))).toEqual(new Set(odd));
  });

  it('with several series at one moment is none, and says which', async () => {
    const pods = ['a', 'b'].map((pod) => ({ labels: { __name__: 'apdex', pod }, at: () => 1 }));
    server.behind = (query) => (query.includes('cell-1') ? pods : [{ at: () => 1 }]);
    const { cells: found } = await measured(cells(3));
    expect(found[1]?.after.apdex).toEqual([]);
    expect(found[1]?.problems[0]?.problem).toBe(
      'the query answers 2 series where one is expected: {pod="a"}, {pod="b"}',
    );
    expect(found[2]?.after.apdex).toHaveLength(10);
  });

  it('with series that follow one another is one: labels change with a deployment', async () => {
    const change = DEPLOYED + 5 * MINUTE;
    server.behind = () => [
      { labels: { pod: 'new' }, at: (ms) => (ms > change ? 2 : null) },
      { labels: { pod: 'old' }, at: (ms) => (ms > change ? null : 1) },
    ];
    const { cells: found } = await measured([cell('cell-1')]);
    expect(found[0]?.after.apdex?.map(([, value]) => value)).toEqual([1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
  });

  it('to one broken query does not blind the other cells', async () => {
    server.behind = (query) => (query.includes('cell-17"') ? 'parse error' : [{ at: () => 1 }]);
    const { cells: found, silent } = await measured(cells(50));
    expect(found.filter((one) => one.after.apdex?.length === 10)).toHaveLength(49);
    expect(silent).toEqual(['cell-17']);
    expect(found[17]?.problems).toEqual([
      { signal: 'apdex', window: 'after', problem: 'Prometheus answers 400: bad_data: parse error' },
    ]);
    // Halved six times, and not fifty times one by one.
    expect(server.queries.length).toBeLessThanOrEqual(15);
  });

  it('in part is none for the cell that it concerns', async () => {
    server.warnings = (query) => (query.includes('cell-3"') ? ['store 9 is away'] : []);
    const { cells: found } = await measured(cells(8));
    expect(found[3]?.after.apdex).toEqual([]);
    expect(found[3]?.problems[0]?.problem).toBe('Prometheus answered in part only: store 9 is away');
    expect(found.filter((one) => one.after.apdex?.length === 10)).toHaveLength(7);
  });

  it('by something that knows no times is taken as it is, and still fifty cells at once', async () => {
    server.timeless = true;
    const { cells: found } = await measured(cells(100));
    expect(found.map((one) => valuesOf(one.after.apdex))).toEqual(Array.from({ length: 100 }, (_, at) => [at]));
    // Two that were refused, one to find out why, and two that were answered.
    expect(server.queries).toHaveLength(5);
  });

  it('by something that knows no PromQL is asked for plainly', async () => {
    server.plain = true;
    const { cells: found } = await measured(cells(20));
    expect(found.map((one) => valuesOf(one.after.apdex))).toEqual(Array.from({ length: 20 }, (_, at) => [at]));
    expect(server.queries).toHaveLength(22);
  });
});

describe('a Prometheus in trouble', () => {
  it.each([
    ['answers 500', { status: 500 }, 'server'],
    ['answers 429', { status: 429 }, 'throttled'],
    ['hangs', 'hang' as const, 'timeout'],
    ['cuts connections', 'drop' as const, 'unreachable'],
    ['answers pages', { text: '<html>' }, 'protocol'],
    ['refuses the token', { status: 401 }, 'denied'],
  ])('that %s is unavailable, and no cell is judged by that', async (_, reply, kind) => {
    if (kind === 'timeout') timeoutMs = 100;
    server.instead = () => reply;
    expect(await measure(cells(120))).toEqual({
      outcome: 'unavailable',
      kind,
      reason: expect.stringContaining('Prometheus'),
    });
  });

  it('does not answer the last of many: nothing of it is taken for the whole', async () => {
    server.instead = ({ form }) => (form.get('query')?.includes('cell-119"') ? { status: 500 } : null);
    expect(await measure(cells(120))).toMatchObject({ outcome: 'unavailable', kind: 'server' });
  });

  it('for a moment is asked again', async () => {
    patience = { ...SHORT, totalMs: 10_000 };
    let left = 3;
    server.instead = () => (left-- > 0 ? { status: 502 } : null);
    expect((await measured(cells(60))).cells[59]?.after.apdex).toHaveLength(10);
  });

  it('is asked again when it said so, and not before', async () => {
    patience = { ...SHORT, totalMs: 10_000 };
    let first = 0;
    server.instead = () => {
      first ||= Date.now();
      return Date.now() - first < 950 ? { status: 429, headers: { 'retry-after': '1' } } : null;
    };
    await measured([cell('cell-1')]);
    expect(server.queries).toHaveLength(2);
  });

  it('that wants to be left alone for longer than we wait is unavailable at once', async () => {
    server.instead = () => ({ status: 503, headers: { 'retry-after': '30' } });
    expect(await measure([cell('cell-1')])).toMatchObject({ outcome: 'unavailable', kind: 'server' });
    expect(server.queries).toHaveLength(1);
  });

  it('that is too slow for any query is unavailable in the end, however small the questions become', async () => {
    server.instead = () => {
      const until = Date.now() + 60;
      while (Date.now() < until);
      return { status: 503, json: { errorType: 'timeout', error: 'query timed out' } };
    };
    expect(await measure(cells(50))).toMatchObject({ outcome: 'unavailable', kind: 'too-slow' });
  });

  it('is not waited for once nobody wants to know', async () => {
    server.instead = () => 'hang';
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error('enough')), 50);
    await expect(measure(cells(3), SIGNALS, stop.signal)).rejects.toThrow('enough');
  });
});
