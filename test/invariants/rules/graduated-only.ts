import { type Act, actsFor, askedBefore, clock, type Facts, isOuter, type Job, say, statusOf } from '../facts.js';
import { convergenceOf } from '../history.js';
import type { Violation } from '../types.js';

/** How long after an abort's answer cells that were in flight may still get their job. */
const SETTLING_MS = 10_000;
const ENDED = ['aborted', 'rolled-back', 'superseded', 'expired'];

/**
 * 3. No cell beyond the perimeter is moved forward to a package that is not graduated. One that was aborted no longer
 * counts as graduated, and one whose rollout ended goes nowhere any more, but in a ring that is kept on it: superseded
 * after that had converged on it.
 */
export function graduatedOnly(facts: Facts): Violation[] {
  return facts.jobs.filter((j) => j.forward && isOuter(facts, j)).flatMap((job) => judge(facts, job));
}

function judge(facts: Facts, job: Job): Violation[] {
  const why = notGraduated(facts, job) ?? abortedBefore(facts, job) ?? endedBefore(facts, job);
  return why === null ? [] : [{ rule: 3, message: `${say(job)}: ${why}`, jobs: [job.id] }];
}

function notGraduated(facts: Facts, job: Job): string | null {
  const graduations = actsFor(facts, 'graduate', job.version);
  return askedBefore(graduations, job.createdMs, facts) ? null : 'nobody had asked for its graduation before';
}

function abortedBefore(facts: Facts, job: Job): string | null {
  const abort = actsFor(facts, 'abort', job.version).findLast((a) => isOver(a, job));
  if (!abort) return null;
  const reopened = actsFor(facts, 'restart', job.version).some((a) => a.askedMs >= abort.askedMs);
  return reopened ? null : `its abort was answered at ${clock(abort.answeredMs ?? 0)}`;
}

const isOver = ({ answeredMs }: Act, job: Job): boolean =>
  answeredMs !== null && answeredMs + SETTLING_MS < job.createdMs;

function endedBefore(facts: Facts, job: Job): string | null {
  const status = statusOf(facts, job.version);
  if (!status?.finishedAt || !ENDED.includes(status.state)) return null;
  const endedMs = Date.parse(status.finishedAt);
  if (job.createdMs <= endedMs + facts.leeway.toleranceMs) return null;
  if (status.state === 'superseded' && hadConverged(facts, job, endedMs)) return null;
  // A rollout waits for its own cells: not for one that the cluster was bringing to the package when it was aborted.
  const isAborting = actsFor(facts, 'abort', job.version).some((a) => a.askedMs <= job.createdMs && !isOver(a, job));
  const settles = isAborting && job.createdMs <= endedMs + SETTLING_MS;
  if (status.state === 'aborted' && settles) return null;
  return `its rollout had ended at ${clock(endedMs)}, ${status.state}`;
}

const hadConverged = (facts: Facts, { ring, version }: Job, atMs: number): boolean =>
  convergenceOf(facts, ring as number, { version, atMs, forMs: 0 }).fromMs !== null;
