import { ampJob, ampMigrationChoice, ampScope, ampTenant } from '../contract/amp.js';
import { z } from '../contract/zod.js';

const text = z.string().nullable();

/** One cell and what AMP keeps of its tenant. */
export const cellRecord = z.object({
  id: z.string(),
  tenant: text,
  version: text,
  chartVersion: text,
  previousVersion: text,
  previousChartVersion: text,
  migratedVersion: text,
  /** Its last change ended in an error. */
  failed: z.boolean(),
  /** Since when it runs `version`, in epoch milliseconds. */
  versionSinceMs: z.number(),
  /** What was installed when, a restart on the same package included; the last ones. Older state files have none. */
  installs: z.array(z.object({ atMs: z.number(), version: text })).default([]),
});

/** So many installs of a cell are kept: a week of ten a day. What ran before the first of them counts as the same. */
export const MAX_INSTALLS = 70;

/**
 * What happens to a job, and when, decided as the job is accepted: a process that dies and comes back on its state file
 * only has to look at the clock. A job that hangs has no `end`.
 */
export const stepRecord = z.object({
  atMs: z.number(),
  does: z.enum(['start', 'switch', 'migrate', 'end']),
  outcome: z.enum(['succeeded', 'failed', 'canceled']).optional(),
  error: z.string().optional(),
});

export const jobRecord = z.object({
  /** Exactly what AMP answers. */
  job: ampJob,
  order: z.number(),
  cell: z.string(),
  /** The request's body, with its keys in order: the same key must come with the same body. */
  body: z.string(),
  scope: ampScope,
  postDeployMigrations: ampMigrationChoice,
  expectedVersion: text,
  chartVersion: text,
  fromChartVersion: text,
  reason: text,
  cancelRequestedAt: text,
  submissions: z.number(),
  ignoreCancel: z.boolean(),
  faults: z.array(z.string()),
  steps: z.array(stepRecord),
  stepsDone: z.number(),
  tenantAfter: ampTenant.nullable(),
});

export type CellRecord = z.infer<typeof cellRecord>;
export type StepRecord = z.infer<typeof stepRecord>;
export type JobRecord = z.infer<typeof jobRecord>;

/** RFC 3339 in UTC with milliseconds. */
export const instantOf = (ms: number): string => new Date(ms).toISOString();
