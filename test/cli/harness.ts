import type { Io } from '../../src/cli/io.js';
import { main } from '../../src/cli/main.js';
import type { Session } from '../../src/cli/session.js';
import { type CellsClient, NotFoundError } from '../../src/client/index.js';
import type { Environment } from '../../src/config/temporal-cli.js';

export const VERSION = '17.10.202503180906-6a387d336a7.c1c3e017782';
export const NOW = Date.parse('2026-12-23T10:15:00Z');

export interface Ran {
  exit: number;
  stdout: string;
  stderr: string;
}

type Fake = Partial<Record<keyof CellsClient, unknown>>;

/** Runs one command against a client that is made up, or against none: then connecting fails the test. */
export async function run(argv: string[], cells?: Fake, env: Environment = {}): Promise<Ran> {
  const out = { stdout: '', stderr: '' };
  const into = (stream: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      out[stream] += text;
    },
  });
  const io: Io = {
    env: { CELLCTL_USER: 'ann', ...env },
    stdout: into('stdout'),
    stderr: into('stderr'),
    now: () => NOW,
    connect: async () => {
      if (!cells) throw new Error('nobody should have been asked');
      return { cells: { rollback: none, cluster: noCluster, ...cells }, close: async () => {} } as unknown as Session;
    },
    interrupted: () => new Promise(() => {}),
  };
  const exit = await main(argv, io);
  return { exit, ...out };
}

/** Nobody has taken anything back. */
const none = (version: string) => ({
  status: async () => {
    throw new NotFoundError(`package-rollback/${version}`, false);
  },
});

const noCluster = () => ({
  forecast: async () => {
    throw new NotFoundError('cell-cluster', false);
  },
});

/** A rollout whose every act answers the same, or throws it where it is an error. */
export function rollout(answers: Record<string, unknown>): Fake {
  const entries = Object.entries(answers).map(([name, answer]) => [name, async () => settle(answer)]);
  return { rollout: () => Object.fromEntries(entries) };
}

function settle(answer: unknown): unknown {
  if (answer instanceof Error) throw answer;
  return answer;
}
