import type { PackageRollbackStatus, RolloutRing, RolloutState, WaitingFor } from '../../contract/status.js';
import { tracksOf } from '../rollout/state.js';
import { viewOfRollout } from '../rollout/view.js';
import type { RollbackState } from './state.js';

/** What people see of a package that is taken back. */
export function viewOfRollback(s: RollbackState, now: number): PackageRollbackStatus {
  const { by, reason, url, ring, block, dryRun } = s.order;
  const base = viewOfRollout(s.package, now);
  return {
    ...base,
    state: stateOf(s),
    waitingFor: s.package.end ? null : waitOf(s),
    rings: base.rings.map((view) => withEarlier(s, view)),
    needsDowntime: s.package.needsDowntime,
    by,
    reason,
    plan: s.plan ?? [],
    ...(url === undefined ? {} : { url }),
    ...(ring === undefined ? {} : { ring }),
    ...(block === false ? { block } : {}),
    ...(dryRun ? { dryRun } : {}),
  };
}

function stateOf({ package: { end } }: RollbackState): RolloutState {
  return end?.state ?? 'rolling-back';
}

function withEarlier({ before }: RollbackState, view: RolloutRing): RolloutRing {
  const earlier = before[view.ring] ?? 0;
  return earlier === 0 ? view : { ...view, total: view.total + earlier, rolledBack: view.rolledBack + earlier };
}

const NO_AMP = ['check AMP_URL, AMP_TOKEN and CELLS_API_TOKEN of the workers, and AMP itself'];
/** One that was terminated is started again; one whose tasks fail is terminated first. */
const NO_CLUSTER = ['cellctl status', 'cellctl cluster apply topology.yaml'];

function waitOf(s: RollbackState): WaitingFor | null {
  const { startedAtMs } = s.package;
  if (s.trouble) {
    const { kind, detail, sinceMs } = s.trouble;
    const next = kind === 'cluster' ? NO_CLUSTER : NO_AMP;
    const since = new Date(sinceMs).toISOString();
    return { kind: 'operator', since, detail: `${detail}; goes on by itself once it answers`, next };
  }
  if (s.stage !== 'return') {
    const since = new Date(startedAtMs).toISOString();
    return { kind: 'topology', since, detail: 'asks AMP what every cell runs', next: [] };
  }
  const track = tracksOf(s.package).find((t) => t.stage !== 'over');
  return track?.held ?? track?.view?.waitingFor ?? null;
}
