import type { JobRecord, StepRecord } from './model.js';

/** How long after a cancel a running job stops: a tenth of a usual job, a second at most. */
const CANCEL_SHARE = 0.1;
const CANCEL_AT_MOST_MS = 1000;

/** The steps of a job that is asked to stop at `nowMs`, those already done included. */
export function planCancel(record: JobRecord, nowMs: number, usualDurationMs: number): StepRecord[] {
  const done = record.steps.slice(0, record.stepsDone);
  const ahead = record.steps.slice(record.stepsDone);
  if (record.job.state === 'queued') return [...done, { atMs: nowMs, does: 'end', outcome: 'canceled' }];

  const delayMs = Math.round(Math.min(CANCEL_AT_MOST_MS, CANCEL_SHARE * usualDurationMs));
  const naturalEndMs = ahead.find((step) => step.does === 'end')?.atMs ?? Number.POSITIVE_INFINITY;
  const atMs = Math.min(nowMs + delayMs, naturalEndMs);
  // What comes before the job has stopped still happens: the version may be the new one.
  const before = ahead.filter((step) => step.does !== 'end' && step.atMs <= atMs);
  return [...done, ...before, { atMs, does: 'end', outcome: 'canceled' }];
}
