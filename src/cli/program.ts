import { Command } from 'commander';
import { text } from './arguments.js';
import { blockCommands } from './commands/blocks.js';
import { brakeCommands } from './commands/brakes.js';
import { cellCommands } from './commands/cells.js';
import { clusterCommands } from './commands/cluster.js';
import { healthCommands } from './commands/health.js';
import { ledgerCommands } from './commands/ledger.js';
import { listCommands } from './commands/list.js';
import { operatorCommands } from './commands/operator.js';
import { packageCommands } from './commands/packages.js';
import { planCommands } from './commands/plan.js';
import { ringCommands } from './commands/rings.js';
import { rollbackCommands } from './commands/rollback.js';
import { serverCommands } from './commands/server.js';
import { statusCommands } from './commands/status.js';
import { waitCommands } from './commands/wait.js';
import type { Context, Globals, Outcome } from './context.js';
import type { Io } from './io.js';

/** What a command does, once its arguments are read. */
export type Handler = (context: Context) => Promise<Outcome | undefined>;
export type Runner = (globals: Globals, handler: Handler) => Promise<void>;
/** Runs a handler with the options that every command takes. */
export type Run = (handler: Handler) => Promise<void>;

/** All commands. Only their arguments are read here; what they need to work is loaded when one runs. */
export function buildProgram(io: Io, runner: Runner): Command {
  const program = new Command('cellctl')
    .description('Brings packages to the cells of a cluster, ring by ring, and stops them')
    .option('--json', 'print one JSON document on standard output, and nothing else')
    .option('--by <name>', 'who asks (default: $CELLCTL_USER, $GITLAB_USER_LOGIN, $USER)', text)
    .option('--url <link>', 'the incident or change that this belongs to')
    .option('--update-id <id>', 'asked again with the same id, the same answer (default: from $CI_PIPELINE_ID)', text)
    .option('--address <host:port>', 'Temporal’s address (default: $TEMPORAL_ADDRESS, then localhost:7233)')
    .option('--namespace <name>', 'Temporal’s namespace (default: $TEMPORAL_NAMESPACE, then default)')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: (line) => io.stdout.write(line), writeErr: (line) => io.stderr.write(line) })
    .showHelpAfterError('(add --help for how it is used)')
    .exitOverride();
  const run: Run = (handler) => runner(program.opts<Globals>(), handler);
  for (const add of [
    clusterCommands,
    ringCommands,
    listCommands,
    statusCommands,
    planCommands,
    waitCommands,
    healthCommands,
    ledgerCommands,
    brakeCommands,
    blockCommands,
    packageCommands,
    rollbackCommands,
    operatorCommands,
    cellCommands,
    serverCommands,
  ]) {
    add(program, run);
  }
  return program;
}
