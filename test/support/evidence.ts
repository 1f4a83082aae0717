import type { Client } from '@temporalio/client';

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
