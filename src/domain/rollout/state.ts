import type { AlertBook, PassResult, RingWaiver } from '../../contract/internal.js';
import type { OverridableWait } from '../../contract/messages.js';
import type { ReturnOrder } from '../../contract/returning.js';
import type {
  Act,
  BrakeStatus,
  CellException,
  CellState,
  CheckRecord,
  Failure,
  PassPurpose,
  Rejection,
  Ring0Verdict,
  RingResult,
  RolloutRing,
  RolloutState,
  WaitingFor,
} from '../../contract/status.js';
import type { Outbox } from '../ledger/entry.js';

/** The life of one package, as plain JSON: it is the argument of the next run. */
export interface PackageState {
  version: string;
  chartVersion: string | null;
  /** Where it has none by name: the one with which cells were seen to run it. */
  runsWith?: string | null;
  lane: string | null;
  startedAtMs: number;
  finishedAtMs: number | null;
  /** When an earlier run of this package ended, whose status this one took up. */
  endedBeforeMs: number | null;
  /** What the cluster said when this rollout registered; until then nothing is asked of it. */
  registered: boolean;
  /** The last word to the cluster found nobody there to hear it. */
  clusterAway: boolean;
  graduationTimeoutMs: number;
  /** Rings that never block their callers, as the cluster said when this rollout registered. */
  softRings: number[];
  /** Something was accepted: without that the rollout ends after a minute. */
  accepted: boolean;
  reopened: boolean;
  graduation: Graduation | null;
  tracks: Record<number, Track>;
  /** The outer ring asked for before its number is known, and what the cluster answered. */
  next: {
    requestId: string;
    after: number | null;
    sinceMs: number;
    held: { ring: number; waiting: WaitingFor } | null;
  } | null;
  /** There is no outer ring after the last one entered. */
  noMoreRings: boolean;
  brakes: BrakeStatus[];
  brakesSeq: number;
  /** Brakes that have expired of late. */
  lately?: BrakeStatus[];
  /** Alerts about its brakes that are up. */
  alerts?: AlertBook;
  /** Name of the cluster, as it said itself; null: it has not yet. */
  cluster?: string | null;
  /** Rings for which the package was braked because their cells are ill since PDM; absent: none. */
  brakedAfterPdm?: number[];
  approved: number[];
  /** By ring: what this package mends there, as whoever deployed it said; it passes a pause for drift. */
  fixes?: Record<number, string>;
  /** When each of them was approved last, epoch ms. */
  approvedAtMs?: Record<number, number>;
  /** Waits that a person ended, by ring: they stay ended for a pass that takes a lost one's place. */
  overridden: { ring: number; wait: OverridableWait }[];
  /** Waits for the calendar that a person ended, by ring; absent: none. */
  waivers?: RingWaiver[];
  checks: CheckRecord[];
  acts: Act[];
  /** What is on its way to the ledger. */
  outbox?: Outbox;
  failures: Failure[];
  rejected: Rejection[];
  /** Numbers given to requests and brakes. */
  named: number;
  /** Cells to leave out of the way, wherever this package meets them. */
  skips: { cell: string; by: string; reason: string }[];
  abort: { by: string; reason: string; rollback: boolean } | null;
  /** A rollback takes it back from its cells: it ends as `rolled-back`. */
  takenBack?: boolean;
  /** The block that covers it, as the cluster said when this rollout registered. */
  blocked?: { version: string } | null;
  /** This is the state of a rollback, and how it takes cells back. */
  back?: ReturnOrder;
  /** How it is ending, or has ended. */
  end: { state: RolloutState; supersededBy: string | null } | null;
  needsDowntime: CellException[];
  /** Rings where cells run the package since an earlier run of this rollout, as the cluster said. */
  alsoOn: number[];
}

