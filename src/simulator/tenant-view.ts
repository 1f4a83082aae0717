import type { AmpJob, AmpTenant } from '../contract/amp.js';
import type { CellRecord } from './model.js';

/** What AMP says of a tenant, with the job under way on it. */
export function tenantOf(cell: CellRecord, active: AmpJob | null): AmpTenant {
  return {
    tenant: cell.tenant ?? cell.id,
    cell_id: cell.id,
    version: cell.version,
    previous_version: cell.previousVersion,
    chart_version: cell.chartVersion,
    previous_chart_version: cell.previousChartVersion,
    migrated_version: cell.migratedVersion,
    state: stateOf(cell, active),
    active_job: active?.id ?? null,
  };
}

function stateOf(cell: CellRecord, active: AmpJob | null): AmpTenant['state'] {
  if (active?.state === 'running' && active.kind !== 'smoke_tests') return 'changing';
  return cell.failed ? 'failed' : 'ready';
}
