import { describe, expect, it } from 'vitest';
import type { CellLook, LastJob } from '../../../src/contract/activities.js';
import type { Difference } from '../../../src/contract/status.js';
import {
  type Ask,
  type Came,
  differenceOf,
  type Standing,
  toConverge,
} from '../../../src/domain/cluster/differences.js';
import { pinText } from '../../../src/domain/topology/index.js';
import { V0, V1, V2 } from '../../support/fleet.js';

const NOW = Date.parse('2026-01-02T03:04:05Z');
const CONVERGED = '2026-01-02T01:00:00Z';

const look = (version: string | null, more: Partial<CellLook> = {}): CellLook => ({
  cell: 'a',
  tenant: 'known',
  facts: { version, chartVersion: null, migratedVersion: version, previousVersion: null, previousChartVersion: null },
  activeJob: null,
  failedJob: null,
  readiness: 'ready',
  onTarget: version === V1,
  problem: version === V1 ? '' : `it runs ${version}`,
  ...more,
});

const job = (more: Partial<LastJob> = {}): LastJob => ({
  ...{ id: 'j1', kind: 'configure', version: V1, fromVersion: V0, state: 'succeeded' },
  ...{ createdAt: '2026-01-02T00:30:00Z', ours: true },
  ...more,
});

const standing = (more: Partial<Standing> = {}): Standing => ({
  ...{ version: V1, chartVersion: null, convergedAt: CONVERGED, migrated: true, exceptions: [], more: false },
  ...more,
});

const said = (state: 'busy' | 'rolled-back' | 'skipped' | 'failed') => ({
  exceptions: [{ cell: 'a', state, reason: 'so it was' }],
});
const chart = (chartVersion: string | null): Partial<CellLook> => ({ facts: { ...look(V1).facts, chartVersion } });
const withChart = (chartVersion: string | null) =>
  look(V1, { ...chart(chartVersion), onTarget: false, readiness: 'unasked', problem: `it runs chart ${chartVersion}` });
const kindOf = (seen: CellLook, of: Partial<Standing> = {}, came: Came | null = null) =>
  differenceOf(seen, standing(of), came, NOW)?.kind ?? null;

describe('a difference', () => {
  it('says what the cell runs, where that is another package than its ring’s', () => {
    expect(differenceOf(look(V0), standing(), null, NOW)).toMatchObject({ runs: V0 });
    expect(differenceOf(look('17.9.0'), standing(), null, NOW)).not.toHaveProperty('runs');
    expect(differenceOf(look(V1, { onTarget: false }), standing(), null, NOW)).not.toHaveProperty('runs');
  });
});

describe('a cell that runs what its ring does', () => {
  it.each<[string, string | null, CellLook, Partial<Standing>]>([
    ['and is well is as it should be', null, look(V1), {}],
    [
      'and lacks PDM that the ring has had lacks it',
      'no-pdm',
      look(V1, { facts: { ...look(V1).facts, migratedVersion: V0 } }),
      {},
    ],
    [
      'and lacks PDM that the ring has not had is as it should be',
      null,
      look(V1, { facts: { ...look(V1).facts, migratedVersion: V0 } }),
      { migrated: false },
    ],
    [
      'by AMP’s word alone was restored',
      'restored',
      look(V1, { onTarget: false, problem: 'it reports revision 0a1b' }),
      {},
    ],
    [
      'and is not ready is not well',
      'unwell',
      look(V1, { onTarget: false, readiness: 'not-ready', problem: 'not ready' }),
      {},
    ],
    [
      'and whose last job failed has failed',
      'failed',
      look(V1, {
        failedJob: { id: 'j', kind: 'configure', version: V1, fromVersion: V0, ours: true },
        onTarget: false,
      }),
      {},
    ],
    [
      'by AMP’s word alone, where a pass did not mend it, has failed',
      'failed',
      look(V1, { onTarget: false, problem: 'it reports revision 0a1b' }),
      said('failed'),
    ],
    ['with another chart was changed by hand', 'hand', withChart('8.9.0'), { chartVersion: '8.10.5' }],
    ['with its chart is as it should be', null, look(V1, chart('8.10.5')), { chartVersion: '8.10.5' }],
    ['with whatever chart, where nobody knows which, is as it should be', null, look(V1, chart('8.9.0')), {}],
    ['with a chart that AMP does not say is not well', 'unwell', withChart(null), { chartVersion: '8.10.5' }],
    [
      'with another chart has failed where a pass could not bring it',
      'failed',
      withChart('8.9.0'),
      { chartVersion: '8.10.5', ...said('failed') },
    ],
    ['and has a job under way is busy', 'busy', look(V1, { activeJob: { id: 'j9', ours: false } }), {}],
  ])('%s', (_what, kind, seen, of) => {
    expect(kindOf(seen, of)).toBe(kind);
  });
});

