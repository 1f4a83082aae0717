import { about, timeOf } from '../support/histories.js';
import type { Stage } from '../support/stage.js';
import { BARE_TASK_QUEUE } from './task-queue.js';
import type { BareRingInput } from './workflows.js';

/** Runs the bare loop; answers the ms from the moment its first child was asked for to its last one's end. */
export async function runBareLoop({ client }: Stage, input: BareRingInput): Promise<number> {
  const workflowId = `bare/${input.round}`;
  const handle = await client.workflow.start('BareRing', { workflowId, taskQueue: BARE_TASK_QUEUE, args: [input] });
  await handle.result();
  const history = await handle.fetchHistory();
  const starts = about(history, 'startChildWorkflowExecutionInitiatedEventAttributes').map(timeOf);
  const ends = about(history, 'childWorkflowExecutionCompletedEventAttributes').map(timeOf);
  return Math.max(...ends) - Math.min(...starts);
}
