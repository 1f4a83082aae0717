import type { ClusterStatus, PackageRolloutStatus } from '../../src/contract/status.js';
import type { Evidence, LoggedJob } from '../invariants/index.js';
import { compare, same } from '../invariants/packages.js';
import type { Rollbacks } from './asked.js';

/** What a run has come to, once everything was reconciled. */
export interface Reconciled {
  /** Outer rings with the cells that they have by now. */
  rings: { ring: number; cells: string[] }[];
  cluster: Pick<ClusterStatus, 'graduated' | 'rings'>;
  evidence: Pick<Evidence, 'jobs' | 'statuses'>;
  rollbacks: Rollbacks;
  /** What every cell runs. */
  cells: Map<string, string>;
}

/** A rollout that ended so is nowhere the package to be on. */
const OVER = ['aborted', 'rolled-back', 'expired'];

/**
 * At rest, without faults, brakes, blocks and quarantines, and once every ring was reconciled: cells of outer rings that
 * are not on the newest package that converged in their ring, or a newer one; and cells that the cluster has seen
 * elsewhere than they are.
 */
export function behind(reconciled: Reconciled): string[] {
  return reconciled.rings.flatMap(({ ring, cells }) => {
    const runs = cells.map((cell) => ({ cell, version: reconciled.cells.get(cell) ?? null }));
    const wanted = newestIn(ring, reconciled);
    // Where cells could not be taken back from a newer package that was given up, an older one enters the ring no more.
    const isPast = runs.some(
      ({ version }) => wanted !== null && isGivenUp(version, reconciled) && compare(version, wanted) > 0,
    );
    const late = runs.filter(({ version }) => wanted !== null && !isPast && compare(version, wanted) < 0);
    return [
      ...late.map(({ cell, version }) => `${cell} runs ${version}, and ring ${ring} converged on ${wanted}`),
      ...misobserved(
        ring,
        reconciled.cluster,
        runs.map(({ version }) => version),
      ),
    ];
  });
}

/** The newest package that converged in a ring and still counts; null: none did, or its PDM has failed. */
function newestIn(ring: number, { cluster, evidence, rollbacks }: Reconciled): string | null {
  const statuses = Object.entries((evidence.statuses ?? {}) as Record<string, PackageRolloutStatus>);
  const converged = statuses.flatMap(([version, status]) => {
    const isThere = status.rings.some((r) => r.ring === ring && r.outcome === 'converged');
    const counts = !OVER.includes(status.state) && cluster.graduated.some((g) => same(g.version, version));
    return isThere && counts && !rollbacks.has(version) ? [version] : [];
  });
  const newest = converged.sort(compare).at(-1) ?? null;
  return newest !== null && hasFailedPdm(evidence.jobs, newest) ? null : newest;
}

const isGivenUp = (version: string | null, { evidence }: Reconciled): boolean =>
  Object.entries(evidence.statuses ?? {}).some(
    ([of, { state }]) => same(of, version) && (state === 'aborted' || state === 'rolled-back'),
  );

/** A failed PDM of a package stops everything of it, until it has run there all the same. */
function hasFailedPdm(jobs: readonly LoggedJob[], version: string): boolean {
  const last = new Map(
    jobs
      .filter((j) => j.kind === 'post_deploy_migrations' && same(j.version, version))
      .map((j) => [j.tenant, j.state] as const),
  );
  return [...last.values()].some((state) => state !== 'succeeded');
}

/** At rest the cluster knows how many cells of a ring run what. */
function misobserved(ring: number, { rings }: Pick<ClusterStatus, 'rings'>, runs: (string | null)[]): string[] {
  const observed = rings.find((r) => r.ring === ring)?.observed ?? {};
  const really: Record<string, number> = {};
  for (const version of runs) really[version ?? 'unknown'] = (really[version ?? 'unknown'] ?? 0) + 1;
  const text = (counts: Record<string, number>) => JSON.stringify(Object.entries(counts).sort());
  if (text(observed) === text(really)) return [];
  return [`the cluster has seen ${text(observed)} in ring ${ring}, where cells run ${text(really)}`];
}
