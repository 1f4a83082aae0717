import { describe, expect, it, test } from 'vitest';
import { bounded, entryOfAct } from '../../../src/domain/ledger/entry.js';
import { cellsInShort, needsRemovalConsent, topologyChanges } from '../../../src/domain/topology/index.js';
import { accepted, cell, cells, written } from './topologies.js';

const NONE = { cellsJoined: [], cellsLeft: [], cellsMoved: [], ringsAdded: [], ringsRemoved: [], policy: [] };
const inRing2 = (list: Record<string, unknown>[], more: Record<string, unknown> = {}) =>
  accepted(written({ rings: [{ ring: 2, cells: list }], ...more }));

describe('changes of a topology', () => {
  it('are none for the same, in another order of rings too', () => {
    const before = written();
    const after = written({ rings: [...(before.rings as unknown[])].reverse() });
    expect(topologyChanges(accepted(before), accepted(after))).toEqual(NONE);
  });

  it('at the first time are all that is there', () => {
    expect(topologyChanges(null, accepted(written()))).toEqual({
      ...NONE,
      cellsJoined: ['qa', 'legacy', 'cell-1'],
      ringsAdded: [0, 1, 2],
    });
  });

  it('name cells that join, leave and move, and rings that come and go', () => {
    const before = accepted(written({ rings: [{ ring: 2, cells: [cell('a'), cell('b')] }, { ring: 3 }] }));
    const rings = [
      { ring: 2, cells: [cell('b')] },
      { ring: 4, cells: [cell('c')] },
    ];
    expect(topologyChanges(before, accepted(written({ rings })))).toEqual({
      ...NONE,
      cellsJoined: ['c'],
      cellsLeft: ['a'],
      ringsAdded: [4],
      ringsRemoved: [3],
    });
    const moved = topologyChanges(
      before,
      accepted(
        written({
          rings: [
            { ring: 2, cells: [cell('a')] },
            { ring: 3, cells: [cell('b')] },
          ],
        }),
      ),
    );
    expect(moved.cellsMoved).toEqual([{ cell: 'b', from: 2, to: 3 }]);
    expect(moved.cellsLeft).toEqual([]);
  });

  it('name the perimeter and every setting by its path', () => {
    const before = inRing2([cell('a'), cell('b')], { policy: { bakeTime: '1h' } });
    const after = accepted(
      written({
        perimeter: 2,
        policy: { bakeTime: '2h', approval: 'required' },
        lanes: { urgent: { bakeTime: '1m' } },
        rings: [
          {
            ring: 2,
            name: 'all',
            policy: { maxParallel: 3 },
            cells: [cell('a', { pinned: { reason: 'x' } }), cell('b')],
          },
        ],
      }),
    );
    const changes = topologyChanges(before, after);
    expect(changes.perimeter).toEqual({ from: 1, to: 2 });
    expect(changes.policy).toEqual([
      'policy.bakeTime',
      'policy.approval',
      'lanes',
      'rings[2].name',
      'rings[2].policy',
      'cells[a].pinned',
    ]);
  });

  it('stay short where every cell changed', () => {
    const pinned = cells(1_000).map((c) => ({ ...c, pinned: { reason: 'x' } }));
    const { policy } = topologyChanges(inRing2(cells(1_000)), inRing2(pinned));
    expect(policy).toHaveLength(201);
    expect(policy.at(-1)).toBe('… and 800 more');
  });
});

describe('consent to removal', () => {
  const consent = (beforeCount: number, afterCount: number) => {
    const before = inRing2(cells(beforeCount));
    return needsRemovalConsent(topologyChanges(before, inRing2(cells(afterCount))), before);
  };

  test.each([
    [10, 9, null],
    [10, 8, '2 of 10 cells leave, more than a tenth'],
    [9, 8, '1 of 9 cells leave, more than a tenth'],
    [100, 90, null],
    [100, 89, '11 of 100 cells leave, more than a tenth'],
    [1, 0, '1 of 1 cells leave, more than a tenth'],
    [0, 5, null],
    [5, 500, null],
  ])('from %d to %d cells: %s', (before, after, reason) => {
    expect(consent(before, after)).toBe(reason);
  });

  it('is needed for a cell that changes its ring', () => {
    const before = accepted(written({ rings: [{ ring: 2, cells: cells(3) }, { ring: 3 }] }));
    const after = accepted(written({ rings: [{ ring: 2 }, { ring: 3, cells: cells(3) }] }));
    expect(needsRemovalConsent(topologyChanges(before, after), before)).toBe(
      'cell cell-1 moves from ring 2 to ring 3, and 2 more',
    );
  });

  it('is not needed the first time', () => {
    expect(needsRemovalConsent(topologyChanges(null, accepted(written())), null)).toBeNull();
  });
});

describe('what is kept of the cells that a topology changed', () => {
  it('is who came, went and moved', () => {
    const before = accepted(written({ rings: [{ ring: 2, cells: [cell('a'), cell('b')] }, { ring: 3 }] }));
    const rings = [
      { ring: 2, cells: [cell('c')] },
      { ring: 3, cells: [cell('b')] },
    ];
    expect(cellsInShort(topologyChanges(before, accepted(written({ rings }))))).toEqual({
      cells: { cellsJoined: ['c'], cellsLeft: ['a'], cellsMoved: ['b: ring 2 to 3'] },
      text: '1 joined, 1 left, 1 moved',
    });
    expect(cellsInShort(topologyChanges(before, before))).toEqual({ cells: {}, text: '' });
  });

  it('fits into the ledger, whoever came, went and moved', () => {
    const names = (of: string) => Array.from({ length: 5_000 }, (_, i) => `${of.repeat(50)}-${i}`);
    const cellsMoved = names('m').map((id) => ({ cell: id, from: 12, to: 13 }));
    const changes = { ...NONE, cellsJoined: names('j'), cellsLeft: names('l'), cellsMoved };
    const { cells: kept, text } = cellsInShort(changes);
    const { facts } = bounded(entryOfAct('applyTopology', { by: 'alice', ...kept }, text));
    expect(facts).toEqual(kept);
    expect(kept.cellsLeft?.at(-1)).toBe(`… and ${5_000 - (kept.cellsLeft ?? []).length + 1} more`);
    expect(text).toBe('5000 joined, 5000 left, 5000 moved');
  });
});
