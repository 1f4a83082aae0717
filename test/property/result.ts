import { type Line, lineOf } from '../../bench/support/report.js';
import type { Played } from './play.js';

/** What many runs came to. */
export interface Tally {
  beganAt: Date;
  /** Numbers of the runs that showed what must not be. */
  failed: number[];
  /** Jobs that AMP got. */
  jobs: number;
  /** How often a worker was killed. */
  kills: number;
  /** How often each act was asked for, those by which a run comes to rest included. */
  acts: Record<string, number>;
}

export const newTally = (): Tally => ({ beganAt: new Date(), failed: [], jobs: 0, kills: 0, acts: {} });

export function count(tally: Tally, run: number, { problems, evidence, killedMs }: Played): void {
  if (problems.length > 0) tally.failed.push(run);
  tally.jobs += evidence?.jobs.length ?? 0;
  tally.kills += killedMs.length;
  for (const { act } of evidence?.acts ?? []) tally.acts[act] = (tally.acts[act] ?? 0) + 1;
}

/** The line of `bench/results/property.jsonl`. */
export function resultOf(tally: Tally, parameters: { seed: number; runs: number; atOnce: number }): Line {
  const { beganAt, failed, jobs, kills, acts } = tally;
  const minutes = Math.round((Date.now() - beganAt.getTime()) / 6_000) / 10;
  return lineOf('property', beganAt, {
    parameters,
    measured: { failures: failed.length, failed: failed.toSorted((a, b) => a - b), minutes, jobs, kills, acts },
    targets: { failures: { atMost: 0 } },
  });
}
