import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { actionsAndEvents } from './actions-and-events.js';
import { cluster10000 } from './cluster-10000.js';
import { makespan } from './makespan.js';
import { ring400 } from './ring-400.js';
import { ring10000 } from './ring-10000.js';
import type { Bench } from './support/bench.js';
import { keep, type Line, lineOf, tableOf } from './support/report.js';
import { year } from './year.js';

const BENCHES: readonly Bench[] = [ring400, actionsAndEvents, makespan, ring10000, cluster10000, year];

const DONE = 0;
const MISSED = 1;
const WRONG_USE = 2;

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

interface Flags {
  only?: Bench[];
  pairs: number;
  cells?: number;
  days?: number;
  day?: number;
  seed?: number;
  keep?: string;
}

/** Runs benchmarks, one line of JSON each on standard output and in their files; answers the exit status. */
async function main(): Promise<number> {
  const { only, pairs, cells, days, day: daySeconds, seed, keep: folder } = read();
  const own = Object.fromEntries(
    Object.entries({ cells, days, daySeconds, seed, keep: folder }).filter(([, value]) => value !== undefined),
  );
  const lines: Line[] = [];
  for (const bench of only ?? BENCHES.filter((one) => one.byDefault)) {
    say(`${bench.name}: ${bench.about}`);
    const began = new Date();
    const line = lineOf(bench.name, began, await bench.run({ pairs, say, ...own }));
    process.stdout.write(`${JSON.stringify(line)}\n`);
    // Another size is for trying things out, and no result to compare with.
    if (cells === undefined && days === undefined) keep(line);
    lines.push(line);
  }
  say(tableOf(lines));
  return lines.every((line) => line.reached) ? DONE : MISSED;
}

function read(): Flags {
  return new Command('bench')
    .description(
      'Measures the coordinator; results are added to bench/results/. Ends with status 1 where a target is missed.',
    )
    .option('--only <name>', `one benchmark: ${BENCHES.map((b) => b.name).join(', ')} (may be repeated)`, benchNamed)
    .option('--pairs <n>', 'how often the two sides of ring-400 run in turn', wholeNumber, 5)
    .option('--cells <n>', 'rings of another size, to try things out; the results are not kept', wholeNumber)
    .option('--days <n>', 'a shorter year, to try things out; the results are not kept', wholeNumber)
    .option('--day <seconds>', 'what a day of the year takes', seconds)
    .option('--seed <n>', 'seed of what happens in the year', wholeNumber)
    .option('--keep <folder>', 'keep what the year’s result was made from, and what the worker says')
    .addHelpText(
      'after',
      `\n${BENCHES.map((b) => `${b.name}${b.byDefault ? '' : ' (on demand)'}: ${b.about}`).join('\n')}`,
    )
    .allowExcessArguments(false)
    .exitOverride()
    .parse()
    .opts<Flags>();
}

function benchNamed(name: string, before: Bench[] = []): Bench[] {
  const bench = BENCHES.find((one) => one.name === name);
  if (!bench) throw new InvalidArgumentError(`Expected one of ${BENCHES.map((one) => one.name).join(', ')}.`);
  return [...before, bench];
}

function seconds(text: string): number {
  if (!/^\d{1,4}(\.\d{1,3})?$/.test(text) || Number(text) === 0) throw new InvalidArgumentError('Expected seconds.');
  return Number(text);
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('Expected a whole number from 1.');
  return Number(text);
}

function statusOf(error: unknown): number {
  // Commander has said what was wrong already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : WRONG_USE;
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return MISSED;
}

process.exit(await main().catch(statusOf));
