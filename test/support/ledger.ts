import { NativeConnection, Worker } from '@temporalio/worker';
import { createLedgerActivities } from '../../activities/ledger.js';
import { createLogger } from '../../src/config/logging.js';
import { ledgerTaskQueue } from '../../src/contract/ids.js';
import type { LedgerActivities, LedgerEntry, LedgerStatus } from '../../src/contract/ledger.js';
import type { LedgerStore } from '../../src/ledger/store.js';
import { payloadConverterPath } from '../../worker/bundle.js';
import { asked } from './patience.js';
import type { World } from './world.js';

/** A worker that serves the ledger of a world, until it is stopped. */
export interface ServedLedger {
  stop(): Promise<void>;
}

/** Serves this ledger to the world's workflows; `activities` take the place of single ones. */
export async function serveLedger(
  world: World,
  store: LedgerStore,
  activities: Partial<LedgerActivities> = {},
): Promise<ServedLedger> {
  const log = createLogger({ level: 'error', format: 'json' });
  const connection = await NativeConnection.connect({ address: world.address });
  const worker = await Worker.create({
    connection,
    namespace: world.namespace,
    taskQueue: ledgerTaskQueue(world.taskQueue),
    dataConverter: { payloadConverterPath },
    activities: { ...createLedgerActivities(store, log), ...activities },
    shutdownForceTime: '10s',
  });
  const run = worker.run().finally(() => connection.close());
  return {
    stop: async () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await run;
    },
  };
}

/** What failed for a while is tried again after a minute at most. */
const PATIENCE_MS = 100_000;

export const ledgerStatus = (world: World): Promise<LedgerStatus> =>
  asked(() => world.client.workflow.getHandle('ledger').query<LedgerStatus>('status'));

/** Everything that the world's workflows had to enter is written, however they gave it away. */
export async function ledgerSettled(world: World): Promise<void> {
  await world.until(
    'the ledger to have everything',
    async () => {
      const query = "WorkflowType = 'LedgerBatch' AND ExecutionStatus = 'Running'";
      if ((await world.client.workflow.count(query)).count > 0) return false;
      return (await ledgerStatus(world).catch(() => null))?.waiting === 0;
    },
    PATIENCE_MS,
  );
}

/** Serves the ledger for as long as the body runs. */
export async function whileServed(world: World, store: LedgerStore, body: () => Promise<void>): Promise<void> {
  const ledger = await serveLedger(world, store);
  try {
    await body();
  } finally {
    await ledger.stop();
  }
}

/** What the ledger has of one cluster, oldest first, once there is such an entry and nothing is on its way. */
export async function entered(
  world: World,
  store: LedgerStore,
  cluster: string,
  last?: (entry: LedgerEntry) => boolean,
): Promise<LedgerEntry[]> {
  const all = async () => {
    const { entries } = await store.history({ limit: 10_000 });
    return entries.filter((entry) => entry.cluster === cluster).reverse();
  };
  if (!last) return await all();
  await world.until('an entry', async () => (await all()).some(last), PATIENCE_MS);
  await ledgerSettled(world);
  return await all();
}

/** The cluster's memory is gone, as after a `terminate` by hand or with a lost database. */
export async function forgetEverything(world: World): Promise<void> {
  await world.client.workflow.getHandle('cell-cluster').terminate('by hand');
  // What it had kept of acts stands in its history, not in the status of the next one.
  const quarantines = world.acts.filter((a) => a.act === 'quarantineCell' || a.act === 'readmitCell');
  const ofPackages = world.acts.filter((a) => a.version !== null);
  // They hold all the same.
  const unkept = quarantines.map((a) => ({ ...a, answeredAt: null }));
  world.acts.splice(0, world.acts.length, ...ofPackages, ...unkept);
}

/** The entries of these acts, in their order. */
export const entriesOf = (entries: LedgerEntry[], ...acts: string[]): LedgerEntry[] =>
  entries.filter(({ act }) => acts.includes(act));
