import type { Client } from '@temporalio/client';
import { type CutOff, cutOffBy } from '../contract/closed-run.js';
import { versionOfPackageRolloutId } from '../contract/ids.js';
import { CELLS_RING, CELLS_STATE } from '../contract/search-attributes.js';
import { toClientError } from './translate.js';

export interface RolloutSummary {
  version: string;
  /** The state as last written to visibility; null where none was written yet. */
  state: string | null;
  /** The outermost ring entered. */
  ring: number | null;
  open: boolean;
  startedAt: string;
  endedAt: string | null;
  /** Where it did not end by itself; then `state` is the last it had. */
  cutOff?: CutOff;
}

export interface ListOptions {
  /** Only those that are under way. */
  open?: boolean;
  /** At most so many, newest first. Default 50. */
  limit?: number;
}

const LIST_TIMEOUT_MS = 15_000;

/** Rollouts as Temporal's visibility knows them, which may be a second behind. */
export async function listRollouts(client: Client, options: ListOptions = {}): Promise<RolloutSummary[]> {
  const { open = false, limit = 50 } = options;
  const query = `WorkflowType = 'PackageRollout'${open ? " AND ExecutionStatus = 'Running'" : ''}`;
  try {
    return await client.withDeadline(Date.now() + LIST_TIMEOUT_MS, () => collect(client, query, limit));
  } catch (error) {
    throw toClientError(error, 'the list of rollouts');
  }
}

async function collect(client: Client, query: string, limit: number): Promise<RolloutSummary[]> {
  const found: RolloutSummary[] = [];
  const seen = new Set<string>();
  for await (const { workflowId, status, typedSearchAttributes, startTime, closeTime } of client.workflow.list({
    query,
  })) {
    const version = versionOfPackageRolloutId(workflowId);
    // Newest first: an earlier run of the same version is history.
    if (version === null || seen.has(version)) continue;
    seen.add(version);
    const cutOff = cutOffBy(status.name);
    found.push({
      version,
      state: typedSearchAttributes.get(CELLS_STATE) ?? null,
      ring: typedSearchAttributes.get(CELLS_RING) ?? null,
      open: status.name === 'RUNNING',
      startedAt: startTime.toISOString(),
      endedAt: closeTime?.toISOString() ?? null,
      ...(cutOff ? { cutOff } : {}),
    });
    if (found.length >= limit) break;
  }
  return found;
}
