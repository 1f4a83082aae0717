import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { execa } from 'execa';
import { CellsClient } from '../../src/client/index.js';
import { startEmbeddedServer } from '../../src/config/embedded-server.js';
import { DEFAULT_TASK_QUEUE } from '../../src/contract/ids.js';
import type { Topology } from '../../src/domain/topology/index.js';
import { withSimulatorUrls } from '../../src/simulator/topology-urls.js';
import { BARE_TASK_QUEUE } from '../bare/task-queue.js';
import { type Child, startChild } from './child.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Generous: ten thousand cells on a machine that has other work take longer than five minutes. */
const FIRST_LOOK_MS = 30 * 60_000;

export interface StageOptions {
  topology: Topology;
  /** Median job time, as `--duration` of the simulator takes it. */
  jobs: string;
  /** Sigma of the job times. */
  spread?: number;
  /** Also a worker for the bare loop. */
  bare?: boolean;
  /** Cells that AMP knows, where they are more than those of the topology. */
  simulated?: Pick<Topology, 'rings'>;
  /** Seed of the simulator's chance. */
  seed?: number;
  /** What cells run at first; the simulator's own choice where none is named. */
  initialVersion?: string;
  /** Folder that keeps what the worker says. */
  keep?: string | undefined;
  /** The worker as `npm run build` leaves it: it starts in a quarter of the time that the sources take. */
  built?: boolean;
  say: (line: string) => void;
}

/** A server, AMP with its cells and a worker, each a process of its own, with the topology in force. */
export interface Stage {
  client: Client;
  cells: CellsClient;
  ampUrl: string;
  /** What `cellctl` and workers find the stage by. */
  env: NodeJS.ProcessEnv;
  /** Whose CPU time can be asked for; those that run now. */
  readonly processes: Pick<Child, 'name' | 'pid'>[];
  /** Kills the worker outright, and starts the next one. */
  crashWorker(): Promise<void>;
  /** Kills the Temporal server outright, and starts it again on its file and its port. */
  crashServer(): Promise<void>;
  /** Rejects when a part of it ends by itself. */
  broken: Promise<never>;
}

/** Puts a stage up, lets it be used, and takes it down whatever comes of that. */
export async function onStage<T>(options: StageOptions, use: (stage: Stage) => Promise<T>): Promise<T> {
  const undo: (() => Promise<unknown>)[] = [];
  try {
    const stage = await raise(options, (step) => undo.push(step));
    return await Promise.race([use(stage), stage.broken]);
  } finally {
    for (const step of undo.reverse()) await step().catch(() => {});
  }
}

async function raise(options: StageOptions, later: (undo: () => Promise<unknown>) => void): Promise<Stage> {
  const { topology, bare, say, built = false, keep } = options;
  const log = keep === undefined ? null : join(keep, 'worker.log');
  if (built) await build();
  const folder = await mkdtemp(join(tmpdir(), 'cells-bench-'));
  const child = async (starting: Promise<Child>) => {
    const started = await starting;
    later(started.stop);
    return started;
  };
  // It is the last to go, and takes the folder with it.
  const simulator = await child(startSimulator(folder, options));
  let server = await startEmbeddedServer({ log: say, dbFile: join(folder, 'temporal.db') });
  later(() => server.stop());
  const env = await workerEnvironment(folder, server.address, simulator.said);
  const main = built ? 'dist/worker/main.js' : 'worker/main.ts';
  let worker = await startWorker('worker', main, env, log);
  later(() => worker.stop());
  const others = [simulator];
  if (bare) {
    const bareEnv = { ...env, CELLS_TASK_QUEUE: BARE_TASK_QUEUE };
    others.push(await child(startWorker('bareWorker', 'bench/bare/worker.ts', bareEnv)));
  }
  // A page of a history is as many events as the server likes: of a large ring that is more than the usual 4 MB.
  const channelArgs = { 'grpc.max_receive_message_length': -1 };
  const connection = await Connection.connect({ address: server.address, channelArgs });
  later(() => connection.close());
  const client = new Client({ connection });
  const cells = new CellsClient({ client, taskQueue: DEFAULT_TASK_QUEUE });
  const applied = withSimulatorUrls(topology, simulator.said);
  await cells.cluster().applyTopology({ topology: applied, by: 'bench', releaseColdStart: true });
  await firstLook(cells);
  const alarm = alarmOf();
  for (const part of [...others, worker]) alarm.watch(part);
  return {
    client,
    cells,
    ampUrl: simulator.said,
    env,
    get processes() {
      return [{ name: 'server', pid: server.pid }, ...others, worker];
    },
    crashWorker: async () => {
      const old = worker;
      alarm.forgive(old);
      await old.kill();
      worker = await startWorker('worker', main, env, log);
      alarm.watch(worker);
    },
    crashServer: async () => {
      const { address, dbFile } = server;
      server.kill('SIGKILL');
      await server.ended;
      await server.stop();
      server = await startEmbeddedServer({ log: say, dbFile, port: Number(new URL(`http://${address}`).port) });
    },
    broken: alarm.broken,
  };
}

