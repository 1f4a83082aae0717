import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporal } from '@temporalio/proto';
import type { World } from '../support/world.js';

const { History } = temporal.api.history.v1;

export const HISTORIES = join(import.meta.dirname, 'histories');

export const readHistory = (file: string) => History.decode(readFileSync(file));

/** The id of the workflow, which stands at the end of the file's name: workflows read their own id. */
export const workflowIdOf = (file: string): string => decodeURIComponent(file.replace(/^.*-\w+-\d+-(.*)\.pb$/, '$1'));

/**
 * Keeps the histories of all workflows of a world, one file a run, under the name of the version of the code that made
 * them. What was recorded is never overwritten: it is what open rollouts in the field look like.
 */
export async function recordHistories(world: World, version: string, scene: string): Promise<void> {
  const folder = join(HISTORIES, version);
  mkdirSync(folder, { recursive: true });
  const seen = new Map<string, number>();
  for await (const run of world.client.workflow.list()) {
    const count = (seen.get(run.type) ?? 0) + 1;
    seen.set(run.type, count);
    if (count > 2) continue;
    const file = join(folder, `${scene}-${run.type}-${count}-${encodeURIComponent(run.workflowId)}.pb`);
    if (existsSync(file)) throw new Error(`${file} is there already; record under another version`);
    const history = await world.client.workflow.getHandle(run.workflowId, run.runId).fetchHistory();
    writeFileSync(file, History.encode(history).finish());
  }
}
