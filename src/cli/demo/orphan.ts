import { execFileSync } from 'node:child_process';

const LOOK_EVERY_MS = 500;
const MOST_LEVELS = 3;

/**
 * Resolves when what npm started on the way to this process is gone: npm ends on a signal without telling those below
 * it. Where npm did not start us it never resolves.
 */
export function orphaned(): Promise<void> {
  if (process.env.npm_lifecycle_event === undefined) return new Promise(() => {});
  const above = ancestors();
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (above.every(isAlive)) return;
      clearInterval(timer);
      resolve();
    }, LOOK_EVERY_MS);
    timer.unref();
  });
}

/** The processes above this one, up to npm: what runs TypeScript, and npm's shell. */
function ancestors(): number[] {
  const found: number[] = [];
  let pid = process.ppid;
  while (pid > 1 && found.length < MOST_LEVELS) {
    found.push(pid);
    const { parent, title } = describe(pid);
    if (/^(\S*\/)?(npm|node \S*npm)\b/.test(title)) break;
    pid = parent;
  }
  return found;
}

function describe(pid: number): { parent: number; title: string } {
  try {
    const line = execFileSync('ps', ['-o', 'ppid=,args=', '-p', String(pid)], { encoding: 'utf8' });
    const [, parent, title = ''] = /^\s*(\d+)\s+(.*)/.exec(line) ?? [];
    return { parent: Number(parent), title };
  } catch {
    // Without `ps` only the process right above is watched.
    return { parent: 0, title: '' };
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
