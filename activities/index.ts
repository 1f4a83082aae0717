import type { Client } from '@temporalio/client';
import type { Activities } from '../src/contract/activities.js';
import { createRaiseAlert } from './alerts.js';
import { ampOverHttp } from './amp-http.js';
import { cellsOverHttp } from './cell-http.js';
import { createRunJob } from './job.js';
import { createLookAtCells } from './look.js';
import { DEFAULT_PATIENCE, type Patience } from './patience.js';
import type { AmpDriver, CellApi, Logger } from './ports.js';
import { createAwaitCells, createDescribeRuns, createListOpenRollouts, createReadRollout } from './runs.js';
import { createVerifyCell } from './verify.js';
import { createWatchCells } from './watch.js';

export type { AmpDriver, CellApi, Logger } from './ports.js';

export interface Dependencies {
  amp: AmpDriver;
  cells: CellApi;
  client: Pick<Client, 'workflow' | 'withAbortSignal'>;
  log: Logger;
  /** How long an AMP in trouble is asked again before an activity fails; what is left out is as `DEFAULT_PATIENCE`. */
  patience?: Partial<Patience>;
}

/** The effects behind the workflows, one function an activity, on whatever AMP, cells and Temporal are given. */
export function createActivities(dependencies: Dependencies): Activities {
  const all = { ...dependencies, patience: { ...DEFAULT_PATIENCE, ...dependencies.patience } };
  return {
    lookAtCells: createLookAtCells(all),
    runJob: createRunJob(all),
    verifyCell: createVerifyCell(all),
    watchCells: createWatchCells(all),
    awaitCells: createAwaitCells(all),
    describeRuns: createDescribeRuns(all),
    readRollout: createReadRollout(all),
    listOpenRollouts: createListOpenRollouts(all),
    raiseAlert: createRaiseAlert(all),
  };
}

export interface DependencyOptions {
  /** As in `AMP_URL`. */
  ampUrl: string;
  /** As in `AMP_TOKEN`. */
  ampToken?: string | undefined;
  /** As in `CELLS_API_TOKEN`. */
  cellsToken?: string | undefined;
  client: Dependencies['client'];
  log: Logger;
}

/** The dependencies of a real worker: AMP and the cells over HTTP. */
export const createDependencies = (options: DependencyOptions): Dependencies => ({
  amp: ampOverHttp({ url: options.ampUrl, token: options.ampToken }),
  cells: cellsOverHttp({ token: options.cellsToken }),
  client: options.client,
  log: options.log,
});
