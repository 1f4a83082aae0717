import { packageRollbackId, versionOfPackageRollbackId } from '../../contract/ids.js';
import type { RingReport } from '../../contract/internal.js';
import type { Problem } from '../../contract/problem.js';
import type { AskRollback, RollbackEnded } from '../../contract/returning.js';
import type { ClusterStatus, WaitingFor } from '../../contract/status.js';
import { isNewer, sameVersion } from '../package-version.js';
import { fixOf } from './blocks.js';
import { conflictOf, ringsRunning } from './packages.js';
import type { ClusterState, LeftByRollback, OpenRollback, QueuedRequest } from './state.js';

/** Packages that are being taken back from the cells that run them. */

/** Why a package cannot be taken back now, or null. */
export function judgeRollback(state: ClusterState, { version, ring }: AskRollback): Problem | null {
  const conflict = conflictOf(state, version);
  if (conflict) return conflict;
  const newerVersion = Object.keys(state.rollbacks).find((v) => isNewer(v, version));
  if (newerVersion !== undefined) {
    const next = `cellctl status ${newerVersion}`;
    const expected = `a package that no cell is coming back to: ${newerVersion} is being rolled back; wait for its end: ${next}`;
    return { path: 'version', value: version, expected };
  }
  const rings = Object.keys(state.rings).map(Number);
  if (ring === null || rings.length === 0 || rings.includes(ring)) return null;
  return { path: 'ring', value: String(ring), expected: `a ring: ${rings.join(', ')}` };
}

/**
 * From here on nothing of the package goes forward, and a new run of its rollout ends at once; its open one is told by
 * whoever takes it back.
 */
export function noteRollback(state: ClusterState, message: AskRollback, now: number): void {
  const { version, run, by, reason } = message;
  const at = new Date(now).toISOString();
  state.rollbacks[version] = { run, by, reason, since: at };
  delete state.leftByRollbacks?.[version];
  state.graduated = state.graduated.filter((g) => !sameVersion(g.version, version));
  if (state.rollouts[version]) return;
  const before = state.ended[version];
  const { chartVersion = null, runsWith = null, run: endedRun = '' } = before ?? {};
  state.ended[version] = { state: 'rolled-back', supersededBy: null, chartVersion, runsWith, at, run: endedRun };
}

/** What a run says that is not the last one to have asked is old. */
export function endRollback(state: ClusterState, { version, run, left }: RollbackEnded, now: number): void {
  if (state.rollbacks[version]?.run !== run) return;
  delete state.rollbacks[version];
  if (left && left.total > 0)
    state.leftByRollbacks = { ...state.leftByRollbacks, [version]: { ...left, sinceMs: now } };
}

/** Cells that rollbacks left on their package; those of which none is seen on it any more are forgotten. */
export function keepLeft(state: ClusterState): [version: string, left: LeftByRollback][] {
  const { leftByRollbacks = {}, rings, toLook } = state;
  // What they run may be about to be looked at.
  if (toLook.length > 0) return Object.entries(leftByRollbacks);
  const isOn = (version: string) =>
    Object.values(rings).some(({ observed }) => Object.keys(observed).some((seen) => sameVersion(seen, version)));
  for (const version of Object.keys(leftByRollbacks)) if (!isOn(version)) delete leftByRollbacks[version];
  return Object.entries(leftByRollbacks);
}

/** What people see of packages that are taken back, and of cells that stayed on one. */
export function viewOfRollbacks({
  rollbacks,
  leftByRollbacks = {},
}: ClusterState): Pick<ClusterStatus, 'rollbacks' | 'leftBehind'> {
  const open = Object.entries(rollbacks).map(([version, { by, reason, since }]) => ({ version, by, reason, since }));
  const left = Object.entries(leftByRollbacks).map(([version, { sinceMs, named, needDowntime, ...asked }]) => ({
    version,
    since: new Date(sinceMs).toISOString(),
    ...asked,
    cells: named,
    needsDowntime: needDowntime,
  }));
  return { ...(open.length > 0 ? { rollbacks: open } : {}), ...(left.length > 0 ? { leftBehind: left } : {}) };
}

/**
 * Whoever terminates a rollback by hand tells nobody. Forgets those that were not among the open workflows when Temporal was
 * asked; one that has asked again since stays. Answers their packages.
 *
 * @param asked what of `state.rollbacks` stood when it was asked
 */
export function forgetGone(
  state: ClusterState,
  asked: Readonly<ClusterState['rollbacks']>,
  open: ReadonlySet<string>,
): string[] {
  const gone = Object.entries(asked).filter(([version, { run }]) => {
    return !open.has(packageRollbackId(version)) && state.rollbacks[version]?.run === run;
  });
  for (const [version] of gone) delete state.rollbacks[version];
  return gone.map(([version]) => version);
}

/** Rings where cells run the package, are to run it, or may be getting it now. */
export function ringsToReturn(state: ClusterState, version: string): number[] {
  const held = Object.entries(state.turns).filter(([, { request }]) => sameVersion(request.version, version));
  return [...new Set([...ringsRunning(state, version), ...held.map(([ring]) => Number(ring))])];
}

/** The wait of a package that is being taken back, while it would go forward; null: it is not. */
export function returnWait(state: ClusterState, { version }: QueuedRequest, ring: number): WaitingFor | null {
  const open: OpenRollback | undefined = state.rollbacks[version];
  if (!open) return null;
  const detail = `is being rolled back by ${open.by}: ${open.reason}`;
  return { kind: 'brake', ring, since: open.since, detail, next: [`cellctl status ${version}`], blocked: version };
}

/**
 * Packages are cumulative: what was taken back from an outer ring is remembered there, until a newer package that a person
 * approved, or the one with the fix, has baked.
 */
export function noteReturned(
  state: ClusterState,
  ring: number,
  { version, purpose, starter, view }: Pick<RingReport, 'version' | 'purpose' | 'starter' | 'view'>,
  now: number,
): void {
  const isReturn = purpose === 'rollback' && starter !== undefined && versionOfPackageRollbackId(starter) !== null;
  if (!isReturn || view.rolledBack === 0 || ring <= (state.perimeter ?? -1)) return;
  const { systemic: known } = state;
  if (known && isNewer(known.version, version)) return;
  // The outermost ring goes back first, and stays the one that is named.
  if (known?.why === 'rolled-back' && sameVersion(known.version, version) && known.ring >= ring) return;
  state.systemic = { version, ring, sinceMs: now, why: 'rolled-back', ...fixOf(state.blocked, version) };
}
