import type { PackageRollbackStatus } from '../../src/contract/status.js';
import type { Evidence } from '../invariants/index.js';
import { compare, same } from '../invariants/packages.js';
import type { SeenRollout } from '../invariants/types.js';
import type { Rollbacks } from './asked.js';
import { cellsOfRing, PACKAGES, type Plan, ringsOf } from './plan.js';

/** What a rollout's status says of one cell: it runs the package, it does not, or that cannot be told. */
type Claim = 'on' | 'off' | 'either';

type Rollout = SeenRollout & { version: string };

/** States in which a cell that took the package is surely back on what it ran before. */
const BACK = ['rolled-back'];

/** What a status says of a cell of a ring; `hadBefore`: an earlier run of the package, whose status is gone, was there. */
export function claimOf(status: SeenRollout, ring: number, cell: string, hadBefore: boolean): Claim {
  const seen = status.rings.find((r) => r.ring === ring);
  if (!seen || seen.startedAt === null) return hadBefore ? 'either' : 'off';
  // It gave way before it had looked at its cells.
  if (seen.total === 0) return hadBefore ? 'either' : 'off';
  const exception = seen.exceptions.find((e) => e.cell === cell);
  if (exception) return BACK.includes(exception.state) ? 'off' : 'either';
  if (status.state === 'rolled-back') return 'off';
  // Taken back or stopped half-way: the counts do not say which cells they are about.
  if (status.state === 'aborted' || seen.pending + seen.inFlight > 0) return 'either';
  return 'on';
}

/**
 * What the rollbacks of a package, oldest first, say of a cell of a ring; null: they say nothing of it. `cameAgain`: the
 * package was on its way to the cell after that instant.
 */
export function claimOfRollbacks(
  rollbacks: PackageRollbackStatus[],
  ring: number,
  cell: string,
  cameAgain: (since: string) => boolean,
): Claim | null {
  const said = rollbacks.map((status): Claim | null => {
    // A name that no ring has keeps it from nothing.
    const isRefused = status.rejected.some(({ path }) => path !== 'allowDowntime');
    // Its rollout ends with it, and says of all rings that the package was taken back.
    if (status.ring !== undefined && status.ring !== ring) return isRefused ? null : 'either';
    if (status.state !== 'rolled-back') return isRefused && status.plan.length === 0 ? null : 'either';
    const left = [...status.needsDowntime, ...status.rings.flatMap((r) => r.exceptions)];
    if (left.some((e) => e.cell === cell && !BACK.includes(e.state))) return 'either';
    return cameAgain(status.finishedAt ?? '') ? 'either' : 'off';
  });
  return said.findLast((claim) => claim !== null) ?? null;
}

/**
 * The packages that a cell may run, by what the statuses say: the newest that claims it, and newer ones that leave it
 * open; what it ran at first where nobody claims it.
 */
export function allowedOn(newestFirst: Rollout[], ring: number, cell: string, ran: Ran): string[] {
  const allowed: string[] = [];
  for (const status of newestFirst) {
    const said = ran.takenBack(status, ring, cell) ?? claimOf(status, ring, cell, ran.before(status, cell));
    // Going back is to what the cell ran before, whatever became of that meanwhile.
    const claim = said === 'off' && ran.broughtBack(status, cell) ? 'either' : said;
    if (claim !== 'off') allowed.push(status.version);
    if (claim === 'on') return allowed;
  }
  return [...allowed, ran.first(cell)];
}

/** What a run has come to, before anything was reconciled. */
export interface AtRest {
  plan: Plan;
  evidence: Evidence;
  rollbacks: Rollbacks;
  /** What every cell runs. */
  cells: Map<string, string>;
  /** Cells that joined, left or moved to another ring: of those the pass that was under way says little. */
  moved: ReadonlySet<string>;
}

/** Cells of outer rings that run what no status explains, and counts that do not add up. */
export function unexplained({ plan, evidence, rollbacks, cells, moved }: AtRest): string[] {
  const newestFirst = PACKAGES.toSorted((a, b) => compare(b, a)).flatMap((version) => {
    const status = evidence.statuses?.[version];
    return status ? [{ ...status, version }] : [];
  });
  const ran = ranBy(cells, evidence, rollbacks);
  const strangers = ringsOf(plan).flatMap((ring, i) =>
    cellsOfRing(plan, i)
      .filter((cell) => !moved.has(cell))
      .flatMap((cell) => strange(cell, cells.get(cell), allowedOn(newestFirst, ring, cell, ran))),
  );
  return [...newestFirst.flatMap(miscounted), ...strangers];
}

function strange(cell: string, runs: string | undefined, allowed: string[]): string[] {
  if (allowed.some((version) => same(version, runs ?? null))) return [];
  return [`${cell} runs ${runs}; by the statuses it should run ${allowed.join(' or ')}`];
}

/** total = converged + inFlight + failed + rolledBack + quarantined + skipped + pending: a cell counts once. */
function miscounted(status: SeenRollout): string[] {
  return status.rings.flatMap((r) => {
    const { total, converged, inFlight, failed, rolledBack, quarantined, skipped, pending } = r as typeof r &
      Record<'failed' | 'rolledBack' | 'quarantined' | 'skipped', number>;
    const sum = converged + inFlight + failed + rolledBack + quarantined + skipped + pending;
    return sum === total ? [] : [`ring ${r.ring} counts ${sum} of ${total} cells: ${JSON.stringify(r)}`];
  });
}

/** What AMP's log knows of the time before a status. */
interface Ran {
  /** What a cell ran before its first job; where it had none, what it runs now is that. */
  first: (cell: string) => string;
  /** Whether the package was on its way to the cell before the run began that the status is of. */
  before: (status: Rollout, cell: string) => boolean;
  /** Whether going back from a newer package brought the package to the cell again after its rollout had ended. */
  broughtBack: (status: Rollout, cell: string) => boolean;
  /** What the package's rollbacks say of the cell; null: nothing. */
  takenBack: (status: Rollout, ring: number, cell: string) => Claim | null;
}

function ranBy(runs: Map<string, string>, { jobs }: Evidence, rollbacks: Rollbacks): Ran {
  const of = (cell: string) => jobs.filter((j) => j.tenant === `t-${cell}`);
  return {
    first: (cell) => of(cell)[0]?.from_version ?? runs.get(cell) ?? 'nothing',
    before: ({ version, startedAt }, cell) => of(cell).some((j) => j.version === version && j.created_at < startedAt),
    broughtBack: ({ version, finishedAt }, cell) =>
      of(cell).some((j) => j.kind === 'rollback' && j.version === version && j.created_at > (finishedAt ?? '')),
    takenBack: ({ version }, ring, cell) =>
      claimOfRollbacks(rollbacks.get(version) ?? [], ring, cell, (since) =>
        of(cell).some((j) => j.kind === 'configure' && j.version === version && j.created_at > since),
      ),
  };
}
