import { Client } from '@temporalio/client';
import { CellsClient, UnreachableError } from '../client/index.js';
import { connectToTemporal, TemporalUnreachable } from '../config/connect.js';
import { readClientSettings } from '../config/settings.js';
import type { Environment } from '../config/temporal-cli.js';
import { UsageError } from './exit.js';

/** A connection to Temporal for as long as one command runs. */
export interface Session {
  cells: CellsClient;
  /** The SDK's own, for what is not the coordinator's. */
  client: Client;
  namespace: string;
  close(): Promise<void>;
}

/** Connects by the environment. Throws `UsageError` for settings that cannot be used, `UnreachableError` otherwise. */
export async function openSession(env: Environment): Promise<Session> {
  const read = readClientSettings(env);
  if (!read.ok) throw new UsageError('The environment cannot be used', read.problems);
  const { temporal, taskQueue } = read.settings;
  try {
    const connection = await connectToTemporal(temporal, { patienceMs: 0 });
    const { namespace } = temporal;
    const client = new Client({ connection, namespace });
    return { cells: new CellsClient({ client, taskQueue }), client, namespace, close: () => connection.close() };
  } catch (error) {
    if (!(error instanceof TemporalUnreachable)) throw error;
    throw new UnreachableError('temporal', error.message, { cause: error });
  }
}
