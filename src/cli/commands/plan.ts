import type { Command } from 'commander';
import { text } from '../arguments.js';
import type { Run } from '../program.js';

export interface PlanOptions {
  lane?: string;
}

export function planCommands(program: Command, run: Run): void {
  program
    .command('plan')
    .description('what a topology file, or a package, would do; changes nothing')
    .argument('<what>', 'topology file, or package', text)
    .option('--lane <lane>', 'lane that the package would graduate with', text)
    .action((what: string, options: PlanOptions) =>
      run(async (context) => (await import('../plan.js')).showPlan(context, what, options)),
    );
}
