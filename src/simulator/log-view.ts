import type { JobRecord } from './model.js';
import { isReady, occasionOf } from './readiness.js';
import type { World } from './world.js';

/** A job with everything that is known of it: what AMP answers, what was asked for, and what came of it. */
export const logEntry = (record: JobRecord): object => ({
  ...record.job,
  cell: record.cell,
  scope: record.scope,
  post_deploy_migrations: record.postDeployMigrations,
  expected_version: record.expectedVersion,
  chart_version: record.chartVersion,
  from_chart_version: record.fromChartVersion,
  reason: record.reason,
  cancel_requested_at: record.cancelRequestedAt,
  submissions: record.submissions,
  faults: record.faults,
  tenant_after: record.tenantAfter,
});

/** All jobs created at or after a time, oldest first. */
export const jobLog = (world: World, sinceMs: number): object => ({
  jobs: world.jobs.all.filter(({ job }) => Date.parse(job.created_at) >= sinceMs).map(logEntry),
});

/** Every cell as it really is: faults that only change answers are not in it, those of readiness are. */
export const worldState = (world: World, nowMs: number): object => ({
  tenants: [...world.cells.values()].map((cell) => ({
    ...world.tenant(cell),
    tenant: cell.tenant,
    ready: isReady(world.faults, cell, nowMs),
    reachable: !world.faults.wouldStrike('unreachable', occasionOf(cell)),
    version_since: new Date(cell.versionSinceMs).toISOString(),
  })),
});
