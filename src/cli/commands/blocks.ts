import type { Command } from 'commander';
import { version } from '../arguments.js';
import type { Run } from '../program.js';
import { REASON, VERSION } from './common.js';

export interface BlockOptions {
  reason: string;
  fixedIn?: string;
}

/** Packages that are to go nowhere, whoever asks for them. */
export function blockCommands(program: Command, run: Run): void {
  program
    .command('block')
    .description('let a package, and every later one until it is fixed, into no further cell')
    .argument(...VERSION)
    .option('--fixed-in <version>', 'the first later package that may go on', version)
    .requiredOption(...REASON)
    .action((of: string, options: BlockOptions) =>
      run(async (context) => (await import('../blocks.js')).block(context, of, options)),
    );

  program
    .command('unblock')
    .description('lift the block that begins with a package')
    .argument(...VERSION)
    .requiredOption(...REASON)
    .action((of: string, { reason }: { reason: string }) =>
      run(async (context) => (await import('../blocks.js')).unblock(context, of, reason)),
    );
}
