import { readFileSync } from 'node:fs';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';

/** Another process has the ledger open. */
export class LedgerHeld extends Error {
  override name = 'LedgerHeld';
  constructor(readonly pid: number) {
    super(`process ${pid} has it open, and only one may`);
  }
}

interface Holder {
  pid: number;
  /** When it began, as the system counts; null where that cannot be known. A pid alone is given out again. */
  began: string | null;
}

const TRIES = 5;
/** This process holds these: its own pid in a lock file may also be a left-over of another one's. */
const held = new Set<string>();

/**
 * Holds the lock file for this process; answers what gives it back. One whose process is gone is taken over. Throws
 * `LedgerHeld` where another process has it.
 */
export async function holdLock(file: string): Promise<() => Promise<void>> {
  if (held.has(file)) throw new LedgerHeld(process.pid);
  held.add(file);
  try {
    await take(file);
  } catch (error) {
    held.delete(file);
    throw error;
  }
  return async () => {
    if (held.delete(file)) await rm(file, { force: true });
  };
}

async function take(file: string): Promise<void> {
  const mine = `${file}.${process.pid}`;
  await writeFile(mine, JSON.stringify({ pid: process.pid, began: beganOf(process.pid) } satisfies Holder));
  try {
    for (let tries = 1; ; tries += 1) {
      // A link is made whole or not at all, and never in the place of another file.
      if (await isDone(link(mine, file), 'EEXIST')) return;
      const text = await readFile(file, 'utf8').catch(() => '');
      const holder = read(text);
      if (holder && isAlive(holder)) throw new LedgerHeld(holder.pid);
      if (tries === TRIES) throw new Error(`${file} cannot be taken over from ${text || 'nobody'}`);
      await putAside(file, text);
    }
  } finally {
    await rm(mine, { force: true });
  }
}

/** Takes a left-over out of the way; where it was another one's new lock meanwhile, that is put back. */
async function putAside(file: string, leftOver: string): Promise<void> {
  const aside = `${file}.${process.pid}.old`;
  if (!(await isDone(rename(file, aside), 'ENOENT'))) return;
  const text = await readFile(aside, 'utf8');
  if (text !== leftOver) await isDone(link(aside, file), 'EEXIST');
  await rm(aside, { force: true });
}

async function isDone(act: Promise<void>, unless: string): Promise<boolean> {
  try {
    await act;
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === unless) return false;
    throw error;
  }
}

function read(text: string): Holder | null {
  try {
    const { pid, began = null } = JSON.parse(text) as Partial<Holder>;
    return typeof pid === 'number' && pid > 0 ? { pid, began } : null;
  } catch {
    return null;
  }
}

function isAlive({ pid, began }: Holder): boolean {
  // Ours would be in `held`: an earlier process had our pid, as the only one in a container has.
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const now = beganOf(pid);
  return began === null || now === null || began === now;
}

/** Field 22 of `/proc/PID/stat` (proc(5)): when it began, in ticks since the machine did. Null where there is no /proc. */
function beganOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
