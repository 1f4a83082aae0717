import { getExternalWorkflowHandle, type SignalDefinition } from '@temporalio/workflow';

/**
 * What one workflow tells others, by their fixed ids: the newest run hears it. Temporal drops a signal whose sender has
 * closed before it was carried out, so nobody ends or continues as new while something is on its way.
 */
export class Mail {
  /** Signals that Temporal has not carried out yet. */
  onItsWay = 0;

  constructor(private readonly wake: () => void) {}

  /**
   * Answers whether the other is there to hear. Nothing may depend on its having heard: who needs to know asks again.
   */
  async send<Args extends [unknown?]>(
    workflowId: string,
    signal: SignalDefinition<Args>,
    ...args: Args
  ): Promise<boolean> {
    this.onItsWay += 1;
    try {
      await getExternalWorkflowHandle(workflowId).signal(signal, ...args);
      return true;
    } catch {
      return false;
    } finally {
      this.onItsWay -= 1;
      this.wake();
    }
  }

  async cancel(workflowId: string): Promise<void> {
    this.onItsWay += 1;
    try {
      await getExternalWorkflowHandle(workflowId).cancel();
    } catch {
      // It is over: there is nothing to cancel.
    } finally {
      this.onItsWay -= 1;
      this.wake();
    }
  }
}
