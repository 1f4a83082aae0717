import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ampOverHttp } from '../../activities/amp-http.js';
import { cellsOverHttp } from '../../activities/cell-http.js';
import { type CellToObserve, createObserve } from '../../activities/observe.js';
import { prometheusOverHttp } from '../../activities/prometheus-http.js';
import type { HealthPolicy } from '../../src/contract/health.js';
import { judgeCell } from '../../src/domain/health/index.js';
import { type Simulator, simulatedCellUrl, startSimulator } from '../../src/simulator/index.js';
import { describeWith } from '../support/installed.js';
import { type Prometheus, startPrometheus } from '../support/prometheus.js';
import { SHORT_PATIENCE } from './environment.js';
import { OLD } from './fake-amp.js';

const MINUTE = 60_000;
/** As the example of a topology has it, but for a shorter past. */
const POLICY: HealthPolicy = {
  windowMs: 10 * MINUTE,
  baselineMs: 3 * 60 * MINUTE,
  intervalMs: 30_000,
  minSamples: 10,
  onInconclusive: 'hold',
  inconclusiveTimeoutMs: 60 * MINUTE,
  mode: 'enforce',
  quiet: null,
  signals: {
    apdex: {
      query: 'gitlab_service_apdex:ratio_5m{cell="{{cell}}",type="webservice"}',
      worse: 'lower',
      slo: 0.998,
      zScore: 3,
    },
    errors: {
      query: 'gitlab_service_errors:ratio_5m{cell="{{cell}}",type="webservice"}',
      worse: 'higher',
      slo: 0.0005,
      zScore: 3,
    },
    saturation: { query: 'max(gitlab_component_saturation:ratio{cell="{{cell}}"})', worse: 'higher', max: 0.9 },
  },
};

const ids = Array.from({ length: 60 }, (_, at) => `cell-${at}`);
const topology = {
  cluster: 'prod',
  rings: [{ ring: 2, cells: ids.map((id) => ({ id, tenant: `tenant-${id}` })) }],
};
const startAt = new Date(Date.now() - 24 * 60 * MINUTE).toISOString();
const faults = [{ kind: 'missing-series', cell: 'cell-7', startAt }];

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator({ topology, faults, initialVersion: OLD });
});
afterAll(() => simulator.close());

const cells = (changes: Partial<CellToObserve> = {}): CellToObserve[] =>
  ids.map((id) => ({
    id,
    tenant: `tenant-${id}`,
    url: simulatedCellUrl(simulator.url, id),
    expected: OLD,
    begunAtMs: null,
    deployedAtMs: null,
    smokeTests: null,
    before: null,
    ...changes,
  }));

async function observe(prometheusUrl: string, wanted: CellToObserve[], policy: HealthPolicy) {
  const dependencies = {
    amp: ampOverHttp({ url: simulator.url, token: 't' }),
    cells: cellsOverHttp(),
    patience: SHORT_PATIENCE,
    prometheus: prometheusOverHttp({ url: prometheusUrl }),
  };
  const answer = await createObserve(dependencies)({ cells: wanted, policy }, new AbortController().signal);
  if (answer.outcome !== 'observed') throw new Error(answer.reason);
  return answer;
}

describe('a fleet that the simulator measures itself', () => {
  it('is observed with its past, and judged: healthy but for the cell that is not measured', async () => {
    const { observations, silent, problems } = await observe(simulator.url, cells(), POLICY);
    expect(silent).toEqual(['cell-7']);
    expect(problems).toEqual([]);
    for (const { cell, running, baseline, after } of observations.filter((one) => one.cell !== 'cell-7')) {
      expect(running, cell).toBe(OLD);
      for (const name of Object.keys(POLICY.signals)) {
        expect(baseline[name]?.length, `${cell} ${name}`).toBeGreaterThanOrEqual(35);
        expect(after[name]?.length, `${cell} ${name}`).toBeGreaterThanOrEqual(19);
      }
    }
    const verdicts = observations.map((observation) => judgeCell(observation, POLICY));
    expect(verdicts[7]).toMatchObject({ cell: 'cell-7', verdict: 'inconclusive' });
    expect(verdicts.filter(({ verdict }) => verdict === 'healthy').length).toBeGreaterThan(45);
  });
});

describeWith('prometheus')('a fleet that a real Prometheus scrapes', () => {
  const few = ids.slice(0, 10);
  const quick = { ...POLICY, windowMs: 20_000, baselineMs: 60_000, intervalMs: 2_000, minSamples: 3 };
  let prometheus: Prometheus;
  beforeAll(async () => {
    const scrapes = [{ simulator: simulator.url, cells: few }];
    prometheus = await startPrometheus({ scrapes, scrapeIntervalMs: 2_000 });
  });
  afterAll(() => prometheus?.stop());

  it('is observed, the silent cell named', async () => {
    const look = () => observe(prometheus.url, cells().slice(0, 10), quick);
    await expect.poll(async () => (await look()).silent, { timeout: 50_000, interval: 500 }).toEqual(['cell-7']);
    const { observations, problems } = await look();
    expect(problems).toEqual([]);
    expect(observations.map(({ running }) => running)).toEqual(few.map(() => OLD));
  });

  it('has nothing to show for a deployment that has ended just now', async () => {
    const { silent } = await observe(prometheus.url, cells({ deployedAtMs: Date.now() - 1 }).slice(0, 10), quick);
    expect(silent).toEqual(few);
  });
});
