import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Connection } from '@temporalio/client';
import getPort from 'get-port';
import { SEARCH_ATTRIBUTES } from '../contract/search-attributes.js';
import { setupNamespace } from './namespace.js';
import { type Environment, resolveTemporalCli } from './temporal-cli.js';

const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 60_000;
const START_ATTEMPTS = 3;
/** Of what a server says that does not start: the cause comes first, and Go's traces are long. */
const FIRST_LINES = 10;
const LAST_LINES = 20;
/** How `temporal server start-dev --search-attribute` writes the types that we use. */
const CLI_TYPE = { KEYWORD: 'Keyword', INT: 'Int' } as const;

export interface EmbeddedServerOptions {
  /** SQLite file that keeps everything; a file in a temporary folder, removed by `stop`, where none is asked for. */
  dbFile?: string;
  /** Port of the frontend; a free one where none is asked for. */
  port?: number;
  /** Port of the Web UI; implies `ui`. */
  uiPort?: number;
  /** Serve the Web UI too. Default false. */
  ui?: boolean;
  /** Takes what the server itself says (errors only), and what fetching its binary says, line by line. */
  log?: (line: string) => void;
  extraArgs?: string[];
  /** Where the `temporal` binary is looked for. Default: this process's environment. */
  env?: Environment;
}

export interface ServerEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface EmbeddedServer {
  address: string;
  uiUrl: string | null;
  /** Of the Temporal server itself. */
  pid: number;
  dbFile: string;
  /** Resolves when the server has ended, whatever ended it. */
  ended: Promise<ServerEnd>;
  /** Ends the server and waits until it has; removes its folder where that was temporary. Safe to call twice. */
  stop(): Promise<void>;
  /** Sends a signal to the server, as a crash would. The file stays; call `stop` too, to tidy up. */
  kill(signal: NodeJS.Signals): void;
}

/**
 * Starts `temporal server start-dev` on a SQLite file with write-ahead log, and answers when it serves calls. The server
 * ends when this process does, however that happens. Throws when an asked-for port is taken or the server does not start.
 */
export async function startEmbeddedServer(options: EmbeddedServerOptions = {}): Promise<EmbeddedServer> {
  const { port, uiPort, env = process.env, log = () => {} } = options;
  if (port !== undefined) await assertFree(port, 'The Temporal server');
  if (uiPort !== undefined) await assertFree(uiPort, 'The Temporal Web UI');
  const command = await resolveTemporalCli({ env, log });
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(command, options, log);
    } catch (error) {
      // Between finding a free port and using it, somebody else may have taken it.
      const raced = error instanceof Error && /address already in use|port .* in use/i.test(error.message);
      if (!raced || attempt === START_ATTEMPTS) throw error;
    }
  }
}

async function startOnce(
  command: string,
  options: EmbeddedServerOptions,
  log: (line: string) => void,
): Promise<EmbeddedServer> {
  const temporaryFolder = options.dbFile === undefined ? await mkdtemp(join(tmpdir(), 'cells-temporal-')) : '';
  const dbFile = options.dbFile === undefined ? join(temporaryFolder, 'temporal.db') : resolve(options.dbFile);
  const port = options.port ?? (await getPort({ host: HOST }));
  const uiPort = options.uiPort ?? (options.ui ? await getPort({ host: HOST }) : null);
  const address = `${HOST}:${port}`;

  const output: string[] = [];
  const watchdog = spawnWatchdog(temporaryFolder, command, serverArgs(dbFile, port, uiPort, options.extraArgs ?? []));
  const keep = (line: string) => {
    output.push(line);
    if (output.length > FIRST_LINES + LAST_LINES) output.splice(FIRST_LINES, 1);
  };
  // On its standard output the server only greets.
  forEachLine(watchdog.stdout, keep);
  forEachLine(watchdog.stderr, (line) => {
    keep(line);
    log(line);
  });
  const { started, ended } = follow(watchdog);
  const stop = async () => {
    if (watchdog.exitCode !== null || watchdog.signalCode !== null) return;
    const exited = once(watchdog, 'exit');
    if (watchdog.connected) watchdog.disconnect();
    await exited;
  };

  try {
    const pid = await started;
    await untilServing(address, ended);
    const uiUrl = uiPort === null ? null : `http://${HOST}:${uiPort}`;
    return { address, uiUrl, pid, dbFile, ended, stop, kill: (signal) => signalProcess(pid, signal) };
  } catch (error) {
    await stop();
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error([`The embedded Temporal server did not start: ${reason}`, ...output].join('\n'), { cause: error });
  }
}

