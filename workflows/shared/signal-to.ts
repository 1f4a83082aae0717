import { getExternalWorkflowHandle, type SignalDefinition } from '@temporalio/workflow';

/**
 * Tells another workflow something, by its fixed id: the newest run hears it. Answers whether it is there to hear.
 * Nothing here may depend on its having heard: who needs to know asks again.
 */
export async function signalTo<Args extends [unknown?]>(
  workflowId: string,
  signal: SignalDefinition<Args>,
  ...args: Args
): Promise<boolean> {
  try {
    await getExternalWorkflowHandle(workflowId).signal(signal, ...args);
    return true;
  } catch {
    return false;
  }
}
