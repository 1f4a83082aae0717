import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { dataDir as emptyDatabase } from '@electric-sql/pglite-prepopulatedfs';
import type { PostgresPool, PostgresPoolClient } from 'kysely';
import { holdLock, LedgerHeld } from './lock.js';
import { LedgerStore } from './store.js';

export { LedgerHeld };

/**
 * Opens the ledger that needs no server, in this folder, and holds its lock until it is closed. Throws `LedgerHeld` where
 * another process has it open: PGlite itself would let both write, and lose the data.
 */
export async function openEmbedded(folder: string): Promise<LedgerStore> {
  await mkdir(folder, { recursive: true });
  const release = await holdLock(join(folder, 'ledger.lock'));
  const made = join(folder, 'made');
  try {
    const pglite = await openFiles(join(folder, 'pgdata'), existsSync(made));
    const store = await LedgerStore.open(poolOf(pglite, release), `the embedded ledger in ${folder}`);
    await writeFile(made, '');
    return store;
  } catch (error) {
    await release();
    throw error;
  }
}

/** A database that was not made to its end never held an entry: it is made anew. */
async function openFiles(folder: string, isMade: boolean): Promise<PGlite> {
  if (isMade) return await PGlite.create(folder);
  await rm(folder, { recursive: true, force: true });
  return await PGlite.create(folder, { loadDataDir: await emptyDatabase() });
}

/** A ledger that is gone with its process. */
export async function openInMemory(): Promise<LedgerStore> {
  const pglite = await PGlite.create({ loadDataDir: await emptyDatabase() });
  return await LedgerStore.open(
    poolOf(pglite, async () => {}),
    'a ledger in memory',
  );
}

/** PGlite is one session: as a pool of one client, whoever comes waits until it is given back. */
export function poolOf(pglite: PGlite, afterEnd: () => Promise<void>): PostgresPool {
  let last: Promise<void> = Promise.resolve();
  return {
    async connect() {
      const before = last;
      let release = () => {};
      last = new Promise((resolve) => {
        release = resolve;
      });
      await before;
      return clientOf(pglite, release);
    },
    async end() {
      await last;
      await pglite.close();
      await afterEnd();
    },
  };
}

const clientOf = (pglite: PGlite, release: () => void): PostgresPoolClient =>
  ({
    async query(text: string, parameters: readonly unknown[]) {
      const { rows, affectedRows = 0 } = await pglite.query(text, [...parameters]);
      return { command: commandOf(text), rowCount: affectedRows, rows };
    },
    release,
  }) as unknown as PostgresPoolClient;

const commandOf = (text: string): string => /^\s*(\w+)/.exec(text)?.[1]?.toUpperCase() ?? '';
