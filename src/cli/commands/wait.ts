import { type Command, Option } from 'commander';
import { duration, ring } from '../arguments.js';
import type { Run } from '../program.js';
import { VERSION } from './common.js';

export interface WaitOptions {
  ring?: number[];
  everywhere?: boolean;
  ignoreQuarantined?: boolean;
  timeout?: number;
}

const alsoRing = (text: string, before: number[] = []): number[] => [...before, ring(text)];

export function waitCommands(program: Command, run: Run): void {
  program
    .command('wait')
    .description('wait until a package, or a newer one, is on every cell of some rings')
    .argument(...VERSION)
    .option('--ring <n>', 'of this ring; more than once: of each', alsoRing)
    .addOption(new Option('--everywhere', 'of every ring that the coordinator deploys (default)').conflicts('ring'))
    .option('--ignore-quarantined', 'quarantined cells are named, and not waited for')
    .option('--timeout <duration>', 'at most so long, e.g. 90s, 2h; what brings it goes on', duration)
    .action((of: string, options: WaitOptions) =>
      run(async (context) => (await import('../wait.js')).waitUntilThere(context, of, options)),
    );
}
