import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { startEmbeddedServer } from '../../src/config/embedded-server.js';
import { missingSearchAttributes, setupNamespace } from '../../src/config/namespace.js';
import { resolveTemporalCli } from '../../src/config/temporal-cli.js';
import { SEARCH_ATTRIBUTE_NAMES } from '../../src/contract/search-attributes.js';

const MODULE = pathToFileURL(join(import.meta.dirname, '../../src/config/embedded-server.ts')).href;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedded-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function withClient<T>(address: string, use: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await use(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A process that starts a server, says where it is, and then does what `after` says. */
async function parent(after: string) {
  const code = `
    import { startEmbeddedServer } from ${JSON.stringify(MODULE)};
    const { pid, address, dbFile } = await startEmbeddedServer();
    console.log(JSON.stringify({ pid, address, dbFile }));
    ${after}`;
  const child = execa(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], { reject: false });
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(String(chunk)));
    void child.then(({ stderr }) => reject(new Error(stderr)));
  });
  return { child, server: JSON.parse(line) as { pid: number; address: string; dbFile: string } };
}

describe('the embedded server', () => {
  it('serves with all search attributes, thirty days of retention and a write-ahead log', async () => {
    const server = await startEmbeddedServer();
    try {
      expect(server.uiUrl).toBeNull();
      expect(existsSync(`${server.dbFile}-wal`)).toBe(true);
      // Bytes 18 and 19 of a SQLite file are 2 where it is written ahead.
      expect([...readFileSync(server.dbFile).subarray(18, 20)]).toEqual([2, 2]);
      await withClient(server.address, async ({ connection }) => {
        expect(await missingSearchAttributes(connection as Connection, 'default')).toEqual([]);
        const { config } = await connection.workflowService.describeNamespace({ namespace: 'default' });
        expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(30 * 24 * 3600);
      });
    } finally {
      await server.stop();
    }
    expect(isAlive(server.pid)).toBe(false);
    expect(existsSync(dirname(server.dbFile))).toBe(false);
    await server.stop();
  });

  it('goes on from its file after it was killed, on the same port', async () => {
    const dbFile = join(folder, 'kept.db');
    const first = await startEmbeddedServer({ dbFile });
    await withClient(first.address, ({ workflow }) =>
      workflow.start('Nobody', { workflowId: 'kept', taskQueue: 'nobody', args: [] }),
    );
    first.kill('SIGKILL');
    expect(await first.ended).toEqual({ code: null, signal: 'SIGKILL' });

    const port = Number(first.address.split(':')[1]);
    const second = await startEmbeddedServer({ dbFile, port });
    try {
      expect(second.address).toBe(first.address);
      const described = await withClient(second.address, ({ workflow }) => workflow.getHandle('kept').describe());
      expect(described.status.name).toBe('RUNNING');
    } finally {
      await Promise.all([first.stop(), second.stop()]);
    }
    expect(existsSync(dbFile)).toBe(true);
  });

  it('serves its Web UI where that is asked for', async () => {
    const server = await startEmbeddedServer({ ui: true });
    try {
      const answer = await vi.waitFor(() => fetch(server.uiUrl ?? ''), { timeout: 10_000, interval: 100 });
      expect(answer.status).toBe(200);
    } finally {
      await server.stop();
    }
  });

  it('says so when the port that was asked for is taken', async () => {
    const port = Number(inject('temporalAddress').split(':')[1]);
    await expect(startEmbeddedServer({ port })).rejects.toThrow(`cannot use port ${port} on 127.0.0.1: it is taken`);
    await expect(startEmbeddedServer({ uiPort: port })).rejects.toThrow(/Web UI cannot use port/);
  });

  it('says what the server said when it does not start', async () => {
    await expect(startEmbeddedServer({ extraArgs: ['--no-such-flag'] })).rejects.toThrow(/no-such-flag/);
  });

  it('tries another port where somebody took the free one, however much the server says of its end', async () => {
    const real = await resolveTemporalCli({ env: process.env, log: () => {} });
    const cli = join(folder, 'temporal');
    const trace = Array.from({ length: 60 }, (_, i) => `console.error('\tserver.go:${i}');`).join('\n');
    const taken = `console.error('level=ERROR msg="Failed to start" error="listen tcp: bind: address already in use"');`;
    const once = `#!${process.execPath}
      const { existsSync, writeFileSync } = require('node:fs');
      const { spawn } = require('node:child_process');
      const args = process.argv.slice(2);
      if (args[0] === 'server' && !existsSync(__dirname + '/tried')) {
        writeFileSync(__dirname + '/tried', '');
        ${taken}
        ${trace}
        process.exit(2);
      }
      const child = spawn(${JSON.stringify(real)}, args, { stdio: 'inherit' });
      process.on('SIGTERM', () => child.kill('SIGTERM'));
      child.on('exit', (code) => process.exit(code ?? 1));`;
    await writeFile(cli, once, { mode: 0o755 });
    const server = await startEmbeddedServer({ env: { ...process.env, TEMPORAL_CLI: cli } });
    expect(existsSync(join(folder, 'tried'))).toBe(true);
    await withClient(server.address, (client) => client.workflow.count());
    await server.stop();
  });

  it.each<[string, string, NodeJS.Signals | null]>([
    ['is killed outright', 'setInterval(() => {}, 1000);', 'SIGKILL'],
    ['gets a SIGTERM', 'setInterval(() => {}, 1000);', 'SIGTERM'],
    ['gets a SIGINT', 'setInterval(() => {}, 1000);', 'SIGINT'],
    ['exits', 'process.exit(0);', null],
    ['throws', 'setTimeout(() => { throw new Error("uncaught"); }, 10);', null],
  ])('ends, and tidies up, when its parent %s', async (_, after, signal) => {
    const { child, server } = await parent(after);
    if (signal) child.kill(signal);
    await child;
    await vi.waitFor(() => expect(isAlive(server.pid)).toBe(false), { timeout: 10_000, interval: 50 });
    await vi.waitFor(() => expect(existsSync(dirname(server.dbFile))).toBe(false), { timeout: 5_000, interval: 50 });
  });
});

describe('the set-up of a namespace', () => {
  it('registers what is missing and waits until it can be used, and does nothing the second time', async () => {
    await withClient(inject('temporalAddress'), async ({ connection: any }) => {
      const connection = any as Connection;
      const namespace = 'set-up-here';
      await connection.workflowService.registerNamespace({
        namespace,
        workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
      });
      await vi.waitFor(() => missingSearchAttributes(connection, namespace), { timeout: 20_000, interval: 200 });
      expect(await missingSearchAttributes(connection, namespace)).toEqual(SEARCH_ATTRIBUTE_NAMES);
      expect(await setupNamespace(connection, namespace)).toEqual({
        registered: SEARCH_ATTRIBUTE_NAMES,
        retentionChanged: true,
      });
      expect(await setupNamespace(connection, namespace)).toEqual({ registered: [], retentionChanged: false });
    });
  });
});
