import { describe, expect, it } from 'vitest';
import type { RingReport } from '../../../src/contract/internal.js';
import { isEverywhere } from '../../../src/domain/cluster/everywhere.js';
import { quarantineCell } from '../../../src/domain/cluster/quarantine.js';
import { noteForReconcile, noteFound, welcomeCells, whoIsIn } from '../../../src/domain/cluster/reconcile.js';
import {
  type ClusterState,
  newClusterState,
  newRingRecord,
  type RingRecord,
} from '../../../src/domain/cluster/state.js';
import { parseTopology, type Topology } from '../../../src/domain/topology/index.js';
import { fleet, V0, V1, V2 } from '../../support/fleet.js';

const NOW = Date.parse('2026-01-02T03:04:05Z');

function topology(): Topology {
  const parsed = parseTopology(fleet({ 2: 3 }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.topology;
}

function cluster(of: Partial<RingRecord> = {}): ClusterState {
  const state = newClusterState();
  const ring = { ...newRingRecord('r2'), total: 3, converged: V1, observed: { [V1]: 3 }, ...of };
  const qa = { ...newRingRecord('qa'), total: 1, converged: V1, observed: { [V1]: 1 } };
  state.rings = { 0: qa, 1: newRingRecord('main'), 2: ring };
  return state;
}

const ask = (state: ClusterState, version = V1, more: object = {}) =>
  isEverywhere(state, topology(), { version, ...more }, NOW);
const named = (state: ClusterState, version = V1, more: object = {}) =>
  ask(state, version, more).missing.map(({ ring, cell, state: at }) => `${ring} ${cell} ${at}`);
const outer = { rings: [2] };

describe('whether a package is everywhere', () => {
  it('is so where every ring that we deploy converged on it, or on a newer one', () => {
    expect(ask(cluster())).toMatchObject({ there: true, missingTotal: 0, rings: [{ ring: 0 }, { ring: 2 }] });
    expect(ask(cluster(), V0).there).toBe(true);
    expect(ask(cluster({ converged: V2, observed: { [V2]: 2, [V1]: 1 } }))).toMatchObject({ there: true });
  });

  it('is not so before its ring converged; the ring says how far it is', () => {
    const state = cluster({ converged: V0, observed: { [V1]: 1, [V0]: 2 }, state: 'rolling' });
    expect(ask(state)).toMatchObject({
      there: false,
      never: null,
      missing: [{ ring: 2, cell: null, state: 'rolling' }],
    });
    expect(ask(state).missing[0]?.reason).toContain('1 of 3 cells run it');
    expect(ask(state, V1, { rings: [0] }).there).toBe(true);
  });

  it('names quarantined cells as missing, unless they are not to count', () => {
    const state = cluster();
    state.quarantined['c2-1'] = { by: 'alice', reason: 'x', sinceMs: NOW };
    expect(named(state)).toEqual(['2 c2-1 quarantined']);
    expect(ask(state, V1, { ignoreQuarantined: true })).toMatchObject({ there: true, missingTotal: 1 });
  });

  it('names cells that failed, and those that a look found elsewhere; not those that are newer', () => {
    const state = cluster({ observed: { [V1]: 0, [V0]: 2, [V2]: 1 } });
    const since = new Date(NOW).toISOString();
    const found = (['behind', 'hand', 'newer'] as const).map((kind, i) => ({
      cell: `c2-${i + 1}`,
      kind,
      reason: '',
      since,
    }));
    noteFound(state, 2, found, () => true);
    expect(named(state)).toEqual(['2 c2-1 pending', '2 c2-2 pending']);
    const failed = cluster({ exceptions: [{ cell: 'c2-1', state: 'rolled-back', reason: '' }], exceptionsTotal: 1 });
    expect(named(failed)).toEqual(['2 c2-1 rolled-back']);
  });

  it('does not miss a cell that failed under a newer package, and runs this one', () => {
    const exceptions = [{ cell: 'c2-1', state: 'rolled-back' as const, reason: '', runs: V1 }];
    const state = cluster({ converged: V2, observed: { [V2]: 2, [V1]: 1 }, exceptions, exceptionsTotal: 1 });
    expect(ask(state, V1).there).toBe(true);
    expect(named(state, V2, outer)).toEqual(['2 c2-1 rolled-back']);
    const behind = cluster({ converged: V2, observed: { [V2]: 2, [V1]: 1 } });
    const since = new Date(NOW).toISOString();
    noteFound(behind, 2, [{ cell: 'c2-1', kind: 'behind', reason: '', since, runs: V1 }], () => true);
    expect(ask(behind, V1).there).toBe(true);
    expect(named(behind, V2, outer)).toEqual(['2 c2-1 pending']);
  });

  it('does not miss a cell whose PDM of a newer package failed; of that package itself it does', () => {
    const exceptions = [{ cell: 'c2-1', state: 'migration-failed' as const, reason: '' }];
    const state = cluster({ converged: V2, observed: { [V2]: 3 }, exceptions, exceptionsTotal: 1 });
    expect(ask(state, V1).there).toBe(true);
    expect(named(state, V2, outer)).toEqual(['2 c2-1 migration-failed']);
  });

  it('takes no quarantined cell that runs it for one in automation that does not', () => {
    const state = cluster({ observed: { [V0]: 1, [V1]: 2 }, observedOut: { [V1]: 1 } });
    state.quarantined['c2-1'] = { by: 'alice', reason: 'x', sinceMs: NOW };
    expect(ask(state, V1, { ignoreQuarantined: true })).toMatchObject({ there: false, missingTotal: 2 });
    const others = cluster({ observed: { [V0]: 1, [V1]: 2 }, observedOut: { [V0]: 1 } });
    others.quarantined = state.quarantined;
    expect(ask(others, V1, { ignoreQuarantined: true }).there).toBe(true);
  });

  it('takes nobody that was quarantined since the ring was last looked at for one that runs it, unless the pass said so', () => {
    const rest = { [V0]: 1, [V1]: 2 };
    const state = cluster({ observed: rest });
    quarantineCell(state, { cell: 'c2-1', by: 'alice', reason: 'x' }, NOW);
    expect(ask(state, V1, { ignoreQuarantined: true }).there).toBe(false);
    const exceptions = [{ cell: 'c2-1', state: 'rolled-back' as const, reason: '', runs: V0 }];
    const named = cluster({ observed: rest, exceptions, exceptionsTotal: 1 });
    quarantineCell(named, { cell: 'c2-1', by: 'alice', reason: 'x' }, NOW);
    quarantineCell(named, { cell: 'c2-1', by: 'alice', reason: 'said again' }, NOW);
    expect(ask(named, V1, { ignoreQuarantined: true }).there).toBe(true);
  });

  it('counts cells that nobody has named', () => {
    const state = cluster({ observed: { [V1]: 1, [V0]: 2 } });
    expect(ask(state).missing).toMatchObject([
      { cell: null, state: 'unknown', reason: expect.stringMatching(/^2 more/) },
    ]);
  });

  it('of a ring that others deploy, or that is not there, nobody here knows', () => {
    expect(named(cluster(), V1, { rings: [1, 7] })).toEqual(['1 null unknown', '7 null unknown']);
  });

  it.each([['aborted'], ['rolled-back'], ['expired']] as const)('never is where it has ended: %s', (ended) => {
    const state = cluster({ converged: V0, observed: { [V0]: 3 } });
    state.ended[V1] = { state: ended, supersededBy: null, chartVersion: null, at: '', run: 'r' };
    expect(ask(state).never).toContain(ended);
    state.graduated = [{ version: V2, graduatedAt: '', by: '', blocked: false, convergedAt: null }];
    expect(ask(state).never).toBeNull();
  });

  it('never is where it is blocked, and what is newer, too', () => {
    const state = cluster({ converged: V0, observed: { [V0]: 3 } });
    state.blocked = [{ version: V1, by: 'alice', reason: 'INC-1', since: '' }];
    state.graduated = [{ version: V2, graduatedAt: '', by: '', blocked: true, convergedAt: null }];
    expect(ask(state).never).toContain('INC-1');
  });

  it.each([
    [99, 'there is no ring 99'],
    [1, 'other tools deploy ring 1: what runs there is not known here'],
  ])('never is said of ring %i', (ring, never) => {
    const of = isEverywhere(cluster({}), topology(), { version: V1, rings: [ring] }, NOW);
    expect(of).toMatchObject({ there: false, never });
  });
});

describe('where nobody has looked', () => {
  /** The third cell of the ring leaves, and another one comes in its place. */
  function swapped(state: ClusterState): Topology {
    const after = structuredClone(topology());
    const cells = after.rings.find(({ ring }) => ring === 2)?.cells ?? [];
    cells[2] = { id: 'c2-9', tenant: 't-c2-9', url: 'https://c2-9.cells.example', join: 'auto' };
    welcomeCells(state, whoIsIn(state, topology(), NOW), after, NOW);
    return after;
  }
  const looked = (state: ClusterState) => {
    const report = { view: { ring: 2 }, version: V1, observed: { [V1]: 3 }, migrationFailed: [] };
    noteForReconcile(state, 2, report as unknown as RingReport);
  };

  it('a package is nowhere: as before the first topology', () => {
    const nothing = { ...topology(), rings: [] };
    expect(isEverywhere(newClusterState(), nothing, { version: V1 }, NOW)).toMatchObject({ there: false, never: null });
  });

  it('a cell that takes the place of one that ran it is not taken for that', () => {
    const state = cluster();
    const after = swapped(state);
    const missing = [{ cell: null, state: 'unknown', reason: expect.stringMatching(/^1 more/) }];
    expect(isEverywhere(state, after, { version: V1, ...outer }, NOW)).toMatchObject({ there: false, missing });
    noteFound(state, 2, [], () => true);
    expect(isEverywhere(state, after, { version: V1, ...outer }, NOW).there).toBe(true);
  });

  it.each([
    ['a pass has looked that was let in after it came', NOW, true],
    ['but not by a pass that was in the ring before', NOW - 1, false],
  ])('it is known with its ring once %s', (_what, grantedAtMs, there) => {
    const state = cluster();
    const after = swapped(state);
    state.turns[2] = { grantedAtMs } as (typeof state.turns)[number];
    looked(state);
    expect(isEverywhere(state, after, { version: V1, ...outer }, NOW).there).toBe(there);
  });
});
