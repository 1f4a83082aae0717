import type { JobKind, TenantFacts } from '../src/contract/activities.js';
import type { AmpJobState } from '../src/contract/amp.js';
import type { Sample } from '../src/contract/health.js';

/** A JSON logger in the manner of pino. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A job as AMP answers it. Instants are RFC 3339, `asOfMs` is epoch milliseconds. */
export interface AmpJob {
  id: string;
  kind: JobKind;
  version: string;
  fromVersion: string | null;
  state: AmpJobState;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  error: string | null;
  logUrl: string | null;
  /** The idempotency key that it was ordered with. */
  key: string | null;
  /** AMP's own clock when it answered this. */
  asOfMs: number;
}

export interface AmpTenant {
  /** The cell that AMP takes this tenant for; null where it does not say. */
  cellId: string | null;
  /** Only some AMPs know rings. */
  ring: number | null;
  facts: TenantFacts;
  /** `failed`: the last job on it failed, so that `version` may be half installed. */
  state: 'ready' | 'changing' | 'failed';
  activeJob: string | null;
}

export interface SubmitJob {
  /** Idempotency key. The rest must depend on nothing but what the key stands for. */
  key: string;
  tenant: string;
  kind: JobKind;
  version: string;
  chartVersion: string | null;
  expectedVersion: string | null;
  scope: 'application' | 'full';
  postDeployMigrations: 'skip' | 'include';
  reason: string;
}

/**
 * The system that deploys tenants. Another one is one file that implements this. Every method throws an `AmpError`,
 * or the reason of `signal` once that is aborted; none retries by itself.
 */
export interface AmpDriver {
  /** The new job, or the one that was ordered with this key before. */
  submitJob(job: SubmitJob, signal?: AbortSignal): Promise<AmpJob>;
  getJob(id: string, signal?: AbortSignal): Promise<AmpJob>;
  /** Asks for a cancel; a job that has ended stays as it is. */
  cancelJob(id: string, signal?: AbortSignal): Promise<AmpJob>;
  /** Newest first. */
  listJobs(tenant: string, limit: number, signal?: AbortSignal): Promise<AmpJob[]>;
  getTenant(tenant: string, signal?: AbortSignal): Promise<AmpTenant>;
}

/** Why AMP did not do what it was asked. */
export type AmpTrouble =
  /** No answer: refused, reset, timed out. A POST may have arrived all the same. */
  | { kind: 'unreachable' }
  /** 5xx. */
  | { kind: 'server'; status: number; retryAfterMs: number | null }
  /** 429. */
  | { kind: 'throttled'; retryAfterMs: number | null }
  /** 401, 403. */
  | { kind: 'denied'; status: number }
  | { kind: 'not-found' }
  /** Another job holds the tenant; its id, where the answer names it. */
  | { kind: 'busy'; jobId: string | null }
  /** The tenant does not run the expected version, but this one. */
  | { kind: 'version-changed'; version: string | null }
  /** 422. */
  | { kind: 'refused' }
  /** The answer cannot be read, or its status is none that the contract knows. */
  | { kind: 'protocol'; status: number };

export class AmpError extends Error {
  override readonly name = 'AmpError';
  constructor(
    message: string,
    readonly trouble: AmpTrouble,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** `detail` is one sentence; empty where ready. */
export interface ReadinessAnswer {
  state: 'ready' | 'not-ready' | 'silent';
  detail: string;
}

export type MetadataAnswer =
  | { state: 'known'; version: string; revision: string }
  /** 401, 403: the token is wrong, whatever the cell runs. */
  | { state: 'denied'; detail: string }
  /** No answer, or none that can be read. */
  | { state: 'unknown'; detail: string };

/** What a cell says of itself. Both methods throw only the reason of an aborted `signal`. */
export interface CellApi {
  /** @param url base address of the cell, without a trailing slash */
  readiness(url: string, signal?: AbortSignal): Promise<ReadinessAnswer>;
  metadata(url: string, signal?: AbortSignal): Promise<MetadataAnswer>;
}

/** A time series. NaN and infinities are values here, and become null where JSON carries them on. */
export interface Series {
  labels: Record<string, string>;
  points: Sample[];
}

export interface QueryAnswer {
  series: Series[];
  /** What Prometheus warned of: where there is anything, the answer may be a part of the truth. */
  warnings: string[];
  /** Prometheus' own clock when it answered, epoch ms. */
  asOfMs: number;
}

export interface RangeQuery {
  query: string;
  /** Points after this, epoch ms. */
  fromMs: number;
  /** Points up to and including this, epoch ms. */
  toMs: number;
  /** Taken as the least: raised where the range would have more points than Prometheus answers. */
  stepMs: number;
}

/**
 * Prometheus, or what answers as it does. Both methods throw a `PrometheusError`, or the reason of `signal` once that
 * is aborted; neither retries by itself. What a query makes of a counter that begins anew is its own business: `rate`
 * and `increase` know resets, a bare counter or `delta` does not.
 */
export interface PrometheusApi {
  /** Points at whole multiples of the step, so that two looks at one range see the same ones. */
  range(query: RangeQuery, signal?: AbortSignal): Promise<QueryAnswer>;
  /** One point a series. */
  instant(query: { query: string; atMs: number }, signal?: AbortSignal): Promise<QueryAnswer>;
}

/** Why Prometheus did not answer a query with data. */
export type PrometheusTrouble =
  /** No answer: refused, reset. */
  | { kind: 'unreachable' }
  /** No answer in time. */
  | { kind: 'timeout' }
  /** 5xx. */
  | { kind: 'server'; status: number; retryAfterMs: number | null }
  /** 429. */
  | { kind: 'throttled'; retryAfterMs: number | null }
  /** 401, 403. */
  | { kind: 'denied'; status: number }
  /** The answer cannot be read, or its status is none that a Prometheus gives. */
  | { kind: 'protocol'; status: number }
  /** 400: the query itself is wrong. */
  | { kind: 'bad-query' }
  /** 422: it was understood and could not be carried out. */
  | { kind: 'execution' }
  /** Prometheus gave it up: the query is too large, or Prometheus too busy. */
  | { kind: 'too-slow' }
  /** The answer is larger than anything that one asks for. */
  | { kind: 'too-large' };

export class PrometheusError extends Error {
  override readonly name = 'PrometheusError';
  constructor(
    message: string,
    readonly trouble: PrometheusTrouble,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** An alert as Alertmanager takes it; instants are RFC 3339. The labels are its identity. */
export interface PostableAlert {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAt?: string;
  /** In the past: it is resolved. In the future: it is resolved then, unless it is posted again. */
  endsAt: string;
}

/** Alertmanager, or what takes alerts as it does. Does not retry by itself. */
export interface AlertmanagerApi {
  /** @throws AlertmanagerError */
  post(alerts: readonly PostableAlert[]): Promise<void>;
}

export class AlertmanagerError extends Error {
  override readonly name = 'AlertmanagerError';
  constructor(
    message: string,
    /** `refused`: what was posted is wrong, and will be wrong again. `trouble`: it was not taken this time. */
    readonly kind: 'refused' | 'trouble',
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
