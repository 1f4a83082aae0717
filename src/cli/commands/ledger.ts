import type { Command } from 'commander';
import { cell, count, instantOrAgo, ring, version } from '../arguments.js';
import type { Run } from '../program.js';

export interface HistoryOptions {
  cell?: string;
  package?: string;
  ring?: number;
  failures?: boolean;
  since?: string;
  limit: number;
}

export function ledgerCommands(program: Command, run: Run): void {
  program
    .command('history')
    .description('what people did, what the coordinator decided and what failed, newest first, from the ledger')
    .option('--cell <id>', 'of this cell', cell)
    .option('--package <version>', 'of this package, or a pasted tag', version)
    .option('--ring <n>', 'of this ring', ring)
    .option('--failures', 'only what went wrong')
    .option('--since <time>', 'from then on: 7d, 12h, or an RFC 3339 instant', instantOrAgo)
    .option('--limit <n>', 'at most so many', count, 50)
    .action((options: HistoryOptions) =>
      run(async (context) => (await import('../ledger/history.js')).showHistory(context, options)),
    );
  program
    .command('report')
    .description('deployments a day, lead time, change failure rate, time to restore and drift, from the ledger')
    .option('--since <time>', 'from then on: 30d, or an RFC 3339 instant', instantOrAgo, '30d')
    .action(({ since }: { since: string }) =>
      run(async (context) => (await import('../ledger/report.js')).showReport(context, since)),
    );
}