describe('a cell that runs something else', () => {
  it.each<[string, string, CellLook, Partial<Standing>]>([
    ['that nobody knows is unknown', 'unknown', look(null), {}],
    ['that is newer is past its ring', 'newer', look(V2, { lastJob: job() }), {}],
    ['that our last job did not bring was changed by hand', 'hand', look(V0, { lastJob: job() }), {}],
    [
      'that another’s job took off the package was changed by hand',
      'hand',
      look(V0, { lastJob: job({ version: V0, fromVersion: V1, ours: false }) }),
      {},
    ],
    [
      'that another’s job brought since the ring converged was changed by hand',
      'hand',
      look(V0, { lastJob: job({ version: V0, fromVersion: null, ours: false, createdAt: '2026-01-02T02:00:00Z' }) }),
      {},
    ],
    [
      'that another’s job had brought before the ring converged is behind',
      'behind',
      look(V0, { lastJob: job({ version: V0, fromVersion: null, ours: false }) }),
      {},
    ],
    ['and was on the package without any job was changed by hand', 'hand', look(V0, { lastJob: null }), {}],
    ['and missed the package without any job is behind', 'behind', look(V0, { lastJob: null }), said('busy')],
    ['and may have missed it, beyond those named, is behind', 'behind', look(V0, { lastJob: null }), { more: true }],
    ['to which we brought it is behind', 'behind', look(V0, { lastJob: job({ version: V0 }) }), {}],
    [
      'and went back from the package has failed',
      'failed',
      look(V0, { lastJob: job({ kind: 'rollback', version: V0, fromVersion: V1 }) }),
      {},
    ],
    [
      'and went back from another package is behind',
      'behind',
      look(V0, { lastJob: job({ kind: 'rollback', version: V0, fromVersion: V2 }) }),
      {},
    ],
    ['whose deployment failed has failed', 'failed', look(V0, { lastJob: job({ state: 'failed' }) }), {}],
    ['and was skipped is a person’s', 'failed', look(V0, { lastJob: job({ version: V0 }) }), said('skipped')],
    ['and could not be deployed is a person’s', 'failed', look(V0, { lastJob: job({ version: V0 }) }), said('failed')],
  ])('%s', (_what, kind, seen, of) => {
    expect(kindOf(seen, of)).toBe(kind);
  });

  it('is behind once its pin is over: nobody else said to leave it', () => {
    const pinned = [{ cell: 'a', state: 'skipped' as const, reason: pinText({ reason: 'x', until: '2026-01-01' }) }];
    expect(kindOf(look(V0, { lastJob: job({ version: V0 }) }), { exceptions: pinned })).toBe('behind');
    expect(kindOf(look(V0, { lastJob: null }), { exceptions: pinned })).toBe('behind');
  });

  it('is welcome where it came to the ring, whoever brought what it runs; but never taken back', () => {
    expect(kindOf(look(V0, { lastJob: null }), {}, { atMs: NOW })).toBe('joined');
    expect(kindOf(look(V2, { lastJob: null }), {}, { atMs: NOW })).toBe('newer');
  });

  const CAME = Date.parse('2026-01-02T00:30:00Z');
  const wentBack = job({ kind: 'rollback', version: V0, fromVersion: V1 });
  it.each<[string, string, LastJob, Came]>([
    ['has failed where the package went back from it since', 'failed', wentBack, { atMs: CAME }],
    ['has failed where its deployment has failed since', 'failed', job({ state: 'failed' }), { atMs: CAME }],
    ['is welcome where the package failed on it before', 'joined', wentBack, { atMs: CAME + 1 }],
    ['is welcome where nobody knows since when', 'joined', wentBack, {}],
    ['is welcome where another package failed on it', 'joined', { ...wentBack, fromVersion: V2 }, { atMs: CAME }],
  ])('that came to the ring %s', (_what, kind, lastJob, came) => {
    expect(kindOf(look(V0, { lastJob }), {}, came)).toBe(kind);
  });
});

