import { type Bench, round, sum } from './support/bench.js';
import { type Deployment, rollUntilConverged } from './support/roll.js';
import { onStage, type Stage } from './support/stage.js';
import { oneRing, packageNumber } from './support/topology.js';

/**
 * With half of the ring in flight every job begins in the first of the time that the longest one takes: then any order
 * of cells can come near the bound, and what is left over is the coordinator's own. (With 10 to 50 of 200, even a window
 * without any cost is 1.1 to 1.4 of the bound in the middle, because a long job may begin last.)
 */
const WINDOW = 100;
const JOBS = '4s';
const SPREAD = 1;

/**
 * How long a ring with heavy-tailed job times takes, against the bound max(sum ÷ window, longest job), from what AMP's
 * own log says of the jobs. The first cell, which runs alone, is in neither; verification is only in ours.
 */
export const makespan: Bench = {
  name: 'makespan',
  about: 'time of a ring of 200 with heavy-tailed jobs, against max(sum ÷ window, longest)',
  byDefault: true,
  async run({ cells = 200, say }) {
    const topology = oneRing(cells, { maxParallel: WINDOW, postDeployMigrations: 'separate' });
    return await onStage({ topology, jobs: JOBS, spread: SPREAD, say }, async (stage) => {
      const deployment = await rollUntilConverged(stage, packageNumber(1));
      const jobs = (await jobsOf(stage)).slice(1);
      const seconds = makespanSeconds(deployment);
      const shareSeconds = sum(jobs) / WINDOW;
      const longestSeconds = Math.max(...jobs);
      const boundSeconds = Math.max(shareSeconds, longestSeconds);
      const idealSeconds = idealWindow(jobs, WINDOW);
      const measured = { seconds, boundSeconds, shareSeconds, longestSeconds, idealWindowSeconds: idealSeconds };
      const ratio = round(seconds / boundSeconds, 3);
      const ratioToIdealWindow = round(seconds / idealSeconds, 3);
      say(`makespan: ${round(seconds, 1)} s against ${round(boundSeconds, 1)} s, ratio ${ratio}`);
      return {
        parameters: { cells, window: WINDOW, medianJob: JOBS, spread: SPREAD, firstCell: 'in neither' },
        measured: { ratio, ratioToIdealWindow, ...rounded(measured) },
        targets: { ratio: { atMost: 1.1 } },
      };
    });
  },
};

const rounded = (numbers: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, round(value, 2)]));

/** From the moment the second cell was asked for until the ring has converged. */
function makespanSeconds({ startsMs, convergedMs }: Deployment): number {
  const second = startsMs[1];
  if (second === undefined) throw new Error('the pass started no second cell');
  return (convergedMs - second) / 1000;
}

interface LoggedJob {
  kind: string;
  created_at: string;
  finished_at: string;
}

/** Seconds of each deployment, in the order in which AMP took them. */
async function jobsOf({ ampUrl }: Stage): Promise<number[]> {
  const { jobs } = (await (await fetch(`${ampUrl}/log`)).json()) as { jobs: LoggedJob[] };
  return jobs
    .filter((job) => job.kind === 'configure')
    .sort((a, b) => Date.parse(a.created_at) - Date.parse(b.created_at))
    .map((job) => (Date.parse(job.finished_at) - Date.parse(job.created_at)) / 1000);
}

/** How long the same jobs take in the same order in a sliding window that costs nothing at all. */
export function idealWindow(jobs: readonly number[], window: number): number {
  const freeAt = new Array<number>(window).fill(0);
  for (const job of jobs) {
    const first = freeAt.indexOf(Math.min(...freeAt));
    freeAt[first] = (freeAt[first] ?? 0) + job;
  }
  return Math.max(...freeAt);
}