export interface Graduation {
  requestId: string;
  by: string;
  /** When its PDM succeeded on the main stage, where that was said; else when it was asked. */
  at: string;
  askedAt: string;
  /** What was asked with it: the package's own once the cluster has accepted. */
  chartVersion?: string | null;
  lane?: string | null;
  /** Older packages that run give way to it. */
  preempt?: boolean;
  /** null: the cluster has not answered yet. */
  accepted: boolean | null;
}

/** One ring that this package entered, or asked to enter. */
export interface Track {
  ring: number;
  name: string;
  perimeter: boolean;
  soft: boolean;
  purpose: PassPurpose;
  requestId: string;
  sinceMs: number;
  /** `asked`: in the cluster's queue; `granted`: the pass starts; `running`: it has reported; `over`: it ended. */
  stage: 'asked' | 'granted' | 'running' | 'over';
  /** First run id of its pass, once that is there. */
  pass: string | null;
  held: WaitingFor | null;
  view: RolloutRing | null;
  result: PassResult | null;
  baked: boolean;
  migrationFailed: string[];
  migrationFailedAtMs: number | null;
  /** A person has asked for this pass to run failed PDM again. */
  mend: boolean;
  /** Retries that its pass was told of. */
  retries?: number;
  /** Cells that ended badly in a pass that was then lost, or gave its ring to a rollback; none once this one has looked. */
  leftBehind: CellException[];
  /** Passes in a row that ended without saying so. */
  lost: number;
  /** What callers are answered; null while there is nothing to answer. */
  settled: RingResult | null;
  /** A pass has been in the ring: cells of it may run the package. */
  entered: boolean;
  /** Its pass was told to end. */
  stopped: boolean;
  /** When it was told so. */
  stoppedAtMs: number | null;
  /** An outer ring that is to be entered again, once nothing stands in the way. */
  again: boolean;
}

const ENDED_BADLY: CellState[] = ['rolled-back', 'failed', 'rollback-failed', 'migration-failed', 'cancel-unconfirmed'];

/** What the next pass is to know of one that did not come to its end: those cells stay as they are until a person asks. */
function leftBehind({ lost = 0, result, mend, view, leftBehind = [] }: Partial<Track>): CellException[] {
  const isUnfinished = lost > 0 || (result?.outcome === 'yielded' && !mend);
  if (!isUnfinished) return [];
  return [...leftBehind, ...(view?.exceptions.filter((e) => ENDED_BADLY.includes(e.state)) ?? [])];
}

/** A ring asked for anew; what is known of the ring from before stays known. */
export function newTrack(
  before: Partial<Track> & { ring: number },
  purpose: PassPurpose,
  requestId: string,
  now: number,
): Track {
  return {
    ring: before.ring,
    name: before.name ?? `ring-${before.ring}`,
    perimeter: before.perimeter ?? true,
    soft: before.soft ?? false,
    purpose,
    requestId,
    sinceMs: now,
    stage: 'asked',
    pass: null,
    held: null,
    view: null,
    result: null,
    baked: before.baked ?? false,
    // Until its next pass has looked.
    migrationFailed: before.migrationFailed ?? [],
    migrationFailedAtMs: before.migrationFailedAtMs ?? null,
    mend: before.mend ?? false,
    leftBehind: leftBehind(before),
    lost: before.lost ?? 0,
    settled: null,
    entered: before.entered ?? false,
    stopped: false,
    stoppedAtMs: null,
    again: false,
  };
}

export const newPackageState = (version: string, chartVersion: string | null, now: number): PackageState => ({
  version,
  chartVersion,
  lane: null,
  startedAtMs: now,
  finishedAtMs: null,
  endedBeforeMs: null,
  registered: false,
  clusterAway: false,
  graduationTimeoutMs: 7 * 24 * 3_600_000,
  softRings: [],
  accepted: false,
  reopened: false,
  graduation: null,
  tracks: {},
  next: null,
  noMoreRings: false,
  brakes: [],
  brakesSeq: 0,
  approved: [],
  overridden: [],
  checks: [],
  acts: [],
  failures: [],
  rejected: [],
  named: 0,
  skips: [],
  abort: null,
  end: null,
  needsDowntime: [],
  alsoOn: [],
});

