import { z } from './zod.js';

/**
 * AMP's wire format: JSON in snake_case, as AMP sends and takes it. Answers may carry fields that this version does not
 * know, and are read without them; requests carry nothing else.
 */

export const AMP_JOB_KINDS = ['configure', 'rollback', 'post_deploy_migrations', 'smoke_tests'] as const;
export const AMP_JOB_STATES = ['queued', 'running', 'succeeded', 'failed', 'canceled'] as const;
export const AMP_TENANT_STATES = ['ready', 'changing', 'failed'] as const;
export const AMP_SCOPES = ['full', 'application'] as const;
export const AMP_MIGRATION_CHOICES = ['skip', 'include'] as const;

/** The header that carries the key of a job: asked again with the same key, AMP answers with the same job. */
export const IDEMPOTENCY_KEY_HEADER = 'idempotency-key';
export const MAX_IDEMPOTENCY_KEY_LENGTH = 512;
/** How many jobs a list answers where no limit is named, and at most. */
export const DEFAULT_JOB_LIMIT = 100;
export const MAX_JOB_LIMIT = 10_000;

const instant = z.iso.datetime({ offset: true, error: 'a time in RFC 3339 with an offset' });
const name = (what: string) =>
  z.string(what).min(1, what).max(255, `${what}, at most 255 characters`).regex(/^\S+$/, `${what}, without spaces`);

export const ampJobKind = z.enum(AMP_JOB_KINDS, `one of ${AMP_JOB_KINDS.join(', ')}`);
export const ampJobState = z.enum(AMP_JOB_STATES, `one of ${AMP_JOB_STATES.join(', ')}`);
export const ampScope = z.enum(AMP_SCOPES, `one of ${AMP_SCOPES.join(', ')}`);
export const ampMigrationChoice = z.enum(AMP_MIGRATION_CHOICES, `one of ${AMP_MIGRATION_CHOICES.join(', ')}`);

/** Body of `POST /v1/jobs`. */
export const ampJobRequest = z.strictObject({
  tenant: name("a tenant's name"),
  kind: ampJobKind,
  version: name('a version'),
  expected_version: name('the version that the tenant is expected to run').optional(),
  chart_version: name('a chart version').optional(),
  scope: ampScope,
  post_deploy_migrations: ampMigrationChoice,
  reason: z.string('a text').max(2000, 'a text of at most 2000 characters').optional(),
});

export const ampJob = z.object({
  id: z.string(),
  tenant: z.string(),
  kind: ampJobKind,
  version: z.string(),
  /** What the tenant ran when the job began; null where it ran nothing that AMP knows of. */
  from_version: z.string().nullable(),
  state: ampJobState,
  created_at: instant,
  /** Null while it is queued, and for ever where it ended there: then it changed nothing. */
  started_at: instant.nullable(),
  finished_at: instant.nullable(),
  error: z.string().nullable(),
  log_url: z.string().nullable(),
  idempotency_key: z.string().nullable(),
});

export const ampJobList = z.object({ jobs: z.array(ampJob) });

export const ampTenant = z.object({
  tenant: z.string(),
  cell_id: z.string().nullable(),
  version: z.string().nullable(),
  /** What the tenant ran when its last `configure` to another version started. */
  previous_version: z.string().nullable(),
  chart_version: z.string().nullable(),
  previous_chart_version: z.string().nullable(),
  /** The newest version whose post-deployment migrations have begun. */
  migrated_version: z.string().nullable(),
  state: z.enum(AMP_TENANT_STATES, `one of ${AMP_TENANT_STATES.join(', ')}`),
  active_job: z.string().nullable(),
});

/** Query of `GET /v1/jobs`; values are text, as they stand in an address. */
export const ampJobQuery = z.object({
  tenant: z.string('one tenant').optional(),
  state: ampJobState.optional(),
  limit: z.coerce
    .number(`a whole number from 1 to ${MAX_JOB_LIMIT}`)
    .int(`a whole number from 1 to ${MAX_JOB_LIMIT}`)
    .min(1, `a whole number from 1 to ${MAX_JOB_LIMIT}`)
    .max(MAX_JOB_LIMIT, `a whole number from 1 to ${MAX_JOB_LIMIT}`)
    .optional(),
});

/** Any refusal. `message` is for people, `code` for programs. */
export const ampError = z.object({ error: z.object({ code: z.string(), message: z.string().optional() }) });

/** 409: another job is under way on the tenant. */
export const ampTenantBusy = z.object({
  error: z.object({ code: z.literal('tenant_busy'), job_id: z.string(), message: z.string().optional() }),
});

/** 412: the tenant does not run `expected_version`; `version` is what it runs. */
export const ampVersionChanged = z.object({
  error: z.object({
    code: z.literal('version_changed'),
    version: z.string().nullable(),
    message: z.string().optional(),
  }),
});

export type AmpJobKind = z.infer<typeof ampJobKind>;
export type AmpJobState = z.infer<typeof ampJobState>;
export type AmpScope = z.infer<typeof ampScope>;
export type AmpMigrationChoice = z.infer<typeof ampMigrationChoice>;
export type AmpJobRequest = z.infer<typeof ampJobRequest>;
export type AmpJob = z.infer<typeof ampJob>;
export type AmpJobList = z.infer<typeof ampJobList>;
export type AmpTenant = z.infer<typeof ampTenant>;
export type AmpJobQuery = z.infer<typeof ampJobQuery>;
export type AmpError = z.infer<typeof ampError>;
export type AmpTenantBusy = z.infer<typeof ampTenantBusy>;
export type AmpVersionChanged = z.infer<typeof ampVersionChanged>;

/** Whether a job in this state will never change again. */
export const isFinishedJobState = (state: AmpJobState): boolean => state !== 'queued' && state !== 'running';