describe('a cell that came to its ring, and that a pass did not bring its package', () => {
  const seen = look(V0, { lastJob: null });
  const tooOld = { exceptions: [{ cell: 'a', state: 'failed' as const, reason: 'not deployed: stop at 17.9 first' }] };

  it('is left to a person, with what the pass said', () => {
    expect(differenceOf(seen, standing(tooOld), { atMs: NOW, notBrought: V1 }, NOW)).toMatchObject({
      kind: 'failed',
      reason: 'failed: not deployed: stop at 17.9 first',
    });
    expect(kindOf(seen, {}, { atMs: NOW, notBrought: V1 })).toBe('failed');
    expect(kindOf(withChart('8.9.0'), { chartVersion: '8.10.5' }, { notBrought: V1 })).toBe('failed');
  });

  it('is welcome for another package, and where it came again: what was said before is over', () => {
    expect(kindOf(seen, tooOld, { atMs: NOW, notBrought: V0 })).toBe('joined');
    expect(kindOf(seen, tooOld, { atMs: NOW })).toBe('joined');
    expect(kindOf(withChart('8.9.0'), { chartVersion: '8.10.5' }, { atMs: NOW })).toBe('joined');
    const restored = look(V1, { onTarget: false, problem: 'it reports revision 0a1b' });
    expect(kindOf(restored, tooOld, { atMs: NOW })).toBe('restored');
    expect(kindOf(restored, tooOld, { atMs: NOW, notBrought: V1 })).toBe('failed');
  });
});

describe('what is converged', () => {
  const KINDS = [
    'behind',
    'failed',
    'hand',
    'newer',
    'restored',
    'joined',
    'no-pdm',
    'busy',
    'unwell',
    'unknown',
  ] as const;
  const found: Difference[] = KINDS.map((kind) => ({ cell: kind, kind, reason: '', since: CONVERGED }));
  const ask = (more: Partial<Ask> = {}): Ask => ({ by: 'x', person: false, cells: null, converge: true, ...more });
  const cellsOf = (a: Ask, hand: 'report' | 'converge' = 'report', before: Difference[] = []) =>
    toConverge(found, a, hand, before).map(({ cell }) => cell);
  const BY_ITSELF = ['behind', 'restored', 'joined', 'no-pdm'];

  it.each<[string, string[], Ask, 'report' | 'converge', Difference[]]>([
    ['by itself: what missed the package', BY_ITSELF, ask(), 'report', []],
    [
      'by a person: what failed, too',
      ['behind', 'failed', 'restored', 'joined', 'no-pdm'],
      ask({ person: true }),
      'report',
      [],
    ],
    [
      'by a person who names it: what was changed by hand',
      ['hand'],
      ask({ person: true, cells: ['hand', 'newer', 'busy'] }),
      'report',
      [],
    ],
    [
      'where the topology says so: changes by hand, told before',
      ['behind', 'hand', 'restored', 'joined', 'no-pdm'],
      ask(),
      'converge',
      found,
    ],
    ['where the topology says so: no change by hand that is news', BY_ITSELF, ask(), 'converge', []],
    ['nothing, where only what runs is to be noted', [], ask({ converge: false }), 'converge', found],
  ])('%s', (_what, cells, a, hand, before) => {
    expect(cellsOf(a, hand, before)).toEqual(cells);
  });
});
