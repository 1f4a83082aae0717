import type { Evidence } from '../invariants/index.js';
import { compare, same } from '../invariants/packages.js';
import type { SeenRollout } from '../invariants/types.js';
import type { World } from '../support/world.js';
import { PACKAGES, type Plan, ringsOf } from './plan.js';

/** What a rollout's status says of one cell: it runs the package, it does not, or that cannot be told. */
type Claim = 'on' | 'off' | 'either';

/** States in which a cell that took the package is surely back on what it ran before. */
const BACK = ['rolled-back'];

/** What a status says of a cell of a ring. */
export function claimOf(status: SeenRollout, ring: number, cell: string): Claim {
  const seen = status.rings.find((r) => r.ring === ring);
  if (!seen || seen.startedAt === null) return 'off';
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
export function allowedOn(statuses: SeenRollout[], ring: number, cell: string, initial: string): string[] {
  const allowed: string[] = [];
  for (const status of statuses) {
    const claim = claimOf(status, ring, cell);
    if (claim !== 'off') allowed.push((status as SeenRollout & { version: string }).version);
    if (claim === 'on') return allowed;
  }
  return [...allowed, initial];
}

/** Cells of outer rings that run what no status explains, and counts that do not add up. */
export async function unexplained(world: World, plan: Plan, evidence: Evidence): Promise<string[]> {
  const statuses = Object.values(evidence.statuses ?? {});
  const newestFirst = PACKAGES.toSorted((a, b) => compare(b, a)).flatMap((version) => {
    const status = evidence.statuses?.[version];
    return status ? [{ ...status, version }] : [];
  });
  const problems = statuses.flatMap(miscounted);
  const runs = await versionsOf(world);
  const initial = initialVersions(runs, evidence);
  for (const [i, { cells }] of plan.rings.entries()) {
    const ring = ringsOf(plan)[i] as number;
    for (let c = 1; c <= cells; c += 1) {
      const cell = `c${ring}-${c}`;
      const version = runs.get(`t-${cell}`) ?? 'nothing';
      const allowed = allowedOn(newestFirst, ring, cell, initial(cell));
      if (!allowed.some((v) => same(v, version))) {
        problems.push(`${cell} runs ${version}; by the statuses it should run ${allowed.join(' or ')}`);
      }
    }
  }
  return problems;
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

/** What every tenant really runs: the simulator's own state, which no fault changes. */
async function versionsOf(world: World): Promise<Map<string, string>> {
  const response = await fetch(`${world.simulator.url}/state`);
  const { tenants } = (await response.json()) as { tenants: { tenant: string; version: string }[] };
  return new Map(tenants.map((t) => [t.tenant, t.version]));
}

/** What each cell ran before its first job; where it had none, what it runs now is that. */
function initialVersions(runs: Map<string, string>, { jobs }: Evidence): (cell: string) => string {
  return (cell) => jobs.find((j) => j.tenant === `t-${cell}`)?.from_version ?? runs.get(`t-${cell}`) ?? 'nothing';
}
