import { Context } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { FAILURE } from '../src/contract/failures.js';
import { pauseFor } from './patience.js';

/** Well under the shortest heartbeat timeout in use (10 s), whatever the activity waits for. */
const EVERY_MS = 2_000;
/**
 * When a worker comes back, everything that ran is attempted again at one moment. So much later at most each of it begins:
 * long enough that AMP and Prometheus are not asked by all at once, short enough that jobs are watched again soon.
 */
const RESUMED_WITHIN_MS = 2_000;

export interface Heartbeat {
  /** Ends every wait of this activity: its cancel, a worker's shutdown, a timeout, a run that is gone. */
  readonly signal: AbortSignal;
  /** Whether the workflow itself asked to cancel; everything else only stops this attempt. Meaningful once aborted. */
  readonly cancelRequested: () => boolean;
  /** Sends a heartbeat now, beside those of the timer. */
  readonly beat: () => void;
}

/**
 * Runs the body of a long activity with a heartbeat every two seconds, from its first step until its last. A further
 * attempt begins after a random pause.
 * @param details what the next attempt shall find in `info.heartbeatDetails`; read at every beat
 * @throws what the body throws; where anything but a cancel request stopped it: `WatchInterrupted`, retryable
 */
export async function heartbeating<T>(details: () => unknown, body: (heart: Heartbeat) => Promise<T>): Promise<T> {
  const context = Context.current();
  const signal = context.cancellationSignal;
  const beat = () => context.heartbeat(details());
  // Latched: a shutdown that follows a cancel request must not hide it, nor the other way round.
  let requested = false;
  const latch = () => {
    requested = context.cancellationDetails?.cancelRequested ?? false;
  };
  if (signal.aborted) latch();
  signal.addEventListener('abort', latch, { once: true });
  // Not at once: most activities are over before the first beat is due, and each one is a call to the server.
  const timer = setInterval(beat, EVERY_MS);
  try {
    // A cancel is for the body: what it has ordered may have to be cancelled, too.
    if (context.info.attempt > 1) await pauseFor(Math.random() * RESUMED_WITHIN_MS, signal).catch(() => undefined);
    return await body({ signal, cancelRequested: () => requested, beat });
  } catch (error) {
    if (signal.aborted && error === signal.reason && !requested) throw interrupted();
    throw error;
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', latch);
  }
}

/** Benign: a rolling deployment of workers interrupts every watch, and nothing is wrong. */
const interrupted = () =>
  ApplicationFailure.create({
    message: 'stopped watching; another attempt goes on',
    type: FAILURE.watchInterrupted,
    category: ApplicationFailureCategory.BENIGN,
  });
