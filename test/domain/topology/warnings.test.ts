import { describe, expect, it } from 'vitest';
import { parseTopology } from '../../../src/domain/topology/index.js';
import { topologyWarnings } from '../../../src/domain/topology/warnings.js';
import { fleet, type Policy } from '../../support/fleet.js';

const SIGNALS = { errors: { query: 'errors{cell="{{cell}}"}', worse: 'higher', max: 0.1 } };

function warned(health: Record<string, unknown> | null, policy: Policy = {}, more: Record<string, unknown> = {}) {
  const written = health && { health: { window: '10m', signals: SIGNALS, ...health } };
  const parsed = parseTopology(fleet({ 2: 2 }, { 2: policy }, { ...written, ...more }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return topologyWarnings(parsed.topology);
}

describe('a baseline', () => {
  const long = { bakeTime: '2h', gracePeriod: '30m' };

  it.each([
    ['2h', ['ring 2: health.baseline is 2h, and window, bakeTime and gracePeriod are 2h 40m together']],
    ['160m', []],
    ['1d', []],
  ])('of %s under a bake of two hours and half an hour of grace', (baseline, warnings) => {
    expect(warned({ baseline }, long)).toEqual(warnings.map((text) => expect.stringContaining(text)));
  });

  it('is held against the longest lane, and says which', () => {
    const lanes = { cautious: { bakeTime: '4h' }, urgent: { bakeTime: '1m' } };
    expect(warned({ baseline: '3h' }, {}, { lanes })).toEqual([
      expect.stringMatching(/^ring 0: .*window and bakeTime in lane cautious are 4h 10m together/),
      expect.stringMatching(/^ring 2: .*in lane cautious are 4h 10m together/),
    ]);
  });

  it.each([
    ['nothing is measured', null],
    ['nothing is obeyed', { baseline: '1h', mode: 'shadow' }],
  ])('warns of nothing where %s', (_where, health) => {
    expect(warned(health, long)).toEqual([]);
  });
});

describe('a signal', () => {
  const BARE = { query: 'x{cell="{{cell}}"}', worse: 'higher' };

  it('that has nothing to be judged by is named, unless a quiet cell is known by it', () => {
    // biome-ignore lint/suspicious/noThenProperty: the topology's word; the value beside it is no function.
    const quiet = { signal: 'traffic', below: 0.1, for: '5m', then: 'smoke-tests' };
    expect(warned({ quiet, signals: { ...SIGNALS, bare: BARE, traffic: BARE } })).toEqual([
      expect.stringMatching(/^ring 0: health.signals.bare has neither slo nor zScore, max or min/),
      expect.stringMatching(/^ring 1: health.signals.bare/),
      expect.stringMatching(/^ring 2: health.signals.bare/),
    ]);
    expect(warned({ signals: { ...SIGNALS, bare: { ...BARE, zScore: 3 } } })).toEqual([]);
  });
});
