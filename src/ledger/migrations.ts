import { type Kysely, type Migration, Migrator, sql } from 'kysely';
import type { LedgerTables } from './schema.js';

/** Each is applied once, in the order of the names, and never changed afterwards: what is new is a new one. */
export const MIGRATIONS: Record<string, Migration> = {
  '0001-entries': {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .createTable('ledger_entry')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('seq', 'bigint', (column) => column.generatedAlwaysAsIdentity().notNull())
        .addColumn('at', 'timestamptz', (column) => column.notNull())
        .addColumn('cluster', 'text', (column) => column.notNull())
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('act', 'text', (column) => column.notNull())
        .addColumn('by', 'text', (column) => column.notNull())
        .addColumn('version', 'text')
        .addColumn('ring', 'integer')
        .addColumn('cell', 'text')
        .addColumn('reason', 'text')
        .addColumn('url', 'text')
        .addColumn('outcome', 'text')
        .addColumn('job_id', 'text')
        .addColumn('evidence', 'jsonb')
        .addColumn('took_ms', 'bigint')
        .addColumn('facts', 'jsonb')
        .execute();
      await db.schema.createIndex('ledger_entry_at').on('ledger_entry').columns(['at', 'seq']).execute();
      await db.schema.createIndex('ledger_entry_act').on('ledger_entry').columns(['act', 'at']).execute();
      await sql`create index ledger_entry_cell on ledger_entry (cell, at) where cell is not null`.execute(db);
      await sql`create index ledger_entry_version on ledger_entry (version, at) where version is not null`.execute(db);
    },
  },
};

/** The database has been written by a newer version of this project, whose schema this one does not know. */
export class LedgerTooNew extends Error {
  override name = 'LedgerTooNew';
}

/**
 * Brings the schema up to date; applied again it changes nothing. Throws `LedgerTooNew` for a schema that is newer than
 * this code, and changes nothing then.
 */
export async function migrate(
  db: Kysely<LedgerTables>,
  migrations: Record<string, Migration> = MIGRATIONS,
): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => migrations },
    migrationTableName: 'ledger_migration',
    migrationLockTableName: 'ledger_migration_lock',
  });
  await mustKnow(db, Object.keys(migrations));
  const { error } = await migrator.migrateToLatest();
  if (error) throw error;
}

async function mustKnow(db: Kysely<LedgerTables>, known: string[]): Promise<void> {
  const found = await sql<{ there: boolean }>`select to_regclass('ledger_migration') is not null as there`.execute(db);
  if (!found.rows[0]?.there) return;
  const { rows } = await sql<{ name: string }>`select name from ledger_migration order by name`.execute(db);
  const unknown = rows.map(({ name }) => name).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw new LedgerTooNew(
    `its schema is newer than this version of the coordinator: it has ${unknown.join(', ')}, known is up to ${known.at(-1)}`,
  );
}
