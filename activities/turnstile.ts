/** Runs work when its turn comes: `signal` ends the waiting, and its reason is thrown. */
export type TakeTurn = <T>(signal: AbortSignal | undefined, work: () => Promise<T>) => Promise<T>;

/** Lets at most `limit` through at once, first come, first served. */
export function createTurnstile(limit: number): TakeTurn {
  const waiting = new Set<() => void>();
  let inside = 0;

  const enter = (signal: AbortSignal | undefined): Promise<void> | undefined => {
    signal?.throwIfAborted();
    if (inside < limit) {
      inside += 1;
      return;
    }
    return new Promise((resolve, reject) => {
      const stop = () => {
        waiting.delete(admit);
        reject(signal?.reason);
      };
      const admit = () => {
        signal?.removeEventListener('abort', stop);
        resolve();
      };
      waiting.add(admit);
      signal?.addEventListener('abort', stop, { once: true });
    });
  };

  // Whoever leaves hands the place on, so that nobody slips in before those who wait.
  const leave = () => {
    const [next] = waiting;
    if (next === undefined) {
      inside -= 1;
      return;
    }
    waiting.delete(next);
    next();
  };

  return async (signal, work) => {
    await enter(signal);
    try {
      return await work();
    } finally {
      leave();
    }
  };
}
