import { Client, Connection } from '@temporalio/client';
import type { WorkerOptions } from '@temporalio/worker';
import { inject } from 'vitest';
import { createIsLedgerServed } from '../../activities/ledger.js';
import { CellsClient } from '../../src/client/index.js';
import { createLogger } from '../../src/config/logging.js';
import type { PackageRolloutStatus, RingResult } from '../../src/contract/status.js';
import { type Simulator, type SimulatorOptions, startSimulator, withSimulatorUrls } from '../../src/simulator/index.js';
import { type RunningWorker, startWorker } from '../../worker/start.js';
import { type ActRecord, recordActs } from './acts.js';
import { claimPlace } from './clusters.js';
import { lookUntil } from './patience.js';
import './quiet.js';

/** A cluster of its own for one test: a namespace, AMP with cells, a worker, and a client. */
export interface World {
  client: Client;
  cells: CellsClient;
  simulator: Simulator;
  address: string;
  namespace: string;
  topology: Record<string, unknown>;
  taskQueue: string;
  /** Every act that went through `cells`: who, what, when asked and when answered. */
  acts: ActRecord[];
  apply(topology?: Record<string, unknown>): Promise<void>;
  startWorker(options?: Partial<WorkerOptions>): Promise<RunningWorker>;
  stopWorkers(): Promise<void>;
  jobs(): Promise<LoggedJob[]>;
  fault(fault: Record<string, unknown> | Record<string, unknown>[]): Promise<void>;
  clearFaults(): Promise<void>;
  until<T>(what: string, look: () => Promise<T | null | undefined | false>, timeoutMs?: number): Promise<T>;
  rolloutEnds(version: string, timeoutMs?: number): Promise<PackageRolloutStatus>;
  deploy(version: string, ring?: number): Promise<RingResult>;
  close(): Promise<void>;
}

export interface LoggedJob {
  id: string;
  tenant: string;
  cell: string;
  kind: string;
  version: string;
  chart_version: string | null;
  from_version: string | null;
  state: string;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  idempotency_key: string;
  cancel_requested_at: string | null;
  submissions: number;
  post_deploy_migrations?: string;
}

export interface WorldOptions {
  topology: Record<string, unknown>;
  simulator?: Partial<SimulatorOptions>;
  worker?: Partial<WorkerOptions> | false;
  /** Where signals are asked for: an address; by default nowhere. `simulator`: the simulator itself answers. */
  prometheus?: string | 'simulator' | null;
  /** Where alerts go; by default to the log. */
  alertmanager?: string | null;
  /** A cluster that is released at its start waits for the ledger, as a real one does; by default it asks once. */
  waitsForLedger?: boolean;
  /** Use this running AMP instead of one in this process. */
  amp?: Simulator;
}

export async function newWorld(options: WorldOptions): Promise<World> {
  const simulator =
    options.amp ??
    (await startSimulator({ topology: options.topology as never, durationMs: 50, ...options.simulator }));
  const topology = withSimulatorUrls(options.topology as never, simulator.url) as Record<string, unknown>;
  const { address, namespace, giveBack } = await claimPlace();
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, namespace });
  const taskQueue = 'cells';
  const acts: ActRecord[] = [];
  const cells = recordActs(new CellsClient({ client, taskQueue }), acts);
  const workers: RunningWorker[] = [];
  const isLedgerServed = createIsLedgerServed({ client });
  const world: World = {
    client,
    cells,
    simulator,
    address,
    namespace,
    topology,
    taskQueue,
    acts,
    apply: async (other) => {
      await cells.cluster().applyTopology({ topology: other ?? topology, by: 'test', releaseColdStart: true });
      let waitingFor: unknown;
      const looked = async () => {
        ({ waitingFor } = await cells.cluster().status());
        return waitingFor === null;
      };
      await world.until('the first look at every cell', looked).catch((error: Error) => {
        throw new Error(`${error.message}: ${JSON.stringify(waitingFor)}`);
      });
    },
    startWorker: async (workerOptions) => {
      const worker = await startWorker({
        temporal: { namespace, connectionOptions: { address } },
        taskQueue,
        log: createLogger({ level: (process.env.LOG_LEVEL as 'error' | undefined) ?? 'error', format: 'json' }),
        outside: {
          amp: { url: simulator.url, token: null },
          cellsToken: null,
          prometheusUrl: options.prometheus === 'simulator' ? simulator.url : (options.prometheus ?? null),
          alertmanagerUrl: options.alertmanager ?? null,
        } as never,
        workflowBundle: inject('bundlePath'),
        activities: options.waitsForLedger ? {} : { isLedgerServed: () => isLedgerServed({ forMs: 0 }) },
        // Workflows run on this thread: a thread for each of some hundred workers costs more than all that they do.
        workerOptions: { shutdownForceTime: '10s', debugMode: true, ...workerOptions },
      });
      workers.push(worker);
      return worker;
    },
    stopWorkers: async () => {
      await Promise.all(workers.splice(0).map((w) => w.shutdown()));
    },
    jobs: async () => ((await get(`${simulator.url}/log`)) as { jobs: LoggedJob[] }).jobs,
    fault: async (fault) => {
      const response = await fetch(`${simulator.url}/faults`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(fault),
      });
      if (!response.ok) throw new Error(`fault refused: ${await response.text()}`);
    },
    clearFaults: async () => {
      await fetch(`${simulator.url}/faults`, { method: 'DELETE' });
    },
    until: async (what, look, timeoutMs = 30_000) => {
      const found = await lookUntil(look, timeoutMs);
      if (found === null) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
      return found;
    },
    rolloutEnds: async (version, timeoutMs = 60_000) =>
      await world.until(
        `the end of ${version}`,
        async () => {
          const status = await cells.rollout(version).status();
          return status.finishedAt !== null && status;
        },
        timeoutMs,
      ),
    deploy: async (version, ring = 0) => {
      const asked = await cells.rollout(version).deployRing({ ring, by: 'release-tools' });
      return await asked.answer();
    },
    close: async () => {
      await world.stopWorkers();
      await connection.close();
      if (!options.amp) await simulator.close();
      await giveBack();
    },
  };
  if (options.worker !== false) await world.startWorker(options.worker);
  return world;
}

async function get(url: string): Promise<unknown> {
  const response = await fetch(url);
  return await response.json();
}
