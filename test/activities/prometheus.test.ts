import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CellToMeasure, createMeasure, type MeasuredCell } from '../../activities/measure.js';
import { prometheusOverHttp } from '../../activities/prometheus-http.js';
import type { HealthPolicy } from '../../src/contract/health.js';
import { describeWith } from '../support/installed.js';
import { type PastSample, type Prometheus, startPrometheus } from '../support/prometheus.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const SCRAPE = 15 * SECOND;
const NOW = Math.floor(Date.now() / SCRAPE) * SCRAPE - 2 * SCRAPE;
const DEPLOYED = NOW - 10 * MINUTE;
const CELLS = 50;

/** A sample every fifteen seconds, not on the full second. */
function scraped(series: string, value: (ms: number) => number, fromMs = NOW - 60 * MINUTE, toMs = NOW): PastSample[] {
  const count = Math.floor((toMs - fromMs) / SCRAPE);
  return Array.from({ length: count }, (_, at): PastSample => {
    const atMs = fromMs + at * SCRAPE + 123;
    return [series, value(atMs), atMs];
  });
}

const POLICY: HealthPolicy = {
  windowMs: 10 * MINUTE,
  baselineMs: 30 * MINUTE,
  intervalMs: 30 * SECOND,
  minSamples: 4,
  onInconclusive: 'hold',
  inconclusiveTimeoutMs: 60 * MINUTE,
  mode: 'enforce',
  quiet: null,
  signals: {},
};
const RESET = DEPLOYED + 3 * MINUTE;
const samples: PastSample[] = [
  ...Array.from({ length: CELLS }, (_, at) => scraped(`apdex{cell="cell-${at}"}`, () => at / 100)).flat(),
  ...Array.from({ length: CELLS }, (_, at) => scraped(`weight{cell="cell-${at}",pod="a"}`, () => 2)).flat(),
  // Whoever divides by this cell's weight divides by two things at once.
  ...scraped('weight{cell="cell-13",pod="b"}', () => 2),
  // It went away a moment before its deployment ended, and nobody marked it as gone.
  ...scraped('apdex{cell="gone"}', () => 1, NOW - 60 * MINUTE, DEPLOYED - SCRAPE),
  ...scraped('requests{cell="busy"}', (ms) => (ms < RESET ? ms - NOW + 90 * MINUTE : ms - RESET) / SECOND),
  ...scraped('requests{cell="quiet"}', () => 0),
];

