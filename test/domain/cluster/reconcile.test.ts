import { describe, expect, it } from 'vitest';
import type { CellLook } from '../../../src/contract/activities.js';
import type { RingReport } from '../../../src/contract/internal.js';
import type { Difference } from '../../../src/contract/status.js';
import {
  cellsOfPass,
  FOUND_AT_MOST,
  noteFound,
  noteLooks,
  reconcileOf,
} from '../../../src/domain/cluster/reconcile.js';
import {
  newClusterState,
  newRingRecord,
  type QueuedRequest,
  type RingLook,
} from '../../../src/domain/cluster/state.js';
import { V0, V1 } from '../../support/fleet.js';

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
