import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SERVICE_TYPES, SERVICES, STEPS_A_DAY } from '../../../src/simulator/metrics/index.js';
import { NEW, OLD } from '../amp-client.js';
import {
  ALWAYS_OLD,
  cell,
  correlation,
  curve,
  DAY_MS,
  MINUTE_MS,
  mean,
  moments,
  NOON_MS,
  QUIET_PAST,
  quantile,
  seriesByName,
  variance,
} from './curves.js';

const IDS = Array.from({ length: 8 }, (_, i) => `cell-${i + 1}`);
/** Not whole hours, so that bursts and spikes, which begin on fixed slots, are met at every stage. */
const WEEK = moments(NOON_MS - 7 * DAY_MS, 61 * MINUTE_MS, 165);

describe('a curve', () => {
  test('depends on seed, cell and time alone, in whatever order it is asked', () => {
    const names = [...seriesByName().keys()];
    expect(names).toHaveLength(16);
    for (const name of names) {
      const times = moments(NOON_MS, 17_000, 50);
      const forwards = times.map(curve(name));
      const backwards = [...times].reverse().map(curve(name)).reverse();
      expect(backwards).toEqual(forwards);
    }
  });

  test('is another one for another seed or cell', () => {
    const at = (asked: object) => curve('ops webservice', asked)(NOON_MS);
    expect(at({ seed: 2 })).not.toBe(at({}));
    expect(at({ model: cell({ id: 'cell-2' }) })).not.toBe(at({}));
  });

  test('is not changed by what happens later', () => {
    const later = fc.record({
      afterMs: fc.integer({ min: 1, max: DAY_MS }),
      signal: fc.constantFrom('apdex' as const, 'errors' as const, 'traffic' as const, 'saturation' as const),
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...seriesByName().keys()),
        fc.nat(DAY_MS),
        later,
        (name, since, { afterMs, signal }) => {
          const nowMs = NOON_MS + since;
          const fromMs = nowMs + afterMs;
          const strike = {
            does: 'worsens' as const,
            signal,
            size: 1,
            rampMs: 0,
            fromMs,
            toMs: Number.POSITIVE_INFINITY,
          };
          const past = { installs: [ALWAYS_OLD, { atMs: fromMs, version: NEW }], strikes: [strike] };
          expect(curve(name, { past })(nowMs)).toEqual(curve(name)(nowMs));
        },
      ),
      { numRuns: 60 },
    );
  });

  test('is the same in a short day, only faster', () => {
    const dayMs = 10 * MINUTE_MS;
    for (const name of seriesByName().keys()) {
      const [long, short] = [curve(name), curve(name, { dayMs })];
      // The middle of steps: on an edge rounding may choose the other one.
      for (let step = 4_000_000; step < 4_000_200; step += 1) {
        const day = (step + 0.5) / STEPS_A_DAY;
        expect(short(day * dayMs)).toEqual(long(day * DAY_MS));
      }
    }
  });

  test('moves every 15 seconds of a day, as a recording rule does', () => {
    const ops = curve('ops webservice');
    expect(new Set(moments(NOON_MS, 1000, 60).map(ops)).size).toBe(4);
  });
});

