import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { closedRun, cutOffBy } from '../../src/contract/closed-run.js';
import { asked } from './patience.js';

/** The status of a run, or the last it had; null where nobody can tell. */
export async function statusOfRun<T>(
  client: Client,
  { workflowId, runId, status, historyLength }: WorkflowExecutionInfo,
): Promise<T | null> {
  const handle = client.workflow.getHandle(workflowId, runId);
  const args = cutOffBy(status.name) === null ? [] : [closedRun(historyLength)];
  const told = status.name === 'COMPLETED' ? handle.result() : asked(() => handle.query('status', ...args));
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
