import type { CellObservation, CellVerdict, HealthPolicy } from '../src/contract/health.js';
import { isPackage, revisionMatches, sameVersion } from '../src/domain/package-version.js';
import { metadataOf, readinessOf } from './cell-answers.js';
import { createMeasure, type MeasureDependencies, type Measured, type SignalProblem, type Window } from './measure.js';
import { askAmp, type Patience } from './patience.js';
import { mapBounded } from './pool.js';
import type { AmpDriver, AmpTenant, CellApi, MetadataAnswer } from './ports.js';
import { orNull } from './tenants.js';
import { runsCommit } from './versions.js';

export interface ObserveDependencies extends MeasureDependencies {
  amp: AmpDriver;
  cells: CellApi;
  patience: Patience;
}

/** A cell to observe, and what is known of its deployment; times are epoch ms. */
export interface CellToObserve {
  id: string;
  /** AMP is asked for it; null: AMP does not know the cell, or has been asked just now. Then its revision has to do. */
  tenant: string | null;
  url: string;
  labels?: Readonly<Record<string, string>> | undefined;
  /** The package that should run; null: whatever it runs is right. */
  expected: string | null;
  /** When its deployment began: where the baseline ends. null: there was none in this pass. */
  begunAtMs: number | null;
  /** When the deployment's job ended: where `after` begins. */
  deployedAtMs: number | null;
  bornMs?: number | null;
  smokeTests: 'passed' | 'failed' | null;
  before: CellVerdict | null;
  /** Its past, where it has been measured already: it does not change any more, and is not asked for again. */
  baseline?: CellObservation['baseline'] | undefined;
}

export interface ObserveOrder {
  cells: readonly CellToObserve[];
  policy: HealthPolicy;
}

export type ObservationProblem = { cell: string } & (
  | SignalProblem
  /** Why nothing is known of what the cell runs. */
  | { signal: null; problem: string }
);

export type Observed =
  | {
      outcome: 'observed';
      observations: CellObservation[];
      /** Cells without one sample since their deployment. */
      silent: string[];
      problems: ObservationProblem[];
    }
  | Exclude<Measured, { outcome: 'measured' }>;

export type Observe = (order: ObserveOrder, signal: AbortSignal) => Promise<Observed>;

/** A cell as it is, that nothing was deployed to, is judged by so many windows: an hour with the defaults. */
const WINDOWS_AS_IT_IS = 6;
/** No more of a short past than leaves enough of it to compare with. */
const SHARE_OF_PAST = 1 / 8;

/** Cells asked in parallel, as in a look. */
const AT_ONCE = 20;

/**
 * Measures cells, and then asks what they run: in this order, so that what was measured was measured on nothing newer.
 * The signals themselves stay in this process: a ring's are megabytes, and not finite numbers do not survive JSON.
 * Fails with `AmpUnavailable` or `AccessDenied` where AMP itself cannot be asked.
 */
export function createObserve(dependencies: ObserveDependencies): Observe {
  const measure = createMeasure(dependencies);
  return async ({ cells, policy }, signal) => {
    const nowMs = Date.now();
    const wanted = cells.map((cell) => ({ id: cell.id, labels: cell.labels, ...windowsOf(cell, policy, nowMs) }));
    const measured = await measure({ cells: wanted, policy }, signal);
    if (measured.outcome === 'unavailable') return measured;
    const running = await mapBounded(cells, AT_ONCE, signal, (cell, stop) => lookAt(dependencies, cell, stop));
    const observations = cells.map((cell, index): CellObservation => {
      const { package: runs = null, readiness = 'silent' } = running[index] ?? {};
      const { baseline = {}, after = {} } = measured.cells[index] ?? {};
      return {
        cell: cell.id,
        expected: cell.expected ?? runs ?? '',
        running: runs,
        deployedAtMs: cell.deployedAtMs,
        nowMs,
        ...(cell.bornMs === undefined ? {} : { bornMs: cell.bornMs }),
        baseline: cell.baseline ?? baseline,
        after,
        readiness,
        smokeTests: cell.smokeTests,
        before: cell.before,
      };
    });
    return {
      outcome: 'observed',
      observations,
      silent: measured.silent,
      problems: problemsOf(measured.cells, running),
    };
  };
}

