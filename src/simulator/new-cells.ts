import type { CellRecord } from './model.js';
import type { Settings } from './settings.js';
import type { SimulatedCell } from './topology.js';

/** Adds the cells that the topology has and the state has not; cells that left the topology stay, as they would at AMP. */
export function addNewCells(
  known: Map<string, CellRecord>,
  cells: SimulatedCell[],
  settings: Settings,
  nowMs: number,
): void {
  for (const cell of known.values()) if (cell.installs.length === 0) cell.installs = alwaysRan(cell.version);
  for (const { id, tenant } of cells) {
    const cell = known.get(id);
    if (cell) cell.tenant = tenant;
    else known.set(id, newCell({ id, tenant }, settings, nowMs));
  }
}

const newCell = (
  { id, tenant }: Pick<SimulatedCell, 'id' | 'tenant'>,
  settings: Settings,
  nowMs: number,
): CellRecord => ({
  id,
  tenant,
  version: settings.initialVersion,
  chartVersion: settings.initialChartVersion,
  previousVersion: null,
  previousChartVersion: null,
  migratedVersion: settings.initialVersion,
  failed: false,
  versionSinceMs: nowMs,
  installs: alwaysRan(settings.initialVersion),
});

/** What a cell has run since ever: its metrics of the past need it. */
const alwaysRan = (version: string | null): CellRecord['installs'] => [{ atMs: 0, version }];
