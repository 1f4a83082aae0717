import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { closedRunArgs } from '../../src/contract/closed-run.js';
import { asked } from './patience.js';

/** The status of a run, or the last it had; null where nobody can tell. */
export async function statusOfRun<T>(client: Client, listed: WorkflowExecutionInfo): Promise<T | null> {
  const handle = client.workflow.getHandle(listed.workflowId, listed.runId);
  // What is listed may lag behind.
  const run = await handle.describe().catch(() => listed);
  const last = () => asked(() => handle.query('status', ...closedRunArgs(run)));
  const told = run.status.name === 'COMPLETED' ? handle.result() : last();
  return (await told.catch(() => null)) as T | null;
}

/** What is open in a namespace and what it waits for, in lines: for the message of a test that waited in vain. */
export async function whatIsOpen(client: Client): Promise<string[]> {
  const lines: string[] = [];
  for await (const { workflowId } of client.workflow.list({ query: "ExecutionStatus = 'Running'" })) {
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    const task = raw.pendingWorkflowTask ? `; workflow task, attempt ${raw.pendingWorkflowTask.attempt}` : '';
    const activities = (raw.pendingActivities ?? []).map(
      ({ activityType, attempt, lastFailure }) =>
        `; ${activityType?.name}, attempt ${attempt}${lastFailure ? ` after ${lastFailure.message}` : ''}`,
    );
    lines.push(`${workflowId}: ${raw.workflowExecutionInfo?.historyLength} events${task}${activities.join('')}`);
  }
  return lines;
}
