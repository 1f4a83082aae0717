import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const near = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

export const workflowsPath = near(`../workflows/index.${EXTENSION}`);
/** What stands around every workflow. */
export const workflowModules = [near(`../workflows/interceptors.${EXTENSION}`)];
export const payloadConverterPath = near('../src/contract/lenient-payload-converter.cjs');

const BUILT_BUNDLE = near('../workflow-bundle.js');

/**
 * Modules that all runs share, frozen, where each run evaluates every other module anew: these alone would cost each
 * cell some fifteen milliseconds. Schemas write to themselves when they are used, so no module that holds one at its
 * top may stand here.
 */
export const preloadModules = ['contract/zod', 'domain/snapshot'].map((module) =>
  near(`../src/${module}.${EXTENSION}`),
);

/** The bundle that `npm run build` leaves beside the compiled code; null where this runs from source. */
export const prebuiltBundle = (): string | null =>
  EXTENSION === 'js' && existsSync(BUILT_BUNDLE) ? BUILT_BUNDLE : null;

/** Bundles all workflows, with the payload converter that the worker uses, into one file. */
export async function writeWorkflowBundle(file: string): Promise<void> {
  const logger = new DefaultLogger('WARN');
  const { code } = await bundleWorkflowCode({
    ...{ workflowsPath, payloadConverterPath, preloadModules, logger },
    workflowInterceptorModules: workflowModules,
  });
  await writeFile(file, code);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await writeWorkflowBundle(BUILT_BUNDLE);
}
