import { Argument, type Command, Option } from 'commander';
import { cell, count, ring } from '../arguments.js';
import { UsageError } from '../exit.js';
import type { Run } from '../program.js';

export interface HealthOptions {
  ring?: number;
}

export function healthCommands(program: Command, run: Run): void {
  const health = program
    .command('health')
    .description('how healthy a cell or a ring is, and by what evidence; asks $PROMETHEUS_URL, $AMP_URL and the cells')
    .addArgument(new Argument('[cell]', 'cell id').argParser(cell))
    .addOption(new Option('--ring <n>', 'all cells of a ring, each by itself and together').argParser(ring))
    .action((id: string | undefined, { ring: of }: HealthOptions) =>
      run(async (context) => {
        const { showCellHealth, showRingHealth } = await import('../health/show.js');
        if (id !== undefined && of === undefined) return showCellHealth(context, id);
        if (id === undefined && of !== undefined) return showRingHealth(context, of);
        throw new UsageError('Whose health: a cell’s, or with --ring a ring’s?', [], ['cellctl health --ring 2']);
      }),
    );
  health
    .command('report')
    .description('what health in shadow would have done on the newest rollouts, beside what became of them')
    .option('--limit <n>', 'rollouts to look at', count, 50)
    .action(({ limit }: { limit: number }) =>
      run(async (context) => (await import('../health/report.js')).showHealthReport(context, limit)),
    );
}
