import { describe, expect, it } from 'vitest';
import { demoTopology } from '../../../src/cli/demo/topology.js';
import { readTopologyFile } from '../../../src/cli/topology-file.js';
import { parseTopology } from '../../../src/domain/topology/index.js';
import { topologyWarnings } from '../../../src/domain/topology/warnings.js';
import { fleet, type Policy } from '../../support/fleet.js';

const SIGNALS = { errors: { query: 'errors{cell="{{cell}}"}', worse: 'higher', max: 0.1, zScore: 3 } };
const LIMITS = { errors: { query: 'errors{cell="{{cell}}"}', worse: 'higher', max: 0.1 } };

function warned(health: Record<string, unknown> | null, policy: Policy = {}, more: Record<string, unknown> = {}) {
  const written = health && { health: { window: '10m', signals: SIGNALS, ...health } };
  const parsed = parseTopology(fleet({ 2: 2 }, { 2: policy }, { ...written, ...more }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return topologyWarnings(parsed.topology);
}

describe('a baseline', () => {
  const long = { bakeTime: '2h', gracePeriod: '30m' };
  const SHORT_UNDER_BAKE = (baseline: string) =>
    `ring 2: health.baseline is ${baseline}, and window, bakeTime and gracePeriod are 2h 40m together: the ring would ` +
    'wait as inconclusive. Make the baseline at least 4h 55m, and longer by what a deployment takes';

  it.each([
    ['160m', [SHORT_UNDER_BAKE('2h 40m')]],
    ['294m', [SHORT_UNDER_BAKE('4h 54m')]],
    ['295m', []],
    ['1d', []],
  ])('of %s under a bake of two hours and half an hour of grace', (baseline, warnings) => {
    expect(warned({ baseline }, long)).toEqual(warnings);
  });

  it('is held against the longest lane, and says which', () => {
    const lanes = { cautious: { bakeTime: '4h' }, urgent: { bakeTime: '1m' } };
    expect(warned({ baseline: '3h' }, {}, { lanes })).toEqual([
      expect.stringMatching(/^ring 2: .*in lane cautious are 4h 10m together/),
    ]);
  });

  it.each([
    ['nothing is measured', null],
    ['nothing is obeyed', { baseline: '3h', mode: 'shadow' }],
    ['nothing is compared with a past', { baseline: '1m', signals: LIMITS }],
  ])('warns of nothing where %s', (_where, health) => {
    expect(warned(health, long)).toEqual([]);
  });
});

describe('a baseline that nothing can be compared with', () => {
  const tooFew = (baseline: string, step: string, least: string) =>
    [0, 1, 2].map(
      (ring) =>
        `ring ${ring}: health.baseline is ${baseline}, and is looked at in steps of ${step}, minSamples times interval: ` +
        'those are too few to compare a cell with, and signals with a zScore become inconclusive. ' +
        `Make the baseline at least ${least}`,
    );

  it.each([
    [{ baseline: '10m' }, tooFew('10m', '5m', '2h 35m')],
    [{ baseline: '154m' }, tooFew('2h 34m', '5m', '2h 35m')],
    [{ baseline: '155m' }, []],
    [{ baseline: '154m', mode: 'shadow' }, tooFew('2h 34m', '5m', '2h 35m')],
    [{ baseline: '1h', interval: '10s', minSamples: 12 }, tooFew('1h', '2m', '1h 2m')],
    [{ baseline: '64m', interval: '10s', minSamples: 12 }, []],
  ])('%j', (health, warnings) => {
    expect(warned(health)).toEqual(warnings);
  });
});

describe('samples that are enough', () => {
  const TOO_FEW = {
    1: 'health.minSamples is 1, which with health.interval is 30s: a single outlier convicts. Make it at least 3',
    2: 'health.minSamples is 2, which with health.interval is 1m: two outliers in a row convict. Make it at least 3',
  };

  it.each([
    [1, [TOO_FEW[1]]],
    [2, [TOO_FEW[2]]],
    [3, []],
    [10, []],
  ])('%d', (minSamples, warnings) => {
    const rings = [0, 1, 2].flatMap((ring) => warnings.map((text) => `ring ${ring}: ${text}`));
    expect(warned({ minSamples, signals: LIMITS })).toEqual(rings);
  });
});

it('nothing is said of the demo, of the example, and of a topology that leaves health to its defaults', () => {
  expect(readTopologyFile('test/fixtures/topology.example.yaml').warnings).toEqual([]);
  expect(topologyWarnings(demoTopology())).toEqual([]);
  expect(warned({})).toEqual([]);
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

describe('a lane', () => {
  const LOST = (field: string, rings = '2') =>
    `lanes.urgent.${field} has no effect in ring ${rings}: the ring's own holds there. A lane changes times and sizes, ` +
    'and adds gates; what one package must not wait for, a person ends by an override';
  const freeze = { from: '2026-12-23T00:00:00Z', to: '2027-01-02T00:00:00Z' };
  const other = { ...freeze, reason: 'audit' };
  const window = { days: ['mon'], from: '07:00', to: '18:00', timezone: 'UTC' };
  const check = { name: 'incidents', url: 'https://checks.example/open' };
  const inLane = (policy: Policy, urgent: Record<string, unknown>) => warned(null, policy, { lanes: { urgent } });

  it.each<[string, unknown, unknown]>([
    ['approval', 'required', 'none'],
    ['mode', 'observe', 'act'],
    ['freezes', [freeze], []],
    ['deployWindows', [window], []],
    ['checks', [check], []],
    ['checks', [check], [{ ...check, failClosed: false }]],
    ['onFailure', 'block', 'soft'],
    ['autoRollback', 'cell', 'never'],
    ['downtimeRollback', 'never', 'allowed'],
  ])('that would loosen %s of a ring is named, with the ring', (field, ofRing, ofLane) => {
    expect(inLane({ [field]: ofRing }, { [field]: ofLane })).toEqual([LOST(field)]);
  });

  it('is named once for all its rings, and not for those that release managers own', () => {
    const rings = { policy: { approval: 'required' }, lanes: { urgent: { approval: 'none' } } };
    const parsed = parseTopology(fleet({ 2: 1, 3: 1 }, {}, rings));
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    expect(topologyWarnings(parsed.topology)).toEqual([LOST('approval', '2, 3')]);
  });

  it.each<[string, Policy, Record<string, unknown>]>([
    ['changes times and sizes', { bakeTime: '1h' }, { bakeTime: '0s', maxParallel: '50%', deployToUnhealthy: true }],
    ['asks for more', {}, { approval: 'required', freezes: [freeze], deployWindows: [window], checks: [check] }],
    ['adds to what its ring has', { freezes: [freeze], deployWindows: [window] }, { freezes: [other] }],
    ['says what its ring says', { approval: 'required', checks: [check] }, { approval: 'required', checks: [check] }],
    ['loosens what is not there', {}, { approval: 'none', freezes: [], deployWindows: [], checks: [] }],
  ])('that %s is not', (_what, policy, urgent) => {
    expect(inLane(policy, urgent)).toEqual([]);
  });

  it('of many says so of a hundred, and of many rings names five: all is one answer', () => {
    const lanes = Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`lane-${i}`, { approval: 'none' }]));
    const rings = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [i + 2, 1]));
    const parsed = parseTopology(fleet(rings, {}, { policy: { approval: 'required' }, lanes }));
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    const warnings = topologyWarnings(parsed.topology);
    expect([warnings.length, warnings.at(-1)]).toEqual([101, 'and 20 more warnings']);
    expect(warnings[0]).toContain('lanes.lane-0.approval has no effect in ring 2, 3, 4, 5, 6 and 3 others: ');
  });
});
