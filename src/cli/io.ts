import type { Environment } from '../config/temporal-cli.js';
import type { Session } from './session.js';

/** A stream that text is written to; a terminal also says how large it is. */
export interface Output {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

/** All that a command touches of the process it runs in. */
export interface Io {
  env: Environment;
  stdout: Output;
  stderr: Output;
  now(): number;
  /** Connects to Temporal; throws `UsageError` or an error that says why it cannot be reached. */
  connect(env: Environment): Promise<Session>;
  /** Resolves when somebody asks this process to end. */
  interrupted(): Promise<void>;
}

export const processIo = (): Io => ({
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  now: Date.now,
  connect: async (env) => (await import('./session.js')).openSession(env),
  interrupted: () =>
    new Promise((resolve) => {
      // Not `once`: what restores the cursor ends the process where it sees no listener but its own.
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
    }),
});

/** Whether lines can be drawn over: a terminal that is not a dumb one. */
export const isLive = ({ stdout, env }: Pick<Io, 'stdout' | 'env'>): boolean =>
  stdout.isTTY === true && env.TERM !== 'dumb';

export const hasColours = (io: Pick<Io, 'stdout' | 'env'>): boolean => isLive(io) && !io.env.NO_COLOR;