/** The baseline ends where the deployment begins, `after` begins where it ended: what was measured between is neither. */
function windowsOf(
  cell: CellToObserve,
  { windowMs, baselineMs }: HealthPolicy,
  nowMs: number,
): { baseline: Window | null; after: Window } {
  const asItIsMs = Math.max(windowMs, Math.min(WINDOWS_AS_IT_IS * windowMs, SHARE_OF_PAST * baselineMs));
  const after = { fromMs: cell.deployedAtMs ?? nowMs - asItIsMs, toMs: nowMs };
  const endMs = cell.begunAtMs ?? after.fromMs;
  const baseline = cell.baseline ? null : { fromMs: endMs - baselineMs, toMs: endMs };
  return { baseline, after };
}

interface Running {
  cell: string;
  /** The package that the cell was seen to run; null: not known. */
  package: string | null;
  readiness: CellObservation['readiness'];
  problem: string | null;
}

async function lookAt(dependencies: ObserveDependencies, cell: CellToObserve, signal: AbortSignal): Promise<Running> {
  const { amp, cells, patience } = dependencies;
  const { tenant: name } = cell;
  const [tenant, readiness, metadata] = await Promise.all([
    name === null ? undefined : askAmp(() => orNull(amp.getTenant(name, signal)), { patience, signal }),
    readinessOf(cells, cell.url, signal),
    metadataOf(cells, cell.url, signal),
  ]);
  const seen = tenant === undefined ? byRevision(cell, metadata) : byAmp(cell, tenant, metadata);
  const known = 'runs' in seen;
  return {
    cell: cell.id,
    package: known ? seen.runs : null,
    readiness: readiness.state,
    problem: known ? null : seen.problem,
  };
}

type Seen = { runs: string } | { problem: string };

/** AMP knows the package, the cell its commit: only together they are an observation. */
function byAmp({ expected }: CellToObserve, tenant: AmpTenant | null, metadata: MetadataAnswer): Seen {
  if (tenant === null) return { problem: 'AMP knows no such tenant' };
  const { activeJob, facts, state } = tenant;
  if (activeJob !== null) return { problem: `job ${activeJob} is under way on it` };
  if (state === 'failed') return { problem: 'AMP says that the last job on it failed' };
  if (facts.version === null) return { problem: 'AMP does not say what it runs' };
  if (metadata.state !== 'known') return { problem: metadata.detail };
  if (!runsCommit(facts.version, metadata.revision)) {
    return { problem: `it reports revision ${metadata.revision}, not ${facts.version}'s` };
  }
  // The same package may be written with shas of another length.
  return { runs: expected !== null && sameVersion(facts.version, expected) ? expected : facts.version };
}

/** The cell's own word alone: the expected package where the revision is its, else just the revision. */
function byRevision({ expected }: CellToObserve, metadata: MetadataAnswer): Seen {
  if (metadata.state !== 'known') return { problem: metadata.detail };
  const { revision } = metadata;
  const isExpected = expected !== null && isPackage(expected) && revisionMatches(expected, revision);
  return { runs: isExpected ? expected : revision };
}

function problemsOf(
  measured: Extract<Measured, { outcome: 'measured' }>['cells'],
  running: readonly Running[],
): ObservationProblem[] {
  return [
    ...measured.flatMap(({ cell, problems }) => problems.map((problem) => ({ cell, ...problem }))),
    ...running.flatMap(({ cell, problem }) => (problem === null ? [] : [{ cell, signal: null, problem }])),
  ];
}
