import { strikesOn } from './faults/strikes.js';
import { type CellModel, type Series, seriesOf } from './metrics/index.js';
import type { CellRecord } from './model.js';
import { InputError } from './problems.js';
import type { SimulatedCell } from './topology.js';
import type { World } from './world.js';

/** What each cell of a topology is to its metrics. Throws `InputError` where `quiet` names a cell that is not there. */
export function cellModels(cells: SimulatedCell[], quiet: readonly string[] | undefined, name: string): CellModel[] {
  const unknown = (quiet ?? []).filter((id) => cells.every((cell) => cell.id !== id));
  if (unknown.length > 0) {
    const problem = (id: string) => ({ path: '', value: JSON.stringify(id), expected: 'a cell of the topology' });
    throw new InputError(name, unknown.map(problem));
  }
  return cells.map(({ id, ring, labels, observed }) => ({
    id,
    region: labels.region ?? '',
    quiet: quiet === undefined ? ring === 0 : quiet.includes(id),
    observed: observed ? { env: labels.env ?? 'gprd', stage: labels.stage ?? 'main' } : null,
  }));
}

/** The metrics of every cell, as they are and as they were. */
export class CellMetrics {
  #models: Map<string, CellModel>;

  constructor(
    private readonly world: World,
    models: CellModel[],
  ) {
    this.#models = new Map(models.map((model) => [model.id, model]));
  }

  /** The series of one cell; they are true until something happens to it. */
  ofCell(cell: CellRecord): Series[] {
    // A cell that left the topology is still there.
    const model = this.#models.get(cell.id) ?? { id: cell.id, region: '', quiet: false, observed: null };
    const strikes = strikesOn(cell, this.world.ledger.spans);
    return seriesOf(model, { installs: cell.installs, strikes }, this.world.settings);
  }

  /** The series of all cells, or of the one that is named. */
  of(cell: string | undefined): Series[] {
    if (cell === undefined) return [...this.world.cells.values()].flatMap((record) => this.ofCell(record));
    const record = this.world.cells.get(cell);
    return record ? this.ofCell(record) : [];
  }
}
