import type { Command } from 'commander';
import { cell, text } from '../arguments.js';
import type { Run } from '../program.js';
import { REASON } from './common.js';

/** Acts on single cells, and on auto-deploy as a whole. */
export function cellCommands(program: Command, run: Run): void {
  program
    .command('quarantine')
    .description('take a cell out of all automation; a run that is under way on it ends first, going back included')
    .argument('<cell>', 'cell id', cell)
    .option('--expires <when>', 'it comes back by itself: 2h, or an RFC 3339 instant', text)
    .requiredOption(...REASON)
    .action((id: string, { reason, expires }: { reason: string; expires?: string }) =>
      run(async (context) => (await import('../cells.js')).quarantine(context, id, reason, expires)),
    );

  program
    .command('readmit')
    .description('let a quarantined cell back to all automation')
    .argument('<cell>', 'cell id', cell)
    .requiredOption(...REASON)
    .action((id: string, { reason }: { reason: string }) =>
      run(async (context) => (await import('../cells.js')).readmit(context, id, reason)),
    );

  program
    .command('resume')
    .description('let auto-deploy run although the outer rings are too far behind')
    .option('--expires <when>', 'only so long: 2h, or an RFC 3339 instant', text)
    .requiredOption(...REASON)
    .action(({ reason, expires }: { reason: string; expires?: string }) =>
      run(async (context) => (await import('../cells.js')).resume(context, reason, expires)),
    );
}
