import { ampOverHttp } from '../../../activities/amp-http.js';
import { cellsOverHttp } from '../../../activities/cell-http.js';
import { finishedByOurClock } from '../../../activities/job-end.js';
import {
  type CellToObserve,
  createObserve,
  type ObservationProblem,
  type ObserveDependencies,
} from '../../../activities/observe.js';
import { askAmp, type Patience } from '../../../activities/patience.js';
import { mapBounded } from '../../../activities/pool.js';
import type { AmpJob } from '../../../activities/ports.js';
import { prometheusOverHttp } from '../../../activities/prometheus-http.js';
import { orNull } from '../../../activities/tenants.js';
import { FailedError } from '../../client/errors.js';
import type { HealthSettings } from '../../config/settings.js';
import { FAILURE } from '../../contract/failures.js';
import type { CellObservation, HealthPolicy } from '../../contract/health.js';
import { bySignalsAlone } from '../../domain/health/gates.js';
import type { Cell } from '../../domain/topology/index.js';

/** A cell to be judged; `observed`: other tools deploy it, and it is judged by its signals alone. */
export interface AskedCell {
  cell: Cell;
  observed: boolean;
}

export interface MeasuredCell {
  observation: CellObservation;
  /** What could not be measured or read, a sentence each. */
  problems: string[];
}

export interface MeasureOrder {
  cells: readonly AskedCell[];
  policy: HealthPolicy;
  /** A deployment that ended so long ago is no longer what its cell is judged by. */
  recentMs: number;
}

/** A person waits: a quarter of what a worker gives a system in trouble. */
const PATIENCE: Patience = { totalMs: 5_000, firstPauseMs: 250, maxPauseMs: 2_000 };
const AT_ONCE = 20;
/** A tenant runs one job at a time, and what changed it last is among its last ones. */
const JOBS = 10;

/** What a worker measures with, over HTTP. */
export const outsideOf = ({ amp, prometheus, cellsToken }: HealthSettings): ObserveDependencies => ({
  amp: ampOverHttp({ url: amp.url, token: amp.token ?? undefined }),
  cells: cellsOverHttp({ token: cellsToken ?? undefined }),
  prometheus: prometheusOverHttp({ url: prometheus.url, token: prometheus.token ?? undefined }),
  patience: PATIENCE,
  prometheusPatience: PATIENCE,
});

/**
 * Measures cells as a worker does: after its deployment where that is recent, else as they are.
 * @throws FailedError where Prometheus or AMP cannot be asked: then nothing is known of any cell
 */
export async function measureCells(outside: ObserveDependencies, order: MeasureOrder): Promise<MeasuredCell[]> {
  const { signal } = new AbortController();
  try {
    const wanted = await mapBounded(order.cells, AT_ONCE, signal, (cell, stop) =>
      toObserve(outside, order, cell, stop),
    );
    const observed = await createObserve(outside)({ cells: wanted, policy: order.policy }, signal);
    if (observed.outcome === 'unavailable') throw new FailedError(FAILURE.healthUnavailable, observed.reason);
    return observed.observations.map((observation, index) => {
      const problems = observed.problems.filter(({ cell }) => cell === observation.cell).map(inWords);
      const own = order.cells[index]?.observed ? bySignalsAlone(observation) : observation;
      return { observation: own, problems: [...new Set(problems)] };
    });
  } catch (error) {
    throw toClientError(error);
  }
}

async function toObserve(
  outside: ObserveDependencies,
  { recentMs }: MeasureOrder,
  { cell, observed }: AskedCell,
  signal: AbortSignal,
): Promise<CellToObserve> {
  const { id, labels, tenant: name, url = '' } = cell;
  const tenant = observed ? null : (name ?? null);
  const deployed = tenant === null ? NEVER : await lastDeployment(outside, tenant, recentMs, signal);
  const known = { id, tenant, url: url.replace(/\/+$/, ''), labels, expected: null, before: null };
  return { ...known, ...deployed };
}

type Deployment = Pick<CellToObserve, 'begunAtMs' | 'deployedAtMs' | 'smokeTests'>;

const NEVER: Deployment = { begunAtMs: null, deployedAtMs: null, smokeTests: null };

/**
 * The last job that changed the tenant, where that is recent, and what came of smoke tests since. Its end is by our clock,
 * as far as AMP's answer tells by how much AMP's is behind.
 */
async function lastDeployment(
  { amp, patience }: ObserveDependencies,
  tenant: string,
  recentMs: number,
  signal: AbortSignal,
): Promise<Deployment> {
  const jobs = await askAmp(() => orNull(amp.listJobs(tenant, JOBS, signal)), { patience, signal });
  const ended = (jobs ?? []).filter((job) => job.startedAt !== null && job.finishedAt !== null);
  const change = ended.find(({ kind }) => kind === 'configure' || kind === 'rollback');
  const deployedAtMs = change ? finishedByOurClock(change) : null;
  if (!change || deployedAtMs === null || deployedAtMs <= Date.now() - recentMs) return NEVER;
  const begunAtMs = Date.parse(change.startedAt ?? '');
  return { begunAtMs, deployedAtMs, smokeTests: smokeTestsOf(ended.slice(0, ended.indexOf(change))) };
}

function smokeTestsOf(newestFirst: readonly AmpJob[]): Deployment['smokeTests'] {
  const state = newestFirst.find(({ kind }) => kind === 'smoke_tests')?.state;
  if (state === 'succeeded') return 'passed';
  return state === 'failed' ? 'failed' : null;
}

function inWords(found: ObservationProblem): string {
  if (found.signal === null) return `what it runs is not known: ${found.problem}`;
  return `${found.signal} (${found.window === 'baseline' ? 'its past' : 'now'}) is not known: ${found.problem}`;
}

/** By its type: the class comes with the SDK of workers. */
function toClientError(error: unknown): unknown {
  const { type, message } = error as { type?: unknown; message?: string };
  const isTrouble = type === FAILURE.ampUnavailable || type === FAILURE.accessDenied;
  return isTrouble && !(error instanceof FailedError) ? new FailedError(type, message ?? type) : error;
}
