import type { Client } from '@temporalio/client';
import { ringRolloutId } from '../src/contract/ids.js';

/** What activities need of a client of Temporal. */
export type TemporalClient = Pick<Client, 'workflow' | 'withAbortSignal'>;

/**
 * One call to Temporal that ends with `signal`. Under a signal of its own: the SDK adds a listener to it with every call and
 * takes none away, so that a watch of days would hear its own end thousands of times.
 */
export async function whileWanted<T>(client: TemporalClient, signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const own = new AbortController();
  const stop = () => own.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await client.withAbortSignal(own.signal, call);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Tells the pass over a ring something, by one of our own signals, where it is the pass of this request. */
export async function tellPass(
  client: TemporalClient,
  { ring, requestId }: { ring: number; requestId: string },
  name: 'ringHealth' | 'ringGate' | 'ringChecks',
  message: object,
  signal: AbortSignal,
): Promise<void> {
  const pass = client.workflow.getHandle(ringRolloutId(ring));
  await whileWanted(client, signal, () => pass.signal(name, { ...message, requestId }));
}
