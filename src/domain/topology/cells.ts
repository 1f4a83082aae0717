import { parseUntil } from '../instant.js';
import type { Cell, Ring, Topology } from './schema.js';

/** A cell that AMP can be asked to change. */
export interface DeployableCell extends Cell {
  tenant: string;
  url: string;
}

/** A cell that counts in its ring and is left alone, with the reason. */
export interface LeftOutCell {
  cell: Cell;
  state: 'quarantined' | 'skipped';
  reason: string;
}

/** The ring with this number, or null. */
export const ringOf = (topology: Topology, ring: number): Ring | null =>
  topology.rings.find((r) => r.ring === ring) ?? null;

/** The next ring present beyond the perimeter and after ring `after` (null: from the perimeter on), or null. */
export function nextOuterRing(topology: Topology, after: number | null): Ring | null {
  const floor = Math.max(topology.perimeter, after ?? topology.perimeter);
  const beyond = topology.rings.filter((r) => r.ring > floor).sort((a, b) => a.ring - b.ring);
  return beyond[0] ?? null;
}

/** The cell with this id and the ring it is in, or null. */
export function findCell(topology: Topology, id: string): { cell: Cell; ring: Ring } | null {
  for (const ring of topology.rings) {
    const cell = ring.cells.find((c) => c.id === id);
    if (cell) return { cell, ring };
  }
  return null;
}

/**
 * The cells of a ring that a package goes to at `now` (ms), in the order written, and those that count but are left
 * alone. Cells that are only read (`observe`, or a ring deployed by other tools) are in neither. `mode` is the ring's
 * policy in force where a lane, too, has a say; without it, what the ring itself says.
 */
export function deployableCells(
  ring: Ring,
  now: number,
  mode: 'act' | 'observe' = ring.policy?.mode ?? 'act',
): { cells: DeployableCell[]; leftOut: LeftOutCell[] } {
  const cells: DeployableCell[] = [];
  const leftOut: LeftOutCell[] = [];
  for (const cell of ring.deployedBy === 'external' ? [] : ring.cells) {
    if (cell.observe) continue;
    const out = whyLeftOut(cell, now, mode);
    if (out) leftOut.push({ cell, ...out });
    else if (hasAddress(cell)) cells.push(cell);
  }
  return { cells, leftOut };
}

// parseTopology lets no cell without them through; a hand-made one fails here instead of at AMP.
function hasAddress(cell: Cell): cell is DeployableCell {
  if (cell.tenant !== undefined && cell.url !== undefined) return true;
  throw new RangeError(`cell ${cell.id} has no tenant or no url`);
}

/** Why automation leaves a cell alone at `now` (ms), or null. */
export function whyLeftOut(cell: Cell, now: number, mode: 'act' | 'observe'): Omit<LeftOutCell, 'cell'> | null {
  if (cell.quarantined) return { state: 'quarantined', reason: cell.quarantined.reason };
  if (cell.pinned && isHolding(cell.pinned.until, now)) return { state: 'skipped', reason: pinText(cell.pinned) };
  return mode === 'observe' ? { state: 'skipped', reason: 'the ring is in mode observe' } : null;
}

const PINNED = 'pinned: ';

/** What is said of a cell while its pin holds. */
export const pinText = ({ reason, until }: NonNullable<Cell['pinned']>): string =>
  `${PINNED}${reason}${until ? ` (until ${until})` : ''}`;

/** Whether the reason of an exception is that the cell was pinned. */
export const isOfPin = (reason: string): boolean => reason.startsWith(PINNED);

function isHolding(until: string | undefined, now: number): boolean {
  const end = until === undefined ? null : parseUntil(until);
  return end === null || end > now;
}
