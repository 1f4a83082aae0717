import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { createLogger } from '../../src/config/logging.js';
import { readWorkerSettings } from '../../src/config/settings.js';
import type { Activities } from '../../src/contract/activities.js';
import { payloadConverterPath } from '../../worker/bundle.js';
import { installRuntime } from '../../worker/metrics.js';
import { startWorker } from '../../worker/start.js';

/** Our own worker, with all its settings, on the bare loop's workflows and their one activity. */
const read = readWorkerSettings(process.env);
if (!read.ok) throw new Error(JSON.stringify(read.problems));
const { temporal, taskQueue, ...outside } = read.settings;
const log = createLogger(read.settings.log);
installRuntime({ log, metricsAddress: null });

const folder = await mkdtemp(join(tmpdir(), 'cells-bare-'));
const workflowBundle = join(folder, 'workflows.js');
const workflowsPath = fileURLToPath(new URL('./workflows.ts', import.meta.url));
const { code } = await bundleWorkflowCode({ workflowsPath, payloadConverterPath, logger: new DefaultLogger('WARN') });
await writeFile(workflowBundle, code);

const activities = { nothing: async () => {} } as Partial<Activities>;
const { run } = await startWorker({ temporal, taskQueue, outside, log, workflowBundle, activities });
await rm(folder, { recursive: true, force: true });
log.info('worker is running');
await run;
process.exit(0);
