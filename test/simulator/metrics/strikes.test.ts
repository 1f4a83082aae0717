import { describe, expect, test } from 'vitest';
import type { Regression, Strike } from '../../../src/simulator/metrics/index.js';
import { ALWAYS_OLD, cell, curve, MINUTE_MS, mean, moments, NOON_MS, seriesByName } from './curves.js';

const HOUR_MS = 60 * MINUTE_MS;
const FOREVER = Number.POSITIVE_INFINITY;
const model = cell({ id: 'legacy', observed: { env: 'gprd', stage: 'main' } });

const worse = (over: Partial<Regression>): Regression => ({
  does: 'worsens',
  signal: 'errors',
  size: 0.02,
  rampMs: 0,
  fromMs: NOON_MS,
  toMs: FOREVER,
  ...over,
});

/** What strikes change on a large cell, on average around a moment. */
function change(name: string, strikes: Strike[], afterMs: number): number {
  const [without, struck] = [curve(name, { model }), curve(name, { model, past: { installs: [ALWAYS_OLD], strikes } })];
  const around = moments(NOON_MS + afterMs - MINUTE_MS, MINUTE_MS / 4, 9);
  return mean(around.map(struck)) - mean(around.map(without));
}

const isAbout = (value: number, wanted: number) => expect(Math.abs(value / wanted - 1)).toBeLessThan(0.08);

test('errors grow by what the fault says once a whole window has seen it, half of it after half a window', () => {
  isAbout(change('errors webservice', [worse({})], 10 * MINUTE_MS), 0.02);
  isAbout(change('errors webservice', [worse({})], 2.5 * MINUTE_MS), 0.01);
  expect(change('errors webservice', [worse({})], -2 * MINUTE_MS)).toBe(0);
});

test('a fault that ends is out of the window five minutes later', () => {
  const burst = worse({ toMs: NOON_MS + 10 * MINUTE_MS });
  isAbout(change('errors webservice', [burst], 12.5 * MINUTE_MS), 0.01);
  expect(change('errors webservice', [burst], 20 * MINUTE_MS)).toBe(0);
});

test('a fault of one type leaves the others as they are', () => {
  const ofGit = worse({ type: 'git' });
  isAbout(change('errors git', [ofGit], HOUR_MS), 0.02);
  for (const name of ['errors webservice', 'errors api', 'apdex git', 'ops git']) {
    expect(change(name, [ofGit], HOUR_MS)).toBe(0);
  }
});

test('apdex is lost by the size of the fault', () => {
  isAbout(change('apdex api', [worse({ signal: 'apdex', size: 0.01 })], HOUR_MS), -0.01);
});

test('a drift goes along a line, and stays where it has arrived', () => {
  const drift = worse({ signal: 'apdex', size: 0.04, rampMs: 2 * HOUR_MS });
  // The window lags behind by half its length.
  isAbout(change('apdex webservice', [drift], HOUR_MS + 2.5 * MINUTE_MS), -0.02);
  isAbout(change('apdex webservice', [drift], 3 * HOUR_MS), -0.04);
});

test('faults add up, and no ratio leaves 0 to 1', () => {
  const two = [worse({ size: 0.01 }), worse({ size: 0.03 })];
  isAbout(change('errors webservice', two, HOUR_MS), 0.04);
  const all = { installs: [ALWAYS_OLD], strikes: [worse({ size: 1 }), worse({ signal: 'saturation', size: 1 })] };
  expect(curve('errors webservice', { model, past: all })(NOON_MS + HOUR_MS)).toBe(1);
  expect(curve('saturation disk_space', { model, past: all })(NOON_MS + HOUR_MS)).toBe(1);
});

test('one component fills up, and the others do not', () => {
  const full = worse({ signal: 'saturation', size: 0.3, component: 'pg_primary_cpu' });
  expect(change('saturation pg_primary_cpu', [full], HOUR_MS)).toBeCloseTo(0.3, 10);
  expect(change('saturation puma_workers', [full], HOUR_MS)).toBe(0);
});

