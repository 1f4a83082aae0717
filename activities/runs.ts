import { setMaxListeners } from 'node:events';
import { Context } from '@temporalio/activity';
import { WorkflowContinuedAsNewError, WorkflowFailedError } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import type { Activities, CarriedCell, CarriedEnd, RunState } from '../src/contract/activities.js';
import { cellOfCellRolloutId, cellRolloutId, packageRolloutId, ringRolloutId } from '../src/contract/ids.js';
import { CELLS_RING } from '../src/contract/search-attributes.js';
import type { PackageRolloutStatus } from '../src/contract/status.js';
import { type TemporalClient, whileWanted } from './ask-temporal.js';
import { heartbeating } from './heartbeat.js';
import { jittered, pauseFor } from './patience.js';
import { mapBounded } from './pool.js';
import type { Logger } from './ports.js';

export interface RunsDependencies {
  client: TemporalClient;
  log: Logger;
}

/** Ends that come so close after the first are answered together with it: one workflow task instead of many. */
const GATHER_MS = 100;
const AGAIN_AFTER_MS = 1_000;
const AT_ONCE = 20;

/** `awaitCells`: waits until at least one of these `CellRollout`s has ended, and answers all that have. See `Activities`. */
export function createAwaitCells({ client, log }: RunsDependencies): Activities['awaitCells'] {
  return ({ cells }) =>
    heartbeating(
      () => undefined,
      async ({ signal }) => {
        if (cells.length === 0) return [];
        const done = new AbortController();
        const stop = AbortSignal.any([signal, done.signal]);
        // Each wait listens, and Node takes more than ten for a leak.
        setMaxListeners(0, stop);
        const ends: CarriedEnd[] = [];
        const waits = cells.map(async (cell) => {
          ends.push(await endOf(client, log, cell, stop));
        });
        try {
          await Promise.race([...waits, aborted(signal)]);
          await pauseFor(GATHER_MS, signal);
          return [...ends];
        } finally {
          done.abort();
          void Promise.allSettled(waits);
        }
      },
    );
}

/** Waits for one run's end. Trouble with Temporal itself is waited out: it says nothing about the run. */
async function endOf(
  client: RunsDependencies['client'],
  log: Logger,
  { cell, runId }: CarriedCell,
  signal: AbortSignal,
): Promise<CarriedEnd> {
  const handle = client.workflow.getHandle(cellRolloutId(cell), runId ?? undefined);
  for (;;) {
    try {
      const result: unknown = await whileWanted(client, signal, () => handle.result());
      return { cell, result: result ?? null, problem: '' };
    } catch (error) {
      signal.throwIfAborted();
      const problem = deathOf(error);
      if (problem !== null) return { cell, result: null, problem };
      log.warn({ cell, err: error }, 'cannot wait for a run; trying again');
      await pauseFor(jittered(AGAIN_AFTER_MS), signal);
    }
  }
}

/** How a run ended without a result; null where the error is not about the run. */
function deathOf(error: unknown): string | null {
  if (error instanceof WorkflowNotFoundError) return 'Temporal knows no such run';
  if (error instanceof WorkflowContinuedAsNewError) return 'it continued as new';
  if (!(error instanceof WorkflowFailedError)) return null;
  return error.cause ? `${error.message}: ${error.cause.message}` : error.message;
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

/** `describeRuns`: which of these workflows are open. See `Activities`. */
export function createDescribeRuns({ client }: RunsDependencies): Activities['describeRuns'] {
  return ({ workflowIds }) =>
    mapBounded(workflowIds, AT_ONCE, Context.current().cancellationSignal, (id) => describeRun(client, id));
}

async function describeRun(client: RunsDependencies['client'], workflowId: string): Promise<RunState> {
  try {
    const { status } = await client.workflow.getHandle(workflowId).describe();
    const open = status.name === 'RUNNING' || status.name === 'PAUSED';
    return { workflowId, state: open ? 'open' : 'closed' };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { workflowId, state: 'unknown' };
    throw error;
  }
}

/** `readRollout`: the status that an ended run of a `PackageRollout` left. See `Activities`. */
export function createReadRollout({ client }: RunsDependencies): Activities['readRollout'] {
  return async ({ version, runId }) => {
    try {
      return (await client.workflow.getHandle(packageRolloutId(version), runId).result()) as PackageRolloutStatus;
    } catch (error) {
      if (deathOf(error) === null) throw error;
      return null;
    }
  };
}

/** `listOpenRollouts`: workflow ids of the open `PackageRollout`s and `PackageRollback`s, by visibility (which may lag by a second). */
export function createListOpenRollouts({ client }: RunsDependencies): Activities['listOpenRollouts'] {
  return async () => {
    return await openIds(client, "WorkflowType IN ('PackageRollout', 'PackageRollback')");
  };
}

/** `listOpenCells`: cells of a ring whose `CellRollout` is open, by visibility (which may lag by a second). */
export function createListOpenCells({ client }: RunsDependencies): Activities['listOpenCells'] {
  return async ({ ring }) => {
    const ids = await openIds(client, `WorkflowType = 'CellRollout' AND ${CELLS_RING.name} = ${ring}`);
    return ids.flatMap((id) => cellOfCellRolloutId(id) ?? []);
  };
}

async function openIds(client: RunsDependencies['client'], which: string): Promise<string[]> {
  const ids: string[] = [];
  const query = `${which} AND ExecutionStatus = 'Running'`;
  for await (const run of client.workflow.list({ query })) ids.push(run.workflowId);
  return ids;
}

/** `terminatePass`: terminates the pass over a ring. See `Activities`. */
export function createTerminatePass({ client, log }: RunsDependencies): Activities['terminatePass'] {
  return async ({ ring, pass, reason }) => {
    try {
      const which = pass === null ? {} : { firstExecutionRunId: pass };
      await client.workflow.getHandle(ringRolloutId(ring), undefined, which).terminate(reason);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      log.info({ ring, pass }, 'a pass that was to be terminated has ended by itself');
    }
  };
}
