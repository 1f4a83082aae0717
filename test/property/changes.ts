import { simulatedCellUrl } from '../../src/simulator/index.js';
import { cell as cellCalled } from '../support/fleet.js';
import { type ActPlan, cellsOf, type Plan, pick, ringsOf, type Topology } from './plan.js';

/** A change of the topology that an act comes to. */
export interface Change {
  topology: Topology;
  /** The cell that joins, leaves or moves. */
  cell: string;
}

/**
 * The topology after an act, or null where there is nothing to change: nobody is left who could join, leave, or move to
 * another ring. Cells of inner rings stay where they are.
 */
export function changeOf(plan: Plan, present: Topology, act: ActPlan, simulatorUrl: string): Change | null {
  const { change, auto } = act.more as { change: 'join' | 'leave' | 'move'; auto: boolean };
  const outer = ringsOf(plan);
  const inOuter = present.rings.filter(({ ring }) => outer.includes(ring)).flatMap(({ cells }) => cells);
  const isIn = new Set(present.rings.flatMap(({ cells }) => cells.map(({ id }) => id)));
  const ids = change === 'join' ? cellsOf(plan).filter((id) => !isIn.has(id)) : inOuter.map(({ id }) => id);
  if (ids.length === 0) return null;
  const id = pick(ids, act.cell);
  const known = inOuter.find((c) => c.id === id);
  const join = auto ? { join: 'auto' } : {};
  const cell = known ?? { ...cellCalled(id), url: simulatedCellUrl(simulatorUrl, id), ...join };
  const from = present.rings.find(({ cells }) => cells.some((c) => c.id === id))?.ring;
  const to = pick(
    outer.filter((ring) => ring !== from),
    act.ring,
  );
  if (change === 'move' && to === undefined) return null;
  const rings = present.rings.map((ring) => {
    const others = ring.cells.filter((c) => c.id !== id);
    return { ...ring, cells: change !== 'leave' && ring.ring === to ? [...others, cell] : others };
  });
  return { topology: { ...present, rings }, cell: id };
}
