import type { Problem } from '../contract/problem.js';

/** Exit statuses of `cellctl`. */
export const EXIT = {
  done: 0,
  /** What was asked for failed: halted, rejected, refused. */
  failed: 1,
  /** Wrong use or bad input. */
  usage: 2,
  /** Temporal, or a worker behind it, could not be reached. */
  unreachable: 3,
  /** `--wait` ran out of time; the work goes on. */
  timedOut: 4,
} as const;

export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** Wrong use or bad input: nothing was asked of anybody. */
export class UsageError extends Error {
  override name = 'UsageError';
  constructor(
    message: string,
    readonly problems: Problem[] = [],
    readonly next: string[] = [],
  ) {
    super(message);
  }
}
