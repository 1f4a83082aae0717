import { describe, expect, it } from 'vitest';
import type { RingReport } from '../../../src/contract/internal.js';
import { withBlock, withoutBlock } from '../../../src/domain/cluster/blocks.js';
import { claimTurn, endTurn, noteRing } from '../../../src/domain/cluster/holders.js';
import { noteAborting, recordEnd, recordGraduation } from '../../../src/domain/cluster/packages.js';
import { enqueue, keptOn, standingOf } from '../../../src/domain/cluster/reconcile.js';
import { endRollback, noteRollback } from '../../../src/domain/cluster/rollbacks.js';
import {
  type ClusterState,
  newClusterState,
  newRingRecord,
  type RingRecord,
  trim,
} from '../../../src/domain/cluster/state.js';
import { decideTurns } from '../../../src/domain/cluster/turns.js';
import { parseTopology, type Topology } from '../../../src/domain/topology/index.js';
import { fleet, V0, V1, V2, V3 } from '../../support/fleet.js';

const NOW = Date.parse('2026-01-02T03:04:05Z');
const HOUR = 3_600_000;
const at = (hours: number) => new Date(NOW + hours * HOUR).toISOString();

function topologyOf(): Topology {
  const parsed = parseTopology(fleet({ 2: 3 }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.topology;
}
const TOPOLOGY = topologyOf();

const ringOf = (state: ClusterState): RingRecord => state.rings[2] as RingRecord;

/** A pass over ring 2, whole: it held the ring, saw these cells in the end, and converged or not. */
function pass(
  state: ClusterState,
  version: string,
  observed: Record<string, number>,
  how: { purpose?: 'deploy' | 'rollback'; convergedAt?: string; requestId?: string } = {},
): void {
  const { purpose = 'deploy', convergedAt = null, requestId = `run-${version}/1` } = how;
  const claim = { requestId, version, chartVersion: null, ring: 2, purpose, lane: null, approved: [], sinceMs: NOW };
  claimTurn(state, { ...claim, pass: 'pass' }, NOW);
  const view = { state: 'rolling', exceptions: [], exceptionsTotal: 0, convergedAt };
  const report = { view, observed, version, purpose } as unknown as RingReport;
  endTurn(state, 2, noteRing(ringOf(state), report, NOW));
}

/** A package that graduated, converged in ring 2, and has been everywhere. */
function converges(state: ClusterState, version: string, hours: number, how: 'converged' | 'superseded' = 'converged') {
  const chartVersion = `8.${hours}.0`;
  state.rollouts[version] = { run: 'r', startedAtMs: NOW, chartVersion, lane: null, graduatedAt: at(hours) };
  const graduated = { requestId: 'g', version, lane: null, by: 'rt', at: at(hours), ring0: 'converged' };
  recordGraduation(state, { ...graduated, chartVersion } as Parameters<typeof recordGraduation>[1]);
  pass(state, version, { [version]: 3 }, { convergedAt: at(hours) });
  ends(state, version, how);
}

const ends = (state: ClusterState, version: string, how: 'converged' | 'superseded' | 'aborted' | 'rolled-back') =>
  recordEnd(state, { version, run: 'r', state: how, supersededBy: null }, NOW);

/** V1 and then V2 converged in ring 2. */
function cluster(): ClusterState {
  const state = newClusterState();
  state.rings[2] = { ...newRingRecord('two'), total: 3 };
  Object.assign(state, { perimeter: 1, unmet: [] });
  converges(state, V1, 1);
  converges(state, V2, 2);
  return state;
}

const laterThanV3 = (count: number): string[] =>
  Array.from({ length: count }, (_, i) =>
    V3.replace('200906', `21${String(1000 + 100 * Math.floor(i / 60) + (i % 60))}`),
  );

const block = (state: ClusterState, version: string) => {
  state.blocked = withBlock(state.blocked, { version, by: 'alice', reason: 'INC-1', since: at(3) });
};
const asksRollback = { version: V2, run: 'b', by: 'alice', reason: 'INC-1', ring: null, block: true };
const rollsBack = (state: ClusterState) =>
  noteRollback(state, asksRollback as unknown as Parameters<typeof noteRollback>[1], NOW);
const rolledBack = (state: ClusterState) =>
  endRollback(state, { version: V2, run: 'b' } as Parameters<typeof endRollback>[1], NOW);
const goesBack = (state: ClusterState, observed: Record<string, number> = { [V1]: 3 }) =>
  pass(state, V2, observed, { purpose: 'rollback', requestId: 'back/1' });

const kept = (state: ClusterState) => keptOn(state, TOPOLOGY, 2);
const onV1 = { version: V1, chartVersion: '8.1.0' };
const onV2 = { version: V2, chartVersion: '8.2.0' };

describe('a ring whose package is stopped', () => {
  it('is kept on nothing while its cells are on it, and on it again where that is lifted', () => {
    const state = cluster();
    expect(kept(state)).toEqual(onV2);
    block(state, V2);
    expect(kept(state)).toEqual({ not: `${V2} is blocked` });
    state.blocked = withoutBlock(state.blocked, V2);
    expect(kept(state)).toEqual(onV2);
  });

  it('is kept on nothing where it was aborted and its cells were left on it', () => {
    const state = cluster();
    ends(state, V2, 'aborted');
    expect(kept(state)).toEqual({ not: `${V2} is not graduated any more` });
  });

  it('is kept on nothing where a newer one that had not come through was left on cells', () => {
    const state = cluster();
    state.rollouts[V3] = { run: 'r', startedAtMs: NOW, chartVersion: null, lane: null, graduatedAt: at(3) };
    pass(state, V3, { [V2]: 1, [V3]: 2 });
    expect(kept(state)).toEqual({ not: `it is to run ${V3}` });
    ends(state, V3, 'aborted');
    expect(kept(state)).toEqual({ not: `cells of it were left on ${V3}` });
    Object.assign(state.rings[2] as object, { observed: { [V2]: 3 } });
    expect(kept(state)).toEqual({ not: `${V3} was on its way to it, and was given up` });
  });

  it('is kept on what it converged on before, once an abort has taken its cells back and is over', () => {
    const state = cluster();
    noteAborting(state, { version: V2, run: 'r' });
    goesBack(state);
    expect(kept(state)).toEqual({ not: `${V2} is being aborted` });
    ends(state, V2, 'rolled-back');
    expect(kept(state)).toEqual(onV1);
    expect(standingOf(state, TOPOLOGY, 2)).toMatchObject({ ...onV1, convergedAt: at(1) });
  });

  it('is kept on what it converged on before, once a rollback has taken its cells back and is over', () => {
    const state = cluster();
    block(state, V2);
    rollsBack(state);
    expect(kept(state)).toEqual({ not: `${V2} is being rolled back` });
    goesBack(state);
    expect(kept(state)).toEqual({ not: `${V2} is being rolled back` });
    rolledBack(state);
    expect(kept(state)).toEqual(onV1);
    state.blocked = withoutBlock(state.blocked, V2);
    expect(kept(state)).toEqual(onV1);
  });

  it('is kept on nothing where the rollback was of another ring, or left a cell on it', () => {
    const other = cluster();
    rollsBack(other);
    rolledBack(other);
    expect(kept(other)).toEqual({ not: `${V2} is not graduated any more` });
    const left = cluster();
    rollsBack(left);
    goesBack(left, { [V1]: 2, [V2]: 1 });
    rolledBack(left);
    expect(kept(left)).toEqual({ not: `${V2} is not graduated any more` });
  });

  it('is kept on nothing where it went back to what it had never converged on, or what is stopped, too', () => {
    const older = cluster();
    rollsBack(older);
    goesBack(older, { [V0]: 3 });
    rolledBack(older);
    expect(kept(older)).toEqual({ not: `${V2} was taken back from it` });
    const both = cluster();
    rollsBack(both);
    goesBack(both);
    rolledBack(both);
    block(both, V1);
    expect(kept(both)).toEqual({ not: `${V2} was taken back from it` });
  });

  it('never comes to a package again that was taken back from it for its own fault, though nobody blocked it', () => {
    const state = cluster();
    converges(state, V3, 3, 'superseded');
    pass(state, V3, { [V2]: 3 });
    expect(kept(state)).toEqual(onV2);
  });
});

describe('what a ring converged on before', () => {
  it('is not what was taken back from it, though nobody blocked that', () => {
    const state = cluster();
    pass(state, V2, { [V1]: 3 });
    expect(kept(state)).toEqual(onV1);
    converges(state, V3, 3);
    expect(kept(state)).toEqual({ version: V3, chartVersion: '8.3.0' });
    pass(state, V3, { [V2]: 3 }, { purpose: 'rollback', requestId: 'back/2' });
    ends(state, V3, 'rolled-back');
    expect(kept(state)).toEqual({ not: `${V3} was taken back from it` });
  });

  it('is counted anew where the package converges once more', () => {
    const state = cluster();
    rollsBack(state);
    goesBack(state);
    rolledBack(state);
    converges(state, V2, 3);
    expect(kept(state)).toEqual({ version: V2, chartVersion: '8.3.0' });
  });

  it('is remembered of a few packages', () => {
    const state = cluster();
    const later = laterThanV3(9);
    for (const [i, version] of later.entries()) converges(state, version, 3 + i);
    const before = ringOf(state).convergedBefore?.map(({ version }) => version);
    expect(before).toEqual(later.slice(-4, -1).reverse());
  });

  it('keeps its chart, however many packages have ended since', () => {
    const state = cluster();
    for (const version of laterThanV3(150)) ends(state, version, 'superseded');
    trim(state);
    expect(Object.keys(state.ended)).toHaveLength(102);
    expect(state.ended[V1]?.chartVersion).toBe('8.1.0');
  });
});

describe('a pass over some cells of a ring', () => {
  it('says nothing of what the ring is to run, whatever its other cells were changed to', () => {
    const state = cluster();
    ringOf(state).observed = { [V0]: 3 };
    const own = { requestId: 'reconcile/run/1', ring: 2, version: V2, chartVersion: null, cells: ['c2-1'] };
    enqueue(state, { ...own, by: 'alice', askedFor: true }, NOW);
    decideTurns(state, TOPOLOGY, NOW);
    Object.assign(state.turns[2] ?? {}, { pass: 'pass' });
    endTurn(state, 2, 'looked');
    expect([ringOf(state).desired, kept(state)]).toEqual([V2, onV2]);
  });
});

describe('the chart that a ring is kept on', () => {
  it('is the one with which cells were seen to run the package, where none was given', () => {
    const state = cluster();
    Object.assign(state.ended[V2] ?? {}, { chartVersion: null, runsWith: '8.10.5' });
    expect(kept(state)).toEqual({ version: V2, chartVersion: '8.10.5' });
  });
});
