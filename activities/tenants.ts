import type { CellRef, TenantFacts } from '../src/contract/activities.js';
import { jobKeyPrefix } from '../src/contract/ids.js';
import { AmpError, type AmpJob, type AmpTenant } from './ports.js';

export const UNKNOWN_FACTS: TenantFacts = {
  version: null,
  chartVersion: null,
  migratedVersion: null,
  previousVersion: null,
  previousChartVersion: null,
};

/** The answer, or null where AMP says that there is no such tenant or job. */
export async function orNull<T>(answer: Promise<T>): Promise<T | null> {
  return answer.catch((error: unknown) => {
    if (error instanceof AmpError && error.trouble.kind === 'not-found') return null;
    throw error;
  });
}

/** How AMP's tenant differs from the cell that the topology takes it for; null where it is that cell. */
export function mismatchOf(cell: CellRef, ring: number, tenant: AmpTenant): string | null {
  if (tenant.cellId !== cell.id) {
    return `AMP takes tenant ${cell.tenant} for cell ${tenant.cellId ?? '(none)'}, not for ${cell.id}`;
  }
  if (tenant.ring !== null && tenant.ring !== ring) {
    return `AMP has tenant ${cell.tenant} in ring ${tenant.ring}, not in ${ring}`;
  }
  return null;
}

/** Whether a coordinator of this cluster ordered the job, in whatever pass. */
export const isOurs = (cluster: string, job: AmpJob): boolean => job.key?.startsWith(jobKeyPrefix(cluster)) ?? false;
