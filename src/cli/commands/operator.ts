import { Argument, type Command, Option } from 'commander';
import { cell, cells, text, version } from '../arguments.js';
import type { Run } from '../program.js';
import { REASON, RING, VERSION } from './common.js';

const WAITS = ['bake', 'health', 'deploy-window', 'freeze', 'approval', 'check', 'grace-period'];

interface OnRing {
  ring: number;
  reason?: string;
}

/** Acts that help a package on its way through one ring. */
export function operatorCommands(program: Command, run: Run): void {
  program
    .command('approve')
    .description('say yes where a ring waits for approval')
    .argument(...VERSION)
    .requiredOption(...RING)
    .option(...REASON)
    .action((of: string, { ring, reason }: OnRing) =>
      run(async (context) => {
        const { actOn } = await import('../acts.js');
        return actOn(context, of, 'approveRing', { ring, ...context.act(reason) }, `approved for ring ${ring}`);
      }),
    );

  program
    .command('override')
    .description('end one wait of a package in a ring')
    .argument(...VERSION)
    .addOption(new Option('--wait <kind>', 'the wait to end').choices(WAITS).makeOptionMandatory())
    .requiredOption(...RING)
    .requiredOption(...REASON)
    .action((of: string, { wait, ring, reason }: OnRing & { wait: string }) =>
      run(async (context) => {
        const { actOn } = await import('../acts.js');
        const fields = { wait, ring, ...context.act(reason) };
        return actOn(context, of, 'override', fields, `its wait for ${wait} in ring ${ring} is over`);
      }),
    );

  program
    .command('retry')
    .description('look again at what did not converge in a ring, and go on')
    .argument(...VERSION)
    .requiredOption(...RING)
    .option('--cells <a,b>', 'only these cells', cells)
    .option(...REASON)
    .action((of: string, { ring, cells: only, reason }: OnRing & { cells?: string[] }) =>
      run(async (context) => {
        const { actOn } = await import('../acts.js');
        const fields = { ring, cells: only, ...context.act(reason) };
        return actOn(context, of, 'retryRing', fields, `ring ${ring} is looked at again`);
      }),
    );

  program
    .command('skip')
    .description('leave a cell out of the way of a package; it is tried again at the end of its ring')
    .argument('<cell>', 'cell id', cell)
    .requiredOption('--version <version>', 'package, or a pasted tag', version)
    .requiredOption(...REASON)
    .action((id: string, { version: of, reason }: { version: string; reason: string }) =>
      run(async (context) => {
        const { actOn } = await import('../acts.js');
        return actOn(
          context,
          of,
          'skipCell',
          { cell: id, ...context.act(reason) },
          `${id} is to be left out of the way; where it has converged, or its PDM has failed, it stays as it is`,
        );
      }),
    );

  program
    .command('check')
    .description('record the outcome of a check of one’s own, such as the QA of a ring')
    .argument(...VERSION)
    .argument('<name>', 'name of the check', text)
    .addArgument(new Argument('<outcome>', 'how it came out').choices(['passed', 'failed']))
    .requiredOption(...RING)
    .action((of: string, name: string, outcome: string, { ring }: OnRing) =>
      run(async (context) => {
        const { actOn } = await import('../acts.js');
        const fields = { ring, name, outcome, ...context.act() };
        return actOn(context, of, 'recordCheck', fields, `${name} of ring ${ring}: ${outcome}`);
      }),
    );
}
