import { CommanderError } from 'commander';
import { Context, type Globals } from './context.js';
import { EXIT, type ExitStatus } from './exit.js';
import { type Failure, failureOf, linesOf } from './failure.js';
import { type Io, processIo } from './io.js';
import { notInForce } from './not-in-force.js';
import { buildProgram } from './program.js';

/** Runs one command and answers the exit status. Prints everything itself, and throws nothing. */
export async function main(argv: readonly string[], io: Io = processIo()): Promise<ExitStatus> {
  let exit: ExitStatus = EXIT.done;
  const program = buildProgram(io, async (globals: Globals, handler) => {
    const context = new Context(io, globals);
    try {
      const outcome = await handler(context);
      if (!outcome) return;
      context.print(outcome);
      exit = outcome.exit ?? EXIT.done;
    } finally {
      await context.close();
    }
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exit;
  } catch (error) {
    const asJson = argv.includes('--json');
    if (error instanceof CommanderError) return ofCommander(error, asJson, io);
    return report(failureOf(error), asJson, io);
  }
}

/** Commander has already told a person what is wrong. */
function ofCommander({ exitCode, message, code }: CommanderError, asJson: boolean, io: Io): ExitStatus {
  if (exitCode === 0) return EXIT.done;
  const missing = code === 'commander.unknownCommand' ? notInForce(/'(.+)'/.exec(message)?.[1] ?? '') : null;
  if (asJson) {
    const text = code === 'commander.help' ? 'a command is missing' : message.replace(/^error: /, '');
    const next = missing?.next ?? ['cellctl --help'];
    writeJson({ exit: EXIT.usage, kind: 'usage', message: missing?.says ?? text, problems: [], next }, io);
  } else if (missing) {
    io.stderr.write([missing.says, ...missing.next.map((line) => `  → ${line}`), ''].join('\n'));
  }
  return EXIT.usage;
}

function report(failure: Failure, asJson: boolean, io: Io): ExitStatus {
  if (asJson) writeJson(failure, io);
  else io.stderr.write(`${linesOf(failure).join('\n')}\n`);
  return failure.exit;
}

function writeJson({ exit, ...error }: Failure, io: Io): void {
  io.stdout.write(`${JSON.stringify({ error: { ...error, exitStatus: exit } }, null, 2)}\n`);
}
