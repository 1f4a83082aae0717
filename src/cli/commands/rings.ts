import type { Command } from 'commander';
import { duration, text } from '../arguments.js';
import type { Context, Outcome } from '../context.js';
import { UsageError } from '../exit.js';
import type { Run } from '../program.js';
import { RING, VERSION } from './common.js';

export interface PassOptions {
  ring: number;
  wait?: boolean;
  timeout?: number;
  chart?: string;
  fixes?: string;
}

/** Commands that drive one ring inside the perimeter. */
export function ringCommands(program: Command, run: Run): void {
  const add = (name: 'deploy' | 'migrate', description: string) =>
    program
      .command(name)
      .description(description)
      .argument(...VERSION)
      .requiredOption(...RING)
      .option('--wait', 'show it, and wait until the pass is done')
      .option('--timeout <duration>', 'wait at most so long, e.g. 90s, 2h; the work goes on', duration)
      .action((of: string, options: PassOptions) => run((context) => pass(context, name, of, options)));

  add('deploy', 'bring a package to a ring inside the perimeter')
    .option('--chart <version>', 'chart that goes with the package, where this starts its rollout', text)
    .option('--fixes <text>', 'what this package mends', text);
  add('migrate', 'run the post-deployment migrations of a package on a ring inside the perimeter');
}

async function pass(context: Context, act: 'deploy' | 'migrate', of: string, options: PassOptions): Promise<Outcome> {
  if (options.timeout !== undefined && !options.wait) throw new UsageError('--timeout limits --wait, which is missing');
  const { runPass } = await import('../pass.js');
  return runPass(context, act, of, options);
}