function serverArgs(dbFile: string, port: number, uiPort: number | null, extraArgs: string[]): string[] {
  const attributes = Object.entries(SEARCH_ATTRIBUTES).flatMap(([name, type]) => [
    '--search-attribute',
    `${name}=${CLI_TYPE[type]}`,
  ]);
  return [
    'server',
    'start-dev',
    ...['--ip', HOST, '--port', String(port)],
    ...(uiPort === null ? ['--headless'] : ['--ui-ip', HOST, '--ui-port', String(uiPort)]),
    ...['--db-filename', dbFile],
    // With SQLite's default journal one cell costs five times as long as with these two.
    ...['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=normal'],
    ...attributes,
    // It would call home.
    ...['--dynamic-config-value', 'frontend.enableServerVersionCheck=false'],
    ...['--log-level', 'error'],
    ...extraArgs,
  ];
}

/**
 * The server runs under a small process that notices by its channel that this one is gone, even when it was killed
 * outright. In a process group of its own: Ctrl-C is for us, and whoever still drains needs the server.
 */
function spawnWatchdog(temporaryFolder: string, command: string, args: string[]): ChildProcess {
  const script = fileURLToPath(new URL('./watchdog.cjs', import.meta.url));
  return spawn(process.execPath, [script, temporaryFolder, command, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
    env: { ...process.env, NODE_OPTIONS: '' },
  });
}

type WatchdogMessage = { pid: number } | { error: string } | { ended: ServerEnd };

function follow(watchdog: ChildProcess): { started: Promise<number>; ended: Promise<ServerEnd> } {
  let pid: number | null = null;
  const started = new Promise<number>((resolve, reject) => {
    watchdog.on('message', (message: WatchdogMessage) => {
      if ('error' in message) reject(new Error(message.error));
      if (!('pid' in message)) return;
      pid = message.pid;
      resolve(pid);
    });
    watchdog.on('error', reject);
    watchdog.on('exit', (code, signal) => reject(new Error(`its watchdog ended (${signal ?? code})`)));
  });
  const ended = new Promise<ServerEnd>((resolve) => {
    watchdog.on('message', (message: WatchdogMessage) => {
      if ('ended' in message) resolve(message.ended);
    });
    watchdog.on('exit', (code, signal) => {
      // Whoever killed the watchdog left the server behind.
      if (pid !== null && signal !== null) signalProcess(pid, 'SIGKILL');
      resolve({ code, signal });
    });
  });
  return { started, ended };
}

function forEachLine(stream: Readable | null, take: (line: string) => void): void {
  if (stream) createInterface({ input: stream }).on('line', take);
}

async function untilServing(address: string, ended: Promise<ServerEnd>): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  let over: ServerEnd | null = null;
  void ended.then((end) => {
    over = end;
  });
  let last: unknown;
  while (Date.now() < deadline) {
    if (over) throw new Error(`it ended at once (${JSON.stringify(over)})`);
    // A bare look first: the gRPC client waits a whole second after its first refusal.
    if (await isListening(address)) {
      try {
        return await prepare(address);
      } catch (error) {
        last = error;
      }
    }
    await sleep(50);
  }
  throw new Error(`it does not serve ${address} after ${START_TIMEOUT_MS / 1000} s`, { cause: last });
}

/** Asks the frontend for real, and gives the namespace the retention that `cellctl server setup` would. */
async function prepare(address: string): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: '5s' });
  try {
    await setupNamespace(connection, 'default');
  } finally {
    await connection.close();
  }
}

function isListening(address: string): Promise<boolean> {
  const [host = HOST, port] = address.split(':');
  return new Promise((answer) => {
    const socket = connect({ host, port: Number(port) });
    socket.once('error', () => answer(false));
    socket.once('connect', () => {
      socket.destroy();
      answer(true);
    });
  });
}

async function assertFree(port: number, who: string): Promise<void> {
  const server = createServer().listen(port, HOST);
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'EADDRINUSE' ? 'it is taken' : message;
    throw new Error(`${who} cannot use port ${port} on ${HOST}: ${reason}. Ask for another port, or for none.`);
  }
  server.close();
  await once(server, 'close');
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
