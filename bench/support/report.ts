import { execFileSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import type { Bound, Outcome } from './bench.js';

const RESULTS = fileURLToPath(new URL('../results/', import.meta.url));

export interface Line extends Outcome {
  bench: string;
  at: string;
  seconds: number;
  /** Whether every target was reached. */
  reached: boolean;
  machine: Record<string, unknown>;
}

/** What a reader of old results needs to know of where they come from. */
export function lineOf(bench: string, beganAt: Date, outcome: Outcome): Line {
  const seconds = Math.round((Date.now() - beganAt.getTime()) / 1000);
  const reached = Object.entries(outcome.targets).every(([name, bound]) => holds(outcome.measured[name], bound));
  return { bench, at: beganAt.toISOString(), seconds, reached, ...outcome, machine: machine() };
}

/** Adds the line to the file of its benchmark. */
export const keep = (line: Line): void => appendFileSync(`${RESULTS}${line.bench}.jsonl`, `${JSON.stringify(line)}\n`);

/** One row a target: what was wanted, what was measured. */
export function tableOf(lines: readonly Line[]): string {
  const table = new Table({ head: ['benchmark', 'number', 'measured', 'target', ''], style: { head: [], border: [] } });
  for (const { bench, measured, targets } of lines) {
    for (const [name, bound] of Object.entries(targets)) {
      const reached = holds(measured[name], bound) ? 'reached' : 'MISSED';
      table.push([bench, name, String(measured[name]), inWords(bound), reached]);
    }
  }
  return table.toString();
}

const inWords = (bound: Bound): string =>
  'atLeast' in bound ? `at least ${bound.atLeast}` : `at most ${bound.atMost}`;

function holds(value: unknown, bound: Bound): boolean {
  if (typeof value !== 'number') return false;
  return 'atLeast' in bound ? value >= bound.atLeast : value <= bound.atMost;
}

/** The load tells whether the machine had other work: ratios bear that, absolute speeds do not. */
function machine(): Record<string, unknown> {
  const load = loadavg().map((value) => Math.round(value * 10) / 10);
  // A process may be allowed fewer than the machine has.
  return { cpus: availableParallelism(), cpu: cpus()[0]?.model ?? '', load, node: process.version, commit: commit() };
}

function commit(): string | null {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: RESULTS, encoding: 'utf8', stdio: 'pipe' }).trim();
  try {
    const changed = git('status', '--porcelain', '--', ':/', ':(top,exclude)bench/results') !== '';
    return `${git('rev-parse', '--short', 'HEAD')}${changed ? ' with changes' : ''}`;
  } catch {
    return null;
  }
}
