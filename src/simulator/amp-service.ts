import { type AmpJobRequest, ampJobQuery, ampJobRequest, MAX_IDEMPOTENCY_KEY_LENGTH } from '../contract/amp.js';
import type { z } from '../contract/zod.js';
import type { Occasion } from './faults/fault-box.js';
import type { JobRecord } from './model.js';
import { inferredChart } from './packages.js';
import { describeProblem, problemsOf, render } from './problems.js';
import { occasionOf } from './readiness.js';
import type { World } from './world.js';

export interface Answer {
  status: number;
  body: unknown;
}

const refusal = (status: number, code: string, message: string, more: object = {}): Answer => ({
  status,
  body: { error: { code, ...more, message } },
});

const invalid = (error: z.ZodError, input: unknown): Answer =>
  refusal(422, 'invalid_request', problemsOf(error, input).map(describeProblem).join('; '));

/** `POST /v1/jobs`. The key is looked up first: asked again, AMP answers the same whatever has happened since. */
export function submitJob(world: World, key: string | undefined, body: unknown, nowMs: number): Answer {
  if (key === undefined || key === '' || key.length > MAX_IDEMPOTENCY_KEY_LENGTH) {
    const expected = `header Idempotency-Key with 1 to ${MAX_IDEMPOTENCY_KEY_LENGTH} characters`;
    return refusal(422, 'idempotency_key_missing', `Idempotency-Key: ${render(key)}; expected ${expected}`);
  }
  const canonical = canonicalJson(body);
  const known = world.jobs.byKey(key);
  if (known) return submitAgain(world, known, canonical);
  const parsed = ampJobRequest.safeParse(body);
  return parsed.success ? order(world, key, parsed.data, canonical, nowMs) : invalid(parsed.error, body);
}

function submitAgain(world: World, known: JobRecord, canonical: string): Answer {
  if (known.body !== canonical) {
    const message = `Idempotency-Key: it stands for ${known.job.id}, which was asked for with another body`;
    return refusal(422, 'idempotency_key_reused', message);
  }
  world.submittedAgain(known);
  return { status: 200, body: known.job };
}

function order(world: World, key: string, request: AmpJobRequest, body: string, nowMs: number): Answer {
  const cell = world.tenants.get(request.tenant);
  if (cell === undefined || world.faults.strike('unknown-tenant', occasionOf(cell)))
    return unknownTenant(request.tenant);
  const active = world.jobs.activeOn(cell.id);
  if (active) {
    const message = `${active.job.id} is under way on ${request.tenant}`;
    return refusal(409, 'tenant_busy', message, { job_id: active.job.id });
  }
  if (request.expected_version !== undefined && request.expected_version !== cell.version) {
    const message = `${request.tenant} runs ${cell.version ?? 'nothing'}, not ${request.expected_version}`;
    return refusal(412, 'version_changed', message, { version: cell.version });
  }
  const accepted = world.accept(
    {
      key,
      body,
      kind: request.kind,
      version: request.version,
      chartVersion: request.chart_version ?? inferredChart(request.version),
      expectedVersion: request.expected_version ?? null,
      scope: request.scope,
      postDeployMigrations: request.post_deploy_migrations,
      reason: request.reason ?? null,
    },
    cell,
    nowMs,
  );
  return { status: 201, body: accepted.job };
}

/** `GET /v1/jobs/{id}`. */
export function getJob(world: World, id: string): Answer {
  const record = world.jobs.byId(id);
  return record ? { status: 200, body: record.job } : unknownJob(id);
}

/** `POST /v1/jobs/{id}/cancel`. */
export function cancelJob(world: World, id: string, nowMs: number): Answer {
  const record = world.jobs.byId(id);
  if (record === undefined) return unknownJob(id);
  world.cancel(record, nowMs);
  return { status: 200, body: record.job };
}

/** `GET /v1/jobs`. */
export function listJobs(world: World, query: unknown): Answer {
  const parsed = ampJobQuery.safeParse(query);
  if (!parsed.success) return invalid(parsed.error, query);
  return { status: 200, body: { jobs: world.jobs.list(parsed.data).map((record) => record.job) } };
}

/** `GET /v1/tenants/{tenant}`. */
export function getTenant(world: World, name: string): Answer {
  const cell = world.tenants.get(name);
  if (cell === undefined) return unknownTenant(name);
  const { faults } = world;
  const occasion = occasionOf(cell);
  if (faults.strike('unknown-tenant', occasion)) return unknownTenant(name);
  const tenant = world.tenant(cell);
  const wrongCell = faults.strike('wrong-cell-id', occasion);
  if (wrongCell) tenant.cell_id = wrongCell.fault.reports ?? `not-${cell.id}`.slice(0, 63);
  const wrongVersion = faults.strike('wrong-version', occasion, (fault) => fault.where === 'amp');
  if (wrongVersion) tenant.version = wrongVersion.fault.reports ?? cell.previousVersion;
  return { status: 200, body: tenant };
}

const unknownTenant = (name: string): Answer =>
  refusal(404, 'unknown_tenant', `tenant: no tenant is called ${render(name)}`);
const unknownJob = (id: string): Answer => refusal(404, 'unknown_job', `id: no job is called ${render(id)}`);

/** What a submission is about, for faults that strike requests; a body that makes no sense is about nothing. */
export function occasionOfSubmission(world: World, body: unknown): Occasion {
  const parsed = ampJobRequest.safeParse(body);
  if (!parsed.success) return {};
  const { tenant, version, kind } = parsed.data;
  return { cell: world.tenants.get(tenant)?.id, tenant, version, jobKind: kind };
}

export function occasionOfJob(world: World, id: string): Occasion {
  const record = world.jobs.byId(id);
  if (record === undefined) return {};
  const { tenant, version, kind } = record.job;
  return { cell: record.cell, tenant, version, jobKind: kind };
}

export function occasionOfTenant(world: World, name: string | undefined): Occasion {
  const cell = name === undefined ? undefined : world.tenants.get(name);
  return cell ? occasionOf(cell) : { tenant: name };
}

function canonicalJson(value: unknown): string {
  return (
    JSON.stringify(value, (_key, part: unknown) =>
      part !== null && typeof part === 'object' && !Array.isArray(part)
        ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
        : part,
    ) ?? ''
  );
}
