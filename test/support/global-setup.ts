import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {} from 'vitest';
import type { TestProject } from 'vitest/node';
import { startEmbeddedServer } from '../../src/config/embedded-server.js';
import { workflowsPath, writeWorkflowBundle } from '../../worker/bundle.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A Temporal server for what needs one and no cell cluster; clusters have their own (`clusters.ts`). */
    temporalAddress: string;
    /** File of the workflow bundle, for `startWorker({ workflowBundle })`; empty where there are no workflows yet. */
    bundlePath: string;
    /** Folder of what is made once for all test files, by the first that needs it. */
    shared: string;
  }
}

/** One server and one bundle for all test files: each costs seconds. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'cells-bundle-'));
  const bundlePath = existsSync(workflowsPath) ? join(folder, 'workflows.js') : '';
  const shared = await mkdtemp(join(tmpdir(), 'cells-shared-'));
  const starting = startEmbeddedServer({ log: (line) => process.stderr.write(`${line}\n`) });
  const [server] = await Promise.all([starting, bundlePath && writeBundle(bundlePath)]);
  project.provide('temporalAddress', server.address);
  project.provide('bundlePath', bundlePath);
  project.provide('shared', shared);
  return async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
    await rm(shared, { recursive: true, force: true });
  };
}

const SOURCE_MAP = '//# sourceMappingURL=data:application/json;base64,';

/**
 * Without its source map. A worker reads that for the first error of its workflows, and never gives back what it took for it:
 * a process that has started some hundred workers fails every workflow task. `SOURCE_MAPS=1` keeps it, for a look at one test.
 */
async function writeBundle(path: string): Promise<void> {
  await writeWorkflowBundle(path);
  if (process.env.SOURCE_MAPS) return;
  const code = await readFile(path, 'utf8');
  const end = code.lastIndexOf('//# sourceMappingURL=');
  // The SDK insists on one.
  const empty = { version: 3, file: 'workflows.js', sources: [], names: [], mappings: '' };
  await writeFile(path, code.slice(0, end) + SOURCE_MAP + Buffer.from(JSON.stringify(empty)).toString('base64'));
}
