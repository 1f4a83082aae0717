import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ampOverHttp } from '../../activities/amp-http.js';
import { cellsOverHttp } from '../../activities/cell-http.js';
import { createAwaitHealthyRings, createJudgeRing } from '../../activities/gate.js';
import { CellHealth, createJudgeCell } from '../../activities/health.js';
import { prometheusOverHttp } from '../../activities/prometheus-http.js';
import { createWatchRing } from '../../activities/ring-health.js';
import type { CellRef, WatchRingOrder } from '../../src/contract/activities.js';
import { FAILURE } from '../../src/contract/failures.js';
import type { CellVerdict, HealthPolicy, LooksState, Signal } from '../../src/contract/health.js';
import type { RingHealthMessage, WatchedCells } from '../../src/contract/internal.js';
import { pack, packCells } from '../../src/domain/snapshot.js';
import { attempt, SHORT_PATIENCE } from './environment.js';
import { FakeAmp, NEW } from './fake-amp.js';
import { FakePrometheus } from './fake-prometheus.js';

const MINUTE = 60_000;
const SATURATION: Signal = { query: 'max(saturation{cell="{{cell}}"})', worse: 'higher', max: 0.97, zScore: 4 };
const LABELLED: Signal = { ...SATURATION, query: 'max(saturation{cell="{{cell}}",region="{{label.region}}"})' };
const SHADOW: Signal = { query: 'broken{cell="{{cell}}"}', worse: 'higher', max: 0.97, mode: 'shadow' };

let amp: FakeAmp;
let server: FakePrometheus;

beforeEach(async () => {
  amp = await FakeAmp.start();
  server = await FakePrometheus.start();
  server.behind = (query) => (query.includes('broken') ? 'no such function' : [{ at: moving(0.3) }]);
});
afterEach(async () => {
  await amp.stop();
  await server.http.stop();
});

const moving = (level: number) => (ms: number) => level + 0.01 * Math.sin(ms / 77_777);

/** What ended some minutes ago cannot be asked for. */
function refusePast(): void {
  const sinceMs = Date.now() - 3 * MINUTE;
  const isPast = (end: string | null) => Number(end) * 1_000 < sinceMs;
  server.instead = ({ form, path }) =>
    path.endsWith('/query_range') && isPast(form.get('end'))
      ? { status: 422, json: { status: 'error', errorType: 'execution', error: 'too many samples' } }
      : null;
}

const policyOf = (signals: Record<string, Signal>, changes: Partial<HealthPolicy> = {}): HealthPolicy => ({
  windowMs: 10 * MINUTE,
  baselineMs: 6 * 60 * MINUTE,
  intervalMs: 30_000,
  minSamples: 5,
  onInconclusive: 'hold',
  inconclusiveTimeoutMs: 60 * MINUTE,
  mode: 'enforce',
  quiet: null,
  signals,
  ...changes,
});

const dependenciesOf = (client: unknown = {}) => ({
  amp: ampOverHttp({ url: amp.url }),
  cells: cellsOverHttp(),
  patience: SHORT_PATIENCE,
  prometheus: prometheusOverHttp({ url: server.http.url }),
  prometheusPatience: SHORT_PATIENCE,
  client: client as never,
});

/** A Temporal that answers one query and takes one signal. */
const temporal = (query: () => unknown, signal: (message: unknown) => void = () => undefined) => ({
  workflow: {
    getHandle: () => ({
      describe: async () => ({ runId: 'run', status: { name: 'RUNNING' }, historyLength: 9 }),
      query: async () => query(),
      signal: async (_name: string, message: unknown) => signal(message),
    }),
  },
  withAbortSignal: <T>(_: AbortSignal, call: () => T) => call(),
});

const judge = (signals: Record<string, Signal>, onlyTold = false) =>
  attempt().run(createJudgeCell(dependenciesOf()), {
    cell: amp.addCell('c1', NEW),
    policy: policyOf(signals),
    untilMs: 0,
    onlyTold,
  });