describeWith('prometheus', 'promtool')('a real Prometheus', () => {
  let prometheus: Prometheus;
  beforeAll(async () => {
    prometheus = await startPrometheus({ scrapes: [], past: samples });
  });
  afterAll(() => prometheus.stop());

  const cell = (id: string): CellToMeasure => ({
    id,
    baseline: { fromMs: DEPLOYED - 30 * MINUTE, toMs: DEPLOYED },
    after: { fromMs: DEPLOYED, toMs: NOW },
  });
  const all = Array.from({ length: CELLS }, (_, at) => cell(`cell-${at}`));

  const ask = (cells: CellToMeasure[], query: string) => {
    const api = prometheusOverHttp({ url: prometheus.url });
    const prometheusPatience = { totalMs: 300, firstPauseMs: 20, maxPauseMs: 100 };
    const policy: HealthPolicy = { ...POLICY, signals: { it: { query, worse: 'lower' } } };
    return createMeasure({ prometheus: api, prometheusPatience })({ cells, policy }, new AbortController().signal);
  };

  const measured = async (cells: CellToMeasure[], query: string): Promise<MeasuredCell[]> => {
    const answer = await ask(cells, query);
    if (answer.outcome !== 'measured') throw new Error(answer.reason);
    return answer.cells;
  };

  const valuesOf = ({ after }: MeasuredCell) => [...new Set(after.it?.map(([, value]) => value))];

  it('answers fifty cells in one request, before and after', async () => {
    const found = await measured(all, 'apdex{cell="{{cell}}"}');
    expect(found.map(valuesOf)).toEqual(all.map((_, at) => [at / 100]));
    // The first half minute may have no sample of its own yet.
    for (const one of found) expect(one.after.it?.length).toBeGreaterThanOrEqual(19);
    for (const one of found) expect(one.baseline.it?.length).toBeGreaterThanOrEqual(14);
    expect(found.flatMap((one) => one.problems)).toEqual([]);
  });

  it.each([
    'max(apdex{cell="{{cell}}"}) # the best of them',
    '(apdex{cell="{{cell}}"}) or on() vector(0) < -1',
    'apdex{cell="{{cell}}"} * on(cell) group_left() (count by (cell) (apdex{cell="{{cell}}"}))',
    'avg_over_time(apdex{cell="{{cell}}"}[1m])',
  ])('understands a part such as %s', async (query) => {
    const found = await measured(all.slice(0, 3), query);
    expect(found.map(valuesOf)).toEqual([[0], [0.01], [0.02]]);
  });

  it.each(['apdex{cell="{{cell}}"}', 'max(apdex{cell="{{cell}}"})', '1 - apdex{cell="{{cell}}"} / 2'])(
    'shows a value from before the deployment, and it does not count: %s',
    async (query) => {
      const shown = await prometheusOverHttp({ url: prometheus.url }).instant({
        query: query.replace('{{cell}}', 'gone'),
        atMs: DEPLOYED + 4 * MINUTE,
      });
      expect(shown.series).toHaveLength(1);
      const answer = await ask([cell('gone'), cell('cell-1')], query);
      expect(answer).toMatchObject({ outcome: 'measured', silent: ['gone'] });
      const [gone] = answer.outcome === 'measured' ? answer.cells : [];
      expect(gone?.after.it).toEqual([]);
      expect(gone?.baseline.it?.length).toBeGreaterThanOrEqual(14);
    },
  );

  it('refuses one cell its query, and the others are measured', async () => {
    const found = await measured(all, 'apdex{cell="{{cell}}"} / on(cell) weight{cell="{{cell}}"}');
    expect(found.filter((one) => one.problems.length > 0).map((one) => one.cell)).toEqual(['cell-13']);
    expect(found[13]?.problems[0]?.problem).toContain('Prometheus answers 422: execution');
    expect(valuesOf(found[14] as MeasuredCell)).toEqual([0.07]);
  });

  it('names the series where one is expected', async () => {
    const [one] = await measured([cell('cell-13')], 'weight{cell="{{cell}}"}');
    expect(one?.after.it).toEqual([]);
    expect(one?.problems[0]?.problem).toContain('2 series where one is expected: {cell="cell-13",pod="a"}');
  });

  it('divides nothing by nothing, and that is NaN', async () => {
    const [one] = await measured(
      [cell('quiet')],
      'rate(requests{cell="{{cell}}"}[1m]) / rate(requests{cell="{{cell}}"}[1m])',
    );
    expect(one && valuesOf(one)).toEqual([Number.NaN]);
  });

  it('makes of a counter that begins anew a rate without a dent', async () => {
    const [one] = await measured([cell('busy')], 'rate(requests{cell="{{cell}}"}[1m])');
    for (const [, value] of one?.after.it ?? []) expect(value).toBeGreaterThan(0.5);
    for (const [, value] of one?.after.it ?? []) expect(value).toBeLessThan(1.5);
  });

  it('takes a number for a signal, too', async () => {
    const [one] = await measured([cell('any')], 'scalar(vector(3))');
    expect(one && valuesOf(one)).toEqual([3]);
  });

  it('is never asked for more points than it answers', async () => {
    const api = prometheusOverHttp({ url: prometheus.url });
    const range = { query: 'apdex{cell="cell-1"}', fromMs: NOW - 40 * 24 * 60 * MINUTE, toMs: NOW, stepMs: SECOND };
    expect((await api.range(range)).series).toHaveLength(1);
  });

  describe('that is killed', () => {
    beforeAll(() => prometheus.kill());

    it('is unavailable; once it is back, it answers again', async () => {
      expect(await ask(all, 'apdex{cell="{{cell}}"}')).toMatchObject({ outcome: 'unavailable', kind: 'unreachable' });
      await prometheus.startAgain();
      expect(await ask(all, 'apdex{cell="{{cell}}"}')).toMatchObject({ outcome: 'measured', silent: [] });
    });
  });
});
