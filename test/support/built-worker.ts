import { existsSync, mkdirSync } from 'node:fs';
import { copyFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { inject } from 'vitest';

const root = join(import.meta.dirname, '../..');
const PATIENCE_MS = 60_000;

/**
 * The worker's main file as `npm run build` leaves it, with the bundle of this test run beside it. Made by the first
 * who asks and shared by all test files: it starts in a quarter of the time that the sources take.
 */
export async function builtWorker(): Promise<string> {
  const folder = join(inject('shared'), 'worker');
  const ready = join(folder, 'ready');
  if (isFirst(folder)) await build(folder, ready);
  for (const end = Date.now() + PATIENCE_MS; !existsSync(ready); await sleep(50)) {
    if (Date.now() > end) throw new Error('the worker was not built in time');
  }
  return join(folder, 'dist/worker/main.js');
}

function isFirst(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function build(folder: string, ready: string): Promise<void> {
  const dist = join(folder, 'dist');
  // Types are another check's business: what compiles is emitted.
  const options = { cwd: root, preferLocal: true, reject: false } as const;
  const { stdout } = await execa('tsc', ['-p', 'tsconfig.build.json', '--outDir', dist], options);
  if (!existsSync(join(dist, 'worker/main.js'))) throw new Error(`the worker cannot be built: ${stdout}`);
  await copyFile(inject('bundlePath'), join(dist, 'workflow-bundle.js'));
  await copyFile(join(root, 'package.json'), join(folder, 'package.json'));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir');
  await writeFile(`${ready}.part`, '');
  await rename(`${ready}.part`, ready);
}