const KEPT = { acts: 200, failures: 200, rejected: 50, checks: 100 };

/** Keeps what grows with time within bounds; the newest stay. */
export function trim(s: PackageState): void {
  s.acts = s.acts.slice(-KEPT.acts);
  s.failures = s.failures.slice(-KEPT.failures);
  s.rejected = s.rejected.slice(-KEPT.rejected);
  s.checks = s.checks.slice(-KEPT.checks);
}

/** Tracks from the innermost ring to the outermost. */
export const tracksOf = (s: PackageState): Track[] => Object.values(s.tracks).sort((a, b) => a.ring - b.ring);

/**
 * An abort that takes cells back goes on doing so, whatever is asked after it. From when it is asked for its passes have
 * their time to end, also where an abort that lets them settle came before.
 */
export function noteAbort(s: PackageState, asked: NonNullable<PackageState['abort']>, now: number): void {
  const before = s.abort?.rollback === true;
  s.abort = { ...asked, rollback: asked.rollback || before };
  if (before || !asked.rollback) return;
  for (const track of tracksOf(s).filter((t) => t.stopped)) track.stoppedAtMs = now;
}

export const outerTracks = (s: PackageState): Track[] => tracksOf(s).filter((t) => !t.perimeter);

/** Tracks that people are to see: what was asked for and refused has not been entered. */
export const shownTracks = (s: PackageState): Track[] =>
  tracksOf(s).filter((t) => t.view !== null || t.stage !== 'over');

/** A pass of this package is under way, or about to be. */
export const isOpen = (t: Track): boolean => t.stage === 'granted' || t.stage === 'running';

/**
 * A PDM of this package failed in some ring: nothing of it goes forward in any other, until that PDM has succeeded.
 * Null: there is none, or only in `ring` itself, whose own pass knows.
 */
export function migrationHold(s: PackageState, ring: number | null): MigrationHold | null {
  const failed = tracksOf(s).find((t) => t.ring !== ring && t.migrationFailed.length > 0);
  if (!failed) return null;
  const cells = failed.migrationFailed.slice(0, 5).join(', ');
  const reason = `PDM failed on ${cells} in ring ${failed.ring}`;
  return { ring: failed.ring, reason, sinceMs: failed.migrationFailedAtMs ?? failed.sinceMs };
}

export interface MigrationHold {
  /** Where it failed. */
  ring: number;
  reason: string;
  sinceMs: number;
}

/** Checks of a ring whose last word is that they failed, by name, and who said so; what a person overrode is over. */
export function failedChecks({ checks }: PackageState, ring: number): Record<string, string> {
  const last = new Map(checks.filter((c) => c.ring === ring).map((c) => [c.name, c]));
  const failed = [...last.values()].filter((c) => c.outcome === 'failed' && c.overriddenBy === undefined);
  return Object.fromEntries(failed.map((c) => [c.name, c.by]));
}

/** Whether some check of a blocking ring has failed: that is the ring's failure. */
export const hasFailedCheck = (s: PackageState, { ring, soft }: Pick<Track, 'ring' | 'soft'>): boolean =>
  !soft && Object.keys(failedChecks(s, ring)).length > 0;

/** What ring 0 made of the package. */
export function ring0Verdict(s: PackageState): Ring0Verdict {
  const track = s.tracks[0];
  const soft = track?.soft ?? s.softRings.includes(0);
  if (hasFailedCheck(s, { ring: 0, soft })) return 'failed';
  const outcome = track?.result?.outcome ?? track?.settled?.outcome;
  if (outcome === undefined || outcome === 'refused') return 'never';
  if (outcome === 'superseded') return 'superseded';
  return outcome === 'converged' ? 'converged' : 'failed';
}
