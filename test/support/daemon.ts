import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import getPort from 'get-port';

const WATCHDOG = fileURLToPath(new URL('../../src/config/watchdog.cjs', import.meta.url));
const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 30_000;
const START_ATTEMPTS = 3;
const KEPT_LINES = 30;

export interface DaemonOptions {
  /** Looked for on the PATH. */
  command: string;
  args: (folder: string, address: string) => string[];
  /** What is written into its folder, by name, before it starts. */
  files: Record<string, string>;
  /** What is to be done in its folder after that, before it starts for the first time. */
  prepare?: (folder: string) => void;
  /** Answers 200 once it serves. */
  readyPath: string;
}

/**
 * A server that somebody else wrote, under a watchdog: it ends when this process does, however that happens, and its
 * folder goes with it.
 */
export interface Daemon {
  url: string;
  /** Of the server itself. */
  pid(): number;
  /** Kills it outright, and waits until it is gone; its folder stays. */
  kill(): Promise<void>;
  /** Starts it again at the same address on the same folder, once it has been killed. */
  startAgain(): Promise<void>;
  /** Ends it and removes its folder. Safe to call twice. */
  stop(): Promise<void>;
}

/** Starts a server on a free port, and resolves when it is ready. Throws with its last words where it never is. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  for (let attempt = 1; ; attempt += 1) {
    const address = `${HOST}:${await getPort({ host: HOST })}`;
    try {
      return await startAt(options, address);
    } catch (error) {
      // Between finding a free port and using it, somebody else may have taken it.
      if (attempt === START_ATTEMPTS || !/address already in use/.test((error as Error).message)) throw error;
    }
  }
}

async function startAt(options: DaemonOptions, address: string): Promise<Daemon> {
  const { command, args, files, prepare, readyPath } = options;
  const folder = await mkdtemp(join(tmpdir(), 'cells-daemon-'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  prepare?.(folder);
  const url = `http://${address}`;
  const live = (removes: string) => watched(command, args(folder, address), removes);
  const lives = [live(folder)];
  const stop = async () => {
    // The first watchdog removes the folder, so it is the last one to go.
    for (const life of lives.splice(0).reverse()) await life.stop();
  };
  const ready = async () => {
    const life = lives.at(-1);
    if (life) await untilReady(life, url + readyPath);
  };
  try {
    await ready();
  } catch (error) {
    await stop();
    throw error;
  }
  const current = (): Life => {
    const life = lives.at(-1);
    if (life === undefined) throw new Error(`${command} was stopped`);
    return life;
  };
  return {
    url,
    stop,
    pid: () => current().pid(),
    kill: async () => {
      if (!current().hasEnded()) process.kill(current().pid(), 'SIGKILL');
      await current().ended;
    },
    startAgain: async () => {
      lives.push(live(''));
      await ready();
    },
  };
}

interface Life {
  pid(): number;
  ended: Promise<void>;
  hasEnded(): boolean;
  /** What it said last. */
  words: string[];
  command: string;
  stop(): Promise<void>;
}

type Message = { pid: number } | { error: string } | { ended: object };

function watched(command: string, args: string[], removes: string): Life {
  const watchdog = spawn(process.execPath, [WATCHDOG, removes, command, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const words: string[] = [];
  for (const stream of [watchdog.stdout, watchdog.stderr]) {
    if (stream) createInterface({ input: stream }).on('line', (line) => keep(words, line));
  }
  let pid = 0;
  let over = false;
  const ended = new Promise<void>((resolve) => {
    const end = () => {
      over = true;
      resolve();
    };
    watchdog.on('message', (message: Message) => {
      if ('pid' in message) pid = message.pid;
      if ('error' in message) keep(words, message.error);
      if (!('pid' in message)) end();
    });
    watchdog.on('exit', end);
  });
  return { command, words, ended, pid: () => pid, hasEnded: () => over, stop: () => stopped(watchdog) };
}

function keep(words: string[], line: string): void {
  words.push(line);
  if (words.length > KEPT_LINES) words.shift();
}

async function stopped(watchdog: ChildProcess): Promise<void> {
  if (watchdog.exitCode !== null || watchdog.signalCode !== null) return;
  const exited = once(watchdog, 'exit');
  if (watchdog.connected) watchdog.disconnect();
  await exited;
}

async function untilReady(life: Life, url: string): Promise<void> {
  for (const end = Date.now() + START_TIMEOUT_MS; Date.now() < end; await sleep(50)) {
    if (life.hasEnded()) throw new Error([`${life.command} ended before it was ready`, ...life.words].join('\n'));
    if (await isReady(url)) return;
  }
  throw new Error([`${life.command} is not ready after ${START_TIMEOUT_MS / 1000} s`, ...life.words].join('\n'));
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(5000) })).ok;
  } catch {
    return false;
  }
}
