import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../../config/temporal-cli.js';

const WATCHDOG = fileURLToPath(new URL('../../config/watchdog.cjs', import.meta.url));
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const LAST_LINES = 15;

export interface ChildOptions {
  name: string;
  /** Path from the repository's root. */
  script: string;
  args?: string[];
  env: Environment;
  logFile: string;
  /** Folder to remove when this child ends, also where we were killed. */
  removes?: string;
  /** Answers what is wanted of the line that says it is ready, or null for any other line. */
  ready: (line: string) => string | null;
  /** Is given, before anything else happens, what ends it. */
  later: Later;
}

/** Keeps what undoes a step that was done, for when all is taken down. */
export type Later = (undo: () => Promise<void>) => void;

export interface Child {
  /** What `ready` answered. */
  said: string;
  ended: Promise<void>;
}

/**
 * Starts one of our own processes and waits until it says that it is ready. A watchdog between us and it ends it when
 * we are gone, however that happens; Ctrl-C does not reach it, so that it can be stopped in good order.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, script, args = [], env, logFile, removes = '', ready, later } = options;
  const command = [process.execPath, '--import', import.meta.resolve('tsx'), script, ...args];
  const watchdog = spawn(process.execPath, [WATCHDOG, removes, ...command], {
    cwd: ROOT,
    env: { ...env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
  });
  const ended = new Promise<void>((resolve) => {
    watchdog.on('message', (message: object) => 'ended' in message && resolve());
    watchdog.on('exit', () => resolve());
  });
  const { said, last } = listen(watchdog, logFile, ready);
  const stop = async () => {
    if (watchdog.exitCode !== null || watchdog.signalCode !== null) return;
    const exited = once(watchdog, 'exit');
    if (watchdog.connected) watchdog.disconnect();
    await exited;
  };
  later(stop);
  const first = await Promise.race([said, ended.then(() => null)]);
  if (first !== null) return { said: first, ended };
  throw new Error([`The ${name} did not start:`, ...last].join('\n'));
}

function listen({ stdout, stderr }: ChildProcess, logFile: string, ready: ChildOptions['ready']) {
  const log = createWriteStream(logFile, { flags: 'a' });
  // The folder may be gone before the last words are written.
  log.on('error', () => {});
  const last: string[] = [];
  const said = new Promise<string>((resolve) => {
    for (const input of [stdout, stderr]) {
      if (!input) continue;
      createInterface({ input }).on('line', (line) => {
        log.write(`${line}\n`);
        last.push(line);
        if (last.length > LAST_LINES) last.shift();
        const found = ready(line);
        if (found !== null) resolve(found);
      });
    }
  });
  return { said, last };
}
