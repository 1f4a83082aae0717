import type { FaultBox, Occasion } from './faults/fault-box.js';
import type { FaultOf } from './faults/schema.js';
import type { CellRecord } from './model.js';

export const occasionOf = (cell: CellRecord): Occasion => ({
  cell: cell.id,
  tenant: cell.tenant,
  version: cell.version,
});

const isOver = (cell: CellRecord, atMs: number) => (fault: FaultOf<'not-ready-after'>) =>
  atMs >= cell.versionSinceMs + (fault.delayMs ?? 0);

/** Whether the cell is ready, as a smoke test finds out: nothing is counted. */
export const isReady = (faults: FaultBox, cell: CellRecord, atMs: number): boolean =>
  !faults.wouldStrike('not-ready', occasionOf(cell)) &&
  !faults.wouldStrike('unreachable', occasionOf(cell)) &&
  !faults.wouldStrike('not-ready-after', occasionOf(cell), isOver(cell, atMs));

/** Whether the cell answers that it is ready; counts faults that strike. */
export const answersReady = (faults: FaultBox, cell: CellRecord, atMs: number): boolean =>
  faults.strike('not-ready', occasionOf(cell)) === undefined &&
  faults.strike('not-ready-after', occasionOf(cell), isOver(cell, atMs)) === undefined;
