import type { PostgresPool } from 'kysely';
import pg from 'pg';
import { LedgerStore } from './store.js';

const CONNECT_MS = 5_000;
/** No statement of ours takes seconds; an activity that hangs is worse than one that fails. */
const STATEMENT_MS = 20_000;
/** Entries come in batches, and few people read at once. */
const CONNECTIONS = 4;

/**
 * Opens the ledger in the PostgreSQL of this URL, for as many processes as like to.
 *
 * @param onTrouble is told of connections that break while nobody uses them
 */
export async function openPostgres(url: string, onTrouble: (error: Error) => void): Promise<LedgerStore> {
  const pool = new pg.Pool({
    connectionString: url,
    max: CONNECTIONS,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: STATEMENT_MS,
    statement_timeout: STATEMENT_MS,
    keepAlive: true,
    application_name: 'cell-cluster-coordinator',
  });
  // Without a listener Node would end the process: the pool has one only while nobody uses a connection. Who uses it hears of it.
  pool.on('error', onTrouble);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return await LedgerStore.open(pool as unknown as PostgresPool, placeOf(url));
}

function placeOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `the ledger at postgres://${host}${pathname}`;
}
