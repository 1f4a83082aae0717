import type { CellLook } from '../../contract/activities.js';
import type { RingPolicy } from '../../contract/policy.js';
import type { CellException, CellState, PassPurpose } from '../../contract/status.js';
import { hasMigrated, judgeSeen, type Target } from '../cell.js';
import { sameVersion } from '../package-version.js';
import { tooFarBehind } from '../upgrade-path.js';
import { setMark } from './marks.js';
import type { Mark, PassState } from './pass.js';
import { type RetryVerdict, retried } from './people.js';

/** What a look at a cell means for a pass. */

interface Seen {
  mark: Mark;
  exception?: string;
  state?: CellState;
  /** Nobody asked for it again: what failed here is to be taken back. */
  goesBack?: true;
}

/** What a pass goes by when it looks at its cells. */
export interface LookRules {
  target: Target;
  policy: RingPolicy;
  /** Somebody asked for this pass by name: what failed before is tried again. */
  askedFor: boolean;
  /** What AMP says and what the cell says may differ: it is brought back to what AMP says. */
  reconciles?: boolean;
  /** Cells that came from another ring, and may be past this one. */
  came?: string[];
}

/** Where a cell stands at the beginning of a pass: what is on target already is not asked for again. */
function judgeFirstLook(s: PassState, look: CellLook, rules: LookRules): Seen {
  const { target, policy, askedFor, reconciles = false, came = [] } = rules;
  const stands = look.tenant === 'known' ? judgeSeen(look.facts, target) : 'unknown';
  if (s.purpose === 'rollback') return judgeForRollback(look, target);
  const newer = `runs ${look.facts.version}, a newer package`;
  // It came to the ring with what its old one ran: no fault of the package's, and none of the budget's.
  if (stands === 'newer' && s.purpose === 'deploy' && came.includes(look.cell))
    return { mark: 's', exception: newer, state: 'skipped' };
  if (stands === 'newer') return { mark: 'X', exception: newer };
  if (s.purpose === 'migrate') return judgeForMigration(look, target);
  const failed = askedFor ? null : judgeFailed(look, target, stands === 'target');
  if (failed) return failed;
  if (reconciles && isRestored(look, stands === 'target')) return { mark: '.' };
  if (!look.onTarget) return judgeOffTarget(look, target, policy, stands === 'target');
  if (hasMigrated(look.facts, target.version)) return { mark: 'M' };
  return { mark: policy.postDeployMigrations === 'with-deploy' ? '.' : 'C' };
}

/** By AMP's word it runs the package, and it answers, well, that it runs something else: it was restored from a backup. */
const isRestored = ({ onTarget, readiness, failedJob }: CellLook, isOnPackage: boolean): boolean =>
  isOnPackage && !onTarget && readiness === 'ready' && failedJob === null;

/**
 * A cell that runs the package and is not well although its PDM has begun is nobody's to deploy again: it may be a PDM
 * that failed, which is repeated only when a person says so. While a job of ours is under way, its run knows better.
 */
function judgeOffTarget(look: CellLook, target: Target, policy: RingPolicy, isOnPackage: boolean): Seen {
  const tooOld = isOnPackage ? null : tooFarBehind(look.facts, target.version);
  if (tooOld && !look.activeJob?.ours) return { mark: 'X', exception: tooOld };
  const isPastPdm =
    isOnPackage && policy.postDeployMigrations === 'separate' && hasMigrated(look.facts, target.version);
  if (!isPastPdm || look.activeJob) return { mark: '.' };
  return {
    mark: 'X',
    exception: `its PDM has begun, and ${look.problem || 'it is not well'}`,
    state: 'migration-failed',
  };
}

/**
 * What a job of ours for this very package left behind when its runs died before they could say so. A deployment is
 * taken back; a rollback that failed is repeated only when a person says so. Null: nothing of the kind.
 */
function judgeFailed({ failedJob: job }: CellLook, { version }: Target, isOnPackage: boolean): Seen | null {
  if (!job?.ours) return null;
  if (job.kind === 'rollback' && sameVersion(job.fromVersion, version)) {
    return { mark: 'X', exception: `its rollback ${job.id} failed`, state: 'rollback-failed' };
  }
  if (job.kind !== 'configure' || !sameVersion(job.version, version)) return null;
  if (isOnPackage) return { mark: 'C', goesBack: true };
  return { mark: 'X', exception: `job ${job.id} failed` };
}

/**
 * A rollback is about every cell that runs the package, or may come to run it by a job of ours that is under way. Of one
 * that nobody knows it cannot be said that it has left the package.
 */
function judgeForRollback(look: CellLook, { version }: Target): Seen {
  if (look.tenant !== 'known' || look.facts.version === null) return { mark: 'X', exception: look.problem };
  return { mark: sameVersion(look.facts.version, version) || look.activeJob?.ours ? 'C' : 'L' };
}

