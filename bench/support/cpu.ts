import { readFileSync } from 'node:fs';
import type { Child } from './child.js';

/** Linux counts CPU time in hundredths of a second. */
const TICK_MS = 10;

export type CpuMs = Record<string, number>;

/** CPU time so far in ms of each process, by its name; empty where the system does not tell. */
export function cpuOf(processes: Pick<Child, 'name' | 'pid'>[]): CpuMs {
  return Object.fromEntries(
    processes.flatMap(({ name, pid }) => {
      const ms = cpuMs(pid);
      return ms === null ? [] : [[name, ms] as const];
    }),
  );
}

export const cpuBetween = (before: CpuMs, after: CpuMs): CpuMs =>
  Object.fromEntries(Object.entries(after).map(([name, ms]) => [name, ms - (before[name] ?? 0)]));

function cpuMs(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name, in parentheses, may hold spaces; user and system time are the 14th and 15th field.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return null;
  }
}
