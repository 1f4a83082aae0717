import { Command, CommanderError } from 'commander';
import { port } from '../arguments.js';
import { EXIT } from '../exit.js';
import { processIo } from '../io.js';
import type { Later } from './child.js';
import { orphaned } from './orphan.js';
import { raise } from './stage.js';

interface DemoOptions {
  exit?: boolean;
  fault?: boolean;
  port?: number;
  uiPort?: number;
}

const INTERRUPTED = 130;
const MOST_COLUMNS = 1000;

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** The whole system on one machine, with a package going through all rings. Answers the exit status. */
async function main(): Promise<number> {
  const options = read();
  const undo: (() => Promise<void>)[] = [];
  const interrupted = Promise.race([processIo().interrupted(), orphaned()]).then(() => 'interrupted' as const);
  try {
    const shown = show(options, (step) => undo.push(step));
    const first = await Promise.race([shown, interrupted]);
    return first === 'interrupted' ? INTERRUPTED : await afterwards(first, options, interrupted);
  } finally {
    // The worker is the first to go, and the server the last.
    for (const step of undo.reverse()) await step().catch(() => {});
  }
}

interface Shown {
  asPlanned: boolean;
  broken: Promise<string>;
}

async function show(options: DemoOptions, later: Later): Promise<Shown> {
  const stage = await raise({ ...options, say }, later);
  const { play } = await import('./play.js');
  const played = play(stage, { fault: options.fault === true });
  const first = await Promise.race([played, stage.broken]);
  if (typeof first === 'string') throw new Error(`The ${first} has ended by itself`);
  if (!first) for (const line of stage.complaints()) process.stderr.write(`worker: ${line.slice(0, MOST_COLUMNS)}\n`);
  return { asPlanned: first, broken: stage.broken };
}

async function afterwards(
  { asPlanned, broken }: Shown,
  { exit }: DemoOptions,
  interrupted: Promise<'interrupted'>,
): Promise<number> {
  if (exit) {
    say('\nIt ends here. Without --exit everything stays up, for these commands.');
    return asPlanned ? EXIT.done : EXIT.failed;
  }
  say('\nEverything stays up until Ctrl-C.');
  const end = await Promise.race([interrupted, broken]);
  if (end === 'interrupted') return asPlanned ? EXIT.done : EXIT.failed;
  throw new Error(`The ${end} has ended by itself`);
}

function read(): DemoOptions {
  return new Command('demo')
    .description('The whole system on one machine: a package goes through all rings while the terminal shows it')
    .option(
      '--exit',
      'end once the package has converged (with --fault: once its ring has halted), with status 0 only then',
    )
    .option('--fault', 'let the errors of a cell burst: it goes back, its ring halts, and what to type next is shown')
    .option('--port <n>', 'port of the Temporal server (default: a free one)', port)
    .option('--ui-port <n>', 'port of its Web UI (default: a free one)', port)
    .allowExcessArguments(false)
    .exitOverride()
    .parse()
    .opts<DemoOptions>();
}

function statusOf(error: unknown): number {
  // Commander has said what was wrong already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return EXIT.failed;
}

process.exit(await main().catch(statusOf));
