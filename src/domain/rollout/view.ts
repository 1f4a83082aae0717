import { ringRolloutId } from '../../contract/ids.js';
import type { PassResult } from '../../contract/internal.js';
import type {
  PackageRolloutStatus,
  RingCounts,
  RingOutcome,
  RingResult,
  RingState,
  RolloutRing,
  RolloutState,
  WaitingFor,
} from '../../contract/status.js';
import { holding } from '../brake.js';
import { waitForBrake } from '../ring/view.js';
import {
  hasFailedCheck,
  isOpen,
  migrationHold,
  type PackageState,
  shownTracks,
  type Track,
  tracksOf,
} from './state.js';

/** What people see of one package. */

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

const EMPTY: RingCounts = {
  total: 0,
  converged: 0,
  inFlight: 0,
  failed: 0,
  rolledBack: 0,
  quarantined: 0,
  skipped: 0,
  pending: 0,
};

export function viewOfRollout(s: PackageState, now: number): PackageRolloutStatus {
  return {
    version: s.version,
    chartVersion: s.chartVersion,
    lane: s.lane,
    state: stateOf(s, now),
    waitingFor: waitOf(s, now),
    graduatedAt: s.graduation?.accepted ? s.graduation.at : null,
    brakes: holding(s.brakes, now),
    rings: shownTracks(s).map(ringView),
    failures: s.failures,
    checks: s.checks,
    acts: s.acts,
    rejected: s.rejected,
    startedAt: new Date(s.startedAtMs).toISOString(),
    finishedAt: iso(s.finishedAtMs),
    ...(s.end?.supersededBy ? { supersededBy: s.end.supersededBy } : {}),
    ...(s.needsDowntime.length > 0 ? { needsDowntime: s.needsDowntime } : {}),
  };
}

function ringView(t: Track): RolloutRing {
  if (t.view && t.stage === 'asked') return { ...t.view, state: 'waiting', waitingFor: t.held };
  if (t.view) return t.result ? { ...t.view, outcome: outcomeOf(t.result) } : t.view;
  return {
    ring: t.ring,
    name: t.name,
    state: 'waiting',
    ...EMPTY,
    startedAt: null,
    convergedAt: null,
    finishedAt: null,
    exceptions: [],
    exceptionsTotal: 0,
    cellsInFlight: [],
    waitingFor: t.held ?? (t.stage === 'granted' ? startWait(t) : null),
  };
}

/** The ring is granted, and its pass is not there yet: it takes a moment, unless somebody else's run has its id. */
function startWait({ ring, sinceMs }: Track): WaitingFor {
  const id = ringRolloutId(ring);
  const detail = `the pass before it over ring ${ring}, ${id}, has not closed yet`;
  const next = [`temporal workflow describe --workflow-id ${id}`];
  return { kind: 'ring-turn', ring, since: new Date(sinceMs).toISOString(), detail, next };
}

/** The outermost ring entered; before any, the one that waits. */
function outermost(s: PackageState): Track | undefined {
  const tracks = shownTracks(s);
  return tracks.findLast((t) => t.view !== null) ?? tracks.at(-1);
}

const BY_RING: Record<RingState, RolloutState> = {
  idle: 'waiting',
  waiting: 'waiting',
  rolling: 'rolling-out',
  baking: 'baking',
  grace: 'baking',
  migrating: 'migrating',
  converged: 'rolling-out',
  halted: 'halted',
  braked: 'braked',
  'rolling-back': 'rolling-back',
  mixed: 'waiting',
};

function stateOf(s: PackageState, now: number): RolloutState {
  if (s.end) return s.end.state;
  if (s.abort) return s.abort.rollback || s.takenBack ? 'rolling-back' : 'waiting';
  const track = outermost(s);
  const graduated = s.graduation?.accepted === true;
  if (!graduated) return track && isOpen(track) ? perimeterState(track) : 'awaiting-graduation';
  const wait = waitOf(s, now);
  if (wait?.kind === 'brake') return 'braked';
  if (!track || track.perimeter) return 'waiting';
  // Halted inner rings matter even while the outermost one goes on: nothing further is entered.
  if (isStuck(track)) return 'halted';
  if (track.stage === 'over') return s.noMoreRings ? innerState(s) : 'waiting';
  return track.view ? BY_RING[track.view.state] : 'waiting';
}

/** An outer ring whose pass ended before the package had baked there: only a person moves it on. */
const isStuck = (track: Track): boolean => !track.perimeter && track.stage === 'over' && !track.baked && !track.again;

function stuckWait(s: PackageState, track: Track, since: string): WaitingFor {
  const detail = `the pass over ring ${track.ring} ended ${track.result?.outcome ?? 'without a result'}: ${track.result?.reason ?? ''}`;
  const next = [`cellctl retry --ring ${track.ring} ${s.version}`, `cellctl abort ${s.version} --reason "…"`];
  return { kind: 'operator', ring: track.ring, since: track.view?.finishedAt ?? since, detail, next };
}

