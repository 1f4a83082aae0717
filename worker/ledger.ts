import { access, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { NativeConnection, Worker } from '@temporalio/worker';
import envPaths from 'env-paths';
import { createLedgerActivities } from '../activities/ledger.js';
import type { Logger } from '../src/config/logging.js';
import type { LedgerSettings, WorkerSettings } from '../src/config/settings.js';
import { ledgerTaskQueue } from '../src/contract/ids.js';
import { LedgerHeld, openEmbedded } from '../src/ledger/embedded.js';
import { LedgerTooNew } from '../src/ledger/migrations.js';
import { openPostgres } from '../src/ledger/postgres.js';
import type { LedgerStore } from '../src/ledger/store.js';
import { payloadConverterPath } from './bundle.js';
import { runThenClose } from './run.js';

/** A database that does not answer must not keep a worker from starting. */
const FIRST_TRY_MS = 10_000;
const AGAIN_MS = 5_000;
/** A statement is short, and PGlite takes one after the other. */
const AT_ONCE = 8;

export interface OpenLedgerOptions {
  where: LedgerSettings;
  /** Of the embedded ledger, where none is named. */
  folder: string;
  temporal: Pick<WorkerSettings['temporal'], 'namespace' | 'connectionOptions'>;
  taskQueue: string;
  log: Logger;
  /** How long to wait before it is tried again, in tests. */
  againMs?: number;
}

export interface OpenedLedger {
  /** Whether this process serves the ledger now. */
  readonly isServed: boolean;
  /** Stops serving, and closes the database. */
  close(): Promise<void>;
}

/** The user's own folder for the ledger of this namespace: one of the same name on another server has a memory of its own. */
export const ledgerFolder = (namespace: string, namespaceId: string): string =>
  join(envPaths('cell-cluster-coordinator', { suffix: '' }).data, 'ledger', namespace, namespaceId);

/**
 * Folders of embedded ledgers that belong to earlier namespaces of the same name, where this one has none yet: where
 * Temporal's database was lost, one of them has what stood.
 */
export async function earlierLedgers(folder: string): Promise<string[]> {
  const isMade = (of: string) =>
    access(join(of, 'made')).then(
      () => true,
      () => false,
    );
  if (await isMade(folder)) return [];
  const names = await readdir(dirname(folder)).catch(() => []);
  const others = names.map((name) => join(dirname(folder), name)).filter((other) => other !== folder);
  const made = await Promise.all(others.map(isMade));
  return others.filter((_, i) => made[i]);
}

/**
 * Opens the ledger and serves its activities on their own task queue. Where that cannot be, the worker goes on without it,
 * says so, and tries again: a database may come back, and a process that has the embedded ledger open may end.
 */
export async function openLedger(options: OpenLedgerOptions): Promise<OpenedLedger> {
  if (options.where.kind === 'off') {
    options.log.info('LEDGER_URL is off: this worker leaves the ledger to others');
    return { isServed: false, close: async () => {} };
  }
  const ledger = new LedgerServer(options);
  const first = ledger.start();
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, FIRST_TRY_MS);
  });
  // Where the database is in this very process, its making is waited for.
  await (options.where.kind === 'embedded' ? first : Promise.race([first, patience]));
  clearTimeout(timer);
  return ledger;
}

class LedgerServer implements OpenedLedger {
  private serving: { worker: Worker; run: Promise<void> } | null = null;
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;
  private said = '';
  /** The try that is under way, or the last one. */
  private attempt: Promise<void> = Promise.resolve();

  constructor(private readonly options: OpenLedgerOptions) {}

  get isServed(): boolean {
    return this.serving !== null;
  }

  start(): Promise<void> {
    this.attempt = this.tryOnce();
    return this.attempt;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.timer);
    await this.attempt;
    const { serving } = this;
    if (!serving) return;
    if (serving.worker.getState() === 'RUNNING') serving.worker.shutdown();
    await serving.run;
  }

  private async tryOnce(): Promise<void> {
    const { log } = this.options;
    try {
      const store = await this.open();
      this.serving = await this.serve(store);
      log.info({ taskQueue: ledgerTaskQueue(this.options.taskQueue) }, `serves ${store.where}`);
    } catch (error) {
      if (error instanceof LedgerTooNew) {
        log.error(`the ledger is not opened: ${error.message}. Update this worker.`);
        return;
      }
      this.tellOnce(error);
      this.tryAgain();
    }
  }

  /** The same trouble is said once, however often it is met. */
  private tellOnce(error: unknown): void {
    const { log, where } = this.options;
    const why = error instanceof Error ? error.message || error.name : String(error);
    if (this.said === why) return;
    this.said = why;
    if (error instanceof LedgerHeld) {
      const text = `the embedded ledger in ${this.folder} is not opened: ${why}`;
      log.warn(`${text}. This worker goes on without it; for several workers set LEDGER_URL to a PostgreSQL.`);
      return;
    }
    const what =
      where.kind === 'postgres' ? 'the ledger’s database (LEDGER_URL)' : `the embedded ledger in ${this.folder}`;
    log.warn({ err: error }, `${what} cannot be opened: ${why}. This worker goes on without it, and tries again.`);
  }

  private tryAgain(): void {
    if (this.isClosed) return;
    this.timer = setTimeout(() => void this.start(), this.options.againMs ?? AGAIN_MS);
  }

  private get folder(): string {
    const { where, folder } = this.options;
    return where.kind === 'embedded' && where.folder !== null ? where.folder : folder;
  }

  private open(): Promise<LedgerStore> {
    const { where, log } = this.options;
    if (where.kind !== 'postgres') return openEmbedded(this.folder);
    return openPostgres(where.url, (error) => log.warn({ err: error }, 'a connection to the ledger’s database broke'));
  }

  private async serve(store: LedgerStore): Promise<{ worker: Worker; run: Promise<void> }> {
    const { temporal, taskQueue, log } = this.options;
    const undo: (() => Promise<void>)[] = [() => store.close()];
    const close = async () => {
      for (const step of undo.reverse()) await step();
    };
    try {
      const connection = await NativeConnection.connect(temporal.connectionOptions);
      undo.push(() => connection.close());
      const worker = await Worker.create({
        connection,
        namespace: temporal.namespace,
        taskQueue: ledgerTaskQueue(taskQueue),
        dataConverter: { payloadConverterPath },
        activities: createLedgerActivities(store, log),
        maxConcurrentActivityTaskExecutions: AT_ONCE,
        shutdownGraceTime: '5s',
        shutdownForceTime: '20s',
      });
      const run = runThenClose(worker, log, close);
      run.catch((error) => log.error({ err: error }, 'the ledger is served no more'));
      return { worker, run };
    } catch (error) {
      await close();
      throw error;
    }
  }
}