describe('traffic', () => {
  test('has a daily rhythm: afternoons are more than twice as busy as nights', () => {
    for (const id of IDS) {
      const ops = curve('ops webservice', { model: cell({ id }) });
      const around = (hours: number) =>
        mean(
          moments(NOON_MS - 7 * DAY_MS, DAY_MS, 7).flatMap((day) =>
            moments(day + hours * 3_600_000, 10 * MINUTE_MS, 3).map(ops),
          ),
        );
      expect(around(2) / around(-10)).toBeGreaterThan(2);
    }
  });

  test('is of very different sizes', () => {
    const sizes = IDS.map((id) => mean(WEEK.map(curve('ops webservice', { model: cell({ id }) }))));
    expect(quantile(sizes, 1) / quantile(sizes, 0)).toBeGreaterThan(4);
  });

  test('moves on all cells together, most where they share a region', () => {
    // From day to day, so that the rhythm falls out.
    const moves = (asked: object) => {
      const ops = curve('ops webservice', asked);
      return WEEK.map((atMs) => Math.log(ops(atMs + DAY_MS) / ops(atMs)));
    };
    const first = moves({ model: cell({ id: 'cell-1' }) });
    const near = moves({ model: cell({ id: 'cell-2' }) });
    const far = moves({ model: cell({ id: 'cell-2', region: 'europe-west1' }) });
    const elsewhere = moves({ model: cell({ id: 'cell-2' }), seed: 2 });
    expect(correlation(first, far)).toBeGreaterThan(0.4);
    expect(correlation(first, near)).toBeGreaterThan(correlation(first, far));
    expect(Math.abs(correlation(first, elsewhere))).toBeLessThan(0.3);
  });

  test('has bursts with a heavy tail', () => {
    const load = IDS.flatMap((id) => {
      const values = WEEK.map(curve('ops webservice', { model: cell({ id }) }));
      const usual = quantile(values, 0.5);
      return values.map((value) => value / usual);
    });
    expect(quantile(load, 0.97)).toBeLessThan(2);
    expect(Math.max(...load)).toBeGreaterThan(2.7);
  });
});

describe('ratios', () => {
  test('of healthy cells keep their objective', () => {
    for (const type of SERVICE_TYPES) {
      const { objective } = SERVICES[type];
      const apdex = IDS.flatMap((id) => WEEK.map(curve(`apdex ${type}`, { model: cell({ id }) })));
      const errors = IDS.flatMap((id) => WEEK.map(curve(`errors ${type}`, { model: cell({ id }) })));
      expect(mean(apdex)).toBeGreaterThan(objective.apdex);
      expect(mean(errors)).toBeLessThan(1 - objective.success);
      expect(Math.max(...apdex)).toBeLessThanOrEqual(1);
      expect(Math.min(...errors)).toBe(0);
    }
  });

  test('have heavy tails, also where there are so many requests that chance evens out', () => {
    const model = cell({ id: 'legacy', observed: { env: 'gprd', stage: 'main' } });
    const times = moments(NOON_MS - 4 * DAY_MS, 5 * MINUTE_MS, 4 * 288);
    for (const name of ['errors', 'apdex']) {
      const values = times.map(curve(`${name} webservice`, { model }));
      const middle = mean(values);
      const kurtosis = mean(values.map((value) => (value - middle) ** 4)) / variance(values) ** 2;
      expect(kurtosis).toBeGreaterThan(6);
    }
  });

  test('of a small cell are coarse: one request is much', () => {
    const sizes = new Map(IDS.map((id) => [id, mean(WEEK.map(curve('ops git', { model: cell({ id }) })))]));
    const [smallest, largest] = [...sizes.keys()]
      .sort((a, b) => (sizes.get(a) ?? 0) - (sizes.get(b) ?? 0))
      .filter((_, i) => i === 0 || i === IDS.length - 1);
    const spread = (id: string | undefined) =>
      variance(WEEK.map(curve('apdex git', { model: cell({ id: id ?? '' }) })));
    expect(spread(smallest)).toBeGreaterThan(4 * spread(largest));
  });

  test('of a cell that nobody uses are NaN, and it has no traffic', () => {
    const series = seriesByName({ model: cell({ id: 'qa', quiet: true }) });
    for (const atMs of moments(NOON_MS, 61_000, 100)) {
      for (const type of SERVICE_TYPES) {
        expect(series.get(`ops ${type}`)?.at(atMs)).toBe(0);
        expect(series.get(`apdex ${type}`)?.at(atMs)).toBeNaN();
        expect(series.get(`errors ${type}`)?.at(atMs)).toBeNaN();
      }
      expect(series.get('saturation puma_workers')?.at(atMs)).toBeLessThan(0.1);
      expect(series.get('saturation disk_space')?.at(atMs)).toBeGreaterThan(0.2);
    }
  });
});

