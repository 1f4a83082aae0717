import { IllegalStateError } from '@temporalio/common';
import type { Worker } from '@temporalio/worker';
import type { Logger } from '../src/config/logging.js';

/** Runs a worker until it has stopped, and closes what it used. */
export async function runThenClose(
  worker: Pick<Worker, 'run' | 'getState'>,
  log: Pick<Logger, 'warn'>,
  close: () => Promise<void>,
): Promise<void> {
  try {
    await worker.run();
  } catch (error) {
    if (!isDrained(worker, error)) throw error;
    log.warn({ err: error }, 'the worker has stopped; the SDK could not free all of it');
  } finally {
    await close();
  }
}

/**
 * At times the SDK's core still holds a reference to a worker of which everything has ended, and says so as an error
 * (temporalio/sdk-dotnet#550, where that is a warning).
 */
const isDrained = (worker: Pick<Worker, 'getState'>, error: unknown): boolean =>
  worker.getState() === 'STOPPED' && error instanceof IllegalStateError && /still in use/.test(error.message);
