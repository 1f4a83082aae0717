import {
  actsFor,
  askedBefore,
  clock,
  type Facts,
  isOuter,
  type Job,
  outerRings,
  rulesOf,
  say,
  short,
} from '../facts.js';
import { convergenceOf } from '../history.js';
import { same } from '../packages.js';
import type { RingRules } from '../policy.js';
import type { Violation } from '../types.js';

/**
 * 2. No job for an outer ring starts before the outer ring before it, if there is one, converged on that package and
 * baked, unless a person ended that wait by name.
 */
export function ringAfterRing(facts: Facts): Violation[] {
  return firstJobs(facts).flatMap((job) => judge(facts, job));
}

/** The first forward job of each package in each outer ring, and the first after each time it was opened again. */
function firstJobs(facts: Facts): Job[] {
  const seen = new Set<string>();
  return facts.jobs.filter((job) => {
    if (!job.forward || !isOuter(facts, job)) return false;
    const restarts = actsFor(facts, 'restart', job.version).filter((a) => a.askedMs <= job.createdMs).length;
    const entry = `${short(job.version)} ${job.ring} ${restarts}`;
    if (seen.has(entry)) return false;
    seen.add(entry);
    return true;
  });
}

/** An empty ring is converged without gates or bake, so it is the one before it that counts. */
function ringBefore(facts: Facts, job: Job): RingRules | null {
  const inner = outerRings(facts).filter((n) => n < (job.ring ?? 0));
  const rules = inner.map((n) => rulesOf(facts, n, job.version)).filter((r) => r !== null && r.cells.length > 0);
  return rules.at(-1) ?? null;
}

function judge(facts: Facts, job: Job): Violation[] {
  const before = ringBefore(facts, job);
  if (!before) return [];
  const { atMs, missing } = convergenceOf(facts, before.ring, job.version, job.createdMs);
  const violation = (what: string): Violation[] => [
    { rule: 2, message: `${say(job)} came before ring ${before.ring} ${what}`, jobs: [job.id] },
  ];
  if (atMs === null) {
    // A soft ring never blocks: what failed there is reported, and the package goes on.
    const tried = (cell: string) => facts.jobs.some((j) => j.cell === cell && same(j.version, job.version));
    if (before.soft && missing.every(tried)) return [];
    return violation(`converged on it: not there yet: ${missing.join(', ')}`);
  }
  const bakedMs = atMs + before.bakeMs;
  if (job.createdMs >= bakedMs - facts.leeway.toleranceMs) return [];
  const ends = actsFor(facts, 'override', job.version).filter(
    ({ payload }) => payload.wait === 'bake' && payload.ring === before.ring,
  );
  if (askedBefore(ends, job.createdMs, facts)) return [];
  return violation(`had baked: it converged at ${clock(atMs)}, so its bake ends at ${clock(bakedMs)}`);
}
