import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {} from 'vitest';
import type { TestProject } from 'vitest/node';
import { startEmbeddedServer } from '../../src/config/embedded-server.js';
import { workflowsPath, writeWorkflowBundle } from '../../worker/bundle.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** One Temporal server for all files; each file takes a task queue of its own. */
    temporalAddress: string;
    /** File of the workflow bundle, for `startWorker({ workflowBundle })`; empty where there are no workflows yet. */
    bundlePath: string;
    /** Folder in which a test claims one of the namespaces `t0`, `t1`, …: one namespace holds one cell cluster. */
    claims: string;
  }
}

/** Namespaces made at the server's start: made later, their search attributes would take ten seconds each. */
export const NAMESPACES = 300;

/** One server and one bundle for all test files: each costs seconds. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'cells-bundle-'));
  const bundlePath = existsSync(workflowsPath) ? join(folder, 'workflows.js') : '';
  const claims = await mkdtemp(join(tmpdir(), 'cells-claims-'));
  const extraArgs = Array.from({ length: NAMESPACES }, (_, i) => ['--namespace', `t${i}`]).flat();
  const starting = startEmbeddedServer({ extraArgs, log: (line) => process.stderr.write(`${line}\n`) });
  const [server] = await Promise.all([starting, bundlePath && writeWorkflowBundle(bundlePath)]);
  project.provide('temporalAddress', server.address);
  project.provide('bundlePath', bundlePath);
  project.provide('claims', claims);
  return async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
    await rm(claims, { recursive: true, force: true });
  };
}
