import { describe, expect, it } from 'vitest';
import { deployableCells, findCell, nextOuterRing, ringOf, type Topology } from '../../../src/domain/topology/index.js';
import { accepted, cell, written } from './topologies.js';

const NOW = Date.parse('2026-06-01T12:00:00Z');

const ringWith = (ring: Record<string, unknown>, more: Record<string, unknown> = {}) => {
  const found = ringOf(accepted(written({ rings: [{ ring: 2, ...ring }], ...more })), 2);
  if (!found) throw new Error('no ring 2');
  return found;
};

const summary = (ring: Parameters<typeof deployableCells>[0], now = NOW) => {
  const { cells, leftOut } = deployableCells(ring, now);
  return { cells: cells.map((c) => c.id), leftOut: leftOut.map((l) => [l.cell.id, l.state, l.reason]) };
};

describe('the next outer ring', () => {
  const topology = accepted(written({ perimeter: 1, rings: [9, 0, 4, 1].map((ring) => ({ ring })) }));
  const next = (t: Topology, after: number | null) => nextOuterRing(t, after)?.ring ?? null;

  it('is the next number present, beyond the perimeter, whatever the gaps', () => {
    expect([null, 0, 1, 2, 4, 8, 9].map((after) => next(topology, after))).toEqual([4, 4, 4, 4, 9, 9, null]);
  });

  it('is none where the perimeter holds all', () => {
    expect(next({ ...topology, perimeter: 9 }, null)).toBeNull();
  });
});

describe('the cells of a ring', () => {
  it('are all deployed to but those that are pinned, quarantined or only read', () => {
    const cells = [
      cell('a'),
      cell('b', { pinned: { reason: 'experimental' } }),
      cell('c', { quarantined: { reason: 'disk' }, pinned: { reason: 'x' } }),
      { id: 'd', observe: true },
      cell('e'),
    ];
    expect(summary(ringWith({ cells }))).toEqual({
      cells: ['a', 'e'],
      leftOut: [
        ['b', 'skipped', 'pinned: experimental'],
        ['c', 'quarantined', 'disk'],
      ],
    });
  });

  it('are pinned until the end of the day named, and no longer', () => {
    const ring = ringWith({ cells: [cell('a', { pinned: { reason: 'x', until: '2026-06-01' } })] });
    const end = Date.parse('2026-06-02T00:00:00Z');
    expect(summary(ring, end - 1).leftOut).toEqual([['a', 'skipped', 'pinned: x (until 2026-06-01)']]);
    expect(summary(ring, end).cells).toEqual(['a']);
  });

  it('are all skipped in a ring that observes, by its own policy or the topology’s', () => {
    const skipped = { cells: [], leftOut: [['a', 'skipped', 'the ring is in mode observe']] };
    expect(summary(ringWith({ cells: [cell('a')], policy: { mode: 'observe' } }))).toEqual(skipped);
    expect(summary(ringWith({ cells: [cell('a')] }, { policy: { mode: 'observe' } }))).toEqual(skipped);
    expect(
      summary(ringWith({ cells: [cell('a')], policy: { mode: 'act' } }, { policy: { mode: 'observe' } })).cells,
    ).toEqual(['a']);
  });

  it('are skipped where a lane makes the ring observe', () => {
    expect(deployableCells(ringWith({ cells: [cell('a')] }), NOW, 'observe').cells).toEqual([]);
  });

  it('of a ring that other tools deploy are left to them', () => {
    expect(summary(ringWith({ deployedBy: 'external', cells: [cell('a')] }))).toEqual({ cells: [], leftOut: [] });
  });

  it('are none in an empty ring', () => {
    expect(summary(ringWith({ cells: [] }))).toEqual({ cells: [], leftOut: [] });
  });

  it('are found by id, with their ring', () => {
    const topology = accepted(written());
    expect(findCell(topology, 'cell-1')).toMatchObject({ cell: { tenant: 'tenant-cell-1' }, ring: { ring: 2 } });
    expect(findCell(topology, 'nobody')).toBeNull();
    expect(ringOf(topology, 9)).toBeNull();
  });
});
