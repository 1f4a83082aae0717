import { actsFor, actsOf, type Facts, type Job, jobsOn, passBegan, rulesOf, statusOf } from './facts.js';
import { once } from './once.js';
import { compare, isPackage, same } from './packages.js';
import type { RingRules } from './policy.js';

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
  jobsOn(facts, cell).filter((j) => j.kind === 'configure' || j.kind === 'rollback');

const spansOf = once((facts, cell) => {
  const spans: Span[] = [];
  const say = (sinceMs: number, version: string | null, toward: string | null = null) =>
    spans.push({ sinceMs, version, toward });
  for (const job of jobsOn(facts, cell).filter((j) => j.changes)) {
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
});

/** From when to when a cell had a package, epoch ms; `toMs` is +Infinity where it still had it when the log was read. */
interface Period {
  fromMs: number;
  toMs: number;
}

/**
 * When a cell ran a package by `atMs`, or had run it before a newer one came on top. Going back ends a period as soon as
 * it begins.
 */
function periodsOn(facts: Facts, cell: string, version: string, atMs: number): Period[] {
  const until = ({ fromMs, toMs }: Period) => ({ fromMs, toMs: toMs <= atMs ? toMs : Number.POSITIVE_INFINITY });
  return allPeriods(facts, `${cell}\n${version}`)
    .filter(({ fromMs }) => fromMs <= atMs)
    .map(until);
}

const allPeriods = once((facts, key) => {
  const [cell = '', version = ''] = key.split('\n');
  const spans = spansOf(facts, cell);
  if (spans.length === 0) {
    return ranItAlready(facts, cell, version) ? [{ fromMs: BEGINNING, toMs: Number.POSITIVE_INFINITY }] : [];
  }
  const periods: Period[] = [];
  for (const { sinceMs, version: runs, toward } of spans) {
    const last = periods.at(-1);
    const isOn = last?.toMs === Number.POSITIVE_INFINITY;
    if (runs !== null && same(runs, version)) {
      if (!isOn) periods.push({ fromMs: sinceMs, toMs: Number.POSITIVE_INFINITY });
    } else if (last && isOn && compare(runs ?? toward, version) < 0) last.toMs = sinceMs;
  }
  return periods;
});

/**
 * Since when a cell runs a package, or has run it before a newer one came: epoch ms, -Infinity where it ran it from
 * the start of the log, null where it did not by `atMs`, or went back since.
 */
export function onSince(facts: Facts, cell: string, version: string, atMs: number): number | null {
  const last = periodsOn(facts, cell, version, atMs).at(-1);
  return last && last.toMs === Number.POSITIVE_INFINITY ? last.fromMs : null;
}

/** A cell without any job: only the coordinator's own word says that it was on the package before. */
function ranItAlready(facts: Facts, cell: string, version: string): boolean {
  const ring = ringOfCell(facts, cell);
  const seen = statusOf(facts, version)?.rings.find((r) => r.ring === ring);
  if (!seen || seen.exceptions.some((e) => e.cell === cell)) return false;
  return seen.converged > 0 && seen.pending + seen.inFlight === 0;
}

/** What a cell runs at an instant: null where that is not known. */
export function runsAt(facts: Facts, cell: string, atMs: number): string | null {
  return spansOf(facts, cell).findLast((s) => s.sinceMs <= atMs)?.version ?? null;
}

export interface Convergence {
  /** The earliest instant from which the ring can have counted as converged for so long; null: there is none. */
  fromMs: number | null;
  /** Where there is none: cells that have to be there and are not. */
  missing: string[];
  /** Cells that need not be there: skipped, or quarantined. */
  leftOut: string[];
}

interface Stay {
  version: string;
  /** As seen at this instant. */
  atMs: number;
  /** So long the ring must have stayed converged, or until `atMs`. */
  forMs: number;
  /** What was before counts for nothing: the package was opened again then. */
  notBeforeMs?: number;
}

/**
 * Since when a ring was converged on a package and stayed so, by AMP's log: cells left alone or skipped do not count,
 * and up to `failureBudget` may be missing, but never all.
 */
export function convergenceOf(facts: Facts, ring: number, stay: Stay): Convergence {
  const { version, atMs, forMs, notBeforeMs = BEGINNING } = stay;
  const rules = rulesOf(facts, ring, version);
  if (!rules || rules.cells.length === 0) return { fromMs: BEGINNING, missing: [], leftOut: [] };
  const skips = actsFor(facts, 'skipCell', version).filter((a) => a.askedMs <= atMs);
  const cells = rules.cells.map((id) => ({
    id,
    skipped: skips.some((a) => a.payload.cell === id) || wasQuarantined(facts, id, stay),
    periods: periodsOn(facts, id, version, atMs),
  }));
  // Of those that only some topologies have there, those that were brought to it in this ring.
  const broughtHere = (id: string) =>
    periodsOn(facts, id, version, atMs).filter((p) => wasBrought(facts, { id, ring, version, doneMs: p.fromMs }));
  const anywhere = [...cells.map((c) => c.periods), ...rules.others.map(broughtHere)];
  const isThere = (fromMs: number, periods: Period[]) =>
    periods.some((p) => p.fromMs <= fromMs && p.toMs >= Math.min(fromMs + forMs, atMs));
  const missingFrom = (fromMs: number) => cells.filter((c) => !c.skipped && !isThere(fromMs, c.periods));
  const isConverged = (fromMs: number) =>
    missingFrom(fromMs).length <= rules.failureBudget && anywhere.some((periods) => isThere(fromMs, periods));
  const starts = anywhere.flat().map((p) => Math.max(p.fromMs, notBeforeMs));
  const fromMs = starts.sort((a, b) => a - b).find(isConverged);
  const leftOut = cells.filter((c) => c.skipped).map((c) => c.id);
  if (fromMs !== undefined) return { fromMs, missing: [], leftOut };
  const missing = missingFrom(atMs).map((c) => c.id);
  return { fromMs: null, missing: missing.length > 0 ? missing : rules.cells, leftOut };
}

const wasBrought = (
  facts: Facts,
  { id, ring, version, doneMs }: { id: string; ring: number; version: string; doneMs: number },
): boolean =>
  jobsOn(facts, id).some((j) => j.forward && j.ring === ring && same(j.version, version) && j.finishedMs === doneMs);

/** A pass leaves out who was quarantined when it entered the ring, or later; who is back by then is in it again. */
function wasQuarantined(facts: Facts, cell: string, { version, atMs }: Stay): boolean {
  const ring = jobsOn(facts, cell)[0]?.ring ?? ringOfCell(facts, cell);
  const enteredMs = enteredAt(facts, ring, version) ?? atMs;
  const about = (act: string) => actsOf(facts, act).filter((a) => a.payload.cell === cell);
  const last = about('quarantineCell').findLast((a) => a.askedMs <= atMs);
  if (!last) return false;
  const { expiresAt } = last.payload;
  if (typeof expiresAt === 'string' && Date.parse(expiresAt) < enteredMs) return false;
  return !about('readmitCell').some((a) => a.askedMs > last.askedMs && (a.answeredMs ?? a.askedMs) < enteredMs);
}

/**
 * When the first pass of a package entered a ring, at the latest. The status has when its last one did: where that came after
 * the first job, and the first pass does not tell when it began, that was some time before that job.
 */
function enteredAt(facts: Facts, ring: number | undefined, version: string): number | null {
  const first = firstForward(facts, `${ring}\n${version}`);
  const beganMs = first && passBegan(first);
  if (beganMs !== null) return beganMs;
  const firstMs = first?.createdMs ?? null;
  const startedAt = statusOf(facts, version)?.rings.find((r) => r.ring === ring)?.startedAt ?? null;
  const startedMs = startedAt === null ? null : Date.parse(startedAt);
  if (firstMs === null || startedMs === null) return firstMs ?? startedMs;
  return startedMs <= firstMs ? startedMs : firstMs - facts.leeway.noticeMs;
}

/** The first job that took a cell of a ring forward to a package. */
const firstForward = once<Job | null>((facts, key) => {
  const [ring, version = ''] = key.split('\n');
  return facts.jobs.find((j) => String(j.ring) === ring && j.forward && same(j.version, version)) ?? null;
});

const ringOfCell = (facts: Facts, cell: string): number | undefined =>
  facts.topologies.flatMap((t) => t.rings).find((r) => r.cells?.some((c) => c.id === cell))?.ring;

/**
 * A soft ring never blocks: what failed there is reported, and the package goes on once every cell had its try, or one
 * failed: that may end its pass before the others have had theirs. A cell that nothing could be ordered for is named.
 */
export const gaveWay = (
  facts: Facts,
  { soft, ring, cells }: RingRules,
  { version, atMs }: Pick<Stay, 'version' | 'atMs'>,
  missing: string[],
): boolean => {
  const { rings = [], failures = [] } = statusOf(facts, version) ?? {};
  const named = rings.find((r) => r.ring === ring)?.exceptions ?? [];
  const hadItsTry = (cell: string) => wasTried(facts, cell, version) || named.some((e) => e.cell === cell);
  // One that is on the package, is not well on it, and cannot be taken back has failed, too, from when that was told.
  const isStuck = (cell: string) =>
    named.some((e) => e.cell === cell && e.state === 'failed') &&
    failures.some((f) => f.ring === ring && f.cell === cell && f.state === 'failed' && Date.parse(f.at ?? '') <= atMs);
  const hasGivenUp = () => missing.some((c) => hasFailed(facts, c, version, atMs)) || cells.some(isStuck);
  return soft && (missing.every(hadItsTry) || hasGivenUp());
};

const wasTried = (facts: Facts, cell: string, version: string): boolean =>
  jobsOn(facts, cell).some((j) => same(j.version, version));

/** On the way to the package; or it was not well on it, and was taken back, or was to be. */
const hasFailed = (facts: Facts, cell: string, version: string, atMs: number): boolean =>
  jobsOn(facts, cell).some((j) => {
    if (j.forward) return same(j.version, version) && j.state === 'failed' && (j.finishedMs ?? atMs) <= atMs;
    return j.kind === 'rollback' && same(j.from, version) && j.createdMs <= atMs;
  });

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
  const jobs = jobsOn(facts, cell).filter((j) => j.startedMs !== null && j.startedMs <= atMs && migrates(j));
  const past = jobs.filter((j) => !isPackage(target) || compare(j.version, target) > 0);
  if (past.some((j) => j.state === 'succeeded')) return 'yes';
  return past.length > 0 ? 'maybe' : 'no';
}

const migrates = (job: Job): boolean =>
  job.kind === 'post_deploy_migrations' || job.log.post_deploy_migrations === 'include';
