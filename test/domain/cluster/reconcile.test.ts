import { describe, expect, it } from 'vitest';
import type { CellLook } from '../../../src/contract/activities.js';
import type { RingReport } from '../../../src/contract/internal.js';
import type { Act, CellState, Difference } from '../../../src/contract/status.js';
import { type Ask, differenceOf, type Standing, toConverge } from '../../../src/domain/cluster/differences.js';
import {
  cameTo,
  cellsOfPass,
  FOUND_AT_MOST,
  noteFound,
  noteLooks,
  noteNotBrought,
  reconcileOf,
  ringsOwed,
  welcomeCells,
  whoIsIn,
} from '../../../src/domain/cluster/reconcile.js';
import {
  newClusterState,
  newRingRecord,
  type QueuedRequest,
  type RingLook,
  type Turn,
  trim,
} from '../../../src/domain/cluster/state.js';
import { parseTopology, type Topology } from '../../../src/domain/topology/index.js';
import { cell, fleet, V0, V1, V2 } from '../../support/fleet.js';

const since = '2026-01-02T03:04:05.000Z';
const differs = (cell: string, more: Partial<Difference> = {}): Difference => ({
  cell,
  kind: 'unwell',
  reason: 'x'.repeat(2_000),
  since,
  ...more,
});

describe('what looks found', () => {
  it('stays far below what a workflow carries over, with what a person is to be told of', () => {
    const state = newClusterState();
    const rings = Array.from({ length: 20 }, (_, ring) => ring);
    for (const ring of rings) state.rings[ring] = newRingRecord(`ring-${ring}`);
    const cells = Array.from({ length: FOUND_AT_MOST - 1 }, (_, i) => differs(`${'c'.repeat(60)}${i}`));
    for (const ring of rings) noteFound(state, ring, [...cells, differs('by-hand', { kind: 'hand' })], () => true);
    expect(JSON.stringify(state.reconcile).length).toBeLessThan(700_000);
    for (const ring of rings) expect(reconcileOf(state).found[ring]?.[0]).toMatchObject({ cell: 'by-hand' });
  });

  it('is whole where it is little', () => {
    const state = newClusterState();
    state.rings[2] = newRingRecord('ring-2');
    const found = [differs('a', { reason: 'r' }), differs('b', { kind: 'hand', reason: 'r' })];
    noteFound(state, 2, found, () => true);
    expect(reconcileOf(state).found[2]).toEqual(found);
  });
});

describe('a look', () => {
  it('counts what cells run, and those that are out of automation apart', () => {
    const looking: RingLook = { ring: 2, cells: 0, observed: {} };
    const look = (cell: string, version: string | null) => ({ cell, facts: { version } }) as CellLook;
    noteLooks(looking, [look('a', V0), look('b', V1)], () => true);
    noteLooks(looking, [look('c', V1), look('d', null)], () => false);
    expect(looking).toEqual({
      ...{ ring: 2, cells: 4 },
      observed: { [V0]: 1, [V1]: 2, unknown: 1 },
      observedOut: { [V1]: 1, unknown: 1 },
    });
  });
});

