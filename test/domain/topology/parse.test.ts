import { readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { parseTopology } from '../../../src/domain/topology/index.js';
import { accepted, cell, cells, written } from './topologies.js';

const example: unknown = parseYaml(
  readFileSync(new URL('../../fixtures/topology.example.yaml', import.meta.url), 'utf8'),
);

const problemsOf = (input: unknown) => {
  const parsed = parseTopology(input);
  return parsed.ok ? [] : parsed.problems;
};

const withCell = (more: Record<string, unknown>) => written({ rings: [{ ring: 0, cells: [cell('a', more)] }] });
const withPolicy = (policy: unknown) => written({ policy });
const withHealth = (health: unknown) => written({ health });
const aSignal = { query: 'up', worse: 'lower' };
// biome-ignore lint/suspicious/noThenProperty: the file's word; the value beside it is no function.
const forTraffic = { signal: 'traffic', below: 1, for: '10m', then: 'hold' };
const aWindow = { days: ['mon'], from: '07:00', to: '18:00', timezone: 'Europe/Berlin' };

describe('a topology', () => {
  it('like the example is accepted, and says what is not obeyed yet', () => {
    const parsed = parseTopology(example);
    expect(parsed.ok && parsed.notInForce).toEqual([]);
  });

  it('needs a cluster, a perimeter and rings, and nothing else', () => {
    expect(parseTopology({ cluster: 'c', perimeter: 0, rings: [] })).toEqual({
      ok: true,
      topology: { cluster: 'c', perimeter: 0, rings: [] },
      notInForce: [],
    });
    expect(problemsOf({}).map((p) => [p.path, p.value])).toEqual([
      ['cluster', 'missing'],
      ['perimeter', 'missing'],
      ['rings', 'missing'],
    ]);
  });

  it('comes out with its rings sorted and named, empty ones included', () => {
    const { rings } = accepted(
      written({
        rings: [
          { ring: 7, cells: [cell('b')] },
          { ring: 0, name: 'qa' },
        ],
      }),
    );
    expect(rings.map((r) => [r.ring, r.name, r.cells.length])).toEqual([
      [0, 'qa', 0],
      [7, 'ring-7', 1],
    ]);
  });

  it('that came out can be read again and stays the same', () => {
    const topology = accepted(example);
    expect(accepted(JSON.parse(JSON.stringify(topology)))).toEqual(topology);
  });

  it('of 10,000 cells is read', () => {
    expect(accepted(written({ rings: [{ ring: 2, cells: cells(10_000) }] })).rings[0]?.cells).toHaveLength(10_000);
  });

  it('lists every problem, of fields and between them', () => {
    const paths = problemsOf({
      perimeter: -1,
      polcy: {},
      rings: [
        { ring: 0, cells: [cell('a'), cell('a', { tenant: 't2', url: 'https://b.example' })] },
        { ring: 0, cells: [{ id: 'c' }] },
      ],
    }).map((p) => p.path);
    expect(paths.sort()).toEqual(
      [
        'cluster',
        'perimeter',
        'polcy',
        'rings[0].cells[1].id',
        'rings[1].ring',
        'rings[1].cells[0].tenant',
        'rings[1].cells[0].url',
      ].sort(),
    );
  });
});

describe('a bad topology names the place and what is expected:', () => {
  const DURATION = 'a duration such as 90s, 30m, 1h or 2d';
  const POSITIVE = 'a duration longer than zero, such as 90s, 30m, 1h or 2d';

  test.each<[string, unknown, string, RegExp | string]>([
    ['nothing', null, '', 'an object'],
    ['a list', [], '', 'an object'],
    ['text', 'cluster: x', '', 'an object'],
    ['a cluster with a slash', written({ cluster: 'a/b' }), 'cluster', /name of the cluster/],
    ['a perimeter with a fraction', written({ perimeter: 1.5 }), 'perimeter', 'a whole ring number from 0'],
    ['a negative perimeter', written({ perimeter: -1 }), 'perimeter', 'a whole ring number from 0'],
    ['a perimeter as text', written({ perimeter: '1' }), 'perimeter', 'a whole ring number from 0'],
    ['an unknown field', written({ perimiter: 1 }), 'perimiter', 'a known field; did you mean perimeter?'],
    ['rings that are no list', written({ rings: {} }), 'rings', 'a list'],
    ['a ring that is no object', written({ rings: ['x'] }), 'rings[0]', 'an object'],
    ['a negative ring', written({ rings: [{ ring: -1 }] }), 'rings[0].ring', 'a whole ring number from 0'],
    ['a ring that is no number', written({ rings: [{ ring: '0' }] }), 'rings[0].ring', 'a whole ring number from 0'],
    [
      'a ring twice',
      written({ rings: [{ ring: 3 }, { ring: 3 }] }),
      'rings[1].ring',
      'a ring number used once; rings[0].ring has it too',
    ],
    [
      'an unknown field of a ring',
      written({ rings: [{ ring: 0, cell: [] }] }),
      'rings[0].cell',
      /did you mean cells\?/,
    ],
    [
      'an unknown deployer',
      written({ rings: [{ ring: 0, deployedBy: 'me' }] }),
      'rings[0].deployedBy',
      'one of coordinator, external',
    ],
    ['cells that are null', written({ rings: [{ ring: 0, cells: null }] }), 'rings[0].cells', 'a list'],
    ['a cell id in capitals', withCell({ id: 'Cell' }), 'rings[0].cells[0].id', /a cell id/],
    ['an empty cell id', withCell({ id: '' }), 'rings[0].cells[0].id', /a cell id/],
    ['a cell id of 64', withCell({ id: 'a'.repeat(64) }), 'rings[0].cells[0].id', /1 to 63/],
    [
      'a cell without tenant',
      withCell({ tenant: undefined }),
      'rings[0].cells[0].tenant',
      /only a cell with observe: true/,
    ],
    ['a cell without url', withCell({ url: undefined }), 'rings[0].cells[0].url', /only a cell with observe: true/],
    ['a tenant with a slash', withCell({ tenant: 'a/b' }), 'rings[0].cells[0].tenant', /a tenant/],
    ['a url without scheme', withCell({ url: 'a.example' }), 'rings[0].cells[0].url', /http or https/],
    ['a url of ftp', withCell({ url: 'ftp://a.example' }), 'rings[0].cells[0].url', /http or https/],
    ['a url with credentials', withCell({ url: 'https://u:p@a.example' }), 'rings[0].cells[0].url', /credentials/],
    ['an unknown field of a cell', withCell({ pined: true }), 'rings[0].cells[0].pined', /did you mean pinned\?/],
    ['a label that is no text', withCell({ labels: { region: 5 } }), 'rings[0].cells[0].labels.region', 'text'],
    ['a pin without reason', withCell({ pinned: {} }), 'rings[0].cells[0].pinned.reason', /a reason/],
    [
      'a pin until someday',
      withCell({ pinned: { reason: 'x', until: 'someday' } }),
      'rings[0].cells[0].pinned.until',
      /2026-12-31/,
    ],
    [
      'a pin until 30 February',
      withCell({ pinned: { reason: 'x', until: '2026-02-30' } }),
      'rings[0].cells[0].pinned.until',
      /a day/,
    ],
    [
      'a quarantine without reason',
      withCell({ quarantined: { reason: ' ' } }),
      'rings[0].cells[0].quarantined.reason',
      /a reason/,
    ],
    [
      'no cell in parallel',
      withPolicy({ maxParallel: 0 }),
      'policy.maxParallel',
      'a whole number from 1 to 500, or a share from 0% to 100%',
    ],
    ['too many in parallel', withPolicy({ maxParallel: 501 }), 'policy.maxParallel', /from 1 to 500/],
    ['a share above all', withPolicy({ maxParallel: '101%' }), 'policy.maxParallel', /0% to 100%/],
    [
      'a share without sign',
      withPolicy({ failureBudget: '10' }),
      'policy.failureBudget',
      'a whole number from 0, or a share from 0% to 100%',
    ],
    ['a budget below none', withPolicy({ failureBudget: -1 }), 'policy.failureBudget', /from 0/],
    ['half a cell', withPolicy({ failureBudget: 0.5 }), 'policy.failureBudget', /whole number/],
    ['no first cell', withPolicy({ firstCells: 0 }), 'policy.firstCells', 'a whole number from 1'],
    ['a word as a flag', withPolicy({ strictBudget: 'yes' }), 'policy.strictBudget', 'true or false'],
    ['an unknown word', withPolicy({ onFailure: 'sof' }), 'policy.onFailure', 'one of block, soft'],
    ['an unknown rollback', withPolicy({ autoRollback: true }), 'policy.autoRollback', 'one of cell, ring, never'],
    ['a bake time as number', withPolicy({ bakeTime: 0 }), 'policy.bakeTime', DURATION],
    ['a bake time with a fraction', withPolicy({ bakeTime: '1.5h' }), 'policy.bakeTime', DURATION],
    ['a combined bake time', withPolicy({ bakeTime: '1h30m' }), 'policy.bakeTime', DURATION],
    ['a timeout of nothing', withPolicy({ deployTimeout: '0s' }), 'policy.deployTimeout', POSITIVE],
    ['a poll without pause', withPolicy({ pollInterval: '00m' }), 'policy.pollInterval', POSITIVE],
    ['a misspelt policy field', withPolicy({ baketime: '1h' }), 'policy.baketime', /did you mean bakeTime\?/],
    [
      'a misspelt field of a ring’s policy',
      written({ rings: [{ ring: 0, policy: { maxParalel: 1 } }] }),
      'rings[0].policy.maxParalel',
      /did you mean maxParallel\?/,
    ],
    [
      'an unknown field of a lane',
      written({ lanes: { fast: { speed: 1 } } }),
      'lanes.fast.speed',
      /a known field: one of maxParallel/,
    ],
    ['a lane in capitals', written({ lanes: { Fast: {} } }), 'lanes.Fast', /a name that is 1 to 63 of a-z, 0-9 and -/],
    ['a bad share in a lane', written({ lanes: { fast: { maxParallel: '500%' } } }), 'lanes.fast.maxParallel', /share/],
    [
      'an unknown day',
      withPolicy({ deployWindows: [{ ...aWindow, days: ['monday'] }] }),
      'policy.deployWindows[0].days[0]',
      /one of mon, tue/,
    ],
    [
      'a window without days',
      withPolicy({ deployWindows: [{ ...aWindow, days: [] }] }),
      'policy.deployWindows[0].days',
      'at least one day',
    ],
    [
      'a time of day 24:00 as begin',
      withPolicy({ deployWindows: [{ ...aWindow, from: '24:00' }] }),
      'policy.deployWindows[0].from',
      /time of day/,
    ],
    [
      'an unknown time zone',
      withPolicy({ deployWindows: [{ ...aWindow, timezone: 'Europe/Gotham' }] }),
      'policy.deployWindows[0].timezone',
      /IANA/,
    ],
    [
      'an offset as time zone',
      withPolicy({ deployWindows: [{ ...aWindow, timezone: '+01:00' }] }),
      'policy.deployWindows[0].timezone',
      /IANA/,
    ],
    [
      'a window without length',
      withPolicy({ deployWindows: [{ ...aWindow, to: '07:00' }] }),
      'policy.deployWindows[0].to',
      /another time of day/,
    ],
    [
      'a freeze without offset',
      withPolicy({ freezes: [{ from: '2026-12-23T00:00:00', to: '2027-01-02T00:00:00Z' }] }),
      'policy.freezes[0].from',
      /RFC 3339/,
    ],
    [
      'a freeze that ends first',
      withPolicy({ freezes: [{ from: '2027-01-02T00:00:00Z', to: '2026-12-23T00:00:00Z' }] }),
      'policy.freezes[0].to',
      'an instant after `from`',
    ],
    [
      'a check without url',
      withPolicy({ checks: [{ name: 'x' }] }),
      'policy.checks[0].url',
      'an http or https address',
    ],
    [
      'a check twice',
      withPolicy({
        checks: [
          { name: 'x', url: 'http://a' },
          { name: 'x', url: 'http://b' },
        ],
      }),
      'policy.checks[1].name',
      /used once/,
    ],
    [
      'a drift below none',
      written({ coordination: { maxDrift: -1 } }),
      'coordination.maxDrift',
      'a whole number from 0',
    ],
    [
      'an unknown coordination',
      written({ coordination: { lookevery: '1m' } }),
      'coordination.lookevery',
      /did you mean lookEvery\?/,
    ],
    [
      'a graduation timeout of nothing',
      written({ coordination: { graduationTimeout: '0d' } }),
      'coordination.graduationTimeout',
      POSITIVE,
    ],
    [
      'a signal without query',
      withHealth({ signals: { apdex: { worse: 'lower' } } }),
      'health.signals.apdex.query',
      /PromQL/,
    ],
    [
      'a signal with unknown field',
      withHealth({ signals: { apdex: { ...aSignal, zscore: 3 } } }),
      'health.signals.apdex.zscore',
      /did you mean zScore\?/,
    ],
    [
      'a quiet rule for no signal',
      withHealth({ signals: { apdex: aSignal }, quiet: forTraffic }),
      'health.quiet.signal',
      'the name of a signal: one of apdex',
    ],
    ['too few samples', withHealth({ minSamples: 0 }), 'health.minSamples', 'a whole number from 1'],
  ])('%s', (_what, input, path, expected) => {
    const problems = problemsOf(input);
    expect(problems.map((p) => p.path)).toEqual([path]);
    expect(problems[0]?.expected).toEqual(typeof expected === 'string' ? expected : expect.stringMatching(expected));
  });
});

describe('cells in rings', () => {
  const two = (first: Record<string, unknown>, second: Record<string, unknown>) =>
    written({
      rings: [
        { ring: 0, cells: [cell('a', first)] },
        { ring: 5, cells: [cell('b', second)] },
      ],
    });

  test.each([
    ['a cell in two rings', { id: 'x' }, { id: 'x' }, 'id'],
    ['a tenant twice', { tenant: 't' }, { tenant: 't' }, 'tenant'],
    ['a url twice', { url: 'https://x.example' }, { url: 'https://x.example' }, 'url'],
    ['a url twice, written otherwise', { url: 'https://x.example' }, { url: 'https://X.example/' }, 'url'],
  ])('%s is refused, and the other place is named', (_what, first, second, field) => {
    expect(problemsOf(two(first, second))).toEqual([
      {
        path: `rings[1].cells[0].${field}`,
        value: expect.any(String),
        expected: expect.stringContaining(`rings[0].cells[0].${field} has it too`),
      },
    ]);
  });

  it('may be read at the address of another one', () => {
    const observed = { observe: true, tenant: undefined, url: 'https://a.cells.example' };
    expect(problemsOf(two({}, observed))).toEqual([]);
  });

  it('that are only read need no address', () => {
    expect(problemsOf(written({ rings: [{ ring: 0, cells: [{ id: 'a', observe: true }] }] }))).toEqual([]);
  });
});

describe('what is not in force', () => {
  const notInForce = (input: unknown) => {
    const parsed = parseTopology(input);
    return parsed.ok ? parsed.notInForce : parsed.problems;
  };

  it('is nothing: all that can be written is obeyed', () => {
    const rings = [
      { ring: 2, cells: [cell('a', { join: 'auto' })] },
      { ring: 0, policy: { deployWindows: [aWindow] } },
    ];
    const coordination = { reconcileEvery: '1h', reconcileHandChanges: 'converge', maxDrift: 2 };
    expect(notInForce(written({ coordination, rings }))).toEqual([]);
  });

  it('is nothing where the value asks for nothing', () => {
    const policy = {
      deployWindows: [],
      freezes: [],
      checks: [],
      smokeTests: false,
      approval: 'required',
      mode: 'observe',
    };
    const coordination = { graduationTimeout: '7d', lookEvery: '1m' };
    expect(notInForce(written({ policy, coordination, health: { window: '5m', signals: {} } }))).toEqual([]);
  });
});
