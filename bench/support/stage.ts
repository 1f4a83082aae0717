import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { CellsClient } from '../../src/client/index.js';
import { startEmbeddedServer } from '../../src/config/embedded-server.js';
import { DEFAULT_TASK_QUEUE } from '../../src/contract/ids.js';
import type { Topology } from '../../src/domain/topology/index.js';
import { withSimulatorUrls } from '../../src/simulator/topology-urls.js';
import { BARE_TASK_QUEUE } from '../bare/task-queue.js';
import { type Child, startChild } from './child.js';

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
  say: (line: string) => void;
}

/** A server, AMP with its cells and a worker, each a process of its own, with the topology in force. */
export interface Stage {
  client: Client;
  cells: CellsClient;
  ampUrl: string;
  /** Whose CPU time can be asked for. */
  processes: Pick<Child, 'name' | 'pid'>[];
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

async function raise(
  { topology, jobs, spread = 0, bare, say }: StageOptions,
  later: (undo: () => Promise<unknown>) => void,
): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'cells-bench-'));
  const server = await startEmbeddedServer({ log: say });
  later(() => server.stop());
  const child = async (starting: Promise<Child>) => {
    const started = await starting;
    later(started.stop);
    return started;
  };
  const simulator = await child(startSimulator(folder, topology, jobs, spread));
  const env = await workerEnvironment(folder, server.address, simulator.said);
  const workers = [await child(startWorker('worker', 'worker/main.ts', env))];
  if (bare) {
    const bareEnv = { ...env, CELLS_TASK_QUEUE: BARE_TASK_QUEUE };
    workers.push(await child(startWorker('bareWorker', 'bench/bare/worker.ts', bareEnv)));
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
  const parts = [simulator, ...workers];
  const broken = Promise.race(parts.map((part) => part.ended.then((words) => failed(part.name, words))));
  broken.catch(() => {});
  return { client, cells, ampUrl: simulator.said, processes: [{ name: 'server', pid: server.pid }, ...parts], broken };
}

function failed(name: string, words: string): never {
  throw new Error(`The ${name} has ended by itself:\n${words}`);
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

async function startSimulator(folder: string, topology: Topology, jobs: string, spread: number): Promise<Child> {
  const file = join(folder, 'topology.json');
  await writeFile(file, JSON.stringify(topology));
  return startChild({
    name: 'simulator',
    script: 'src/simulator/main.ts',
    args: ['--topology', file, '--port', '0', '--duration', jobs, '--spread', String(spread)],
    env: ownEnvironment(),
    removes: folder,
    ready: (line) => /^\{"listening":"(.+)"\}$/.exec(line)?.[1] ?? null,
  });
}

const startWorker = (name: string, script: string, env: NodeJS.ProcessEnv): Promise<Child> =>
  startChild({ name, script, env, ready: (line) => (line.includes('worker is running') ? line : null) });

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