describe('a cell that came to a ring', () => {
  const NOW = Date.parse(since);
  const topologyWith = (cells: object[]): Topology => {
    const parsed = parseTopology(fleet({}, {}, { rings: [{ ring: 2, name: 'two', cells }] }));
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    return parsed.topology;
  };
  const before = topologyWith([cell('a')]);
  const after = topologyWith([cell('a'), { ...cell('b'), join: 'auto' }]);
  const grown = () => {
    const state = newClusterState();
    state.rings[2] = newRingRecord('two');
    welcomeCells(state, whoIsIn(state, before, NOW), after, NOW);
    return state;
  };
  const holds = { request: { requestId: 'r/1' } } as Turn;

  it('while a pass holds the ring is converged as soon as that has ended', () => {
    const state = grown();
    state.turns[2] = holds;
    expect(ringsOwed(state, 'coordinator')).toEqual([]);
    expect(cameTo(state, 2)).toEqual(['b']);
    delete state.turns[2];
    expect(ringsOwed(state, 'coordinator')).toEqual([2]);
    const ask = reconcileOf(state).asked[2] as Ask;
    const joined = differs('b', { kind: 'joined' });
    expect(toConverge([joined], ask, 'report', [])).toEqual([joined]);
    delete reconcileOf(state).asked[2];
    noteFound(state, 2, [joined], () => true);
    expect(ringsOwed(state, 'coordinator')).toEqual([]);
  });

  it('stays one that came where more differ than a look keeps: the next look goes on with it', () => {
    const ids = Array.from({ length: FOUND_AT_MOST + 1 }, (_, i) => `n${i}`);
    const many = topologyWith([cell('a'), ...ids.map((id) => ({ ...cell(id), join: 'auto' }))]);
    const state = newClusterState();
    state.rings[2] = newRingRecord('two');
    welcomeCells(state, whoIsIn(state, before, NOW), many, NOW);
    const joined = ids.map((id) => differs(id, { kind: 'joined' }));
    noteFound(state, 2, joined.slice(0, FOUND_AT_MOST), () => true);
    expect(cameTo(state, 2)).toEqual(ids);
    expect(ringsOwed(state, 'coordinator')).toEqual([]);
    noteFound(state, 2, joined.slice(FOUND_AT_MOST), () => true);
    expect(cameTo(state, 2)).toEqual(ids.slice(FOUND_AT_MOST));
  });

  it('is tried once where the pass can order nothing for it: then a person has to ask, or another package come', () => {
    const state = grown();
    const look = {
      ...{ cell: 'b', tenant: 'known', facts: { version: V0, chartVersion: null }, activeJob: null, failedJob: null },
      ...{ lastJob: null, readiness: 'unasked', onTarget: false, problem: `it runs ${V0}` },
    } as unknown as CellLook;
    const standing = (version: string): Standing => ({
      ...{ version, chartVersion: null, convergedAt: since, migrated: false, exceptions: [], more: false },
    });
    const converges = (version: string, person: boolean) => {
      const came = reconcileOf(state).welcome.b ?? null;
      const found = [differenceOf(look, standing(version), came, NOW)].flatMap((d) => d ?? []);
      noteFound(state, 2, found, () => true);
      return toConverge(found, { by: 'x', person, cells: null, converge: true }, 'report', []).length > 0;
    };
    const pass = (ended: boolean, at: CellState) => {
      const view = { exceptions: [{ cell: 'b', state: at, reason: 'not deployed: 17.8.0 comes before' }] };
      noteNotBrought(state, 2, { version: V1, purpose: 'deploy', ended, view } as RingReport);
    };
    pass(false, 'failed');
    pass(true, 'unreachable');
    expect(converges(V1, false)).toBe(true);
    pass(true, 'failed');
    expect([converges(V1, false), converges(V1, false)]).toEqual([false, false]);
    expect(converges(V1, true)).toBe(true);
    expect(converges(V2, false)).toBe(true);
  });
});

describe('what the coordinator did by itself', () => {
  it('pushes no act of a person out of what is remembered', () => {
    const state = newClusterState();
    const act = (by: string, i: number): Act => ({ at: since, act: 'reconcile', by, outcome: String(i) });
    const acts = (by: string, count: number) => Array.from({ length: count }, (_, i) => act(by, i));
    state.acts = [...acts('alice', 50), ...acts('coordinator', 500)];
    trim(state);
    expect(state.acts).toEqual([...acts('alice', 50), ...acts('coordinator', 500).slice(-150)]);
    state.acts = [...acts('alice', 250), ...acts('coordinator', 5)];
    trim(state);
    expect(state.acts).toEqual(acts('alice', 250).slice(-200));
  });
});

describe('the cells that a pass is about', () => {
  const report = { view: { exceptions: [{ cell: 'c' }] } } as RingReport;
  it.each<[string, Partial<QueuedRequest>, string[] | null]>([
    ['those that were asked for', { requestId: 'reconcile/r/1', cells: ['a', 'b'] }, ['a', 'b']],
    ['those that it names, where it was there before the cluster', { requestId: 'reconcile/r/1' }, ['c']],
    ['the whole ring, of a package', { requestId: 'r/1' }, null],
  ])('are %s', (_what, request, cells) => {
    expect(cellsOfPass(request as QueuedRequest, report)).toEqual(cells);
  });
});
