/** How a run ends that does not end by itself. */
export type CutOff = 'terminated' | 'failed' | 'cancelled' | 'timed out';

const CUT_OFF: Record<string, CutOff> = {
  TERMINATED: 'terminated',
  FAILED: 'failed',
  CANCELLED: 'cancelled',
  TIMED_OUT: 'timed out',
};

/** By how Temporal calls the state of a run; null where it goes on, or has ended by itself. */
export const cutOffBy = (state: string): CutOff | null => CUT_OFF[state] ?? null;

/**
 * Last argument of a query to a run that was cut off. Events that no workflow task has taken any more, such as a signal just
 * before somebody terminated it, are left out of the answer; without it such a query is refused for ever, as one that came
 * between two tasks of a run that goes on. It holds for the history as it is at the end alone: where more may come, what was
 * left out would be lost.
 *
 * @param historyLength events of the whole run
 */
export const closedRun = (historyLength: number): string => `closed-run:${historyLength}`;

/** What a query to this run ends with: nothing where it goes on, or has ended by itself. */
export const closedRunArgs = (run: { status: { name: string }; historyLength: number }): string[] =>
  cutOffBy(run.status.name) === null ? [] : [closedRun(run.historyLength)];
