import { builtWorker } from '../support/built-worker.js';
import { type Process, spawnWorker } from '../support/processes.js';
import type { World } from '../support/world.js';

/** The worker of a world as a process of its own, which can be killed at any moment. */
export interface MortalWorker {
  /** Ends it with SIGKILL and starts the next one; answers when it was killed, epoch ms, once the next one polls. */
  kill(): Promise<number>;
  stop(): Promise<void>;
}

export async function startMortalWorker({ address, namespace, simulator }: World): Promise<MortalWorker> {
  const main = await builtWorker();
  const spawn = () => spawnWorker({ main, address, namespace, ampUrl: simulator.url });
  const end = async (worker: Process) => {
    worker.kill('SIGKILL');
    await worker.ended;
  };
  let worker = spawn();
  await worker.up;
  return {
    kill: async () => {
      const atMs = Date.now();
      await end(worker);
      worker = spawn();
      await worker.up;
      return atMs;
    },
    stop: () => end(worker),
  };
}
