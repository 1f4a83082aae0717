import { type Facts, type Job, jobsOn, rulesOf, say, short, statusOf } from '../facts.js';
import { deploymentBefore, migratedPast } from '../history.js';
import { compare, isPackage, same } from '../packages.js';
import type { RingRules } from '../policy.js';
import type { Violation } from '../types.js';

/**
 * 6. A deployment that fails is rolled back by itself, to what the cell ran before and with its chart, while the rule
 * of return says that needs no downtime or the policy allows it; otherwise it is listed with the reason.
 */
export function failuresGoBack(facts: Facts): Violation[] {
  const failed = facts.jobs.filter((j) => j.ours && j.kind === 'configure' && isBad(j));
  const back = facts.jobs.filter((j) => j.ours && j.kind === 'rollback');
  return [...failed.flatMap((job) => wentBack(facts, job)), ...back.flatMap((job) => wentWhere(facts, job))];
}

const isBad = (job: Job): boolean => job.state === 'failed' || job.state === 'canceled';

const violation = (job: Job, what: string, others: Job[] = []): Violation[] => [
  { rule: 6, message: `${say(job)} ${what}`, jobs: [job.id, ...others.map((j) => j.id)] },
];

/**
 * The deployment that first brought this package to the cell: one that began on the package itself, with the same
 * chart, only tried again what an earlier one had left half done.
 */
function firstOf(facts: Facts, job: Job): Job {
  const { from_chart_version: from, chart_version: to } = job.log;
  if (!same(job.from, job.version) || (from && to && from !== to)) return job;
  const before = jobsOn(facts, job.cell).findLast(
    (j) => j.kind === 'configure' && same(j.version, job.version) && j.createdMs < job.createdMs,
  );
  return before ? firstOf(facts, before) : job;
}

function wentBack(facts: Facts, job: Job): Violation[] {
  const rules = job.ring === null ? null : rulesOf(facts, job.ring, job.version);
  // A job that never started changed nothing; where nobody knows what ran before, nobody can go back to it.
  if (!rules || rules.mayStayBroken || job.startedMs === null || !isPackage(job.from)) return [];
  const migrated = migratedPast(facts, job.cell, job.from, job.finishedMs ?? job.createdMs);
  const next = jobsOn(facts, job.cell).find((j) => j.ours && j.changes && j.createdMs > job.createdMs);
  if (next?.kind === 'rollback') return rightWay(firstOf(facts, job), next, migrated, rules);
  if (migrated !== 'no' && !rules.mayTakeDown) return [];
  const explained = isExplained(facts, job);
  if (next) {
    // In a soft ring the newest wins: a cell that an earlier package broke takes the next one.
    if (explained || (rules.soft && next.kind === 'configure' && compare(next.version, job.version) > 0)) return [];
    return violation(job, `was ${job.state}, and the next on its cell was no rollback but ${say(next)}`, [next]);
  }
  if (explained || !isOver(facts, job)) return [];
  return violation(job, `was ${job.state}; the cell neither went back nor is listed with the reason why not`);
}

function rightWay(job: Job, rollback: Job, migrated: string, rules: RingRules): Violation[] {
  if (migrated === 'yes' && !rules.mayTakeDown)
    return violation(rollback, 'takes the cell down, which no policy allows', [job]);
  if (!same(rollback.version, job.from)) {
    return violation(rollback, `does not go to ${short(job.from)}, which the cell ran before ${job.id}`, [job]);
  }
  return rightChart(rollback, job);
}

function rightChart(rollback: Job, of: Job): Violation[] {
  const [wanted, got] = [of.log.from_chart_version, rollback.log.chart_version];
  if (!wanted || got === undefined || got === wanted) return [];
  return violation(rollback, `has chart ${got}; before ${of.id} the cell had ${wanted}`, [of]);
}

/** A rollback is to what the cell ran before, whatever that was. */
function wentWhere(facts: Facts, rollback: Job): Violation[] {
  const last = deploymentBefore(facts, rollback);
  if (takesDownUnasked(facts, rollback)) return violation(rollback, 'takes the cell down, which nobody allowed');
  if (!last) return [];
  const of = firstOf(facts, last);
  if (!same(rollback.version, of.from)) {
    return violation(rollback, `does not go to ${short(of.from)}, which the cell ran before ${of.id}`, [of]);
  }
  const done = jobsOn(facts, of.cell).filter((j) => j.changes && isBetween(j, of, rollback));
  const isBack = done.findLast((j) => j.kind !== 'post_deploy_migrations');
  const again = isBack?.kind === 'rollback' && isBack.state === 'succeeded';
  if (again) return violation(rollback, `goes to what ${isBack.id} had already brought back`, [isBack]);
  return rightChart(rollback, of);
}

/** Beyond the rule of return only the ring's policy, or a person who names the cell, lets a cell go back. */
function takesDownUnasked(facts: Facts, rollback: Job): boolean {
  const rules = rollback.ring === null ? null : rulesOf(facts, rollback.ring, rollback.version);
  if (!rules || rules.mayTakeDown) return false;
  if (migratedPast(facts, rollback.cell, rollback.version, rollback.createdMs) !== 'yes') return false;
  return !facts.acts.some(
    ({ act, payload, askedMs }) =>
      act === 'rollback' &&
      askedMs <= rollback.createdMs &&
      ((payload.allowDowntime as string[] | undefined) ?? []).includes(rollback.cell),
  );
}

const isBetween = (j: Job, from: Job, to: Job): boolean => j.createdMs > from.createdMs && j.createdMs < to.createdMs;

/** States of a cell that say themselves why it did not go back. */
const STUCK = ['rollback-failed', 'cancel-unconfirmed', 'unreachable', 'busy', 'left'];

function isExplained(facts: Facts, job: Job): boolean {
  const status = statusOf(facts, job.version);
  const said = [
    ...(status?.rings.flatMap((r) => r.exceptions) ?? []),
    ...(status?.failures.map((f) => ({ ...f, cell: f.cell ?? '', state: f.state ?? '' })) ?? []),
  ];
  const here = said.filter((e) => e.cell === job.cell);
  return here.some((e) => STUCK.includes(e.state) || /downtime|migrated/.test(e.reason));
}

/** Nothing more will come by itself: the rollout ended, or nothing of its ring is in flight. */
function isOver(facts: Facts, job: Job): boolean {
  const status = statusOf(facts, job.version);
  if (!status) return false;
  return status.finishedAt !== null || status.rings.some((r) => r.ring === job.ring && r.inFlight === 0);
}
