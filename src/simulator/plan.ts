import type { AmpJobKind, AmpMigrationChoice } from '../contract/amp.js';
import type { StepRecord } from './model.js';

export const STAGES = ['queued', 'install', 'migrate', 'finish'] as const;
export type Stage = (typeof STAGES)[number];

export interface Work {
  kind: AmpJobKind;
  postDeployMigrations: AmpMigrationChoice;
}

export interface Trouble {
  fails?: { stage: Stage; switched: boolean; error: string };
  hangs?: { switched: boolean };
}

/** When each step comes, as a share of the whole job; the version switches in the middle. */
const START = 0.05;
const FAIL_BEFORE_SWITCH = 0.4;
const SWITCH = 0.5;
const FAIL_AFTER_SWITCH = 0.6;
const MIGRATE = 0.7;
const MIGRATE_ALONE = 0.15;
const FAIL_IN_MIGRATION = 0.85;

const installs = (work: Work): boolean => work.kind === 'configure' || work.kind === 'rollback';
const migratesAfterInstall = (work: Work): boolean =>
  work.kind === 'configure' && work.postDeployMigrations === 'include';

/** Whether a job for this work goes through a stage: one without it cannot fail there. */
export function hasStage(work: Work, stage: Stage): boolean {
  if (stage === 'install') return installs(work);
  if (stage === 'migrate') return work.kind === 'post_deploy_migrations' || migratesAfterInstall(work);
  return true;
}

/** The steps of a job that is accepted at `createdMs` and takes `durationMs` where nothing goes wrong. */
export function planJob(work: Work, createdMs: number, durationMs: number, trouble: Trouble): StepRecord[] {
  const at = (share: number): number => createdMs + Math.round(share * durationMs);
  const steps: StepRecord[] = [{ atMs: at(START), does: 'start' }];
  if (installs(work)) steps.push({ atMs: at(SWITCH), does: 'switch' });
  if (migratesAfterInstall(work)) steps.push({ atMs: at(MIGRATE), does: 'migrate' });
  if (work.kind === 'post_deploy_migrations') steps.push({ atMs: at(MIGRATE_ALONE), does: 'migrate' });

  if (trouble.hangs) {
    const { switched } = trouble.hangs;
    return steps.filter((step) => step.does === 'start' || (switched && step.does === 'switch'));
  }
  if (trouble.fails) {
    const endMs = at(failureShare(trouble.fails));
    const { error, stage } = trouble.fails;
    const before = stage === 'queued' ? [] : steps.filter((step) => step.atMs <= endMs && reaches(step, trouble));
    return [...before, { atMs: endMs, does: 'end', outcome: 'failed', error }];
  }
  return [...steps, { atMs: at(1), does: 'end', outcome: 'succeeded' }];
}

// An instant job has all its steps at one moment, so time alone does not tell which come before the failure.
function reaches(step: StepRecord, { fails }: Trouble): boolean {
  if (fails?.stage !== 'install') return true;
  return step.does === 'start' || (step.does === 'switch' && fails.switched);
}

function failureShare({ stage, switched }: { stage: Stage; switched: boolean }): number {
  if (stage === 'queued') return START;
  if (stage === 'install') return switched ? FAIL_AFTER_SWITCH : FAIL_BEFORE_SWITCH;
  return stage === 'migrate' ? FAIL_IN_MIGRATION : 1;
}
