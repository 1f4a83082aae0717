import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ampOverHttp } from '../../activities/amp-http.js';
import { cellsOverHttp } from '../../activities/cell-http.js';
import { type CellToObserve, createObserve, type Observed } from '../../activities/observe.js';
import { prometheusOverHttp } from '../../activities/prometheus-http.js';
import type { CellRef } from '../../src/contract/activities.js';
import { FAILURE } from '../../src/contract/failures.js';
import type { HealthPolicy } from '../../src/contract/health.js';
import { judgeCell } from '../../src/domain/health/index.js';
import { SHORT_PATIENCE } from './environment.js';
import { FakeAmp, NEW, OLD } from './fake-amp.js';
import { FakePrometheus, type FakeSeries } from './fake-prometheus.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const POLICY: HealthPolicy = {
  windowMs: 10 * MINUTE,
  baselineMs: 60 * MINUTE,
  intervalMs: 30 * SECOND,
  minSamples: 5,
  onInconclusive: 'hold',
  inconclusiveTimeoutMs: 60 * MINUTE,
  mode: 'enforce',
  quiet: null,
  signals: { saturation: { query: 'max(saturation{cell="{{cell}}"})', worse: 'higher', max: 0.9 } },
};

let amp: FakeAmp;
let server: FakePrometheus;
let ref: CellRef;
let nowMs: number;

beforeEach(async () => {
  amp = await FakeAmp.start();
  server = await FakePrometheus.start();
  server.behind = () => [moving()];
  ref = amp.addCell('cell-1', NEW);
  nowMs = Date.now();
});
afterEach(async () => {
  await amp.stop();
  await server.http.stop();
});

/** A signal that is fine, and moves. */
const moving = (changes: Partial<FakeSeries> = {}): FakeSeries => ({
  at: (ms) => 0.5 + 0.05 * Math.sin(ms / 77_777),
  ...changes,
});

const deployed = (changes: Partial<CellToObserve> = {}): CellToObserve => ({
  ...ref,
  expected: NEW,
  begunAtMs: nowMs - 20 * MINUTE,
  deployedAtMs: nowMs - 10 * MINUTE,
  smokeTests: null,
  before: null,
  ...changes,
});

function observe(cells: CellToObserve[], policy = POLICY): Promise<Observed> {
  const dependencies = {
    amp: ampOverHttp({ url: amp.url }),
    cells: cellsOverHttp(),
    patience: SHORT_PATIENCE,
    prometheus: prometheusOverHttp({ url: server.http.url }),
    prometheusPatience: SHORT_PATIENCE,
  };
  return createObserve(dependencies)({ cells, policy }, new AbortController().signal);
}

async function observed(cells: CellToObserve[], policy = POLICY) {
  const answer = await observe(cells, policy);
  if (answer.outcome !== 'observed') throw new Error(answer.reason);
  return answer;
}

async function one(changes: Partial<CellToObserve> = {}) {
  const { observations, problems, silent } = await observed([deployed(changes)]);
  const [observation] = observations;
  if (!observation) throw new Error('no observation');
  return { observation, problems, silent, verdict: judgeCell(observation, POLICY) };
}

describe('an observation', () => {
  it('has all that a judge needs, and a healthy cell is judged healthy by it', async () => {
    const { observation, problems, verdict } = await one();
    expect(observation).toMatchObject({ cell: 'cell-1', expected: NEW, running: NEW, readiness: 'ready' });
    expect(observation.baseline.saturation?.length).toBeGreaterThanOrEqual(20);
    expect(observation.after.saturation?.length).toBeGreaterThanOrEqual(19);
    expect(problems).toEqual([]);
    expect(verdict.verdict).toBe('healthy');
  });

  it('has nothing in it of the time between the beginning of the deployment and its end', async () => {
    const { observation } = await one();
    const { baseline, after } = observation;
    expect(Math.max(...(baseline.saturation ?? []).map(([at]) => at))).toBeLessThanOrEqual(nowMs - 20 * MINUTE);
    expect(Math.min(...(after.saturation ?? []).map(([at]) => at))).toBeGreaterThan(nowMs - 10 * MINUTE);
  });

  it('of a cell that was not deployed is of the last six windows', async () => {
    const { observation } = await one({ begunAtMs: null, deployedAtMs: null });
    expect(observation.after.saturation?.length).toBeGreaterThanOrEqual(19);
    expect(Math.min(...(observation.after.saturation ?? []).map(([at]) => at))).toBeGreaterThan(nowMs - 61 * MINUTE);
  });

  it('takes a past that is known as it is, and does not ask for it', async () => {
    const baseline = { saturation: [[1, 0.5] as [number, number]] };
    const { observation } = await one({ baseline });
    expect(observation.baseline).toBe(baseline);
    expect(server.queries).toHaveLength(1);
  });
});