describe('a cell as it is', () => {
  it('is healthy whatever is wrong with a signal in shadow', async () => {
    expect(await judge({ saturation: SATURATION, fresh: SHADOW })).toMatchObject({ verdict: 'healthy' });
  });

  it('is not known to be healthy where its past could not be asked for', async () => {
    refusePast();
    expect(await judge({ saturation: SATURATION })).toMatchObject({
      verdict: 'inconclusive',
      sentence: expect.stringContaining('the past could not be measured: c1, saturation'),
    });
  });
});

describe('a verdict that is only told', () => {
  it('goes by the same signals as one that is obeyed', async () => {
    const shadow: Signal = { ...SATURATION, mode: 'shadow', max: 0.1 };
    expect(await judge({ saturation: SATURATION, shadow }, true)).toMatchObject({ verdict: 'healthy' });
  });

  it('is that too little is known, where a Prometheus cannot be asked', async () => {
    server.instead = () => ({ status: 503, json: {} });
    const signals = { saturation: SATURATION };
    expect(await judge(signals, true)).toMatchObject({ verdict: 'inconclusive' });
    await expect(judge(signals)).rejects.toMatchObject({ type: FAILURE.healthUnavailable });
  });

  it('is that too little is known, where there is no Prometheus', async () => {
    const cell = amp.addCell('c1', NEW);
    const dependencies = { ...dependenciesOf(), prometheus: null };
    const told = (onlyTold: boolean) =>
      attempt().run(createJudgeCell(dependencies), { cell, policy: policyOf({}), untilMs: 0, onlyTold });
    expect(await told(true)).toMatchObject({
      verdict: 'inconclusive',
      sentence: expect.stringContaining('nothing is known of c1: there is no Prometheus'),
    });
    await expect(told(false)).rejects.toMatchObject({ type: FAILURE.healthUnavailable });
  });

  it('is waited for by nobody, however long is left', async () => {
    const cell = amp.addCell('c1', NEW);
    amp.cell('c1').readiness = 'silent';
    const order = { cell, policy: policyOf({}), untilMs: Date.now() + 60 * MINUTE };
    const told = attempt().run(createJudgeCell(dependenciesOf()), { ...order, onlyTold: true });
    expect(await told).toMatchObject({ verdict: 'inconclusive' });
    expect(amp.count(/tenants.*c1/)).toBe(1);
  });
});

describe('a cell that says once that it is not ready', () => {
  const policy = policyOf({}, { intervalMs: 20 });

  /** What is said of a cell at each look after its deployment, where its readiness answers so. */
  async function seen(...answers: ('ready' | 'not-ready')[]): Promise<CellVerdict['verdict'][]> {
    const cell = amp.addCell('c1', NEW);
    const times = { begunAtMs: Date.now() - 2 * MINUTE, deployedAtMs: Date.now() - MINUTE };
    const judged = { cell, policy, expected: NEW, ...times, smokeTests: null, before: null };
    const health = new CellHealth(dependenciesOf(), judged);
    const verdicts: CellVerdict['verdict'][] = [];
    const answer = () => {
      const next = answers[verdicts.length];
      if (next) amp.cell('c1').readiness = next;
      return next === undefined;
    };
    answer();
    await health.until(({ verdict }) => {
      verdicts.push(verdict);
      return answer();
    }, new AbortController().signal);
    return verdicts;
  }

  it('is in doubt while it is watched, and unhealthy at the third look in a row', async () => {
    expect(await seen('not-ready', 'not-ready', 'ready')).toEqual(['inconclusive', 'inconclusive', 'healthy']);
    expect(await seen('not-ready', 'not-ready', 'not-ready')).toEqual(['inconclusive', 'inconclusive', 'unhealthy']);
  });

  it('is looked at on beyond the end, until it is known whether it is ready', async () => {
    const cell = amp.addCell('c1', NEW);
    amp.cell('c1').readiness = 'not-ready';
    const judged = {
      cell,
      policy,
      expected: null,
      begunAtMs: null,
      deployedAtMs: null,
      smokeTests: null,
      before: null,
    };
    const atTheEnd = () => new CellHealth(dependenciesOf(), judged).until(() => true, new AbortController().signal);
    expect(await atTheEnd()).toMatchObject({ verdict: 'unhealthy' });
    expect(amp.count(/c1.*readiness/)).toBe(3);
    amp.cell('c1').readiness = 'silent';
    expect(await atTheEnd()).toMatchObject({ verdict: 'inconclusive' });
  });

  it.each([
    { onlyTold: false, once: true, untilMs: Number.MAX_SAFE_INTEGER },
    { onlyTold: true, untilMs: Number.MAX_SAFE_INTEGER },
    { onlyTold: false, untilMs: 0 },
  ])('is unhealthy where nobody looks again: %o', async (order) => {
    const cell = amp.addCell('c1', NEW);
    amp.cell('c1').readiness = 'not-ready';
    const judged = attempt().run(createJudgeCell(dependenciesOf()), { cell, policy, ...order });
    expect(await judged).toMatchObject({ verdict: 'unhealthy' });
    expect(amp.count(/c1.*readiness/)).toBe(1);
  });
});

