import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';
import { afterEach, describe, expect, inject, test, vi } from 'vitest';
import type { Logger } from '../../src/config/logging.js';
import type { LedgerSettings } from '../../src/config/settings.js';
import { openEmbedded } from '../../src/ledger/embedded.js';
import { earlierLedgers, ledgerFolder, type OpenedLedger, openLedger } from '../../worker/ledger.js';
import { killed, other } from '../ledger/others.js';
import { describeWithPostgres, newPostgres } from '../support/postgres.js';
import '../support/quiet.js';

const MINUTES = 180_000;
const folders: string[] = [];
const opened: OpenedLedger[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((ledger) => ledger.close()));
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cells-ledger-'));
  folders.push(folder);
  return folder;
}

/** A worker's ledger, with all that it says. */
async function open(where: LedgerSettings): Promise<{ ledger: OpenedLedger; said: string[] }> {
  const said: string[] = [];
  const say = (fields: object | string, message = '') => void said.push(typeof fields === 'string' ? fields : message);
  const log = { debug: say, info: say, warn: say, error: say } as unknown as Logger;
  const temporal = { namespace: 'default', connectionOptions: { address: inject('temporalAddress') } };
  const taskQueue = `ledger-test-${opened.length}`;
  const ledger = await openLedger({ where, folder: '/nowhere', temporal, taskQueue, log, againMs: 200 });
  opened.push(ledger);
  return { ledger, said };
}

test('an empty ledger names those of earlier namespaces of its name, in case their database was lost', async () => {
  const home = await newFolder();
  const [before, unmade, now] = ['id-1', 'id-2', 'id-3'].map((id) => join(home, 'default', id)) as [
    string,
    string,
    string,
  ];
  expect(await earlierLedgers(now)).toEqual([]);
  for (const folder of [before, unmade]) await mkdir(folder, { recursive: true });
  await writeFile(join(before, 'made'), '');
  expect(await earlierLedgers(now)).toEqual([before]);
  expect(await earlierLedgers(before)).toEqual([]);
});

test('a namespace of the same name on another server has another folder', () => {
  expect(ledgerFolder('default', 'id-1')).not.toBe(ledgerFolder('default', 'id-2'));
});

describe('a worker with the embedded ledger', () => {
  test(
    'goes on without it while another process has it, says so once, and takes it over when that one is gone',
    async () => {
      const folder = await newFolder();
      const { child } = await other('hold-lock.ts', join(folder, 'ledger.lock'));
      const { ledger, said } = await open({ kind: 'embedded', folder });
      expect(ledger.isServed).toBe(false);
      const plainly = `the embedded ledger in ${folder} is not opened: process ${child.pid} has it open, and only one may`;
      expect(said[0]).toContain(`${plainly}. This worker goes on without it`);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      expect(said).toHaveLength(1);
      await killed(child);
      await vi.waitFor(() => expect(ledger.isServed).toBe(true), { timeout: MINUTES, interval: 100 });
      expect(said.at(-1)).toBe(`serves the embedded ledger in ${folder}`);
      await ledger.close();
      await (await openEmbedded(folder)).close();
    },
    MINUTES,
  );

  test('leaves it to others where LEDGER_URL is off', async () => {
    const { ledger, said } = await open({ kind: 'off' });
    expect(ledger.isServed).toBe(false);
    expect(said).toEqual(['LEDGER_URL is off: this worker leaves the ledger to others']);
  });
});

describe('a worker whose PostgreSQL is away', () => {
  test(
    'goes on without it, says so once and without the password, and ends when it is told to',
    async () => {
      const url = `postgres://me:secret@127.0.0.1:${await getPort()}/ledger`;
      const { ledger, said } = await open({ kind: 'postgres', url });
      expect(ledger.isServed).toBe(false);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      expect(said).toHaveLength(1);
      expect(said[0]).toMatch(
        /^the ledger’s database \(LEDGER_URL\) cannot be opened: .*ECONNREFUSED.* goes on without it/,
      );
      expect(said.join()).not.toContain('secret');
      await ledger.close();
    },
    MINUTES,
  );
});

describeWithPostgres()('a worker whose PostgreSQL comes back', () => {
  test(
    'serves the ledger from then on',
    async () => {
      const postgres = await newPostgres();
      try {
        await postgres.kill();
        const { ledger } = await open({ kind: 'postgres', url: postgres.url });
        expect(ledger.isServed).toBe(false);
        await postgres.start();
        await vi.waitFor(() => expect(ledger.isServed).toBe(true), { timeout: MINUTES, interval: 100 });
        await ledger.close();
      } finally {
        await postgres.close();
      }
    },
    MINUTES,
  );
});