describe('what is never healthy', () => {
  it('is a series that was healthy before the deployment, and is shown since', async () => {
    server.behind = () => [moving({ takenAt: (ms) => Math.min(ms, nowMs - 11 * MINUTE) })];
    const { silent, verdict } = await one();
    expect(silent).toEqual(['cell-1']);
    expect(verdict.verdict).toBe('inconclusive');
  });

  it.each<[string, () => FakeSeries[] | string]>([
    ['an empty answer', () => []],
    ['a query that is refused', () => 'parse error'],
    ['NaN', () => [moving({ at: () => Number.NaN })]],
    ['infinity', () => [moving({ at: () => Number.NEGATIVE_INFINITY })]],
    ['two series', () => [moving({ labels: { pod: 'a' } }), moving({ labels: { pod: 'b' } })]],
    ['a series that ended', () => [moving({ at: (ms) => (ms < nowMs - 5 * MINUTE ? 0.5 : null) })]],
  ])('is %s', async (_, behind) => {
    server.behind = behind;
    expect((await one()).verdict.verdict).toBe('inconclusive');
  });

  it('is another package', async () => {
    const { observation, verdict } = await one({ expected: OLD });
    expect(observation.running).toBe(NEW);
    expect(verdict.verdict).toBe('inconclusive');
  });

  it.each<[string, () => void, string]>([
    ['a job under way', () => amp.begin(ref, null, 60_000), 'is under way'],
    ['a job that failed', () => Object.assign(amp.tenant(ref), { state: 'failed' }), 'the last job on it failed'],
    ['a revision that is not the package', () => Object.assign(amp.cell('cell-1'), { revision: 'bbbbbbbbbbb' }), 'bbb'],
    ['an API that does not answer', () => Object.assign(amp.cell('cell-1'), { metadata: 500 }), '500'],
    ['a tenant that AMP does not know', () => amp.tenants.clear(), 'AMP knows no such tenant'],
    ['a tenant without a version', () => Object.assign(amp.tenant(ref), { version: null }), 'does not say'],
  ])('is %s', async (_, happen, words) => {
    happen();
    const { observation, problems, verdict } = await one();
    expect(observation.running).toBe(null);
    expect(problems).toEqual([{ cell: 'cell-1', signal: null, problem: expect.stringContaining(words) }]);
    expect(verdict.verdict).toBe('inconclusive');
  });
});

describe('what a cell runs', () => {
  it('is what its revision says, where AMP is not to be asked', async () => {
    expect((await one({ tenant: null })).observation.running).toBe(NEW);
    expect((await one({ tenant: null, expected: OLD })).observation.running).toBe('6a387d336a7');
    expect(amp.requests.filter((request) => request.includes('/tenants/'))).toEqual([]);
  });

  it('is right whatever it is, where nothing is expected', async () => {
    const { observation, verdict } = await one({ tenant: null, expected: null });
    expect(observation.expected).toBe(observation.running);
    expect(verdict.verdict).toBe('healthy');
  });

  it('is the expected package, where AMP writes its shas at another length', async () => {
    const short = NEW.replace('6a387d336a7', '6a387d3').replace('c1c3e017782', 'c1c3e01');
    expect((await one({ expected: short })).observation.running).toBe(short);
  });
});

describe('trouble', () => {
  it('of Prometheus is no finding about a cell, and nobody else is asked then', async () => {
    server.instead = () => ({ status: 500 });
    expect(await observe([deployed()])).toMatchObject({ outcome: 'unavailable', kind: 'server' });
    expect(amp.requests).toEqual([]);
  });

  it('of AMP fails as it does everywhere', async () => {
    amp.fault(/tenants/, { status: 502 }, 1_000);
    await expect(observe([deployed()])).rejects.toMatchObject({ type: FAILURE.ampUnavailable });
  });

  it('of one cell is told of that cell only', async () => {
    const other = amp.addCell('cell-2', NEW);
    amp.cell('cell-2').readiness = 'silent';
    const { observations, problems } = await observed([deployed(), deployed(other)]);
    expect(observations.map(({ cell, running, readiness }) => [cell, running, readiness])).toEqual([
      ['cell-1', NEW, 'ready'],
      ['cell-2', null, 'silent'],
    ]);
    expect(problems.map(({ cell }) => cell)).toEqual(['cell-2']);
  });
});
