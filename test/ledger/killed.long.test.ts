import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LedgerHeld, openEmbedded } from '../../src/ledger/embedded.js';
import { entry } from './entries.js';
import { killed, other } from './others.js';

test('keeps what was written when its process is killed, and what was made only in part is made anew', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'cells-ledger-'));
  const { child, lines } = await other('write-ledger.ts', dir);
  while (lines.length < 20) await new Promise((resolve) => setTimeout(resolve, 50));
  await killed(child);
  const acknowledged = lines.filter((line) => line.startsWith('run/'));
  const store = await openEmbedded(dir);
  const { entries } = await store.history({ limit: 1000 });
  const kept = new Set(entries.map(({ id }) => id));
  expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
  await expect(openEmbedded(dir)).rejects.toThrow(LedgerHeld);
  await store.close();

  await rm(join(dir, 'made'));
  const anew = await openEmbedded(dir);
  expect((await anew.history({ limit: 1 })).entries).toEqual([]);
  await anew.write([entry(1)]);
  await anew.close();
  await rm(dir, { recursive: true, force: true });
}, 180_000);
