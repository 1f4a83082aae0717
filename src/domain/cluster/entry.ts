import type { RingEntry } from '../../contract/internal.js';
import { gatesBefore } from '../health/gates.js';
import { healthOf } from '../health/policy.js';
import { packCells } from '../snapshot.js';
import { deployableCells, type Ring, resolvePolicy, type Topology } from '../topology/index.js';

export type RingFrozen = Pick<
  RingEntry,
  'name' | 'policy' | 'soft' | 'perimeter' | 'health' | 'gated' | 'cellsGz' | 'leftOut'
>;

/** What a pass works on that enters this ring of a topology now, frozen. */
export function entryOf(topology: Topology, found: Ring, lane: string | null, now: number): RingFrozen {
  const { ring } = found;
  const policy = resolvePolicy(topology, ring, lane, now);
  const { cells, leftOut } = deployableCells(found, now, policy.mode);
  return {
    name: found.name ?? `ring-${ring}`,
    policy,
    soft: policy.onFailure === 'soft',
    perimeter: ring <= topology.perimeter,
    health: healthOf(topology, ring),
    gated: gatesBefore(topology, ring, now).length > 0,
    cellsGz: packCells(cells),
    leftOut: leftOut.map((l) => ({ cell: l.cell.id, state: l.state, reason: l.reason })),
  };
}
