import { hasStage, type Stage, type Trouble, type Work } from '../plan.js';
import type { FaultBox, Occasion } from './fault-box.js';
import type { FaultOf } from './schema.js';

export interface JobTrouble {
  trouble: Trouble;
  factor: number;
  ignoreCancel: boolean;
  /** Ids of the faults that struck. */
  faults: string[];
}

/** What goes wrong with a job that is being accepted. */
export function troubleOf(box: FaultBox, work: Work, occasion: Occasion): JobTrouble {
  const slow = box.strike('slow', occasion);
  const hangs = box.strike('job-hangs', occasion);
  const fails = hangs ? undefined : failure(box, work, occasion);
  const trouble: Trouble = {
    ...(fails && { fails: fails.fails }),
    ...(hangs && { hangs: { switched: hangs.fault.switched ?? false } }),
  };
  return {
    trouble,
    factor: slow?.fault.factor ?? 1,
    ignoreCancel: hangs?.fault.ignoreCancel ?? false,
    faults: [slow?.id, hangs?.id, fails?.id].filter((id) => id !== undefined),
  };
}

function failure(
  box: FaultBox,
  work: Work,
  occasion: Occasion,
): { id: string; fails: NonNullable<Trouble['fails']> } | undefined {
  const fails = box.strike('job-fails', occasion, (fault) => hasStage(work, stageOf(fault, work)));
  if (fails) {
    const { switched = true, error } = fails.fault;
    const stage = stageOf(fails.fault, work);
    return { id: fails.id, fails: { stage, switched, error: error ?? DEFAULT_ERRORS[stage] } };
  }
  const migration = hasStage(work, 'migrate') ? box.strike('pdm-fails', occasion) : undefined;
  if (migration) {
    const error = migration.fault.error ?? DEFAULT_ERRORS.migrate;
    return { id: migration.id, fails: { stage: 'migrate', switched: true, error } };
  }
  const rollback = work.kind === 'rollback' ? box.strike('rollback-fails', occasion) : undefined;
  if (rollback === undefined) return undefined;
  const { switched = false, error = 'the earlier version could not be installed' } = rollback.fault;
  return { id: rollback.id, fails: { stage: 'install', switched, error } };
}

const DEFAULT_ERRORS: Record<Stage, string> = {
  queued: 'the job could not be started',
  install: 'the installation failed: helm upgrade ended with an error',
  migrate: 'post-deployment migrations failed',
  finish: 'the job failed in its last stage',
};

/** Where no stage is named a job fails in its main one. */
function stageOf(fault: FaultOf<'job-fails'>, work: Work): Stage {
  if (fault.stage !== undefined) return fault.stage;
  if (work.kind === 'smoke_tests') return 'finish';
  return work.kind === 'post_deploy_migrations' ? 'migrate' : 'install';
}
