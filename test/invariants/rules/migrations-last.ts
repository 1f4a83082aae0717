import {
  actsFor,
  askedBefore,
  askedBetween,
  clock,
  type Facts,
  isOuter,
  type Job,
  outerRings,
  rulesOf,
  say,
  short,
} from '../facts.js';
import { convergenceOf, gaveWay, onSince } from '../history.js';
import { same } from '../packages.js';
import type { RingRules } from '../policy.js';
import type { Violation } from '../types.js';

/**
 * 7. Where PDM is separate it never runs on a cell before its deployment was verified and the grace period is over;
 * inside the perimeter `migrateRing` takes the place of the clocks. A failed PDM of a package stops it everywhere.
 */
export function migrationsLast(facts: Facts): Violation[] {
  const ours = facts.jobs.filter((j) => j.ours && j.ring !== null);
  return [
    ...ours.filter((j) => j.kind === 'post_deploy_migrations').flatMap((job) => tooSoon(facts, job)),
    ...ours.filter((j) => j.kind === 'configure').flatMap((job) => withDeploy(facts, job)),
    ...ours.filter((j) => j.kind === 'post_deploy_migrations' && j.state === 'failed').flatMap((j) => after(facts, j)),
  ];
}

const violation = (job: Job, what: string, others: Job[] = []): Violation[] => [
  { rule: 7, message: `${say(job)} ${what}`, jobs: [job.id, ...others.map((j) => j.id)] },
];

function tooSoon(facts: Facts, job: Job): Violation[] {
  if (onSince(facts, job.cell, job.version, job.createdMs) === null) {
    return violation(job, 'came before the package was on the cell');
  }
  return isOuter(facts, job) ? beforeItsTime(facts, job) : unasked(facts, job);
}

function unasked(facts: Facts, job: Job): Violation[] {
  const asked = actsFor(facts, 'migrateRing', job.version).filter((a) => a.payload.ring === job.ring);
  return askedBefore(asked, job.createdMs, facts) ? [] : violation(job, 'came without migrateRing');
}

function beforeItsTime(facts: Facts, job: Job): Violation[] {
  const ring = job.ring as number;
  const rules = rulesOf(facts, ring, job.version);
  if (!rules || rules.soft) return [];
  const { bakedMs, missing } = bakeOf(facts, job, rules);
  if (bakedMs === null) return violation(job, `came before its ring converged: not there yet: ${missing.join(', ')}`);
  const graceEnded = isOverridden(facts, job, ring, 'grace-period');
  const dueMs = bakedMs + (graceEnded ? 0 : rules.graceMs);
  if (job.createdMs < dueMs - facts.leeway.toleranceMs) {
    return violation(job, `came too soon: bake and grace period of its ring end at ${clock(dueMs)}`);
  }
  return rules.everywhere && !graceEnded ? beforeAllBaked(facts, job) : [];
}

/** When the bake of a ring is over, for the package of a PDM, counted from the earliest instant that it can have begun. */
function bakeOf(facts: Facts, job: Job, { ring, bakeMs }: RingRules): { bakedMs: number | null; missing: string[] } {
  const forMs = isOverridden(facts, job, ring, 'bake') ? 0 : bakeMs;
  const { fromMs, missing } = convergenceOf(facts, ring, { version: job.version, atMs: job.createdMs, forMs });
  return { bakedMs: fromMs === null ? null : fromMs + forMs, missing };
}

function isOverridden(facts: Facts, job: Job, ring: number, wait: string): boolean {
  const ends = actsFor(facts, 'override', job.version).filter(
    (a) => a.payload.wait === wait && a.payload.ring === ring,
  );
  return askedBefore(ends, job.createdMs, facts);
}

function beforeAllBaked(facts: Facts, job: Job): Violation[] {
  const all = outerRings(facts).flatMap((ring) => rulesOf(facts, ring, job.version) ?? []);
  return all.flatMap((rules) => {
    const { bakedMs, missing } = bakeOf(facts, job, rules);
    if (bakedMs === null) {
      if (gaveWay(facts, rules, { version: job.version, atMs: job.createdMs }, missing)) return [];
      return violation(job, `came before ring ${rules.ring} had the package: ${missing.join(', ')}`);
    }
    if (job.createdMs >= bakedMs - facts.leeway.toleranceMs) return [];
    return violation(job, `came before ring ${rules.ring} had baked at ${clock(bakedMs)}`);
  });
}

function withDeploy(facts: Facts, job: Job): Violation[] {
  const rules = rulesOf(facts, job.ring as number, job.version);
  if (!rules?.separate || job.log.post_deploy_migrations !== 'include') return [];
  return violation(job, 'runs PDM with the deployment, in a ring where they are separate');
}

/** Work on cells in flight may still be ordered until everybody has heard of the failure. */
function after(facts: Facts, failed: Job): Violation[] {
  const rules = rulesOf(facts, failed.ring as number, failed.version);
  const heardMs = (failed.finishedMs ?? failed.createdMs) + (rules?.pollMs ?? 0) * 1.2 + facts.leeway.noticeMs;
  const mended = ['retryRing', 'restart'].flatMap((act) => actsFor(facts, act, failed.version));
  const forward = facts.jobs.filter((j) => j.forward && same(j.version, failed.version) && j.createdMs > heardMs);
  return forward
    .filter((j) => !askedBetween(mended, failed.finishedMs ?? failed.createdMs, j.createdMs, facts))
    .flatMap((job) =>
      violation(job, `came after PDM of ${short(failed.version)} had failed: ${say(failed)}`, [failed]),
    );
}
