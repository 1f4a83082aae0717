import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const root = join(import.meta.dirname, '../..');
const START_TIMEOUT_MS = 60_000;
const KEPT_LINES = 400;

/** A process of ours that a test may kill. */
export interface Process {
  pid: number;
  /** When it said that it serves, in epoch milliseconds. Rejects where it never does. */
  up: Promise<number>;
  /** How it ended, once it has. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** The last lines that it wrote. */
  output: string[];
  kill(signal: 'SIGKILL' | 'SIGTERM'): void;
}

export interface WorkerPlace {
  /** The built worker's main file. */
  main: string;
  address: string;
  namespace: string;
  ampUrl: string;
  /** Settings of the ledger; by default it is left to others. */
  ledger?: Record<string, string>;
}

export function spawnWorker({
  main,
  address,
  namespace,
  ampUrl,
  ledger = { LEDGER_URL: 'off' },
}: WorkerPlace): Process {
  const env = { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace, AMP_URL: ampUrl, ...ledger };
  return run([main], env, 'worker is running');
}

export interface SimulatorPlace {
  /** File that holds the topology. */
  topologyFile: string;
  stateFile: string;
  /** 0: a free one. */
  port: number;
  durationMs: number;
}

/** AMP and cells as a process, from the moment on that they answer. */
export async function startSimulator(place: SimulatorPlace): Promise<Process & { url: string }> {
  const flags = ['--topology', place.topologyFile, '--state', place.stateFile, '--port', String(place.port)];
  const times = ['--duration', `${place.durationMs}ms`, '--spread', '0.2'];
  const main = ['--import', 'tsx', join(root, 'src/simulator/main.ts')];
  const simulator = run([...main, ...flags, ...times], {}, '"listening"');
  await simulator.up;
  const line = simulator.output.find((l) => l.includes('"listening"')) ?? '';
  return { ...simulator, url: (JSON.parse(line) as { listening: string }).listening };
}

function run(args: string[], more: Record<string, string>, sign: string): Process {
  const { HOME = root, PATH = '', TEMP = '' } = process.env;
  const env = { HOME, PATH, ...(TEMP ? { TEMP } : {}), ...more };
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output: string[] = [];
  const said = new Promise<number>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        output.push(line);
        if (output.length > KEPT_LINES) output.shift();
        if (line.includes(sign)) resolve(Date.now());
      });
    }
  });
  const ended = endOf(child);
  const up = Promise.race([said, tooSoon(ended, output), tooLate(output)]);
  // Whoever needs it hears of it; one that is killed before it is up is nobody's trouble.
  up.catch(() => undefined);
  return { pid: child.pid ?? 0, up, ended, output, kill: (signal) => void child.kill(signal) };
}

async function endOf(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return { code, signal };
}

async function tooSoon(ended: Process['ended'], output: string[]): Promise<never> {
  const { code, signal } = await ended;
  throw new Error([`the process ended before it served (${signal ?? code})`, ...output].join('\n'));
}

function tooLate(output: string[]): Promise<never> {
  return new Promise((_, reject) => {
    const fail = () => reject(new Error(['the process does not serve', ...output].join('\n')));
    setTimeout(fail, START_TIMEOUT_MS).unref();
  });
}
