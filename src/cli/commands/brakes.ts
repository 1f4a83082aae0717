import { type Command, Option } from 'commander';
import { ring, text, version } from '../arguments.js';
import type { Run } from '../program.js';
import { REASON } from './common.js';

/** What a brake is about; at most one of these. */
export interface ScopeOptions {
  outer?: boolean;
  cluster?: boolean;
  ring?: number;
  version?: string;
}

export interface BrakeOnOptions extends ScopeOptions {
  mode?: string;
  id?: string;
  expires?: string;
  reason: string;
}

export interface BrakeOffOptions extends ScopeOptions {
  id?: string;
  reason?: string;
}

const MODES = ['finish-ring', 'finish-cells', 'cancel-cells'];
const SCOPES = ['outer', 'cluster', 'ring', 'version'];

export function brakeCommands(program: Command, run: Run): void {
  const brake = program.command('brake').description('stop what goes forward; a brake never stops a rollback');

  withScope(brake.command('on').description('stop the outer rings, or what is named; answers once that holds'))
    .addOption(new Option('--mode <mode>', 'what happens to cells in flight (default: finish-cells)').choices(MODES))
    .option('--id <brake>', 'name of the brake; the same again replaces it (default: from who and when)', text)
    .option('--expires <when>', 'lets go by itself: 2h, or an RFC 3339 instant', text)
    .requiredOption(...REASON)
    .action((options: BrakeOnOptions) =>
      run(async (context) => (await import('../brakes.js')).brakeOn(context, options)),
    );

  withScope(brake.command('off').description('let a brake go; without --id the only one there is'))
    .option('--id <brake>', 'name of the brake', text)
    .option(...REASON)
    .action((options: BrakeOffOptions) =>
      run(async (context) => (await import('../brakes.js')).brakeOff(context, options)),
    );

  brake
    .command('list')
    .description('every brake that is on, of the cluster and of packages under way')
    .action(() => run(async (context) => (await import('../brakes.js')).brakeList(context)));
}

function withScope(command: Command): Command {
  const option = (flags: string, description: string, name: string) =>
    new Option(flags, description).conflicts(SCOPES.filter((other) => other !== name));
  return command
    .addOption(option('--outer', 'the rings beyond the perimeter (default)', 'outer'))
    .addOption(option('--cluster', 'every ring', 'cluster'))
    .addOption(option('--ring <n>', 'one ring', 'ring').argParser(ring))
    .addOption(option('--version <version>', 'one package, or a pasted tag', 'version').argParser(version));
}
