import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { startEmbeddedServer } from '../../config/embedded-server.js';
import type { Environment } from '../../config/temporal-cli.js';
import { DEFAULT_TASK_QUEUE } from '../../contract/ids.js';
import { withSimulatorUrls } from '../../simulator/topology-urls.js';
import { type Child, type Later, startChild } from './child.js';
import { DAY, demoTopology, FAULTY_CELL, VERSION } from './topology.js';

const WORKER_LOG = 'worker.log';
const MOST_COMPLAINTS = 5;

export interface StageOptions {
  port?: number;
  uiPort?: number;
  fault?: boolean;
  say: (line: string) => void;
}

/** A server, a simulator and a worker, with all they write in one temporary folder. */
export interface Stage {
  address: string;
  uiUrl: string;
  topologyFile: string;
  /** AMP, the cells and what stands in for Prometheus. */
  simulatorUrl: string;
  /** Environment for `cellctl` and workers: nothing of the user's own Temporal settings is left in it. */
  env: Environment;
  /** Resolves with the name of a part that ended by itself. */
  broken: Promise<string>;
  /** What the worker complained about last. */
  complaints(): string[];
}

/** Puts up the stage. What is up is given to `later` at once, so that it can be taken down at any moment. */
export async function raise(options: StageOptions, later: Later): Promise<Stage> {
  const { say, fault, port, uiPort } = options;
  const folder = await mkdtemp(join(tmpdir(), 'cells-demo-'));
  later(() => rm(folder, { recursive: true, force: true }));
  const files = await writeFiles(folder, fault === true);

  say('starting a Temporal server, a simulated AMP with 38 cells, and a worker …');
  const serving = startEmbeddedServer({
    ui: true,
    log: say,
    ...(port === undefined ? {} : { port }),
    ...(uiPort === undefined ? {} : { uiPort }),
  });
  later(async () => (await serving).stop());
  const [server, simulator] = await Promise.all([serving, startSimulator(folder, files, later)]);
  await writeFile(files.topology, stringify(withSimulatorUrls(demoTopology(), simulator.said)));

  const env = environment(server.address, simulator.said, { config: files.config, ledger: join(folder, 'ledger') });
  const worker = await startWorker(folder, env, later);
  const broken = Promise.race([
    server.ended.then(() => 'Temporal server'),
    simulator.ended.then(() => 'simulator'),
    worker.ended.then(() => 'worker'),
  ]);
  const { address, uiUrl } = server;
  const complaints = () => complaintsIn(join(folder, WORKER_LOG));
  const [topologyFile, simulatorUrl] = [files.topology, simulator.said];
  return { address, uiUrl: uiUrl ?? '', topologyFile, simulatorUrl, env, broken, complaints };
}

/** Warnings and errors of a log that pino wrote. */
function complaintsIn(file: string): string[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => /"level":[456]0/.test(line)).slice(-MOST_COMPLAINTS);
}

interface Files {
  topology: string;
  faults: string;
  config: string;
}

async function writeFiles(folder: string, fault: boolean): Promise<Files> {
  const at = (name: string) => join(folder, name);
  const files = { topology: at('topology.yaml'), faults: at('faults.yaml'), config: at('temporal.toml') };
  // From when the cell runs the package until it runs another one.
  const burst = { kind: 'error-burst', cell: FAULTY_CELL, version: VERSION, size: 0.3 };
  await Promise.all([
    writeFile(files.topology, stringify(demoTopology())),
    writeFile(files.faults, stringify(fault ? [burst] : [])),
    writeFile(files.config, '[profile.default]\n'),
  ]);
  return files;
}

function startSimulator(folder: string, { topology, faults }: Files, later: Later): Promise<Child> {
  return startChild({
    name: 'simulator',
    script: 'src/simulator/main.ts',
    args: [
      ...['--topology', topology, '--faults', faults, '--port', '0'],
      ...['--state', join(folder, 'simulator.jsonl'), '--duration', '1s', '--day', DAY],
    ],
    env: process.env,
    logFile: join(folder, 'simulator.log'),
    removes: folder,
    ready: (line) => /^\{"listening":"(.+)"\}$/.exec(line)?.[1] ?? null,
    later,
  });
}

function startWorker(folder: string, env: Environment, later: Later): Promise<Child> {
  return startChild({
    name: 'worker',
    script: 'worker/main.ts',
    env,
    logFile: join(folder, WORKER_LOG),
    ready: (line) => (line.includes('worker is running') ? line : null),
    later,
  });
}

function environment(
  address: string,
  simulatorUrl: string,
  { config, ledger }: { config: string; ledger: string },
): Environment {
  const own = Object.entries(process.env).filter(
    ([name]) =>
      !/^(TEMPORAL_|CELLS_|AMP_|LEDGER_|CI_PIPELINE_ID$|PROMETHEUS_|ALERTMANAGER_|ALERT_TEAM_|RUNBOOK_URL$|METRICS_ADDRESS$)/.test(
        name,
      ),
  );
  return {
    ...Object.fromEntries(own),
    TEMPORAL_ADDRESS: address,
    TEMPORAL_CONFIG_FILE: config,
    CELLS_TASK_QUEUE: DEFAULT_TASK_QUEUE,
    LEDGER_DIR: ledger,
    AMP_URL: simulatorUrl,
    PROMETHEUS_URL: simulatorUrl,
    LOG_LEVEL: 'info',
    LOG_FORMAT: 'json',
    CELLCTL_USER: process.env.CELLCTL_USER || 'release-manager',
  };
}
