import { type Command, Option } from 'commander';
import { cell, duration, ring } from '../arguments.js';
import { UsageError } from '../exit.js';
import type { Run } from '../program.js';
import { REASON, VERSION } from './common.js';

export interface RollbackOptions {
  reason: string;
  ring?: number;
  dryRun?: boolean;
  allowDowntime?: string[];
  toBlocked?: boolean;
  block: boolean;
  wait?: boolean;
  timeout?: number;
  skip?: string;
  stop?: boolean;
}

const ACTS = ['skip', 'stop'];
const ORDER = ['ring', 'dryRun', 'allowDowntime', 'toBlocked', 'wait', 'timeout'];

/** Takes a package back from every cell that runs it. */
export function rollbackCommands(program: Command, run: Run): void {
  const act = (flags: string, description: string, name: string) =>
    new Option(flags, description).conflicts([...ORDER, ...ACTS.filter((other) => other !== name)]);
  program
    .command('rollback')
    .description('block a package, and take every cell that runs it back to what that cell ran before')
    .argument(...VERSION)
    .requiredOption(...REASON)
    .option('--ring <n>', 'only this ring', ring)
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--allow-downtime <cell...>', 'cells that may be taken down for it', each)
    .option('--to-blocked', 'cells may go back to a package that is blocked')
    .option('--no-block', 'do not block the package')
    .option('--wait', 'show it, and wait until it has ended')
    .option('--timeout <duration>', 'wait at most so long, e.g. 90s, 2h; the work goes on', duration)
    .addOption(
      act('--skip <cell>', 'of the rollback under way: leave this cell on the package', 'skip').argParser(cell),
    )
    .addOption(act('--stop', 'of the rollback under way: take no further cell back', 'stop'))
    .action((of: string, options: RollbackOptions) =>
      run(async (context) => {
        if (options.timeout !== undefined && !options.wait) {
          throw new UsageError('--timeout limits --wait, which is missing');
        }
        const rollback = await import('../rollback.js');
        return rollback.rollback(context, of, options);
      }),
    );
}

const each = (text: string, before: string[] = []): string[] => [
  ...before,
  ...text.split(',').map((one) => cell(one.trim())),
];
