import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import getPort from 'get-port';
import pg from 'pg';
import { describe } from 'vitest';

const run = promisify(execFile);

/** Debian keeps each version's programs in a folder of its own, off the PATH. */
const DEBIAN = '/usr/lib/postgresql';

/** The folder of `initdb` and `postgres`; null: there are none here. */
function programs(): string | null {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((v) => join(DEBIAN, v, 'bin')), ...(process.env.PATH ?? '').split(delimiter)];
  return folders.find((folder) => ['initdb', 'postgres'].every((name) => existsSync(join(folder, name)))) ?? null;
}

/** `describe` for tests on a real PostgreSQL; where there is none they are skipped, saying so. */
export function describeWithPostgres(): typeof describe | typeof describe.skip {
  if (programs() !== null) return describe;
  process.stderr.write('tests are skipped: initdb and postgres not found; apt-get install postgresql\n');
  return describe.skip;
}

/** A PostgreSQL of the test's own, on a free port of the loopback address. */
export interface TestPostgres {
  url: string;
  /** As if the machine had been switched off. */
  kill(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

export async function newPostgres(): Promise<TestPostgres> {
  const bin = programs() ?? '';
  const folder = await mkdtemp(join(tmpdir(), 'cells-postgres-'));
  const data = join(folder, 'data');
  await mkdir(data, { mode: 0o700 });
  // PostgreSQL does not run as root.
  const owner = userInfo().uid === 0 ? await ownerOf('postgres') : null;
  if (owner) for (const path of [folder, data]) await chown(path, owner.uid, owner.gid);
  await run(join(bin, 'initdb'), ['-D', data, '-U', 'ledger', '-A', 'trust', '--no-sync', '-E', 'UTF8'], {
    ...owner,
    cwd: folder,
  });
  const port = await getPort();
  const url = `postgres://ledger@127.0.0.1:${port}/postgres`;
  let server: ChildProcess;
  const postgres: TestPostgres = {
    url,
    start: async () => {
      const settings = ['listen_addresses=127.0.0.1', `port=${port}`, `unix_socket_directories=${folder}`, 'fsync=off'];
      const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])];
      server = spawn(join(bin, 'postgres'), args, { ...owner, cwd: folder, stdio: 'ignore' });
      await answers(url);
    },
    kill: async () => {
      const ended = once(server, 'exit');
      // SIGQUIT is its own immediate shutdown: its children end with it.
      server.kill('SIGQUIT');
      await ended;
    },
    close: async () => {
      if (server.exitCode === null && server.signalCode === null) await postgres.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await postgres.start();
  return postgres;
}

async function ownerOf(account: string): Promise<{ uid: number; gid: number }> {
  const id = async (flag: string) => Number((await run('id', [flag, account])).stdout);
  return { uid: await id('-u'), gid: await id('-g') };
}

async function answers(url: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      return await client.end();
    } catch (error) {
      if (tries === 300) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
