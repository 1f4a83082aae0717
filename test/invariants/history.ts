import { actsFor, type Facts, type Job, rulesOf, statusOf } from './facts.js';
import { compare, isPackage, same } from './packages.js';

/** What a cell ran from an instant on, by AMP's log alone. */
interface Span {
  sinceMs: number;
  /** null: something is being installed, or went wrong on the way. */
  version: string | null;
  /** Where `version` is null: what was being installed. */
  toward: string | null;
}

const BEGINNING = Number.NEGATIVE_INFINITY;

/** Jobs that change what a cell runs, oldest first, whoever ordered them. */
const installsOn = (facts: Facts, cell: string): Job[] =>
  facts.jobs.filter((j) => j.cell === cell && (j.kind === 'configure' || j.kind === 'rollback'));

function spansOf(facts: Facts, cell: string): Span[] {
  const spans: Span[] = [];
  const say = (sinceMs: number, version: string | null, toward: string | null = null) =>
    spans.push({ sinceMs, version, toward });
  for (const job of facts.jobs.filter((j) => j.cell === cell && j.changes)) {
    const now = spans.at(-1);
    if (!now) say(BEGINNING, job.from);
    // A version that no job of the log brought: somebody changed the cell by hand.
    else if (now.version !== null && !same(now.version, job.from)) say(job.createdMs, job.from);
    const neverStarted = job.startedMs === null && job.finishedMs !== null;
    if (job.kind === 'post_deploy_migrations' || neverStarted) continue;
    say(job.startedMs ?? job.createdMs, null, job.version);
    if (job.state === 'succeeded' && job.finishedMs !== null) say(job.finishedMs, job.version);
  }
  return spans;
}

/**
 * Since when a cell runs a package, or has run it before a newer one came: epoch ms, -Infinity where it ran it from
 * the start of the log, null where it did not by `atMs`, or went back since.
 */
export function onSince(facts: Facts, cell: string, version: string, atMs: number): number | null {
  const spans = spansOf(facts, cell);
  if (spans.length === 0) return ranItAlready(facts, cell, version) ? BEGINNING : null;
  let on: number | null = null;
  for (const span of spans.filter((s) => s.sinceMs <= atMs)) {
    if (span.version !== null && same(span.version, version)) on ??= span.sinceMs;
    else if (compare(span.version ?? span.toward, version) < 0) on = null;
  }
  return on;
}

/** A cell without any job: only the coordinator's own word says that it was on the package before. */
function ranItAlready(facts: Facts, cell: string, version: string): boolean {
  const ring = facts.topologies.flatMap((t) => t.rings).find((r) => r.cells?.some((c) => c.id === cell))?.ring;
  const seen = statusOf(facts, version)?.rings.find((r) => r.ring === ring);
  if (!seen || seen.exceptions.some((e) => e.cell === cell)) return false;
  return seen.converged > 0 && seen.pending + seen.inFlight === 0;
}

/** What a cell runs at an instant: null where that is not known. */
export function runsAt(facts: Facts, cell: string, atMs: number): string | null {
  return spansOf(facts, cell).findLast((s) => s.sinceMs <= atMs)?.version ?? null;
}

export interface Convergence {
  /** The earliest instant at which the ring can have counted as converged; null: it cannot by then. */
  atMs: number | null;
  /** Cells that have to be there and are not, beyond what the failure budget bears. */
  missing: string[];
}

/**
 * When a ring converged on a package, by AMP's log, as seen at `atMs`: cells left alone or skipped do not count, and
 * up to `failureBudget` may be missing, but never all.
 */
export function convergenceOf(facts: Facts, ring: number, version: string, atMs: number): Convergence {
  const rules = rulesOf(facts, ring, version);
  if (!rules || rules.cells.length === 0) return { atMs: BEGINNING, missing: [] };
  const skips = actsFor(facts, 'skipCell', version).filter((a) => a.askedMs <= atMs);
  const skipped = rules.cells.filter((id) => skips.some((a) => a.payload.cell === id));
  const since = rules.cells.map((id) => ({ id, on: onSince(facts, id, version, atMs) }));
  const there = since.flatMap(({ on }) => (on === null ? [] : [on])).sort((a, b) => a - b);
  const missing = since.filter(({ id, on }) => on === null && !skipped.includes(id)).map(({ id }) => id);
  if (missing.length > rules.failureBudget || there.length === 0) {
    return { atMs: null, missing: missing.length > 0 ? missing : rules.cells };
  }
  const needed = Math.max(1, rules.cells.length - skipped.length - rules.failureBudget);
  return { atMs: there[Math.min(needed, there.length) - 1] ?? null, missing: [] };
}

/** The deployment that a rollback takes back: the last one before it that began with something else on the cell. */
export function deploymentBefore(facts: Facts, rollback: Job): Job | null {
  const before = installsOn(facts, rollback.cell).filter((j) => j.createdMs < rollback.createdMs);
  return before.findLast((j) => j.kind === 'configure' && j.startedMs !== null && !same(j.from, j.version)) ?? null;
}

/**
 * Whether PDM of a package newer than `target` had begun on the cell by `atMs`: then going back takes it down. `maybe`
 * where a job that runs them did not succeed: nobody sees from outside how far it came.
 */
export function migratedPast(facts: Facts, cell: string, target: string | null, atMs: number): 'yes' | 'no' | 'maybe' {
  const jobs = facts.jobs.filter((j) => j.cell === cell && j.startedMs !== null && j.startedMs <= atMs && migrates(j));
  const past = jobs.filter((j) => !isPackage(target) || compare(j.version, target) > 0);
  if (past.some((j) => j.state === 'succeeded')) return 'yes';
  return past.length > 0 ? 'maybe' : 'no';
}

const migrates = (job: Job): boolean =>
  job.kind === 'post_deploy_migrations' || job.log.post_deploy_migrations === 'include';
