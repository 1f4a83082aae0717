import type { CellLook } from '../../contract/activities.js';
import type { RingPolicy } from '../../contract/policy.js';
import type { CellState } from '../../contract/status.js';
import { hasMigrated, judgeSeen, type Target } from '../cell.js';
import { type Mark, type PassState, type RetryVerdict, setMark } from './pass.js';

/** What a look at a cell means for a pass. */

interface Seen {
  mark: Mark;
  exception?: string;
  state?: CellState;
}

/** Where a cell stands at the beginning of a pass: what is on target already is not asked for again. */
function judgeFirstLook(s: PassState, look: CellLook, target: Target, policy: RingPolicy): Seen {
  const stands = look.tenant === 'known' ? judgeSeen(look.facts, target) : 'unknown';
  if (s.purpose === 'rollback') return { mark: look.facts.version === target.version ? 'C' : 'L' };
  const newer = `runs ${look.facts.version}, a newer package`;
  if (stands === 'newer') return { mark: 'X', exception: newer };
  if (s.purpose === 'migrate') return judgeForMigration(look, target);
  if (!look.onTarget) return judgeOffTarget(look, target, policy, stands === 'target');
  if (hasMigrated(look.facts, target.version)) return { mark: 'M' };
  return { mark: policy.postDeployMigrations === 'with-deploy' ? '.' : 'C' };
}

/**
 * A cell that runs the package and is not well although its PDM has begun is nobody's to deploy again: it may be a PDM
 * that failed, which is repeated only when a person says so. While a job of ours is under way, its run knows better.
 */
function judgeOffTarget(look: CellLook, target: Target, policy: RingPolicy, isOnPackage: boolean): Seen {
  const isPastPdm =
    isOnPackage && policy.postDeployMigrations === 'separate' && hasMigrated(look.facts, target.version);
  if (!isPastPdm || look.activeJob) return { mark: '.' };
  return {
    mark: 'X',
    exception: `its PDM has begun, and ${look.problem || 'it is not well'}`,
    state: 'migration-failed',
  };
}

function judgeForMigration(look: CellLook, target: Target): Seen {
  if (look.tenant !== 'known') return { mark: 'X', exception: look.problem };
  if (look.facts.version !== target.version) return { mark: 'X', exception: `runs ${look.facts.version}` };
  return { mark: hasMigrated(look.facts, target.version) ? 'M' : 'C' };
}

/** Notes the first look at one cell; answers whether it runs a newer package. */
export function noteFirstLook(
  s: PassState,
  index: number,
  look: CellLook,
  target: Target,
  policy: RingPolicy,
): boolean {
  const seen = judgeFirstLook(s, look, target, policy);
  if (seen.exception) {
    s.exceptions[index] = { state: seen.state ?? 'failed', reason: `not deployed: ${seen.exception}` };
  }
  setMark(s, index, seen.mark);
  return look.tenant === 'known' && judgeSeen(look.facts, target) === 'newer';
}

/** Whether a cell that a person wants retried is sane, and from where it goes on. */
export function judgeRetry(s: PassState, index: number, look: CellLook, target: Target): RetryVerdict {
  if (look.tenant !== 'known') return { on: 'bad', reason: look.problem };
  if (look.activeJob) return { on: 'bad', reason: `busy: job ${look.activeJob.id} is under way` };
  const stands = judgeSeen(look.facts, target);
  if (stands === 'unknown') return { on: 'bad', reason: 'what it runs is unknown' };
  if (stands === 'newer') return { on: 'bad', reason: `runs ${look.facts.version}, a newer package` };
  // A failed PDM has begun, so AMP's migrated_version says nothing about its end: it runs again.
  if (s.exceptions[index]?.state === 'migration-failed') {
    return stands === 'target' ? { on: 'target' } : { on: 'bad', reason: `runs ${look.facts.version}` };
  }
  if (s.purpose === 'migrate' && stands !== 'target') return { on: 'bad', reason: `runs ${look.facts.version}` };
  if (!look.onTarget) return s.purpose === 'migrate' ? { on: 'target' } : { on: 'other' };
  return hasMigrated(look.facts, target.version) ? { on: 'migrated' } : { on: 'target' };
}
