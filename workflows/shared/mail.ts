import { getExternalWorkflowHandle, type SignalDefinition } from '@temporalio/workflow';

/**
 * What one workflow tells others, by their fixed ids: the newest run hears it. Temporal drops a signal whose sender has
 * closed before it was carried out, so nobody ends or continues as new while something is on its way.
 */
export class Mail {
  /** Signals that Temporal has not carried out yet. */
  onItsWay = 0;
  /** The last letter to each addressee, until it has arrived. */
  private readonly last = new Map<string, Promise<boolean>>();

  constructor(private readonly wake: () => void) {}

  /**
   * Answers whether the other is there to hear. Nothing may depend on its having heard: who needs to know asks again.
   * Temporal carries out signals of one sender side by side, so that a later one may come first. A letter therefore
   * leaves when the one before it to the same addressee has arrived: old news never covers new.
   */
  async send<Args extends [unknown?]>(
    workflowId: string,
    signal: SignalDefinition<Args>,
    ...args: Args
  ): Promise<boolean> {
    this.onItsWay += 1;
    const sent = this.sendAfter(this.last.get(workflowId) ?? null, () => this.sendAtOnce(workflowId, signal, ...args));
    this.last.set(workflowId, sent);
    const arrived = await sent;
    if (this.last.get(workflowId) === sent) this.last.delete(workflowId);
    this.onItsWay -= 1;
    this.wake();
    return arrived;
  }

  private async sendAfter(before: Promise<boolean> | null, send: () => Promise<boolean>): Promise<boolean> {
    if (before !== null) await before;
    return await send();
  }

  /** Past what is still on its way to the same addressee: for what carries its own order, such as brakes. */
  async sendAtOnce<Args extends [unknown?]>(
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
