import { type Facts, grouped, type Job, say, short } from '../facts.js';
import { runsAt } from '../history.js';
import { once } from '../once.js';
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

/** Our own deployments of a ring, by package. */
const deploymentsIn = once((facts, ring) => {
  const ours = facts.jobs.filter((j) => j.ours && j.kind === 'configure' && String(j.ring) === ring);
  return new Map(grouped(ours, (j) => j.version).map((jobs) => [jobs[0]?.version ?? '', jobs]));
});

/** Newer by one of our own jobs in that ring: under way, or still there. */
function overtaken(facts: Facts, job: Job): Violation[] | null {
  const packages = [...deploymentsIn(facts, String(job.ring))].filter(([version]) => isOlder(job.version, version));
  const newer = packages.flatMap(([, jobs]) => jobs.filter((j) => j.createdMs < job.createdMs));
  const stands = newer.find((j) => isUnderWay(j, job) || isOlder(job.version, runsAt(facts, j.cell, job.createdMs)));
  if (!stands) return null;
  const message = `${say(job)} although ring ${job.ring} has, or is getting, a newer package: ${say(stands)}`;
  return [{ rule: 10, message, jobs: [job.id, stands.id] }];
}

const isUnderWay = (newer: Job, job: Job): boolean => newer.finishedMs === null || newer.finishedMs > job.createdMs;