/** Tells of a process that ends and was not to. */
function alarmOf() {
  const forgiven = new Set<Child>();
  let sound: (error: Error) => void = () => {};
  const broken = new Promise<never>((_, reject) => {
    sound = reject;
  });
  broken.catch(() => {});
  const watch = (part: Child) =>
    void part.ended.then((words) => {
      if (!forgiven.has(part)) sound(new Error(`The ${part.name} has ended by itself:\n${words}`));
    });
  return { broken, watch, forgive: (part: Child) => void forgiven.add(part) };
}

async function build(): Promise<void> {
  await execa('npm', ['run', 'build'], { cwd: ROOT, stdio: 'pipe' });
}

/** A cluster that has just begun grants nothing before it has looked at every cell. */
async function firstLook(cells: CellsClient): Promise<void> {
  const deadline = Date.now() + FIRST_LOOK_MS;
  for (;;) {
    const { waitingFor } = await cells.cluster().status();
    if (waitingFor === null) return;
    if (Date.now() > deadline) throw new Error(`after ${FIRST_LOOK_MS / 60_000} minutes still ${waitingFor.detail}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function startSimulator(folder: string, options: StageOptions): Promise<Child> {
  const { topology, simulated = topology, jobs, spread = 0, seed = 1, initialVersion } = options;
  const file = join(folder, 'topology.json');
  await writeFile(file, JSON.stringify(simulated));
  const initial = initialVersion === undefined ? [] : ['--initial-version', initialVersion];
  const times = ['--duration', jobs, '--spread', String(spread), '--seed', String(seed)];
  return startChild({
    name: 'simulator',
    script: 'src/simulator/main.ts',
    args: ['--topology', file, '--port', '0', ...times, ...initial],
    env: ownEnvironment(),
    removes: folder,
    ready: (line) => /^\{"listening":"(.+)"\}$/.exec(line)?.[1] ?? null,
  });
}

const startWorker = (name: string, script: string, env: NodeJS.ProcessEnv, log: string | null = null): Promise<Child> =>
  startChild({ name, script, env, log, ready: (line) => (line.includes('worker is running') ? line : null) });

async function workerEnvironment(folder: string, address: string, ampUrl: string): Promise<NodeJS.ProcessEnv> {
  const config = join(folder, 'temporal.toml');
  await writeFile(config, '[profile.default]\n');
  return {
    ...ownEnvironment(),
    TEMPORAL_ADDRESS: address,
    TEMPORAL_CONFIG_FILE: config,
    CELLS_TASK_QUEUE: DEFAULT_TASK_QUEUE,
    LEDGER_DIR: join(folder, 'ledger'),
    AMP_URL: ampUrl,
    LOG_LEVEL: 'info',
    LOG_FORMAT: 'json',
  };
}

/** Nothing of the user's own settings is left in it. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(TEMPORAL_|CELLS_|AMP_|LEDGER_|PROMETHEUS_URL$|ALERTMANAGER_URL$|METRICS_ADDRESS$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}
