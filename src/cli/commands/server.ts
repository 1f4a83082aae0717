import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import type { EmbeddedServer } from '../../config/embedded-server.js';
import type { NamespaceSetup } from '../../config/namespace.js';
import { port } from '../arguments.js';
import type { Context, Outcome } from '../context.js';
import { EXIT, UsageError } from '../exit.js';
import type { Run } from '../program.js';

interface DevOptions {
  port?: number;
  uiPort?: number;
  dbFile?: string;
}

export function serverCommands(program: Command, run: Run): void {
  const server = program.command('server').description('the Temporal server behind the coordinator');

  server
    .command('setup')
    .description('register the search attributes in the namespace, and keep histories for 30 days')
    .action(() => run(setup));

  server
    .command('dev')
    .description('run a Temporal server with its Web UI on this machine, until Ctrl-C')
    .option('--port <n>', 'port of the server (default: a free one)', port)
    .option('--ui-port <n>', 'port of the Web UI (default: a free one)', port)
    .option('--db-file <file>', 'SQLite file that keeps everything (default: a temporary one)')
    .action((options: DevOptions) => run((context) => dev(context, options)));
}

async function setup(context: Context): Promise<Outcome> {
  const { client, namespace } = await context.session();
  const { RETENTION_DAYS } = await import('../../config/namespace.js');
  const done = await setUp(client, namespace);
  const attributes =
    done.registered.length > 0 ? `registered ${done.registered.join(', ')}` : 'search attributes are there';
  const retention = `histories are kept for ${RETENTION_DAYS} days${done.retentionChanged ? ' from now on' : ''}`;
  return { json: { namespace, ...done }, text: [`namespace ${namespace}: ${attributes}; ${retention}`] };
}

async function setUp(client: Client, namespace: string): Promise<NamespaceSetup> {
  const { SetupFailed, setupNamespace } = await import('../../config/namespace.js');
  const { Connection } = await import('@temporalio/client');
  if (!(client.connection instanceof Connection)) throw new TypeError('a connection of the client’s own is needed');
  try {
    return await setupNamespace(client.connection, namespace);
  } catch (error) {
    const { FailedError, toClientError } = await import('../../client/index.js');
    if (error instanceof SetupFailed) throw new FailedError('Setup', error.message, { cause: error });
    throw toClientError(error, `namespace ${namespace}`);
  }
}

async function dev(context: Context, options: DevOptions): Promise<Outcome> {
  const server = await start(context, options);
  const { address, uiUrl, dbFile } = server;
  context.print({
    json: { address, uiUrl, dbFile },
    text: [
      `Temporal serves ${address}; Web UI ${uiUrl}`,
      `  for a worker and cellctl: export TEMPORAL_ADDRESS=${address}`,
      '  Ctrl-C stops it',
    ],
  });
  const why = await Promise.race([context.io.interrupted().then(() => 'asked' as const), server.ended]);
  await server.stop();
  if (why === 'asked') return { text: [] };
  context.note(`The Temporal server has ended by itself (${why.signal ?? why.code})`);
  return { text: [], exit: EXIT.failed };
}

/** What keeps it from starting is said in plain words already: a port that is taken, a server that cannot be had. */
async function start(context: Context, options: DevOptions): Promise<EmbeddedServer> {
  const { startEmbeddedServer } = await import('../../config/embedded-server.js');
  const { env } = context.io;
  try {
    return await startEmbeddedServer({ ...options, ui: true, env, log: (line) => context.note(line) });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
