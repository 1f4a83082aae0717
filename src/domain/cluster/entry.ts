import type { RingEntry } from '../../contract/internal.js';
import type { CellException, ClusterStatus } from '../../contract/status.js';
import { gatesBefore } from '../health/gates.js';
import { healthOf } from '../health/policy.js';
import { packCells } from '../snapshot.js';
import { type DeployableCell, deployableCells, type Ring, resolvePolicy, type Topology } from '../topology/index.js';

/** The cells of a ring that a rollback is about, and those that are left alone: quarantined, pinned. */
export function cellsToReturn(
  ring: Ring,
  quarantined: ClusterStatus['quarantined'],
  now: number,
): { cells: DeployableCell[]; leftOut: CellException[] } {
  const { cells, leftOut } = deployableCells(ring, now, 'act');
  const out = new Map(quarantined.map((q) => [q.cell, `quarantined by ${q.by}: ${q.reason}`]));
  const isOut = ({ id }: DeployableCell) => out.has(id);
  return {
    cells: cells.filter((cell) => !isOut(cell)),
    leftOut: [
      ...leftOut.map((l) => ({ cell: l.cell.id, state: l.state, reason: l.reason })),
      ...cells.filter(isOut).map(({ id }) => ({ cell: id, state: 'quarantined' as const, reason: out.get(id) ?? '' })),
    ],
  };
}

export type RingFrozen = Pick<
  RingEntry,
  'name' | 'policy' | 'soft' | 'perimeter' | 'health' | 'gated' | 'cellsGz' | 'leftOut'
>;

/** What a rollback's pass works on that enters this ring now, where no cluster says so; frozen. */
export function entryOf(
  topology: Topology,
  found: Ring,
  quarantined: ClusterStatus['quarantined'],
  now: number,
): RingFrozen {
  const { ring } = found;
  const out = new Set(quarantined.map(({ cell }) => cell));
  const policy = resolvePolicy(topology, ring, null, now, (cell) => out.has(cell));
  const { cells, leftOut } = cellsToReturn(found, quarantined, now);
  return {
    name: found.name ?? `ring-${ring}`,
    policy,
    soft: policy.onFailure === 'soft',
    perimeter: ring <= topology.perimeter,
    health: healthOf(topology, ring),
    gated: gatesBefore(topology, ring, now).length > 0,
    cellsGz: packCells(cells),
    leftOut,
  };
}
