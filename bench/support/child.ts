import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const WATCHDOG = fileURLToPath(new URL('../../src/config/watchdog.cjs', import.meta.url));
const LAST_LINES = 15;

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
}

/** Starts one of our own processes under a watchdog that ends it when we are gone, and waits until it is ready. */
export async function startChild({ name, script, args = [], env, removes = '', ready }: ChildOptions): Promise<Child> {
  const command = [process.execPath, '--import', import.meta.resolve('tsx'), script, ...args];
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
    watchdog.on('exit', () => resolve(last.join('\n')));
  });
  const said = firstWords(watchdog, last, ready);
  const stop = async () => {
    if (watchdog.exitCode !== null || watchdog.signalCode !== null) return;
    const exited = once(watchdog, 'exit');
    if (watchdog.connected) watchdog.disconnect();
    await exited;
  };
  const first = await Promise.race([Promise.all([spawned, said]), ended.then(() => null)]);
  if (first === null) throw new Error([`The ${name} did not start:`, ...last].join('\n'));
  return { name, pid: first[0], said: first[1], ended, stop };
}

function firstWords({ stdout, stderr }: ChildProcess, last: string[], ready: ChildOptions['ready']): Promise<string> {
  return new Promise((resolve) => {
    for (const input of [stdout, stderr]) {
      if (!input) continue;
      createInterface({ input }).on('line', (line) => {
        last.push(line);
        if (last.length > LAST_LINES) last.shift();
        const found = ready(line);
        if (found !== null) resolve(found);
      });
    }
  });
}
