import { type Connection, isGrpcServiceError } from '@temporalio/client';
import { connectToTemporal, TemporalUnreachable } from '../src/config/connect.js';
import { createLogger, type Logger } from '../src/config/logging.js';
import { missingSearchAttributes, namespaceId } from '../src/config/namespace.js';
import { describeProblem, readWorkerSettings, type WorkerSettings } from '../src/config/settings.js';
import { earlierLedgers, ledgerFolder, openLedger } from './ledger.js';
import { installRuntime } from './metrics.js';
import { startWorker } from './start.js';

const DONE = 0;
const FAILED = 1;
const BAD_SETTINGS = 2;
const UNREACHABLE = 3;

const PATIENCE_MS = 60_000;
const GRPC_NOT_FOUND = 5;

/** Runs a worker until SIGTERM or SIGINT; answers the process's exit status. */
async function main(): Promise<number> {
  const read = readWorkerSettings(process.env);
  if (!read.ok) {
    process.stderr.write(`The worker cannot start on this environment:\n`);
    for (const problem of read.problems) process.stderr.write(`  ${describeProblem(problem)}\n`);
    return BAD_SETTINGS;
  }
  const { settings } = read;
  const log = createLogger(settings.log);
  try {
    installRuntime({ log, metricsAddress: settings.metricsAddress });
  } catch (error) {
    log.fatal({ err: error }, `METRICS_ADDRESS: ${settings.metricsAddress} cannot be served; expected a free address`);
    return BAD_SETTINGS;
  }
  return host(settings, log);
}

async function host(settings: WorkerSettings, log: Logger): Promise<number> {
  const { temporal, taskQueue, ledger: where, ...outside } = settings;
  try {
    const found = await lookAt(settings, log);
    if ('problem' in found) {
      log.fatal(found.problem);
      return BAD_SETTINGS;
    }
    const folder = ledgerFolder(temporal.namespace, found.id);
    if (where.kind === 'embedded' && where.folder === null) await tellOfEarlier(folder, log);
    const ledger = await openLedger({ where, folder, temporal, taskQueue, log });
    const { run } = await startWorker({ temporal, taskQueue, outside, log });
    log.info({ address: temporal.address, namespace: temporal.namespace, taskQueue }, 'worker is running');
    await run.finally(() => ledger.close());
    log.info('worker has stopped');
    return DONE;
  } catch (error) {
    if (error instanceof TemporalUnreachable) {
      log.fatal(`${error.message}. Check TEMPORAL_ADDRESS, TEMPORAL_TLS_* and TEMPORAL_API_KEY.`);
      return UNREACHABLE;
    }
    log.fatal({ err: error }, 'worker failed');
    return FAILED;
  }
}

async function tellOfEarlier(folder: string, log: Logger): Promise<void> {
  const earlier = await earlierLedgers(folder);
  if (earlier.length === 0) return;
  const what = 'this namespace begins with an empty ledger, and there are ledgers of earlier ones of its name';
  log.warn({ earlier }, `${what}. Was Temporal's database lost? Then set LEDGER_DIR to the last one first.`);
}

/** The namespace's id, or what keeps workflows from running in it. */
async function lookAt({ temporal }: WorkerSettings, log: Logger): Promise<{ id: string } | { problem: string }> {
  const connection = await connectToTemporal(temporal, { patienceMs: PATIENCE_MS, log: (line) => log.warn(line) });
  try {
    return await lookAtNamespace(connection, temporal.namespace);
  } finally {
    await connection.close();
  }
}

async function lookAtNamespace(
  connection: Connection,
  namespace: string,
): Promise<{ id: string } | { problem: string }> {
  try {
    const missing = await missingSearchAttributes(connection, namespace);
    if (missing.length === 0) return { id: await namespaceId(connection, namespace) };
    const names = missing.join(', ');
    return {
      problem: `Namespace ${namespace} lacks the search attributes ${names}: run \`cellctl server setup\` once.`,
    };
  } catch (error) {
    if (!isGrpcServiceError(error) || error.code !== GRPC_NOT_FOUND) throw error;
    const what = `there is no namespace ${namespace}; create it, then run \`cellctl server setup\``;
    return { problem: `TEMPORAL_NAMESPACE: ${what}.` };
  }
}

process.exit(await main());
