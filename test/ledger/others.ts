import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const root = join(import.meta.dirname, '../..');

export interface Other {
  child: ChildProcess;
  /** What it has written so far. */
  lines: string[];
}

/** Another process that holds the lock, or writes to the ledger without an end. */
export async function other(script: string, ...args: string[]): Promise<Other> {
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'test/ledger', script), ...args], { cwd: root });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  createInterface({ input: child.stderr }).on('line', (line) => lines.push(line));
  while (lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  return { child, lines };
}

export async function killed(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