/** PDM runs only on what was deployed and verified: on a cell that is well on the package. */
function judgeForMigration(look: CellLook, { version }: Target): Seen {
  if (!look.onTarget) return { mark: 'X', exception: look.problem };
  return { mark: hasMigrated(look.facts, version) ? 'M' : 'C' };
}

const WORDS: Record<PassPurpose, string> = {
  deploy: 'not deployed',
  migrate: 'no PDM',
  rollback: 'not taken back',
};

export interface FirstLook {
  /** The cell runs a newer package, so that this one has no place there; a rollback finds nothing to take back. */
  isNewer: boolean;
  /** A deployment of this package failed there, and nobody took it back. */
  goesBack: boolean;
}

/** Notes the first look at one cell. */
export function noteFirstLook(s: PassState, index: number, look: CellLook, rules: LookRules): FirstLook {
  const seen = judgeFirstLook(s, look, rules);
  if (seen.exception) {
    const what = WORDS[s.purpose];
    s.exceptions[index] = { state: seen.state ?? 'failed', reason: `${what}: ${seen.exception}` };
  }
  if (seen.state === 'migration-failed') s.pdmFailed[index] = true;
  if (seen.mark === 's') s.again[index] = true;
  setMark(s, index, seen.mark);
  const stands = look.tenant === 'known' ? judgeSeen(look.facts, rules.target) : 'unknown';
  if (stands === 'target') s.runsWith ??= look.facts.chartVersion;
  return { isNewer: stands === 'newer' && s.purpose !== 'rollback', goesBack: seen.goesBack === true };
}

/**
 * Another pass's run works on a cell of the ring that is taken back: it is this pass's business until that run has ended,
 * whatever the cell runs now; unless a person left it on the package.
 */
export function awaitOther(s: PassState, index: number): void {
  const mark = s.marks[index];
  if (s.purpose !== 'rollback' || mark === undefined || mark === 's' || s.inFlight[index]) return;
  delete s.exceptions[index];
  setMark(s, index, 'C');
}

/** A cell that ended badly in a pass that was then lost stays so, unless it has come to the package since. */
export function keepAsLeft(s: PassState, index: number, left: CellException): void {
  const mark = s.marks[index];
  const isPlain = left.state === 'rolled-back' || left.state === 'failed';
  if (mark !== '.' && (isPlain || (mark !== 'C' && mark !== 'M'))) return;
  const { state, reason, jobId } = left;
  s.exceptions[index] = { state, reason, ...(jobId === undefined ? {} : { jobId }) };
  if (state === 'migration-failed') s.pdmFailed[index] = true;
  setMark(s, index, state === 'rolled-back' ? 'R' : 'X');
}

/**
 * PDM that failed in an earlier pass has failed still, whatever the look says: AMP tells only that it has begun. It
 * waits for a person, who may have asked for this very pass: `mend`.
 */
export function noteFailedMigration(s: PassState, index: number, look: CellLook, target: Target, mend: boolean): void {
  const isElse = look.tenant !== 'known' || judgeSeen(look.facts, target) !== 'target';
  if (isElse || s.purpose === 'rollback' || s.inFlight[index]) return;
  if (s.exceptions[index]?.state !== 'migration-failed') {
    s.exceptions[index] = { state: 'migration-failed', reason: 'its PDM failed in an earlier pass' };
  }
  s.pdmFailed[index] = true;
  setMark(s, index, 'X');
  if (mend) retried(s, index, judgeRetry(s, index, look, target));
}

/** Whether a cell that a person wants retried is sane, and from where it goes on. */
export function judgeRetry(s: PassState, index: number, look: CellLook, target: Target): RetryVerdict {
  if (look.tenant !== 'known') return { on: 'bad', reason: look.problem };
  if (look.activeJob) return { on: 'bad', reason: `busy: job ${look.activeJob.id} is under way` };
  const stands = judgeSeen(look.facts, target);
  if (stands === 'unknown') return { on: 'bad', reason: 'what it runs is unknown' };
  if (s.purpose === 'rollback') return { on: sameVersion(look.facts.version, target.version) ? 'target' : 'gone' };
  if (stands === 'newer') return { on: 'bad', reason: `runs ${look.facts.version}, a newer package` };
  // A failed PDM has begun, so AMP's migrated_version says nothing about its end: it runs again.
  if (s.exceptions[index]?.state === 'migration-failed') {
    return stands === 'target' ? { on: 'target' } : { on: 'bad', reason: `runs ${look.facts.version}` };
  }
  if (s.purpose === 'migrate' && !look.onTarget) return { on: 'bad', reason: look.problem };
  const tooOld = stands === 'target' ? null : tooFarBehind(look.facts, target.version);
  if (tooOld) return { on: 'bad', reason: tooOld };
  if (!look.onTarget) return { on: 'other' };
  return hasMigrated(look.facts, target.version) ? { on: 'migrated' } : { on: 'target' };
}