test('no component of a healthy cell fills up, and those that follow the load do follow it', () => {
  for (const id of IDS) {
    const model = cell({ id });
    const names = [...seriesByName({ model }).keys()].filter((name) => name.startsWith('saturation'));
    expect(names).toHaveLength(6);
    for (const name of names) {
      const values = WEEK.map(curve(name, { model }));
      expect(Math.min(...values)).toBeGreaterThan(0.05);
      expect(Math.max(...values)).toBeLessThan(0.9);
    }
    const ops = WEEK.map(curve('ops webservice', { model }));
    expect(correlation(ops, WEEK.map(curve('saturation puma_workers', { model })))).toBeGreaterThan(0.8);
  }
});

describe('a deployment', () => {
  const model = cell({ id: 'legacy', observed: { env: 'gprd', stage: 'main' } });
  const past = { installs: [ALWAYS_OLD, { atMs: NOON_MS, version: NEW }], strikes: [] };
  const loss = (name: string, afterMs: number) =>
    curve(name, { model })(NOON_MS + afterMs) - curve(name, { model, past })(NOON_MS + afterMs);

  test('costs some apdex and traffic for some minutes, far less than the objective has', () => {
    for (const type of SERVICE_TYPES) {
      expect(loss(`apdex ${type}`, 2 * MINUTE_MS)).toBeGreaterThan(5e-5);
      expect(loss(`apdex ${type}`, 2 * MINUTE_MS)).toBeLessThan(1 - SERVICES[type].objective.apdex);
      expect(loss(`ops ${type}`, 2 * MINUTE_MS)).toBeGreaterThan(0);
      expect(Math.abs(loss(`apdex ${type}`, 10 * MINUTE_MS))).toBeLessThan(1e-5);
    }
  });

  test('gives memory back, which is taken again within hours', () => {
    expect(loss('saturation kube_container_memory', MINUTE_MS)).toBeGreaterThan(0.1);
    expect(loss('saturation kube_container_memory', DAY_MS)).toBeLessThan(0.01);
    expect(loss('saturation puma_workers', MINUTE_MS)).toBeLessThan(-0.02);
  });

  test('is the end of one package’s series and the beginning of another’s', () => {
    const series = seriesByName({ past });
    const [old, now] = [series.get(`version_info ${OLD}`), series.get(`version_info ${NEW}`)];
    expect([old?.at(NOON_MS - 1), now?.at(NOON_MS - 1)]).toEqual([1, undefined]);
    expect([old?.at(NOON_MS), now?.at(NOON_MS)]).toEqual([undefined, 1]);
    expect(now?.labels).toEqual({
      __name__: 'gitlab_version_info',
      cell: 'cell-1',
      version: '17.10.0-pre',
      revision: '6a387d336a7',
      package: NEW,
    });
  });

  test('that was forgotten since, with all before it, counts as always there', () => {
    const trimmed = { installs: [{ atMs: NOON_MS, version: NEW }], strikes: [] };
    expect(
      seriesByName({ past: trimmed })
        .get(`version_info ${NEW}`)
        ?.at(NOON_MS - DAY_MS),
    ).toBe(1);
    const before = NOON_MS - MINUTE_MS;
    expect(curve('apdex webservice', { past: trimmed })(before)).toBe(curve('apdex webservice')(before));
  });
});

test('only an observed cell has a deployment health, under its environment and stage', () => {
  const observed = seriesByName({ model: cell({ id: 'legacy', observed: { env: 'gprd', stage: 'main' } }) });
  for (const type of SERVICE_TYPES) {
    const series = observed.get(`deployment_health ${type}`);
    expect(series?.labels).toEqual({ __name__: 'gitlab_deployment_health:service', env: 'gprd', stage: 'main', type });
    expect(new Set(WEEK.map((atMs) => series?.at(atMs)))).toEqual(new Set([1]));
  }
  expect([...seriesByName({ past: QUIET_PAST }).keys()].filter((name) => name.includes('health'))).toEqual([]);
});
