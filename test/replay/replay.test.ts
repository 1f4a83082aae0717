import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from '@temporalio/worker';
import { expect, inject, test } from 'vitest';
import { WORKFLOW_TYPES } from '../../src/contract/ids.js';
import { payloadConverterPath } from '../../worker/bundle.js';
import { HISTORIES, readHistory, workflowIdOf } from './record.js';

const versions = existsSync(HISTORIES) ? readdirSync(HISTORIES) : [];
const files = versions.flatMap((version) => readdirSync(join(HISTORIES, version)).map((file) => join(version, file)));

test('there is a recorded history of every workflow', () => {
  for (const type of WORKFLOW_TYPES) expect(files.filter((file) => file.includes(`-${type}-`))).not.toEqual([]);
});

test.each(files)('%s replays with the code of today', async (file) => {
  const options = { workflowBundle: { codePath: inject('bundlePath') }, dataConverter: { payloadConverterPath } };
  await Worker.runReplayHistory(options, readHistory(join(HISTORIES, file)), workflowIdOf(file));
});
