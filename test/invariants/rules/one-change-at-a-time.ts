import { type Facts, grouped, type Job, say } from '../facts.js';
import type { Violation } from '../types.js';

/** 1. A cell never has two AMP jobs that change it at once. */
export function oneChangeAtATime({ jobs }: Facts): Violation[] {
  const changing = jobs.filter((j) => j.changes);
  return grouped(changing, (j) => j.tenant).flatMap(overlaps);
}

function overlaps(jobs: Job[]): Violation[] {
  const found: Violation[] = [];
  let last: Job | null = null;
  for (const job of jobs) {
    if (last && endOf(last) > job.createdMs) {
      const message = `two jobs change ${job.cell} at once: ${say(last)} and ${say(job)}`;
      found.push({ rule: 1, message, jobs: [last.id, job.id] });
    }
    if (!last || endOf(job) > endOf(last)) last = job;
  }
  return found;
}

const endOf = (job: Job): number => job.finishedMs ?? Number.POSITIVE_INFINITY;
