import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const WATCHDOG = fileURLToPath(new URL('../../src/config/watchdog.cjs', import.meta.url));
const LAST_LINES = 15;
/** The last words of a process may still be on their way when its end is known. */
const LAST_WORDS_MS = 200;

export interface ChildOptions {
  name: string;
  /** Path from the repository's root. */
  script: string;
  args?: string[];
  env: NodeJS.ProcessEnv;
  /** Folder to remove when it has ended, also where we were killed. */
  removes?: string;
  /** Answers what is wanted of the line that says it is ready, or null for any other line. */
  ready: (line: string) => string | null;
  /** File to which all that it says is added; none where absent. */
  log?: string | null;
}

export interface Child {
  name: string;
  /** Of the process itself, for its CPU time. */
  pid: number;
  /** What `ready` answered. */
  said: string;
  /** Resolves when it has ended, with its last words. */
  ended: Promise<string>;
  stop(): Promise<void>;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
}

/** Starts one of our own processes under a watchdog that ends it when we are gone, and waits until it is ready. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, script, args = [], env, removes = '', ready, log = null } = options;
  const compiler = script.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : [];
  const command = [process.execPath, ...compiler, script, ...args];
  const watchdog = spawn(process.execPath, [WATCHDOG, removes, ...command], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
  });
  const last: string[] = [];
  const spawned = new Promise<number>((resolve) => {
    watchdog.on('message', (message: { pid?: number }) => message.pid !== undefined && resolve(message.pid));
  });
  const ended = new Promise<string>((resolve) => {
    const end = () => resolve(last.join('\n'));
    // The watchdog outlives the process, so that a folder can be removed: its word counts, and not only its own end.
    watchdog.on('message', (message: object) => ('ended' in message || 'error' in message) && end());
    watchdog.on('exit', end);
  });
  const said = firstWords(watchdog, last, { ready, log });
  const stop = async () => {
    if (watchdog.exitCode !== null || watchdog.signalCode !== null) return;
    const exited = once(watchdog, 'exit');
    if (watchdog.connected) watchdog.disconnect();
    await exited;
  };
  const first = await Promise.race([Promise.all([spawned, said]), ended.then(() => null)]);
  if (first === null) {
    await sleep(LAST_WORDS_MS);
    await stop();
    throw new Error([`The ${name} did not start:`, ...last].join('\n'));
  }
  const kill = async () => {
    process.kill(first[0], 'SIGKILL');
    await ended;
    await stop();
  };
  return { name, pid: first[0], said: first[1], ended, stop, kill };
}

function firstWords(
  { stdout, stderr }: ChildProcess,
  last: string[],
  { ready, log = null }: Pick<ChildOptions, 'ready' | 'log'>,
): Promise<string> {
  return new Promise((resolve) => {
    for (const input of [stdout, stderr]) {
      if (!input) continue;
      createInterface({ input }).on('line', (line) => {
        last.push(line);
        if (log !== null) appendFileSync(log, `${line}\n`);
        if (last.length > LAST_LINES) last.shift();
        const found = ready(line);
        if (found !== null) resolve(found);
      });
    }
  });
}
