import {
  type AmpJobRequest,
  ampError,
  ampJob,
  ampTenant,
  ampTenantBusy,
  ampVersionChanged,
  IDEMPOTENCY_KEY_HEADER,
} from '../src/contract/amp.js';
import { z } from '../src/contract/zod.js';
import { shortened } from '../src/domain/shortened.js';
import { causeOf, clockOf, type HttpAnswer, request, retryAfterMs } from './http.js';
import { type AmpDriver, AmpError, type AmpJob, type AmpTenant, type AmpTrouble, type SubmitJob } from './ports.js';

/** A job whose time of creation cannot be read can still be watched; only its age has to be estimated then. */
const jobAnswer = ampJob.extend({ created_at: z.string() });
const jobsAnswer = z.object({ jobs: z.array(jobAnswer) });
/** Some AMPs know rings: where one does, it has to agree with the topology. */
const tenantAnswer = ampTenant.extend({ ring: z.number().nullish() });

/** What AMP says in its own words goes into reports of a hundred cells: a log's tail would be more than one may hold. */
const MAX_WORDS = 400;

export interface AmpHttpOptions {
  /** Base address, as in `AMP_URL`. */
  url: string;
  token?: string | undefined;
  /** Bounds each request. Default: 10 s. */
  timeoutMs?: number | undefined;
}

/** AMP over HTTP, as `src/contract/amp.ts` has it: one request a call, connections kept alive. */
export function ampOverHttp(options: AmpHttpOptions): AmpDriver {
  const base = options.url.replace(/\/+$/, '');
  const timeoutMs = options.timeoutMs ?? 10_000;
  const authorization: Record<string, string> = options.token ? { authorization: `Bearer ${options.token}` } : {};

  async function call<S extends z.ZodType>(schema: S, c: Call): Promise<{ data: z.infer<S>; asOfMs: number }> {
    const answer = await request({
      url: `${base}${c.path}`,
      method: c.method ?? 'GET',
      headers: { ...authorization, ...(c.body ? { 'content-type': 'application/json' } : {}), ...c.headers },
      body: c.body,
      timeoutMs,
      signal: c.signal,
    }).catch((error: unknown) => {
      if (c.signal?.aborted) throw c.signal.reason;
      throw new AmpError(`AMP does not answer: ${causeOf(error)}`, { kind: 'unreachable' }, { cause: error });
    });
    if (answer.status < 200 || answer.status > 299) throw ampErrorOf(answer);
    const read = schema.safeParse(answer.json);
    if (!read.success) throw unreadable(answer, read.error);
    return { data: read.data, asOfMs: clockOf(answer) };
  }

  async function callForJob(c: Call): Promise<AmpJob> {
    const { data, asOfMs } = await call(jobAnswer, c);
    return toJob(data, asOfMs);
  }

  return {
    submitJob: (job, signal) =>
      callForJob({
        method: 'POST',
        path: '/v1/jobs',
        headers: { [IDEMPOTENCY_KEY_HEADER]: job.key },
        body: toBody(job),
        signal,
      }),
    getJob: (id, signal) => callForJob({ path: `/v1/jobs/${encodeURIComponent(id)}`, signal }),
    cancelJob: (id, signal) =>
      callForJob({ method: 'POST', path: `/v1/jobs/${encodeURIComponent(id)}/cancel`, signal }),
    async listJobs(tenant, limit, signal) {
      const query = new URLSearchParams({ tenant, limit: String(limit) });
      const { data, asOfMs } = await call(jobsAnswer, { path: `/v1/jobs?${query}`, signal });
      return data.jobs.map((job) => toJob(job, asOfMs));
    },
    async getTenant(tenant, signal) {
      const { data } = await call(tenantAnswer, { path: `/v1/tenants/${encodeURIComponent(tenant)}`, signal });
      return toTenant(data);
    },
  };
}

interface Call {
  method?: 'GET' | 'POST';
  path: string;
  headers?: Record<string, string>;
  body?: unknown;
  signal?: AbortSignal | undefined;
}

const toBody = (job: SubmitJob): AmpJobRequest => ({
  tenant: job.tenant,
  kind: job.kind,
  version: job.version,
  ...(job.expectedVersion === null ? {} : { expected_version: job.expectedVersion }),
  ...(job.chartVersion === null ? {} : { chart_version: job.chartVersion }),
  scope: job.scope,
  post_deploy_migrations: job.postDeployMigrations,
  ...(job.reason === '' ? {} : { reason: job.reason }),
});

const toJob = (job: z.infer<typeof jobAnswer>, asOfMs: number): AmpJob => ({
  id: job.id,
  kind: job.kind,
  version: job.version,
  fromVersion: job.from_version,
  state: job.state,
  createdAt: job.created_at,
  startedAt: job.started_at,
  finishedAt: job.finished_at,
  error: job.error && shortened(job.error, MAX_WORDS),
  logUrl: job.log_url,
  key: job.idempotency_key,
  asOfMs,
});

const toTenant = (tenant: z.infer<typeof tenantAnswer>): AmpTenant => ({
  cellId: tenant.cell_id,
  ring: tenant.ring ?? null,
  facts: {
    version: tenant.version,
    chartVersion: tenant.chart_version,
    migratedVersion: tenant.migrated_version,
    previousVersion: tenant.previous_version,
    previousChartVersion: tenant.previous_chart_version,
  },
  state: tenant.state,
  activeJob: tenant.active_job,
});

function ampErrorOf(answer: HttpAnswer): AmpError {
  const said = ampError.safeParse(answer.json).data?.error;
  const words = [`AMP answers ${answer.status}`, said?.code, said?.message].filter(Boolean).join(': ');
  return new AmpError(shortened(words, MAX_WORDS), troubleOf(answer));
}

function troubleOf({ status, headers, json }: HttpAnswer): AmpTrouble {
  if (status >= 500) return { kind: 'server', status, retryAfterMs: retryAfterMs(headers) };
  switch (status) {
    case 401:
    case 403:
      return { kind: 'denied', status };
    case 404:
      return { kind: 'not-found' };
    case 409:
      return { kind: 'busy', jobId: ampTenantBusy.safeParse(json).data?.error.job_id ?? null };
    case 412:
      return { kind: 'version-changed', version: ampVersionChanged.safeParse(json).data?.error.version ?? null };
    case 422:
      return { kind: 'refused' };
    case 429:
      return { kind: 'throttled', retryAfterMs: retryAfterMs(headers) };
    default:
      return { kind: 'protocol', status };
  }
}

function unreadable(answer: HttpAnswer, error: z.ZodError): AmpError {
  const issue = error.issues[0];
  const where = issue ? `${issue.path.join('.') || 'the body'}: ${issue.message}` : 'the body';
  return new AmpError(`AMP's answer cannot be read: ${where}`, { kind: 'protocol', status: answer.status });
}
