import type { JobFacts, TenantFacts } from '../contract/activities.js';
import type { CellPurpose } from '../contract/internal.js';
import type { RingPolicy } from '../contract/policy.js';
import { comparePackages, isNewer, isPackage, samePackage, sameVersion } from './package-version.js';

/** What a cell is to run. A chart of null is the one that AMP infers. */
export interface Target {
  version: string;
  chartVersion: string | null;
}

/**
 * Whether a job under way may be cancelled: only what can be gone back from. PDM, deployments with PDM, and
 * infrastructure changes are never cancelled: they finish, and are then judged.
 */
export function cancellable(purpose: CellPurpose, policy: RingPolicy): boolean {
  return purpose === 'deploy' && policy.postDeployMigrations === 'separate' && policy.scope === 'application';
}

/** Where a tenant stands to a package, by AMP's word: `target` where it runs it with its chart. */
export function judgeSeen(seen: TenantFacts | null, target: Target): 'unknown' | 'target' | 'newer' | 'other' {
  if (!seen?.version) return 'unknown';
  if (!isPackage(seen.version)) return 'other';
  if (samePackage(seen.version, target.version)) return sameChart(seen, target) ? 'target' : 'other';
  return isNewer(seen.version, target.version) ? 'newer' : 'other';
}

const sameChart = (seen: TenantFacts, target: Target): boolean =>
  target.chartVersion === null || seen.chartVersion === target.chartVersion;

/** Whether AMP says that the PDM of this package, or of a newer one, has begun on the cell. */
export function hasMigrated(seen: TenantFacts | null, version: string): boolean {
  const migrated = seen?.migratedVersion ?? null;
  return migrated !== null && isPackage(migrated) && comparePackages(migrated, version) >= 0;
}

/**
 * What the cell ran before this deployment, by AMP's record of the job itself. A job that began on the package itself
 * took the place of one that had failed half way: what ran before both of them, AMP remembers of the tenant. Only where
 * nothing but the chart is new does the cell go back to the package that it is on.
 */
export function targetBefore(job: JobFacts, facts: TenantFacts | null, target: Target): Target | null {
  const { fromVersion, fromChartVersion } = job;
  if (fromVersion === null) return null;
  const fromTenant = facts?.previousVersion === fromVersion ? facts.previousChartVersion : null;
  if (!sameVersion(fromVersion, target.version)) {
    return { version: fromVersion, chartVersion: fromChartVersion ?? fromTenant };
  }
  const isOtherChart =
    fromChartVersion !== null && target.chartVersion !== null && fromChartVersion !== target.chartVersion;
  if (isOtherChart) return { version: fromVersion, chartVersion: fromChartVersion };
  if (!facts?.previousVersion || sameVersion(facts.previousVersion, target.version)) return null;
  return { version: facts.previousVersion, chartVersion: facts.previousChartVersion };
}

/** A cell that is to go back runs neither what it is to leave nor what it would go back to: somebody else has moved it. */
export const isElsewhere = (runs: string, from: string, to: string): boolean =>
  !sameVersion(runs, from) && !sameVersion(runs, to);

/** When a job began and ended, epoch ms: by AMP's clock, and its end by ours where that is known. */
export function timesOf(job: JobFacts, nowMs: number): { begunAtMs: number; endedAtMs: number } {
  const { startedAt, finishedAt, finishedMs } = job;
  const endedAtMs = finishedMs ?? (finishedAt === null ? nowMs : Date.parse(finishedAt));
  return { begunAtMs: startedAt === null ? endedAtMs : Date.parse(startedAt), endedAtMs };
}
