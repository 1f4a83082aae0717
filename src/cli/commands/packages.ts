import type { Command } from 'commander';
import { text } from '../arguments.js';
import type { Run } from '../program.js';
import { REASON, VERSION } from './common.js';

interface GraduateOptions {
  lane?: string;
  chart?: string;
  preempt?: boolean;
  pdmCompletedAt?: string;
  reason?: string;
}

/** Acts that decide what becomes of a package. */
export function packageCommands(program: Command, run: Run): void {
  program
    .command('graduate')
    .description('let a package leave the perimeter; the outer rings then follow by themselves')
    .argument(...VERSION)
    .option('--lane <name>', 'lane of the topology whose policy holds for this package', text)
    .option(
      '--preempt',
      'older packages that run in the outer rings give way: cells in flight end, and no other starts',
    )
    .option('--chart <version>', 'chart that goes with the package', text)
    .option('--pdm-completed-at <instant>', 'when its PDM succeeded on the main stage (default: now)', text)
    .option(...REASON)
    .action((version: string, { lane, chart, preempt, pdmCompletedAt, reason }: GraduateOptions) =>
      run(async (context) => {
        const fields = { lane, chartVersion: chart, preempt, pdmCompletedAt, ...context.act(reason) };
        return (await import('../acts.js')).graduate(context, version, fields);
      }),
    );

  program
    .command('abort')
    .description('no further cell gets this package; cells in flight settle')
    .argument(...VERSION)
    .requiredOption(...REASON)
    .option('--rollback', 'bring back the cells that run it, outermost ring first')
    .action((version: string, { reason, rollback }: { reason: string; rollback?: boolean }) =>
      run(async (context) => {
        const { actOn } = await import('../acts.js');
        const done = rollback ? 'the cells on it go back' : 'no further cell gets it';
        return actOn(context, version, 'abort', { rollback, ...context.act(reason) }, done);
      }),
    );

  program
    .command('restart')
    .description('open an aborted, rolled-back or expired rollout again')
    .argument(...VERSION)
    .requiredOption(...REASON)
    .action((version: string, { reason }: { reason: string }) =>
      run(async (context) => {
        const { actOn } = await import('../acts.js');
        return actOn(context, version, 'restart', context.act(reason), 'its rollout is open again');
      }),
    );
}
