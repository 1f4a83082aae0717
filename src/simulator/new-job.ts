import { type CellRecord, instantOf, type JobRecord, type StepRecord } from './model.js';
import type { Work } from './plan.js';

/** A job as it is asked for, all checks passed. */
export interface NewJob extends Work {
  key: string;
  version: string;
  chartVersion: string | null;
  expectedVersion: string | null;
  scope: JobRecord['scope'];
  reason: string | null;
  body: string;
}

interface Circumstances {
  order: number;
  nowMs: number;
  steps: StepRecord[];
  ignoreCancel: boolean;
  faults: string[];
}

/** A job that has been accepted and has not begun. */
export function newJobRecord(request: NewJob, cell: CellRecord, at: Circumstances): JobRecord {
  const id = `job-${at.order}`;
  return {
    job: {
      id,
      tenant: cell.tenant ?? cell.id,
      kind: request.kind,
      version: request.version,
      from_version: cell.version,
      state: 'queued',
      created_at: instantOf(at.nowMs),
      started_at: null,
      finished_at: null,
      error: null,
      log_url: `https://amp.example/jobs/${id}/log`,
      idempotency_key: request.key,
    },
    order: at.order,
    cell: cell.id,
    body: request.body,
    scope: request.scope,
    postDeployMigrations: request.postDeployMigrations,
    expectedVersion: request.expectedVersion,
    chartVersion: request.chartVersion,
    fromChartVersion: cell.chartVersion,
    reason: request.reason,
    cancelRequestedAt: null,
    submissions: 1,
    ignoreCancel: at.ignoreCancel,
    faults: at.faults,
    steps: at.steps,
    stepsDone: 0,
    tenantAfter: null,
  };
}
