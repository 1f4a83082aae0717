import type { Command } from 'commander';
import { version } from '../arguments.js';
import type { Context, Outcome } from '../context.js';
import { UsageError } from '../exit.js';
import type { Run } from '../program.js';

export function statusCommands(program: Command, run: Run): void {
  program
    .command('status')
    .description('how a package stands, or without one the cluster')
    .argument('[version]', 'package, or a pasted tag', version)
    .option('--watch', 'go on showing it; of a package until its rollout has ended')
    .action((of: string | undefined, { watch }: { watch?: boolean }) => run((context) => status(context, of, watch)));
}

async function status(context: Context, of: string | undefined, watch = false): Promise<Outcome | undefined> {
  if (watch && of === undefined && context.json) {
    throw new UsageError(
      '--watch of the cluster never ends, so there is no one JSON document',
      [],
      ['cellctl status --json'],
    );
  }
  const show = await import('../show.js');
  if (of === undefined) return watch ? show.watchCluster(context) : show.showCluster(context);
  return watch ? show.watchRollout(context, of) : show.showRollout(context, of);
}
