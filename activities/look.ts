import { ApplicationFailure } from '@temporalio/common';
import type { Activities, CellLook, CellRef, LastJob, LookOrder } from '../src/contract/activities.js';
import { FAILURE } from '../src/contract/failures.js';
import { sameVersion } from '../src/domain/package-version.js';
import { metadataOf, readinessOf } from './cell-answers.js';
import { heartbeating } from './heartbeat.js';
import { wrongForAmp, wrongForCell } from './on-target.js';
import { askAmp, type Patience } from './patience.js';
import { mapBounded } from './pool.js';
import type { AmpDriver, AmpJob, AmpTenant, CellApi, MetadataAnswer } from './ports.js';
import { isOurs, mismatchOf, orNull, UNKNOWN_FACTS } from './tenants.js';

export interface LookDependencies {
  amp: AmpDriver;
  cells: CellApi;
  patience: Patience;
}

/** Cells looked at in parallel: a batch of 100 takes a few round trips, and AMP sees no herd. */
const AT_ONCE = 20;

/** `lookAtCells`: what AMP and the cells themselves say of up to 100 cells. See `Activities`. */
export function createLookAtCells(dependencies: LookDependencies): Activities['lookAtCells'] {
  return (order) =>
    heartbeating(
      () => undefined,
      ({ signal }) => lookAtAll(dependencies, order, signal),
    );
}

/** Looks at however many cells, some at a time. */
export async function lookAtAll(
  dependencies: LookDependencies,
  order: LookOrder,
  signal: AbortSignal,
): Promise<CellLook[]> {
  const answers = await mapBounded(order.cells, AT_ONCE, signal, (cell, stop) =>
    lookAtCell(dependencies, order, cell, stop),
  );
  assertTokenAccepted(answers.flatMap((answer) => answer.metadata ?? []));
  return answers.map((answer) => answer.look);
}

interface Answer {
  look: CellLook;
  metadata: MetadataAnswer | null;
}

async function lookAtCell(
  dependencies: LookDependencies,
  order: LookOrder,
  cell: CellRef,
  signal: AbortSignal,
): Promise<Answer> {
  const { amp, cells } = dependencies;
  const how = { patience: dependencies.patience, signal };
  const tenant = await askAmp(() => orNull(amp.getTenant(cell.tenant, signal)), how);
  if (tenant === null) return unknownTenant(cell);
  const { activeJob } = tenant;
  const job = activeJob === null ? null : await askAmp(() => orNull(amp.getJob(activeJob, signal)), how);
  const failedJob = order.askOnlyAmp ? null : await lastFailed(dependencies, order.cluster, cell, tenant, signal);
  const asksJobs = order.askJobs === true && !sameVersion(tenant.facts.version, order.version);
  const lastJob = asksJobs ? await lastInstalling(dependencies, order.cluster, cell, signal) : undefined;
  const mismatch = mismatchOf(cell, order.ring, tenant);
  const wrong = mismatch ?? wrongForTenant(order, tenant);
  const asks = wrong === null && !order.askOnlyAmp;
  const [readiness, metadata] = await Promise.all([
    asks || order.askReadiness ? readinessOf(cells, cell.url, signal) : null,
    asks ? metadataOf(cells, cell.url, signal) : null,
  ]);
  const unasked = order.askOnlyAmp ? 'the cell itself was not asked' : null;
  const problem = wrong ?? unasked ?? wrongForCell(order.version, readiness, metadata) ?? '';
  const look: CellLook = {
    cell: cell.id,
    tenant: mismatch === null ? 'known' : 'mismatch',
    facts: tenant.facts,
    activeJob: activeJob === null ? null : { id: activeJob, ours: job !== null && isOurs(order.cluster, job) },
    failedJob,
    ...(lastJob === undefined ? {} : { lastJob }),
    readiness: readiness?.state ?? 'unasked',
    onTarget: problem === '',
    problem,
  };
  return { look, metadata };
}

/** What it was that failed on a tenant that AMP calls failed. */
async function lastFailed(
  { amp, patience }: LookDependencies,
  cluster: string,
  { tenant: name }: CellRef,
  { state, activeJob }: AmpTenant,
  signal: AbortSignal,
): Promise<CellLook['failedJob']> {
  if (state !== 'failed' || activeJob !== null) return null;
  const [job] = (await askAmp(() => orNull(amp.listJobs(name, 1, signal)), { patience, signal })) ?? [];
  if (!job) return null;
  const { id, kind, version, fromVersion } = job;
  return { id, kind, version, fromVersion, ours: isOurs(cluster, job) };
}

/** So many of a tenant's newest jobs are looked through for one that installs something. */
const NEWEST_JOBS = 10;

/** The newest job that began to install something; null: AMP has none among the tenant's newest. */
async function lastInstalling(
  { amp, patience }: LookDependencies,
  cluster: string,
  { tenant }: CellRef,
  signal: AbortSignal,
): Promise<LastJob | null> {
  const jobs = (await askAmp(() => orNull(amp.listJobs(tenant, NEWEST_JOBS, signal)), { patience, signal })) ?? [];
  const installs = ({ kind, startedAt }: AmpJob) => (kind === 'configure' || kind === 'rollback') && startedAt !== null;
  const job = jobs.find(installs);
  if (!job) return null;
  const { id, kind, version, fromVersion, state, createdAt } = job;
  return { id, kind, version, fromVersion, state, createdAt, ours: isOurs(cluster, job) };
}

/** Why AMP does not say that the cell is on target; null where it does. */
function wrongForTenant(order: LookOrder, tenant: AmpTenant): string | null {
  const wrong = wrongForAmp(order.version, order.chartVersion, tenant);
  if (wrong !== null || tenant.state !== 'failed') return wrong;
  // A failed deployment leaves either version behind, half installed, and its cell may well answer that it is ready.
  return 'AMP says that the last job on it failed';
}

/** One cell that refuses our token is that cell's problem; all of them, and it is the token. */
function assertTokenAccepted(answers: MetadataAnswer[]): void {
  const [first] = answers;
  if (first?.state !== 'denied' || !answers.every((answer) => answer.state === 'denied')) return;
  throw ApplicationFailure.nonRetryable(first.detail, FAILURE.accessDenied, {});
}

const unknownTenant = (cell: CellRef): Answer => ({
  look: {
    cell: cell.id,
    tenant: 'unknown',
    facts: UNKNOWN_FACTS,
    activeJob: null,
    failedJob: null,
    readiness: 'unasked',
    onTarget: false,
    problem: `AMP knows no tenant ${cell.tenant}`,
  },
  metadata: null,
});
