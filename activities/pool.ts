import { setMaxListeners } from 'node:events';

/**
 * Maps with at most `limit` calls under way; results in the order of the items. The first failure aborts the signal
 * that the others were given, and is thrown once they have ended.
 * @param outer aborts the calls too
 */
export async function mapBounded<T, R>(
  items: readonly T[],
  limit: number,
  outer: AbortSignal,
  map: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  const controller = new AbortController();
  // Each call listens, and Node takes more than ten for a leak.
  setMaxListeners(0, controller.signal);
  const stop = () => controller.abort(outer.reason);
  if (outer.aborted) stop();
  outer.addEventListener('abort', stop, { once: true });
  const queue = items.entries();
  const work = async () => {
    for (const [index, item] of queue) {
      controller.signal.throwIfAborted();
      results[index] = await map(item, controller.signal);
    }
  };
  const fail = (error: unknown) => {
    // Only the first one counts: a second abort changes nothing.
    controller.abort(error);
  };
  try {
    await Promise.all(Array.from({ length: Math.min(limit, items.length) }, () => work().catch(fail)));
    controller.signal.throwIfAborted();
    return results;
  } finally {
    outer.removeEventListener('abort', stop);
  }
}