function perimeterState(track: Track): RolloutState {
  const state = track.view?.state;
  return state === 'halted' || state === 'braked' || state === 'rolling-back' ? state : 'perimeter';
}

/**
 * The last ring is done. An inner one may still have its grace period or its PDM before it; where none has, a caller
 * looks at an inner ring again.
 */
function innerState(s: PackageState): RolloutState {
  const outer = tracksOf(s).filter((t) => !t.perimeter);
  const open = outer.findLast(isOpen);
  if (open) return open.view ? BY_RING[open.view.state] : 'migrating';
  return outer.some(isStuck) ? 'halted' : 'converged';
}

function waitOf(s: PackageState, now: number): WaitingFor | null {
  if (s.end) return null;
  const since = new Date(s.startedAtMs).toISOString();
  if (!s.registered) return clusterWait(s, since);
  if (s.abort) return null;
  const brake = holding(s.brakes, now)[0];
  if (s.graduation?.accepted !== true) return perimeterWait(s, since);
  if (s.next?.held) return s.next.held.waiting;
  const track = outermost(s);
  if (brake && (!track || track.baked || track.perimeter || track.again))
    return waitForBrake(brake, track?.ring ?? 0, s.version);
  if (track && isStuck(track)) return stuckWait(s, track, since);
  if (track && !track.perimeter && track.stage !== 'over') return ringView(track).waitingFor;
  return migrationWait(s) ?? tracksOf(s).findLast(isOpen)?.view?.waitingFor ?? null;
}

/** A failed PDM holds the package wherever it is; its own pass says best why, while there is one. */
function migrationWait(s: PackageState): WaitingFor | null {
  const hold = migrationHold(s, null);
  if (!hold) return null;
  const { ring, reason } = hold;
  const next = [`cellctl retry --ring ${ring} ${s.version}`, `cellctl abort ${s.version} --reason "…"`];
  const since = new Date(hold.sinceMs).toISOString();
  return s.tracks[ring]?.view?.waitingFor ?? { kind: 'operator', ring, since, detail: `held: ${reason}`, next };
}

/** Before it has registered a package knows only whether there is a cluster to answer it. */
function clusterWait(s: PackageState, since: string): WaitingFor {
  if (!s.clusterAway) {
    const detail = 'asks the cell cluster what it knows of this package';
    return { kind: 'graduation', since, detail, next: [] };
  }
  const detail = 'there is no cell cluster yet; it begins with its topology';
  return { kind: 'topology', since, detail, next: ['cellctl cluster apply FILE'] };
}

function perimeterWait(s: PackageState, since: string): WaitingFor {
  const track = tracksOf(s).findLast((t) => t.stage !== 'over');
  const inner = track?.held ?? track?.view?.waitingFor;
  if (inner) return inner;
  if (s.graduation) {
    const detail = 'asks the cell cluster whether it may graduate';
    return { kind: 'graduation', since: s.graduation.askedAt, detail, next: [] };
  }
  return {
    kind: 'graduation',
    since,
    until: new Date(s.startedAtMs + s.graduationTimeoutMs).toISOString(),
    detail: 'waits until it has graduated',
    next: [`cellctl graduate ${s.version}`],
  };
}

/** A pass that made room, or was lost, is of no account to whoever waits for its end: it did not come to one. */
const outcomeOf = ({ outcome }: PassResult): RingOutcome =>
  outcome === 'yielded' || outcome === 'lost' ? 'aborted' : outcome;

/** The result of a pass, as `deployRing` and `migrateRing` answer it. */
export function ringResult(s: PackageState, track: Track, pass: PassResult, now: number): RingResult {
  const view = track.view ?? ringView(track);
  const { total, converged, failed, rolledBack, quarantined, skipped } = view;
  const outcome = pass.outcome === 'converged' && hasFailedCheck(s, track) ? 'failed' : outcomeOf(pass);
  const bad = outcome !== 'converged' && outcome !== 'superseded';
  return {
    ring: track.ring,
    version: s.version,
    outcome,
    // A ring that runs a newer package needs nothing of this one: its caller may go on. A pause for drift is for all.
    blocking: bad && (pass.code === 'drift' || (!track.soft && pass.code !== 'newer_running')),
    ...(pass.code === null ? {} : { code: pass.code }),
    ...(outcome === 'halted' || outcome === 'refused' ? { next: view.waitingFor?.next ?? [] } : {}),
    ...(pass.supersededBy === null ? {} : { supersededBy: pass.supersededBy }),
    ...(view.empty ? { empty: true } : {}),
    startedAt: view.startedAt ?? new Date(track.sinceMs).toISOString(),
    finishedAt: view.finishedAt ?? new Date(now).toISOString(),
    cells: { total, converged, failed, rolledBack, quarantined, skipped },
    exceptions: view.exceptions,
    checks: s.checks.filter((c) => c.ring === track.ring),
    ...(view.smokeTests ? { smokeTests: view.smokeTests } : {}),
    ...(view.health ? { health: view.health } : {}),
    ...(view.observed ? { observed: view.observed } : {}),
  };
}
