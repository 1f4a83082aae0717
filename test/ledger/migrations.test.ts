import { PGlite } from '@electric-sql/pglite';
import { dataDir } from '@electric-sql/pglite-prepopulatedfs';
import { Kysely, type Migration, PostgresDialect, sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { poolOf } from '../../src/ledger/embedded.js';
import { LedgerTooNew, MIGRATIONS, migrate } from '../../src/ledger/migrations.js';
import type { LedgerTables } from '../../src/ledger/schema.js';
import { LedgerStore } from '../../src/ledger/store.js';
import { entry } from './entries.js';

let pglite: PGlite;
beforeAll(async () => {
  pglite = await PGlite.create({ loadDataDir: await dataDir() });
}, 180_000);
afterAll(() => pglite?.close());

/** A pool over the one database of this file, which outlives every store. */
const pool = () => ({ ...poolOf(pglite, async () => {}), end: async () => {} });

const names = async () =>
  (await pglite.query<{ name: string }>('select name from ledger_migration order by name')).rows.map(
    ({ name }) => name,
  );

test('migrations applied twice are nothing, and what is there stays', async () => {
  const first = await LedgerStore.open(pool(), 'here');
  await first.write([entry(1)]);
  const applied = await names();
  expect(applied).toEqual(Object.keys(MIGRATIONS));
  const again = await LedgerStore.open(pool(), 'here');
  expect(await names()).toEqual(applied);
  expect((await again.history({ limit: 10 })).entries).toHaveLength(1);
});

test('a migration that fails leaves nothing behind, and is tried again', async () => {
  const later = (text: string): Migration => ({
    up: async (db: Kysely<unknown>) => {
      await sql`create table half (id int)`.execute(db);
      await sql.raw(text).execute(db);
    },
  });
  const db = () => new Kysely<LedgerTables>({ dialect: new PostgresDialect({ pool: pool() }) });
  await expect(migrate(db(), { ...MIGRATIONS, '9998-later': later('select nonsense') })).rejects.toThrow(/nonsense/);
  expect((await pglite.query("select to_regclass('half') as half")).rows).toEqual([{ half: null }]);
  await migrate(db(), { ...MIGRATIONS, '9998-later': later('select 1') });
  expect(await names()).toContain('9998-later');
});

test('a schema that is newer than the code is refused, and not touched', async () => {
  const before = await names();
  await expect(LedgerStore.open(pool(), 'here')).rejects.toThrow(LedgerTooNew);
  await expect(LedgerStore.open(pool(), 'here')).rejects.toThrow(/9998-later.*known is up to 0001-entries/);
  expect(await names()).toEqual(before);
});