test('lost traffic is missing from the rate; all of it makes the cell quiet', () => {
  const rate = curve('ops webservice', { model })(NOON_MS + HOUR_MS);
  isAbout(change('ops webservice', [worse({ signal: 'traffic', size: 0.4 })], HOUR_MS) / rate, -0.4);
  const past = { installs: [ALWAYS_OLD], strikes: [worse({ signal: 'traffic', size: 1 })] };
  expect(curve('ops webservice', { model, past })(NOON_MS + HOUR_MS)).toBe(0);
  expect(curve('apdex webservice', { model, past })(NOON_MS + HOUR_MS)).toBeNaN();
});

describe('silences', () => {
  const silence = { fromMs: NOON_MS, toMs: NOON_MS + HOUR_MS, signals: ['errors', 'version'] } as const;
  const inside = moments(NOON_MS, MINUTE_MS, 60);
  const signals = (does: 'hides' | 'freezes') =>
    seriesByName({ past: { installs: [ALWAYS_OLD], strikes: [{ ...silence, does }] } });

  test('hide the named series for as long as they last, and no other', () => {
    const all = signals('hides');
    expect(new Set(inside.map((atMs) => all.get('errors git')?.at(atMs)))).toEqual(new Set([undefined]));
    for (const atMs of [NOON_MS - 1, NOON_MS + HOUR_MS]) expect(all.get('errors git')?.at(atMs)).toBeDefined();
    expect(inside.map((atMs) => all.get('apdex git')?.at(atMs))).toEqual(inside.map(curve('apdex git')));
  });

  test('freeze the named series where they were, and let them jump to where they belong', () => {
    const all = signals('freezes');
    const frozen = all.get('errors webservice');
    expect(new Set(inside.map((atMs) => frozen?.at(atMs)))).toEqual(new Set([curve('errors webservice')(NOON_MS)]));
    const after = moments(NOON_MS + HOUR_MS, MINUTE_MS, 20);
    expect(after.map((atMs) => frozen?.at(atMs))).toEqual(after.map(curve('errors webservice')));
  });

  test('hide what they freeze where both are there', () => {
    const strikes: Strike[] = [
      { ...silence, does: 'freezes' },
      { ...silence, does: 'hides' },
    ];
    const all = seriesByName({ past: { installs: [ALWAYS_OLD], strikes } });
    expect(all.get('errors webservice')?.at(NOON_MS + MINUTE_MS)).toBeUndefined();
  });
});

describe('the deployment health of an observed cell', () => {
  const health = (strikes: Strike[], afterMs: number, type = 'webservice') =>
    curve(`deployment_health ${type}`, { model, past: { installs: [ALWAYS_OLD], strikes } })(NOON_MS + afterMs);

  test('is gone when the budget burns fast over an hour and five minutes, and back soon after', () => {
    // A hundred times the budget of 1e-4: over an hour it is 14.4 times after nine minutes.
    const burst = worse({ size: 0.01, type: 'webservice', toMs: NOON_MS + 20 * MINUTE_MS });
    expect(health([burst], 5 * MINUTE_MS)).toBe(1);
    expect(health([burst], 12 * MINUTE_MS)).toBe(0);
    expect(health([burst], 12 * MINUTE_MS, 'api')).toBe(1);
    expect(health([burst], 26 * MINUTE_MS)).toBe(1);
  });

  test('is gone when it burns slowly for hours', () => {
    const slow = worse({ size: 0.0008, type: 'webservice' });
    expect(health([slow], 2 * HOUR_MS)).toBe(1);
    expect(health([slow], 6 * HOUR_MS)).toBe(0);
  });

  test('is gone when too much is slow', () => {
    expect(health([worse({ signal: 'apdex', size: 0.2 })], HOUR_MS)).toBe(0);
  });
});
