import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities, createDependencies } from '../activities/index.js';
import type { Logger } from '../src/config/logging.js';
import type { WorkerSettings } from '../src/config/settings.js';
import type { Activities } from '../src/contract/activities.js';
import { payloadConverterPath, prebuiltBundle, preloadModules, workflowModules, workflowsPath } from './bundle.js';
import { runThenClose } from './run.js';

/**
 * The SDK reads this option and does not declare it. Judging a topology of 10,000 cells takes a second of a free core,
 * several of a busy one; where the sandbox ends a script after its default of 5 s, Node aborts the whole process.
 */
const SANDBOX: Partial<WorkerOptions> = Object.fromEntries([['isolateExecutionTimeout', '60s']]);

export type OutsideWorld = Pick<WorkerSettings, 'amp' | 'cellsToken' | 'prometheusUrl' | 'alertmanagerUrl'> &
  Partial<Pick<WorkerSettings, 'prometheusToken' | 'alertmanagerToken' | 'alerting'>>;

export interface StartWorkerOptions {
  temporal: Pick<WorkerSettings['temporal'], 'namespace' | 'connectionOptions'>;
  taskQueue: string;
  log: Logger;
  /** What the activities talk to. */
  outside: OutsideWorld;
  /** File of a bundle built before; else the one that `npm run build` left, else the sources. */
  workflowBundle?: string;
  /** Takes the place of single activities, in tests. */
  activities?: Partial<Activities>;
  /** Overrides, in tests, e.g. `{ maxCachedWorkflows: 0 }`. */
  workerOptions?: Partial<WorkerOptions>;
}

export interface RunningWorker {
  worker: Worker;
  /** Settles when the worker has stopped and its connections are closed; rejects where it failed. */
  run: Promise<void>;
  /** Stops polling, lets activities end, and waits for `run`. */
  shutdown(): Promise<void>;
}

/** Connects, and hosts all workflows and activities on one task queue until it is shut down. */
export async function startWorker(options: StartWorkerOptions): Promise<RunningWorker> {
  const { connectionOptions } = options.temporal;
  const clientConnection = await Connection.connect(connectionOptions);
  const connection = await NativeConnection.connect(connectionOptions);
  const close = async () => {
    await connection.close();
    await clientConnection.close();
  };
  try {
    const worker = await createWorker(options, connection, clientConnection);
    const run = runThenClose(worker, options.log, close);
    return { worker, run, shutdown: () => shutdown(worker, run) };
  } catch (error) {
    await close();
    throw error;
  }
}

function createWorker(
  options: StartWorkerOptions,
  connection: NativeConnection,
  clientConnection: Connection,
): Promise<Worker> {
  const { namespace } = options.temporal;
  const codePath = options.workflowBundle ?? prebuiltBundle();
  const dataConverter = { payloadConverterPath };
  const client = new Client({ connection: clientConnection, namespace, dataConverter });
  const activities = activitiesOver(options.outside, client, options.log);
  return Worker.create({
    connection,
    namespace,
    taskQueue: options.taskQueue,
    dataConverter,
    ...(codePath === null ? fromSources() : { workflowBundle: { codePath } }),
    activities: { ...activities, ...options.activities },
    // Twice the largest sum of `maxParallel`: watched jobs must never keep a rollback or a look waiting.
    maxConcurrentActivityTaskExecutions: 1200,
    // A cancel reaches an activity with its next heartbeat, and throttled ones wait: this bounds how late it arrives.
    maxHeartbeatThrottleInterval: '2s',
    defaultHeartbeatThrottleInterval: '2s',
    // What the worker before this one had in its cache waits so long for it where it was killed: a brake, too.
    stickyQueueScheduleToStartTimeout: '3s',
    // Time for watches to stop and say so; a job that is under way goes on, and the next worker watches it.
    shutdownGraceTime: '5s',
    shutdownForceTime: '20s',
    ...SANDBOX,
    // maxCachedWorkflows stays the SDK's own: it follows the heap.
    ...options.workerOptions,
  });
}

const fromSources = () => ({ workflowsPath, bundlerOptions: { preloadModules }, interceptors: { workflowModules } });

function activitiesOver(outside: OutsideWorld, client: Client, log: Logger): Activities {
  const { amp, cellsToken, alerting } = outside;
  const dependencies = createDependencies({
    ampUrl: amp.url,
    ampToken: amp.token ?? undefined,
    cellsToken: cellsToken ?? undefined,
    prometheus: endpoint(outside.prometheusUrl, outside.prometheusToken),
    alertmanager: endpoint(outside.alertmanagerUrl, outside.alertmanagerToken),
    alerting,
    client,
    log,
  });
  return createActivities(dependencies);
}

const endpoint = (url: string | null, token: string | null = null) =>
  url === null ? null : { url, token: token ?? undefined };

async function shutdown(worker: Worker, run: Promise<void>): Promise<void> {
  if (worker.getState() === 'RUNNING') worker.shutdown();
  await run;
}
