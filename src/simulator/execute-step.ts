import { type CellRecord, instantOf, type JobRecord, MAX_INSTALLS, type StepRecord } from './model.js';
import { compareVersions } from './packages.js';

/**
 * Does one step of a job to its cell. Answers the step that takes the place of everything planned after it, where the
 * job cannot go on.
 */
export function executeStep(
  record: JobRecord,
  cell: CellRecord,
  step: StepRecord,
  isReady: () => boolean,
): StepRecord | null {
  if (step.does === 'start') return start(record, cell, step);
  if (step.does === 'switch') return installVersion(cell, record.job.version, record.chartVersion, step.atMs);
  if (step.does === 'migrate') return migrate(record, cell, step);
  return end(record, cell, step, isReady);
}

function start(record: JobRecord, cell: CellRecord, step: StepRecord): null {
  const { job } = record;
  job.state = 'running';
  job.started_at = instantOf(step.atMs);
  job.from_version = cell.version;
  record.fromChartVersion = cell.chartVersion;
  if (job.kind === 'configure' && job.version !== cell.version) {
    cell.previousVersion = cell.version;
    cell.previousChartVersion = cell.chartVersion;
  }
  return null;
}

/** Puts a version on a cell. */
export function installVersion(cell: CellRecord, version: string, chartVersion: string | null, atMs: number): null {
  if (cell.version !== version) cell.versionSinceMs = atMs;
  cell.version = version;
  cell.chartVersion = chartVersion;
  cell.installs = [...cell.installs, { atMs, version }].slice(-MAX_INSTALLS);
  return null;
}

function migrate({ job }: JobRecord, cell: CellRecord, { atMs }: StepRecord): StepRecord | null {
  if (job.kind === 'post_deploy_migrations' && cell.version !== job.version) {
    const error = `post-deployment migrations of ${job.version} cannot run: the tenant runs ${cell.version ?? 'nothing'}`;
    return { atMs, does: 'end', outcome: 'failed', error };
  }
  const { migratedVersion } = cell;
  if (migratedVersion === null || compareVersions(job.version, migratedVersion) > 0) cell.migratedVersion = job.version;
  return null;
}

function end({ job }: JobRecord, cell: CellRecord, step: StepRecord, isReady: () => boolean): null {
  const smokeFails = job.kind === 'smoke_tests' && step.outcome === 'succeeded' && !isReady();
  job.state = smokeFails ? 'failed' : (step.outcome ?? 'succeeded');
  job.finished_at = instantOf(step.atMs);
  job.error = smokeFails ? 'smoke tests failed: the cell is not ready' : (step.error ?? null);
  const changedSomething = job.kind !== 'smoke_tests' && job.started_at !== null;
  if (changedSomething && job.state !== 'canceled') cell.failed = job.state === 'failed';
  return null;
}
