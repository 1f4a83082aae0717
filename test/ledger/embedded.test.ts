import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LedgerHeld, openInMemory } from '../../src/ledger/embedded.js';
import { holdLock } from '../../src/ledger/lock.js';
import type { LedgerStore } from '../../src/ledger/store.js';
import { killed, other } from './others.js';
import { behavesAsALedger } from './stores.js';

const MINUTES = 180_000;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cells-ledger-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the ledger in PGlite', () => {
  let store: LedgerStore;
  beforeAll(async () => {
    store = await openInMemory();
  }, MINUTES);
  afterAll(() => store?.close());
  behavesAsALedger(() => store);
});

describe('the lock of the embedded ledger', () => {
  test(
    'is held by one process; another one is told by whom, and may have it once that one is gone',
    async () => {
      const file = join(folder, 'other.lock');
      const { child } = await other('hold-lock.ts', file);
      await expect(holdLock(file)).rejects.toMatchObject({ name: 'LedgerHeld', pid: child.pid });
      await killed(child);
      const release = await holdLock(file);
      await release();
      await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
    },
    MINUTES,
  );

  test('is not given twice in one process', async () => {
    const file = join(folder, 'twice.lock');
    const release = await holdLock(file);
    await expect(holdLock(file)).rejects.toThrow(LedgerHeld);
    await release();
    await (await holdLock(file))();
  });

  test.each<[string, string]>([
    ['of a process that is gone', JSON.stringify({ pid: 2 ** 22 - 1, began: null })],
    ['of a process whose pid another one has now', JSON.stringify({ pid: 1, began: 'never' })],
    ['with our own pid, of an earlier process', JSON.stringify({ pid: process.pid, began: '1' })],
    ['cut off in the middle', '{"pid":'],
    ['empty', ''],
  ])('is taken over from one %s', async (what, text) => {
    const file = join(folder, `${what.length}.lock`);
    await writeFile(file, text);
    const release = await holdLock(file);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ pid: process.pid });
    await release();
  });

  test(
    'goes to one of many who would take it over at once',
    async () => {
      const file = join(folder, 'race.lock');
      await writeFile(file, JSON.stringify({ pid: 2 ** 22 - 1, began: null }));
      const racers = await Promise.all(Array.from({ length: 4 }, () => other('hold-lock.ts', file)));
      const won = racers.filter(({ lines }) => lines[0] === 'held');
      expect(won).toHaveLength(1);
      for (const { child } of racers) await killed(child);
    },
    MINUTES,
  );
});