describe('a ring as a gate', () => {
  const topology = () => {
    const cells = [amp.addCell('c1', NEW), amp.addCell('c2', NEW)];
    const health = { signals: { saturation: SATURATION } };
    return { gzip: pack({ cluster: 'prod', perimeter: 1, health, rings: [{ ring: 2, cells }] }) };
  };
  const words = async () => {
    const dependencies = dependenciesOf(temporal(topology));
    return {
      ring: await attempt().run(createJudgeRing(dependencies), { ring: 2 }),
      gate: await attempt().run(createAwaitHealthyRings(dependencies), { ring: 2, requestId: 'r', once: true }),
    };
  };

  it('is open where its cells are as they were', async () => {
    expect(await words()).toEqual({ ring: { healthy: true, sentence: 'ring 2 is healthy' }, gate: null });
  });

  it('is not known to be healthy where the past of its cells could not be asked for', async () => {
    refusePast();
    server.behind = () => [{ at: moving(0.95) }];
    const sentence = expect.stringContaining('ring 2 is not known to be healthy (c1, c2): the past could not be');
    expect(await words()).toEqual({ ring: { healthy: null, sentence }, gate: sentence });
  });
});

describe('the watch of a ring', () => {
  const cellsOf = (from: number, to: number, labels: Record<string, string>): CellRef[] =>
    Array.from({ length: to - from }, (_, i) => ({ ...amp.addCell(`c${from + i}`, NEW), labels }));

  /** What the pass is told at the first look, with three cells on the package and what else there is. */
  async function told(signals: Record<string, Signal>, others: CellRef[], looks: LooksState | null = null) {
    const [beganMs, endedMs] = [Date.now() - 60 * MINUTE, Date.now() - 50 * MINUTE];
    const all = [...cellsOf(0, 3, { region: 'eu' }), ...others];
    const watched: WatchedCells = {
      requestId: 'r',
      over: false,
      isSystemic: false,
      onNew: [0, 1, 2].map((index) => [index, beganMs, endedMs, 1]),
      onOld: others.map((_, i) => 3 + i),
      before: {},
      rounds: 1,
      tellAfterMs: null,
    };
    const heard: RingHealthMessage[] = [];
    const client = temporal(
      () => ({ ...watched, over: heard.length > 0 }),
      (message) => heard.push(message as RingHealthMessage),
    );
    const policy = policyOf(signals, { intervalMs: 10_000, minSamples: 5 });
    const order: WatchRingOrder = { requestId: 'r', ring: 2, version: NEW, policy, cellsGz: packCells(all), looks };
    const here = attempt();
    const watch = here.run(createWatchRing(dependenciesOf(client)), order).catch(() => undefined);
    await expect.poll(() => heard.length, { timeout: 5_000 }).toBe(1);
    here.cancel();
    await watch;
    return heard[0];
  }

  it('finds it healthy whatever is wrong with a signal in shadow', async () => {
    expect(await told({ saturation: SATURATION, fresh: SHADOW }, [])).toMatchObject({ verdict: 'healthy' });
  });

  it('finds it healthy also where the past of a cell on the old package is not known', async () => {
    expect(await told({ saturation: LABELLED }, cellsOf(3, 5, {}))).toMatchObject({ verdict: 'healthy' });
  });

  it('hands on what its looks spent in steps: a watch that begins anew does not double it', async () => {
    const others = cellsOf(3, 9, { region: 'eu' });
    let looks: LooksState | null = null;
    const spent: number[] = [];
    for (let watch = 0; watch < 3; watch += 1) {
      looks = (await told({ saturation: SATURATION }, others, looks))?.looks ?? null;
      spent.push(looks?.spent ?? 0);
      looks = looks && { ...looks, lastMs: 0 };
    }
    expect(spent).toEqual([16, 32, 48]);
  });

  it('does not know it where the past of a cell on the package is not known', async () => {
    refusePast();
    expect(await told({ saturation: SATURATION }, [])).toMatchObject({
      verdict: 'inconclusive',
      sentence: expect.stringContaining('the past could not be measured'),
      unknown: ['c0', 'c1', 'c2'],
    });
  });

  it('tells a Prometheus that cannot be asked from measurements that are missing', async () => {
    server.instead = () => ({ status: 503, json: {} });
    const word = await told({ saturation: SATURATION }, []);
    expect(word).toMatchObject({ verdict: 'inconclusive', unmeasured: true });
    expect(word).not.toHaveProperty('unknown');
  });

  describe('with a cell that is not ready', () => {
    /** Looks until something must be done, or it was told so often; `answers`: of one cell, look by look. */
    async function watched(answers: ('ready' | 'not-ready')[], words: number) {
      const cells = [0, 1, 2].map((i) => amp.addCell(`c${i}`, NEW));
      const [beganMs, endedMs] = [Date.now() - 60 * MINUTE, Date.now() - 50 * MINUTE];
      const onNew = cells.map((_, index) => [index, beganMs, endedMs, 1]);
      const heard: RingHealthMessage[] = [];
      let looks = 0;
      const client = temporal(
        () => {
          const over = heard.length === words;
          amp.cell('c1').readiness = answers[looks] ?? 'ready';
          if (!over) looks += 1;
          const rest = { isSystemic: false, onOld: [], before: {}, rounds: 1, tellAfterMs: null };
          return { requestId: 'r', over, onNew, ...rest };
        },
        (message) => heard.push(message as RingHealthMessage),
      );
      const policy = policyOf({}, { intervalMs: 20 });
      const cellsGz = packCells(cells);
      const order: WatchRingOrder = { requestId: 'r', ring: 2, version: NEW, policy, cellsGz, looks: null };
      const verdict = await attempt().run(createWatchRing(dependenciesOf(client)), order);
      return { verdict, looks, told: heard.map((word) => word.verdict) };
    }

    it('sends it back at the third look in a row, and is in doubt until then', async () => {
      const seen = await watched(Array(3).fill('not-ready'), 9);
      expect(seen).toMatchObject({ looks: 3, told: ['inconclusive'] });
      expect(seen.verdict).toMatchObject({ scope: 'local', cells: [{ cell: 'c1', verdict: 'unhealthy' }] });
    });

    it('sends one back that comes and goes, by three of its last five answers', async () => {
      const { verdict, looks } = await watched(['not-ready', 'ready', 'not-ready', 'ready', 'not-ready'], 9);
      expect(looks).toBe(5);
      expect(verdict).toMatchObject({ scope: 'local', cells: [{ cell: 'c1', verdict: 'unhealthy' }] });
    });

    it('sends none back that says so now and then', async () => {
      const ready = Array(3).fill('ready');
      const { verdict, told } = await watched(['ready', 'not-ready', 'not-ready', ...ready, 'not-ready', 'ready'], 5);
      expect(verdict).toBeNull();
      expect(told).toEqual(['healthy', 'inconclusive', 'healthy', 'inconclusive', 'healthy']);
    });
  });
});
