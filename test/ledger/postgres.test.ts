import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPostgres } from '../../src/ledger/postgres.js';
import type { LedgerStore } from '../../src/ledger/store.js';
import { describeWithPostgres, newPostgres, type TestPostgres } from '../support/postgres.js';
import { entry } from './entries.js';
import { behavesAsALedger } from './stores.js';

describeWithPostgres()('the ledger in PostgreSQL', () => {
  let postgres: TestPostgres;
  let store: LedgerStore;
  const troubles: Error[] = [];
  const open = () => openPostgres(postgres.url, (error) => troubles.push(error));
  beforeAll(async () => {
    postgres = await newPostgres();
    store = await open();
  }, 180_000);
  afterAll(async () => {
    await store?.close();
    await postgres?.close();
  });

  behavesAsALedger(() => store);

  test('is opened by several at once, also while its schema is made', async () => {
    const others = await Promise.all([open(), open(), open()]);
    await others[0]?.write([entry(1, { cell: 'shared' })]);
    expect((await others[2]?.history({ cell: 'shared', limit: 2 }))?.entries).toHaveLength(1);
    for (const other of others) await other.close();
  });

  test('fails while the server is away, and goes on by itself when it is back', async () => {
    const cell = 'away';
    await store.write([entry(1, { cell })]);
    await postgres.kill();
    await expect(store.write([entry(2, { cell })])).rejects.toThrow();
    await expect(open()).rejects.toThrow(/ECONNREFUSED/);
    await postgres.start();
    await store.write([entry(3, { cell })]);
    expect((await store.history({ cell, limit: 10 })).entries).toHaveLength(2);
    expect(troubles.length).toBeGreaterThan(0);
  }, 120_000);

  test('names the place without the password', () => {
    expect(store.where).toMatch(/^the ledger at postgres:\/\/127\.0\.0\.1:\d+\/postgres$/);
  });
});
