import {
  type Act,
  actsFor,
  askedBetween,
  type Facts,
  grouped,
  inForceBetween,
  type Job,
  jobsOn,
  say,
} from '../facts.js';
import { same } from '../packages.js';
import type { Violation } from '../types.js';

/** Acts by which a person asks for work again. */
const AGAIN = ['retryRing', 'restart', 'deployRing', 'migrateRing', 'abort', 'rollback'];
/** AMP is asked so often to take a cell back whose job fails, where a person wants the package taken back. */
const TRIES = 3;
/** So long before a job is ordered the brake may have been asked for that then cancels it, on a cell in flight. */
const ON_ITS_WAY_MS = 15_000;

/**
 * 5. A job is submitted once for what it is for: one job a key, and one key for a cell, kind and package, unless
 * something else changed the cell in between, a person asked again, or a deployment was cancelled by a brake, or by a
 * rollback that took its ring. A failure alone is no reason: the cell stays as it is until somebody asks.
 */
export function submittedOnce(facts: Facts): Violation[] {
  return [...keysTwice(facts), ...workTwice(facts)];
}

function keysTwice({ jobs }: Facts): Violation[] {
  const keyed = jobs.filter((j) => j.key !== null);
  return grouped(keyed, (j) => j.key ?? '')
    .filter((same) => same.length > 1)
    .map((same) => ({
      rule: 5,
      message: `one key, several jobs: ${same.map(say).join(' and ')}`,
      jobs: same.map((j) => j.id),
    }));
}

function workTwice(facts: Facts): Violation[] {
  const ours = facts.jobs.filter((j) => j.ours && j.changes);
  return grouped(ours, (j) => `${j.cell} ${j.kind} ${j.version}`).flatMap((jobs) =>
    jobs.slice(1).flatMap((job, i) => {
      const before = jobs[i] as Job;
      if (before.key === job.key || isAllowed(facts, before, job)) return [];
      const how = before.state === 'succeeded' ? 'had succeeded' : `was ${before.state}, and nobody asked again`;
      return [{ rule: 5, message: `${say(job)} asks again for ${before.id}, which ${how}`, jobs: [before.id, job.id] }];
    }),
  );
}

function isAllowed(facts: Facts, before: Job, job: Job): boolean {
  const asked = AGAIN.flatMap((act) => actsFor(facts, act, packageBehind(facts, job)));
  // A skipped cell is tried again at the end of its ring.
  const skips = actsFor(facts, 'skipCell', job.version).filter((a) => a.payload.cell === job.cell);
  if (askedBetween(asked, before.createdMs, job.createdMs, facts)) return true;
  if (inForceBetween(skips, before.createdMs, job.createdMs, facts)) return true;
  if (job.kind === 'rollback' && before.state === 'failed' && isTriedAgain(facts, job)) return true;
  const cancelled = before.state === 'canceled' && before.kind === 'configure';
  if (cancelled && askedBetween(cancels(facts), before.createdMs - ON_ITS_WAY_MS, job.createdMs, facts)) return true;
  if (askedBetween(reconciles(facts, job), before.createdMs, job.createdMs, facts)) return true;
  if (isElsewhere(before, job)) return true;
  // Somebody changed the cell without a job.
  if (before.kind === 'configure' && before.state === 'succeeded' && !same(job.from, job.version)) return true;
  const between = jobsOn(facts, job.cell).filter((j) => j !== before && j !== job && isBetween(j, before, job));
  return between.some((j) => isReason(before, j));
}

function isTriedAgain(facts: Facts, job: Job): boolean {
  const before = actsFor(facts, 'rollback', packageBehind(facts, job)).filter((a) => a.askedMs <= job.createdMs);
  const asked = before.at(-1);
  if (!asked) return false;
  const tries = jobsOn(facts, job.cell).filter((j) => j.ours && j.kind === 'rollback' && j.createdMs >= asked.askedMs);
  return tries.indexOf(job) < TRIES;
}

/** The cell has moved to a ring where migrations are part of a deployment, and its own were not. */
const isElsewhere = (before: Job, job: Job): boolean =>
  before.ring !== job.ring &&
  job.log.post_deploy_migrations === 'include' &&
  before.log.post_deploy_migrations === 'skip';

/** What in between makes the same work due again. That a deployment went back is a reason only where it had worked. */
function isReason(before: Job, other: Job): boolean {
  if (!other.ours) return true;
  if (other.kind === 'rollback') return before.state === 'succeeded';
  if (other.kind !== 'configure') return false;
  return other.version !== before.version || before.kind === 'post_deploy_migrations';
}

const isBetween = (j: Job, before: Job, after: Job): boolean =>
  j.changes && j.createdMs >= before.createdMs && j.createdMs <= after.createdMs;

/** A rollback carries the version that it goes to; the acts speak of the package that it takes back. */
function packageBehind(facts: Facts, job: Job): string {
  if (job.kind !== 'rollback') return job.version;
  const earlier = jobsOn(facts, job.cell).filter((j) => j.kind === 'configure' && j.createdMs < job.createdMs);
  return earlier.at(-1)?.version ?? job.version;
}

/** A person asked that what differs be converged: there, or everywhere. */
const reconciles = ({ acts }: Facts, { ring, cell }: Job): Act[] =>
  acts.filter(({ act, payload, refused }) => {
    const { ring: at = ring, cells = [cell] } = payload as { ring?: number; cells?: string[] };
    return !refused && act === 'reconcile' && at === ring && cells.includes(cell);
  });

const cancels = ({ acts }: Facts): Act[] =>
  acts.filter(({ act, payload, refused }) => {
    const takesRings = (act === 'abort' && payload.rollback === true) || act === 'rollback';
    return !refused && (takesRings || (act === 'engageBrake' && payload.mode === 'cancel-cells'));
  });
