import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeWith } from '../support/installed.js';
import { type Prometheus, startPrometheus } from '../support/prometheus.js';
import { type AmpClient, closeAll, NEW, order, simulate, TOPOLOGY, until } from './amp-client.js';
import { ask, rangeOf, vectorAt } from './prometheus-api.js';

const CELLS = TOPOLOGY.rings.flatMap((ring) => ring.cells.map((cell): string => cell.id));
/** Values move every 15 s, and every 0.6 s where a day is an hour. */
const STEP_MS = 15_000;
const FAST = { dayMs: 3_600_000, seed: 5 };
const FAST_TOPOLOGY = { rings: [{ ring: 2, cells: [{ id: 'swift' }, { id: 'rapid' }] }] };
/** A scrape a second, and some time for it on a busy machine. */
const LAG_MS = 4000;

let slow: AmpClient;
let fast: AmpClient;
let prometheus: Prometheus;

describeWith('prometheus')('a real Prometheus', () => {
  beforeAll(async () => {
    slow = await simulate();
    fast = await simulate({ ...FAST, topology: FAST_TOPOLOGY });
    prometheus = await startPrometheus({
      scrapes: [
        { simulator: slow.url, cells: CELLS },
        { simulator: fast.url, cells: ['swift', 'rapid'] },
      ],
    });
  });
  afterAll(async () => {
    await prometheus?.stop();
    await closeAll();
  });

  /** Asks both at a moment at which every scrape has seen what the simulator says now; until they agree, or it is late. */
  async function both(query: string): Promise<{ real: Map<string, string>; own: Map<string, string> }> {
    return until(
      async () => {
        const nowMs = Date.now();
        const [real, own] = await Promise.all([prometheus.url, slow.url].map((url) => vectorAt(url, query, nowMs)));
        return { real: real as Map<string, string>, own: own as Map<string, string> };
      },
      ({ real, own }) => isSame(real, own) && Date.now() % STEP_MS > LAG_MS,
      2 * STEP_MS,
    );
  }

  test('scrapes every cell', async () => {
    const up = await until(
      () => vectorAt(prometheus.url, 'sum(up)', Date.now()),
      (sum) => sum.get('{}') === String(CELLS.length + 2),
      20_000,
    );
    expect(up.size).toBe(1);
    const types = await vectorAt(prometheus.url, 'count by (cell) (gitlab_service_apdex:ratio_5m)', Date.now());
    expect([...types.keys()].sort()).toEqual([...CELLS, 'swift', 'rapid'].map((cell) => `{cell="${cell}"}`).sort());
  });

  test.each([
    'gitlab_service_apdex:ratio_5m{cell="cell-1",type="webservice"}',
    'gitlab_service_errors:ratio_5m{cell="cell-1",type="webservice"}',
    'gitlab_service_ops:rate_5m{cell="cell-1",type="webservice"}',
    'max(gitlab_component_saturation:ratio{cell="cell-1"})',
    'min(gitlab_deployment_health:service{env="gprd",stage="main"})',
    '{cell=~"qa|cell-[12]",component=~"p.*",component!~".*_cpu"}',
    `gitlab_service_ops:rate_5m{cell=~'c(?i:ELL)-\\\\d',type!=\`api\`,region=""}`,
    'gitlab_version_info{package!="",cell!~"swift|rapid"}',
    'gitlab_service_apdex:ratio_5m{cell="qa"}',
    'min by (type) (gitlab_service_apdex:ratio_5m{cell=~"qa|cell-1"})',
    'max(gitlab_service_apdex:ratio_5m{cell="qa"})',
    'sum by (cell) (gitlab_service_ops:rate_5m{cell!~"swift|rapid"})',
    'avg(gitlab_service_ops:rate_5m{cell!~"swift|rapid"}) by (type)',
    'count by (__name__) ({cell=~"cell-.*"})',
    'count by (nowhere) (gitlab_service_ops:rate_5m{cell="cell-1"})',
    'max(absent) or gitlab_service_ops:rate_5m{cell="cell-1",type="git"}',
    'sum by (cell) (gitlab_service_ops:rate_5m{cell=~"cell.*"}) or max by (cell) (gitlab_component_saturation:ratio{cell!~"swift|rapid"})',
    'gitlab_service_ops:rate_5m{cell="cell-1"} or gitlab_service_apdex:ratio_5m{cell="cell-1"}',
    'label_replace(gitlab_service_ops:rate_5m{cell="cell-1"}, "number", "no. $1$$", "cell", "cell-(.*)")',
    'label_replace(sum(gitlab_service_ops:rate_5m{cell="cell-1"}), "cell", "any", "", "")',
    'label_replace(gitlab_service_ops:rate_5m{cell="cell-1"}, "__name__", "ops", "cell", ".*")',
    'absent_metric{cell="cell-1"}',
  ])('answers as the simulator does: %s', async (query) => {
    const { real, own } = await both(query);
    expect(own.size).toBe(real.size);
    if (!query.includes('absent_metric')) expect(own.size).toBeGreaterThan(0);
  });

  test.each(['-1.5', 'Inf', '(0x1f)'])('answers as the simulator does: %s', async (query) => {
    const time = '1700000000.25';
    expect(await ask(slow.url, 'query', { query, time })).toEqual(await ask(prometheus.url, 'query', { query, time }));
    const range = { query, start: time, end: '1700000001', step: '250ms' };
    expect(await ask(slow.url, 'query_range', range)).toEqual(await ask(prometheus.url, 'query_range', range));
  });

  test.each([
    ['query', { query: 'up{' }],
    ['query', { query: '{cell=~".*"}' }],
    ['query', { query: 'up{cell=~"("}' }],
    ['query', { query: 'up{__name__="up"}' }],
    ['query', { query: 'max(1)' }],
    ['query', { query: 'up or 1' }],
    ['query', { query: 'up{cell="\\q"}' }],
    ['query', { query: 'up', time: 'soon' }],
    ['query', { query: 'label_replace(gitlab_service_ops:rate_5m, "type", "", "type", ".*")' }],
    ['query_range', { query: 'up', start: '1', end: '2', step: '0' }],
    ['query_range', { query: 'up', start: '2', end: '1', step: '1' }],
    ['query_range', { query: 'up', start: '0', end: '11001', step: '1' }],
    ['query_range', { query: 'up', start: '1', end: '2', step: 'x' }],
  ] as const)('refuses as the simulator does: %s %j', async (call, params) => {
    const [real, own] = await Promise.all([prometheus.url, slow.url].map((url) => ask(url, call, params)));
    expect(real?.status).toBe('error');
    expect([own?.http, own?.errorType]).toEqual([real?.http, real?.errorType]);
  });

  test('has in every sample of a scrape what the simulator computes for that moment, faults and packages included', async () => {
    const cell = '{__name__=~"gitlab.*",cell="swift"}';
    const startMs = Date.now();
    await fast.addFault({ kind: 'error-burst', version: NEW, size: 0.2 });
    await fast.post('k', order({ tenant: 'swift' }));
    const hasBurst = async () => {
      const errors = await vectorAt(
        prometheus.url,
        `gitlab_service_errors:ratio_5m${cell.replace(/__name__[^,]+,/, '')}`,
        Date.now(),
      );
      return Math.min(...[...errors.values()].map(Number));
    };
    await until(hasBurst, (errors) => errors > 0.1, 30_000);

    const endMs = Date.now();
    const { data } = await ask(prometheus.url, 'query', {
      query: `${cell}[${endMs - startMs}ms]`,
      time: String(endMs / 1000),
    });
    if (data?.resultType !== 'matrix') throw new Error('no samples');
    let compared = 0;
    for (const { metric, values } of data.result) {
      const { job: _job, instance: _instance, __name__: name, ...labels } = metric;
      const select = `${name}{${Object.entries(labels).map(([label, value]) => `${label}="${value}"`)}}`;
      for (const [seconds, value] of values) {
        // The time of a sample is when the scrape began; the simulator was asked up to a time-out later.
        const range = { startMs: seconds * 1000, endMs: seconds * 1000 + 1000, stepMs: 20 };
        const [computed] = (await rangeOf(fast.url, select, range)).values();
        expect([...(computed?.values() ?? [])], `${select} at ${seconds}`).toContain(value);
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(16);
    const packages = await vectorAt(prometheus.url, 'gitlab_version_info{cell="swift"}', Date.now());
    expect([...packages.keys()]).toEqual([expect.stringContaining(NEW)]);
  });

  test('loses the series that a fault hides, and has them again afterwards, as the simulator does', async () => {
    const apdex = 'gitlab_service_apdex:ratio_5m{cell="rapid"}';
    const sizes = async () =>
      Promise.all([prometheus.url, fast.url].map(async (url) => (await vectorAt(url, apdex, Date.now())).size));
    const id = await fast.addFault({ kind: 'missing-series', cell: 'rapid', signals: ['apdex'] });
    await until(sizes, ([real, own]) => real === 0 && own === 0, 20_000);
    await fast.control('DELETE', `/faults/${id}`);
    await until(sizes, ([real, own]) => real === 3 && own === 3, 20_000);
  });

  test('knows nothing of the past before it scraped; the simulator does', async () => {
    const apdex = 'gitlab_service_apdex:ratio_5m{cell="cell-1",type="git"}';
    const hourAgo = Date.now() - 3_600_000;
    expect((await vectorAt(prometheus.url, apdex, hourAgo)).size).toBe(0);
    expect((await vectorAt(slow.url, apdex, hourAgo)).size).toBe(1);
  });
});

/** The same series; numbers may differ in their last digits, where they were added up in another order. */
function isSame(real: Map<string, string>, own: Map<string, string>): boolean {
  if (real.size !== own.size) return false;
  return [...real].every(([name, value]) => {
    const other = own.get(name);
    if (other === undefined || value === other) return value === other;
    return Math.abs(Number(value) - Number(other)) <= 1e-12 * Math.abs(Number(value));
  });
}

describe('the comparison', () => {
  test('sees a difference', () => {
    const one = new Map([['a', '0.1']]);
    expect(isSame(one, new Map([['a', '0.10000000000000001']]))).toBe(true);
    expect(isSame(one, new Map([['a', '0.11']]))).toBe(false);
    expect(isSame(one, new Map([['b', '0.1']]))).toBe(false);
    expect(isSame(one, new Map([['a', 'NaN']]))).toBe(false);
    expect(isSame(one, new Map())).toBe(false);
  });
});
