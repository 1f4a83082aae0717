import { type Bench, median, round, sum } from './support/bench.js';
import { type Deployment, rollUntilConverged } from './support/roll.js';
import { onStage, type Stage } from './support/stage.js';
import { oneRing, packageNumber } from './support/topology.js';

/**
 * With half of the ring in flight nearly every job begins in the first of the time that the longest one takes: then most
 * orders of cells come near the bound, and what is left over is the coordinator's own. (With 10 to 50 of 200, even a
 * window without any cost is 1.1 to 1.3 of the bound in the middle, because a long job may begin last.)
 */
const WINDOW = 100;
/** Real jobs take tens of minutes. The shorter they are, the more a second of the coordinator's own weighs. */
const JOBS = '10s';
const SPREAD = 1;
/** The order of the jobs is chance, and one pass in six has its longest one so late that no window could keep the target. */
const ROUNDS = 3;

/**
 * How long a ring with heavy-tailed job times takes, against the bound max(sum ÷ window, longest job), from what AMP's
 * own log says of the jobs. The first cell, which runs alone, is in neither; verification is only in ours.
 */
export const makespan: Bench = {
  name: 'makespan',
  about: 'time of a ring of 200 with heavy-tailed jobs, against max(sum ÷ window, longest)',
  byDefault: true,
  async run({ cells = 200, say }) {
    // PDM goes with the deployment, so that nothing of one pass is left to do when the next one begins.
    const topology = oneRing(cells, { maxParallel: WINDOW, postDeployMigrations: 'with-deploy' });
    return await onStage({ topology, jobs: JOBS, spread: SPREAD, say }, async (stage) => {
      const rounds: Round[] = [];
      for (let number = 1; number <= ROUNDS; number += 1) {
        const one = await measure(stage, packageNumber(number));
        rounds.push(one);
        say(
          `makespan, pass ${number} of ${ROUNDS}: ${one.seconds} s against ${one.boundSeconds} s, ratio ${one.ratio}`,
        );
      }
      const middle = (number: keyof Round) => median(rounds.map((one) => one[number]));
      return {
        parameters: { cells, window: WINDOW, medianJob: JOBS, spread: SPREAD, passes: ROUNDS, firstCell: 'in neither' },
        measured: { ratio: middle('ratio'), ratioToIdealWindow: middle('ratioToIdealWindow'), rounds },
        targets: { ratio: { atMost: 1.1 } },
      };
    });
  },
};

interface Round {
  ratio: number;
  ratioToIdealWindow: number;
  seconds: number;
  boundSeconds: number;
  shareSeconds: number;
  longestSeconds: number;
  idealWindowSeconds: number;
  /** From the first job until the window is full. */
  rampSeconds: number;
  /** From the end of a job until the one that takes its slot, in the middle. */
  turnoverSeconds: number;
}

async function measure(stage: Stage, version: string): Promise<Round> {
  const deployment = await rollUntilConverged(stage, version);
  const jobs = (await jobsOf(stage, version)).slice(1);
  const lengths = jobs.map(({ startMs, endMs }) => (endMs - startMs) / 1000);
  const seconds = makespanSeconds(deployment);
  const shareSeconds = sum(lengths) / WINDOW;
  const longestSeconds = Math.max(...lengths);
  const boundSeconds = Math.max(shareSeconds, longestSeconds);
  const idealWindowSeconds = idealWindow(lengths, WINDOW);
  return rounded({
    ratio: seconds / boundSeconds,
    ratioToIdealWindow: seconds / idealWindowSeconds,
    seconds,
    boundSeconds,
    shareSeconds,
    longestSeconds,
    idealWindowSeconds,
    rampSeconds: rampSeconds(jobs),
    turnoverSeconds: median(turnovers(jobs)),
  });
}

const rounded = <T extends Record<keyof T, number>>(numbers: T): T =>
  Object.fromEntries(Object.entries<number>(numbers).map(([name, value]) => [name, round(value, 3)])) as T;

/** From the moment the second cell was asked for until the ring has converged. */
function makespanSeconds({ startsMs, convergedMs }: Deployment): number {
  const second = startsMs[1];
  if (second === undefined) throw new Error('the pass started no second cell');
  return (convergedMs - second) / 1000;
}

interface Job {
  startMs: number;
  endMs: number;
}

interface LoggedJob {
  kind: string;
  version: string;
  created_at: string;
  finished_at: string;
}

/** Each deployment of this package, in the order in which AMP took them. */
async function jobsOf({ ampUrl }: Stage, version: string): Promise<Job[]> {
  const { jobs } = (await (await fetch(`${ampUrl}/log`)).json()) as { jobs: LoggedJob[] };
  return jobs
    .filter((job) => job.kind === 'configure' && job.version === version)
    .map((job) => ({ startMs: Date.parse(job.created_at), endMs: Date.parse(job.finished_at) }))
    .sort((a, b) => a.startMs - b.startMs);
}

const rampSeconds = (jobs: readonly Job[]): number =>
  ((jobs[Math.min(WINDOW, jobs.length) - 1]?.startMs ?? 0) - (jobs[0]?.startMs ?? 0)) / 1000;

/** The job that ended first gave its slot to the first one after the window was full, and so on. */
function turnovers(jobs: readonly Job[]): number[] {
  const ends = jobs.map((job) => job.endMs).sort((a, b) => a - b);
  return jobs.slice(WINDOW).map(({ startMs }, i) => (startMs - (ends[i] ?? startMs)) / 1000);
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
