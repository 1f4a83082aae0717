import { CellMetrics, cellModels } from './cell-metrics.js';
import { idOfFileFault } from './faults/fault-box.js';
import { type Fault, readFaults } from './faults/schema.js';
import { createServer } from './http/server.js';
import { emptyState, NO_JOURNAL, openJournal, readState, type SavedState } from './journal.js';
import { REAL_DAY_MS } from './metrics/index.js';
import { addNewCells } from './new-cells.js';
import { DEFAULT_INITIAL_VERSION, inferredChart } from './packages.js';
import { InputError } from './problems.js';
import type { Settings } from './settings.js';
import { readTopology, type SimulatedCell } from './topology.js';
import { World } from './world.js';

export { FAULT_KINDS, type Fault } from './faults/schema.js';
export { DEFAULT_INITIAL_VERSION } from './packages.js';
export { InputError } from './problems.js';
export { simulatedCellUrl, withSimulatorUrls } from './topology-urls.js';

export interface SimulatorOptions {
  /** A topology, as its file says; only rings and cells are read. */
  topology: unknown;
  /** 0 (the default) picks a free one. */
  port?: number;
  host?: string;
  /** Where state is kept; without it, it ends with the simulator. */
  stateFile?: string;
  /** A list of faults, as a file of faults holds it. */
  faults?: unknown;
  seed?: number;
  /** Median time of a job in milliseconds (1000); 0: a job has ended when it is answered. */
  durationMs?: number;
  /** Sigma of the lognormal distribution of job times (0.3). */
  spread?: number;
  /** What tenants run at first; null: nothing that AMP knows of. The cells are ready all the same. */
  initialVersion?: string | null;
  /** Bearer token of AMP's API; none is asked for without it. */
  token?: string;
  /** Token of the cells' own API; none is asked for without it. */
  cellsToken?: string;
  /** What a day takes in the cells' metrics, with all that goes along with it (24 h): a short one for a demonstration. */
  dayMs?: number;
  /** Ids of the cells that nobody uses; otherwise those of ring 0. */
  quiet?: readonly string[];
  /** What the inputs are called in messages. */
  names?: { topology?: string; faults?: string; quiet?: string };
}

export interface Simulator {
  url: string;
  close(): Promise<void>;
}

/** How often time passes when nobody asks. */
const TICK_MS = 250;

/**
 * Simulates AMP and all cells of a topology on one port: `url` is AMP's address, and each cell's is
 * `simulatedCellUrl(url, id)`. Throws `InputError` where topology, faults or state file cannot be used.
 */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const names = { topology: 'topology', faults: 'faults', quiet: 'quiet', ...options.names };
  const cells = readTopology(options.topology, names.topology);
  const faults = faultsOf(options.faults ?? [], cells, names.faults);
  const saved = options.stateFile === undefined ? emptyState() : readState(options.stateFile);
  const settings = settingsOf(options);
  addNewCells(saved.cells, cells, settings, Date.now());
  const journal = options.stateFile === undefined ? NO_JOURNAL : openJournal(options.stateFile, saved);
  const world = new World(settings, journal, saved);
  holdFaults(world, faults, saved);

  const metrics = new CellMetrics(world, cellModels(cells, options.quiet, names.quiet));
  const app = createServer(world, metrics, { token: options.token, cellsToken: options.cellsToken });
  const tick = setInterval(() => world.advance(), TICK_MS);
  tick.unref();
  const close = async (): Promise<void> => {
    clearInterval(tick);
    await app.close();
    journal.close();
  };
  try {
    const url = await app.listen({ port: options.port ?? 0, host: options.host ?? '127.0.0.1' });
    return { url, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function settingsOf(options: SimulatorOptions): Settings {
  const { initialVersion = DEFAULT_INITIAL_VERSION } = options;
  return {
    seed: options.seed ?? 1,
    durationMs: options.durationMs ?? 1000,
    spread: options.spread ?? 0.3,
    dayMs: options.dayMs ?? REAL_DAY_MS,
    initialVersion,
    initialChartVersion: initialVersion === null ? null : inferredChart(initialVersion),
  };
}

function faultsOf(input: unknown, cells: SimulatedCell[], name: string): Fault[] {
  const known = {
    cell: new Set(cells.map((cell) => cell.id)),
    tenant: new Set(cells.map((cell) => cell.tenant)),
  };
  const read = readFaults(input, (which, value) => known[which].has(value));
  if (!read.ok) throw new InputError(name, read.problems);
  return read.faults;
}

/** Puts faults in force with what had come of them; those of a file that were deleted stay away. */
function holdFaults(world: World, ofFile: Fault[], saved: SavedState): void {
  const counted = (id: string) => saved.faultCounts.get(id) ?? { seen: 0, hits: 0 };
  const held = ofFile
    .map((fault, index) => ({ id: idOfFileFault(fault, index), fault, seen: 0, hits: 0 }))
    .filter(({ id }) => !saved.faultsRemoved.has(id));
  const all = [...saved.faults.values(), ...held];
  for (const fault of all) world.hold({ ...fault, ...counted(fault.id) }, Date.now());
  world.ledger.closeAllBut(new Set(all.map(({ id }) => id)), Date.now());
  world.advance();
  for (const fault of world.faults.list()) world.strikeAtOnce(fault, Date.now());
  world.advance();
}
