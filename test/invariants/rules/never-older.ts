import { type Facts, type Job, say, short } from '../facts.js';
import { runsAt } from '../history.js';
import { isOlder } from '../packages.js';
import type { Violation } from '../types.js';

/**
 * 10. A cell goes to an older package only by a rollback; a package never enters a ring that already has, or is
 * getting, a newer one.
 */
export function neverOlder(facts: Facts): Violation[] {
  const forward = facts.jobs.filter((j) => j.forward && j.ring !== null);
  return forward.flatMap((job) => downgrade(job) ?? overtaken(facts, job) ?? []);
}

function downgrade(job: Job): Violation[] | null {
  if (job.kind !== 'configure' || !isOlder(job.version, job.from)) return null;
  const message = `${say(job)} goes to an older package than ${short(job.from)}, which the cell ran`;
  return [{ rule: 10, message, jobs: [job.id] }];
}

/** Newer by one of our own jobs in that ring: under way, or still there. */
function overtaken(facts: Facts, job: Job): Violation[] | null {
  const newer = facts.jobs.filter(
    (j) =>
      j.ours &&
      j.kind === 'configure' &&
      j.ring === job.ring &&
      j.createdMs < job.createdMs &&
      isOlder(job.version, j.version),
  );
  const stands = newer.find((j) => isUnderWay(j, job) || isOlder(job.version, runsAt(facts, j.cell, job.createdMs)));
  if (!stands) return null;
  const message = `${say(job)} although ring ${job.ring} has, or is getting, a newer package: ${say(stands)}`;
  return [{ rule: 10, message, jobs: [job.id, stands.id] }];
}

const isUnderWay = (newer: Job, job: Job): boolean => newer.finishedMs === null || newer.finishedMs > job.createdMs;
