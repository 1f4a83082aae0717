import type { Evidence } from '../invariants/index.js';
import { compare, same } from '../invariants/packages.js';
import type { SeenRollout } from '../invariants/types.js';
import type { World } from '../support/world.js';
import { PACKAGES, type Plan, ringsOf } from './plan.js';

/** What a rollout's status says of one cell: it runs the package, it does not, or that cannot be told. */
type Claim = 'on' | 'off' | 'either';

type Rollout = SeenRollout & { version: string };

/** States in which a cell that took the package is surely back on what it ran before. */
const BACK = ['rolled-back'];

/** What a status says of a cell of a ring; `hadBefore`: an earlier run of the package, whose status is gone, was there. */
export function claimOf(status: SeenRollout, ring: number, cell: string, hadBefore: boolean): Claim {
  const seen = status.rings.find((r) => r.ring === ring);
  if (!seen || seen.startedAt === null) return hadBefore ? 'either' : 'off';
  const exception = seen.exceptions.find((e) => e.cell === cell);
  if (exception) return BACK.includes(exception.state) ? 'off' : 'either';
  if (status.state === 'rolled-back') return 'off';
  // Taken back or stopped half-way: the counts do not say which cells they are about.
  if (status.state === 'aborted' || seen.pending + seen.inFlight > 0) return 'either';
  return 'on';
}

/**
 * The packages that a cell may run, by what the statuses say: the newest that claims it, and newer ones that leave it
 * open; what it ran at first where nobody claims it.
 */
export function allowedOn(newestFirst: Rollout[], ring: number, cell: string, ran: Ran): string[] {
  const allowed: string[] = [];
  for (const status of newestFirst) {
    const said = claimOf(status, ring, cell, ran.before(status, cell));
    // Going back is to what the cell ran before, whatever became of that meanwhile.
    const claim = said === 'off' && ran.broughtBack(status, cell) ? 'either' : said;
    if (claim !== 'off') allowed.push(status.version);
    if (claim === 'on') return allowed;
  }
  return [...allowed, ran.first(cell)];
}

/** Cells of outer rings that run what no status explains, and counts that do not add up. */
export async function unexplained(world: World, plan: Plan, evidence: Evidence): Promise<string[]> {
  const newestFirst = PACKAGES.toSorted((a, b) => compare(b, a)).flatMap((version) => {
    const status = evidence.statuses?.[version];
    return status ? [{ ...status, version }] : [];
  });
  const runs = await versionsOf(world);
  const ran = ranBy(runs, evidence);
  const { rings } = await world.cells.cluster().status();
  const problems = newestFirst.flatMap(miscounted);
  for (const [i, { cells }] of plan.rings.entries()) {
    const ring = ringsOf(plan)[i] as number;
    const ids = Array.from({ length: cells }, (_, c) => `c${ring}-${c + 1}`);
    problems.push(...ids.flatMap((cell) => strange(cell, runs.get(cell), allowedOn(newestFirst, ring, cell, ran))));
    problems.push(
      ...misobserved(
        ring,
        rings.find((r) => r.ring === ring)?.observed ?? {},
        ids.map((id) => runs.get(id)),
      ),
    );
  }
  return problems;
}

function strange(cell: string, runs: string | undefined, allowed: string[]): string[] {
  if (allowed.some((version) => same(version, runs ?? null))) return [];
  return [`${cell} runs ${runs}; by the statuses it should run ${allowed.join(' or ')}`];
}

/** At rest the cluster knows how many cells of a ring run what. */
function misobserved(ring: number, observed: Record<string, number>, runs: (string | undefined)[]): string[] {
  const really: Record<string, number> = {};
  for (const version of runs) really[version ?? 'unknown'] = (really[version ?? 'unknown'] ?? 0) + 1;
  const text = (counts: Record<string, number>) => JSON.stringify(Object.entries(counts).sort());
  if (text(observed) === text(really)) return [];
  return [`the cluster has seen ${text(observed)} in ring ${ring}, where cells run ${text(really)}`];
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

/** What every cell really runs: the simulator's own state, which no fault changes. */
async function versionsOf(world: World): Promise<Map<string, string>> {
  const response = await fetch(`${world.simulator.url}/state`);
  const { tenants } = (await response.json()) as { tenants: { cell_id: string; version: string }[] };
  return new Map(tenants.map((t) => [t.cell_id, t.version]));
}

/** What AMP's log knows of the time before a status. */
interface Ran {
  /** What a cell ran before its first job; where it had none, what it runs now is that. */
  first: (cell: string) => string;
  /** Whether the package was on its way to the cell before the run began that the status is of. */
  before: (status: Rollout, cell: string) => boolean;
  /** Whether going back from a newer package brought the package to the cell again after its rollout had ended. */
  broughtBack: (status: Rollout, cell: string) => boolean;
}

function ranBy(runs: Map<string, string>, { jobs }: Evidence): Ran {
  const of = (cell: string) => jobs.filter((j) => j.tenant === `t-${cell}`);
  return {
    first: (cell) => of(cell)[0]?.from_version ?? runs.get(cell) ?? 'nothing',
    before: ({ version, startedAt }, cell) => of(cell).some((j) => j.version === version && j.created_at < startedAt),
    broughtBack: ({ version, finishedAt }, cell) =>
      of(cell).some((j) => j.kind === 'rollback' && j.version === version && j.created_at > (finishedAt ?? '')),
  };
}
