import { describe, expect, test } from 'vitest';
import type { Fault } from '../../src/simulator/faults/schema.js';
import { type FaultSpan, strikesOn } from '../../src/simulator/faults/strikes.js';
import { SIGNALS } from '../../src/simulator/metrics/index.js';
import { NEW, NEWER, OLD } from './amp-client.js';

const FOREVER = Number.POSITIVE_INFINITY;
const ADDED_MS = 10_000;
const at = (ms: number) => new Date(ms).toISOString();

const installs = (...list: [number, string][]) => list.map(([atMs, version]) => ({ atMs, version }));
/** Old, new from 20 s on, the newer one from 30 s to 40 s, then back. */
const MOVED = installs([0, OLD], [20_000, NEW], [30_000, NEWER], [40_000, NEW]);

function times(fault: object, over: { installs?: typeof MOVED; span?: Partial<FaultSpan> } = {}) {
  const span = { id: 'f', fault: { kind: 'error-burst', size: 0.1, ...fault } as Fault, fromMs: ADDED_MS, toMs: null };
  const cell = { id: 'cell-1', tenant: 't-1', installs: over.installs ?? MOVED };
  return strikesOn(cell, [{ ...span, ...over.span }]).map(({ fromMs, toMs }) => [fromMs, toMs]);
}

describe('a fault lasts', () => {
  test.each<[string, object, [number, number][]]>([
    ['from when it was added, for ever', {}, [[ADDED_MS, FOREVER]]],
    ['as long as it says', { forMs: 500 }, [[ADDED_MS, ADDED_MS + 500]]],
    ['from later on', { delayMs: 100, forMs: 500 }, [[ADDED_MS + 100, ADDED_MS + 600]]],
    ['from a moment that is named', { startAt: at(60_000), forMs: 5 }, [[60_000, 60_005]]],
    ['also from one before it was added', { startAt: at(1000) }, [[1000, FOREVER]]],
    [
      'while the cell runs the package, each time',
      { version: NEW },
      [
        [20_000, 30_000],
        [40_000, FOREVER],
      ],
    ],
    [
      'from then on later',
      { version: NEW, delayMs: 2000, forMs: 5000 },
      [
        [22_000, 27_000],
        [42_000, 47_000],
      ],
    ],
    ['not where the package is gone by then', { version: NEWER, delayMs: 10_000 }, []],
    ['on that package and newer ones without a break', { version: NEW, orNewer: true }, [[20_000, FOREVER]]],
    ['on the newer one alone', { version: NEWER, orNewer: true }, [[30_000, 40_000]]],
    ['on an old package from when it was added', { version: OLD }, [[ADDED_MS, 20_000]]],
    [
      'on a package from a moment that is named',
      { version: NEW, startAt: at(25_000) },
      [
        [25_000, 30_000],
        [40_000, FOREVER],
      ],
    ],
    ['never on a package that no cell runs', { version: '17.8.202501010000-aaaaaaaaaaa.bbbbbbbbbbb' }, []],
    ['on the cell that it names', { cell: 'cell-1', tenant: 't-1' }, [[ADDED_MS, FOREVER]]],
    ['not on another one', { cell: 'cell-2' }, []],
    ['nor on another tenant', { tenant: 't-2' }, []],
  ])('%s', (_what, fault, expected) => {
    expect(times(fault)).toEqual(expected);
  });

  test('until it is taken away', () => {
    expect(times({}, { span: { toMs: 12_000 } })).toEqual([[ADDED_MS, 12_000]]);
    expect(times({ version: NEW }, { span: { toMs: 35_000 } })).toEqual([[20_000, 30_000]]);
    expect(times({ delayMs: 5000 }, { span: { toMs: 12_000 } })).toEqual([]);
  });

  test('through a restart on the same package', () => {
    const again = installs([0, OLD], [20_000, NEW], [25_000, NEW]);
    expect(times({ version: NEW, forMs: 8000 }, { installs: again })).toEqual([[20_000, 28_000]]);
  });
});

describe('what it does', () => {
  const strike = (fault: object) =>
    strikesOn({ id: 'cell-1', tenant: null, installs: MOVED }, [
      { id: 'f', fault: fault as Fault, fromMs: ADDED_MS, toMs: null },
    ]);

  test.each([
    [
      { kind: 'error-burst', size: 0.1, type: 'api' },
      { signal: 'errors', size: 0.1, type: 'api', rampMs: 0 },
    ],
    [
      { kind: 'latency', size: 0.1 },
      { signal: 'apdex', size: 0.1, rampMs: 0 },
    ],
    [
      { kind: 'traffic-loss', size: 1, type: 'git' },
      { signal: 'traffic', size: 1, type: 'git' },
    ],
    [
      { kind: 'saturation', size: 0.3, component: 'disk_space' },
      { signal: 'saturation', component: 'disk_space' },
    ],
    [
      { kind: 'slow-drift', signal: 'errors', size: 0.1, rampMs: 7 },
      { signal: 'errors', size: 0.1, rampMs: 7 },
    ],
  ])('%j makes a signal worse', (fault, expected) => {
    expect(strike(fault)).toMatchObject([{ does: 'worsens', ...expected }]);
  });

  test.each([
    [
      { kind: 'missing-series', signals: ['apdex'] },
      { does: 'hides', signals: ['apdex'] },
    ],
    [{ kind: 'missing-series' }, { does: 'hides', signals: SIGNALS }],
    [
      { kind: 'frozen-values', signals: ['errors'] },
      { does: 'freezes', signals: ['errors'] },
    ],
    [{ kind: 'unreachable' }, { does: 'hides', signals: SIGNALS }],
  ])('%j makes signals silent', (fault, expected) => {
    expect(strike(fault)).toMatchObject([{ ...expected, fromMs: ADDED_MS }]);
  });

  test.each([{ kind: 'not-ready' }, { kind: 'unreachable', share: 0.5 }, { kind: 'unreachable', times: 1 }])(
    '%j leaves metrics as they are',
    (fault) => {
      expect(strike(fault)).toEqual([]);
    },
  );
});
