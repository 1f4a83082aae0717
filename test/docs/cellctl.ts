import { CommanderError } from 'commander';
import type { Io } from '../../src/cli/io.js';
import { buildProgram } from '../../src/cli/program.js';

const silent: Io = {
  env: {},
  stdout: { write: () => true },
  stderr: { write: () => true },
  now: () => 0,
  connect: () => Promise.reject(new Error('a command line was to be read, not carried out')),
  interrupted: () => new Promise(() => {}),
};

/** Reads a command line as `cellctl` does, and does nothing. Answers commander's code and words where it is wrong. */
export async function problemOf(args: readonly string[]): Promise<{ code: string; message: string } | null> {
  try {
    await buildProgram(silent, async () => {}).parseAsync(args, { from: 'user' });
    return null;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.code === 'commander.helpDisplayed' ? null : { code: error.code, message: error.message };
  }
}

/** Something is left out, as in a sentence that only names a command; all that is there is right. */
export const isIncomplete = (code: string): boolean =>
  ['commander.missingArgument', 'commander.missingMandatoryOptionValue', 'commander.help'].includes(code);
