import {
  type Act,
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
import { convergenceOf, gaveWay } from '../history.js';
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
    const entry = `${short(job.version)} ${job.ring} ${restartsBefore(facts, job).length}`;
    if (seen.has(entry)) return false;
    seen.add(entry);
    return true;
  });
}

const restartsBefore = (facts: Facts, job: Job): Act[] =>
  actsFor(facts, 'restart', job.version).filter((a) => a.askedMs <= job.createdMs);

/** An empty ring is converged without gates or bake, so it is the one before it that counts. */
function ringBefore(facts: Facts, job: Job): RingRules | null {
  const inner = outerRings(facts).filter((n) => n < (job.ring ?? 0));
  const rules = inner.map((n) => rulesOf(facts, n, job.version)).filter((r) => r !== null && r.cells.length > 0);
  return rules.at(-1) ?? null;
}

function judge(facts: Facts, job: Job): Violation[] {
  const before = ringBefore(facts, job);
  if (!before) return [];
  const { version, createdMs } = job;
  const bakeMs = isBakeEnded(facts, job, before.ring) ? 0 : before.bakeMs;
  const notBeforeMs = Math.max(...restartsBefore(facts, job).map((a) => a.askedMs));
  const stay = { version, atMs: createdMs, forMs: bakeMs, notBeforeMs };
  const { fromMs, missing, leftOut } = convergenceOf(facts, before.ring, stay);
  const violation = (what: string): Violation[] => [
    { rule: 2, message: `${say(job)} came before ring ${before.ring} ${what}`, jobs: [job.id] },
  ];
  if (fromMs === null) {
    const toTry = missing.filter((cell) => !leftOut.includes(cell));
    return gaveWay(facts, before, stay, toTry)
      ? []
      : violation(`converged on it: not there yet: ${missing.join(', ')}`);
  }
  const bakedMs = fromMs + bakeMs;
  if (createdMs >= bakedMs - facts.leeway.toleranceMs) return [];
  return violation(`had baked: it converged at ${clock(fromMs)}, so its bake ends at ${clock(bakedMs)}`);
}

function isBakeEnded(facts: Facts, job: Job, ring: number): boolean {
  const overrides = actsFor(facts, 'override', job.version);
  const ends = overrides.filter(({ payload }) => payload.wait === 'bake' && payload.ring === ring);
  return askedBefore(ends, job.createdMs, facts);
}
