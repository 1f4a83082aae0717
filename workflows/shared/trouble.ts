import { ActivityFailure, ApplicationFailure, isCancellation, sleep } from '@temporalio/workflow';
import { FAILURE } from '../../src/contract/failures.js';
import type { TroubleKind } from '../../src/contract/internal.js';

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 120_000;

/**
 * How long to wait, in ms, before AMP in trouble is asked once more: doubling, so that a token that ran out on a Friday
 * evening fills no history by Monday; with jitter, so that everything does not resume at once.
 *
 * @param times how often it was asked in vain, from 1
 */
export const troublePauseMs = (times: number): number =>
  Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (times - 1)) * (0.75 + Math.random() / 2);

export interface Trouble {
  kind: TroubleKind;
  detail: string;
  /** The job that it is about, where one is known to be ordered. */
  jobId: string | null;
}

/** Reads a failed activity as trouble that is no cell's fault, or answers null: then it is something else. */
export function troubleOf(error: unknown): Trouble | null {
  if (!(error instanceof ActivityFailure) || !(error.cause instanceof ApplicationFailure)) return null;
  const { type, message, details } = error.cause;
  const { jobId = null } = (details?.[0] ?? {}) as { jobId?: string };
  if (type === FAILURE.ampUnavailable) return { kind: 'amp', detail: message, jobId };
  if (type === FAILURE.clusterUnknown) return { kind: 'cluster', detail: message, jobId };
  if (type === FAILURE.healthUnavailable) return { kind: 'prometheus', detail: message, jobId };
  return type === FAILURE.accessDenied ? { kind: 'access', detail: message, jobId } : null;
}

/**
 * Asks until it is answered: what fails on the way is told, and asked again. Null where it was cancelled. For watches that
 * run beside the workflow: an error that nobody hears would fail every task of it.
 */
export async function untilAnswered<T>(ask: () => Promise<T>, tell: (trouble: Trouble) => void): Promise<T | null> {
  try {
    for (let tries = 1; ; tries += 1) {
      try {
        return await ask();
      } catch (error) {
        if (isCancellation(error)) return null;
        tell(troubleOf(error) ?? { kind: 'health', detail: String(error), jobId: null });
        await sleep(troublePauseMs(tries));
      }
    }
  } catch (error) {
    if (isCancellation(error)) return null;
    throw error;
  }
}
