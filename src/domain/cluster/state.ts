import type { CalendarWord } from '../../contract/calendar.js';
import type { AlertBook, RequestRing } from '../../contract/internal.js';
import type { LeftOnPackage } from '../../contract/returning.js';
import type {
  Act,
  BlockedVersion,
  BrakeStatus,
  CellException,
  ColdStart,
  Difference,
  GraduatedPackage,
  Rejection,
  RingState,
  RolloutState,
  WaitingFor,
  WaitKind,
  WatchedRing,
} from '../../contract/status.js';
import { type ClusterAlertState, newClusterAlerts } from '../alerts/cluster.js';
import { COORDINATOR } from '../brake.js';
import type { Outbox } from '../ledger/entry.js';
import { type DriftState, newDrift } from './drift.js';
import type { Quarantine } from './quarantine.js';
import { newReconcile, type ReconcileState } from './reconcile.js';
import type { Repeats } from './repeats.js';

/**
 * What the cluster's own workflow knows, as plain JSON: it is the argument of the next run. It keeps counts and
 * exceptions, never the cells that are fine, so its size does not grow with the fleet; the topology is packed.
 */
export interface ClusterState {
  cluster: string | null;
  /** Gzipped base64 of the topology as accepted; null before the first. */
  topology: string | null;
  revision: number;
  /** When the topology in force was applied, RFC 3339. */
  appliedAt?: string;
  perimeter: number | null;
  notInForce: string[];
  rings: Record<number, RingRecord>;
  brakes: BrakeStatus[];
  /** Grows with every change of the brakes. */
  brakesSeq: number;
  /** Brakes that have expired of late. */
  lately?: BrakeStatus[];
  /** Names given so far to brakes that came without one. */
  named: number;
  /** Packages that go nowhere any more. */
  blocked: BlockedVersion[];
  queue: QueuedRequest[];
  turns: Record<number, Turn>;
  /**
   * Rings with a pass that was under way when this cluster began without memory, and has not said yet whose it is; null:
   * nobody has looked yet.
   */
  unmet: number[] | null;
  /** Open rollouts by version. */
  rollouts: Record<string, OpenRollout>;
  graduated: GraduatedPackage[];
  /** Cells that fail under one package after the other. */
  repeats: Repeats;
  /**
   * The newest package that was stopped as its own fault, or taken back by a person, and where; null: none, or a newer one
   * has converged there.
   */
  systemic: {
    version: string;
    ring: number;
    sinceMs: number;
    why?: 'rolled-back';
    /** From this package on nobody has to be asked. */
    fixedIn?: string;
  } | null;
  /** Packages that are being taken back, by version. */
  rollbacks: Record<string, OpenRollback>;
  /** Cells that rollbacks which are over left on their package, by version; absent: none. */
  leftByRollbacks?: Record<string, LeftByRollback>;
  ended: Record<string, EndedRollout>;
  /** Cells that are out of all automation. */
  quarantined: Record<string, Quarantine>;
  /** Since when the topology quarantines cells, epoch ms; absent: an older worker did not keep it. */
  writtenOut?: Record<string, number>;
  drift: DriftState;
  acts: Act[];
  /** What is on its way to the ledger. */
  outbox?: Outbox;
  rejected: Rejection[];
  /** Rings that are still to be looked at. */
  toLook: number[];
  /** How far the look at the first of them has come; null: it has not begun. */
  looking: RingLook | null;
  /** How rings are kept on what they converged on. */
  reconcile?: ReconcileState;
  /** Alerts that the cluster keeps up itself. */
  alerts: ClusterAlertState;
  /** What calendars say of the rings that packages wait for, by `calendarKey`; absent: none was asked yet. */
  calendars?: Record<string, CalendarWord>;
  /** The first look at every cell is under way: nothing is granted before it ends. */
  cold: { by: string; isReleased: boolean; recalled?: Recalled } | null;
  /** What was found when this cluster began without memory. */
  coldStart?: ColdStart;
  /** Brakes of packages whose rollouts may have been lost with the cluster, by the ledger; each until its rollout registers. */
  lostBrakes?: Record<string, BrakeStatus[]>;
  /** Nobody could say what stood before this cluster began: it is asked again while that holds everything. */
  unrecalled?: true;
}

/** What the ledger said to a cluster that began without memory. */
export interface Recalled {
  /** In words; also why nothing is known. */
  found: string;
  /** Orders of people stand that nobody would know of without it. */
  hasOrders: boolean;
  /** Nobody could be asked. */
  isUnknown: boolean;
}

/** A look at the cells of one ring, some of which have been looked at: of a large ring it outlasts a run. */
export interface RingLook {
  ring: number;
  /** Cells looked at, in the topology's order. */
  cells: number;
  /** How many of them run what; `unknown` where nobody knows. */
  observed: Record<string, number>;
  /** Of these, cells that are out of automation; absent: none. */
  observedOut?: Record<string, number>;
  /** Cells that do not stand where their ring does. */
  found?: Difference[];
}

export interface RingRecord {
  name: string;
  /** Cells that count: those that can be deployed to and those left alone. */
  total: number;
  desired: string | null;
  observed: Record<string, number>;
  /** Of these, cells that were out of automation; absent: none. */
  observedOut?: Record<string, number>;
  converged: string | null;
  convergedAt: string | null;
  /** Older packages on which the whole ring had converged before that, newest first, and were not taken back from it. */
  convergedBefore?: ConvergedBefore[];
  /** What it last converged on was taken back from every cell of it since. */
  takenBack?: true;
  state: RingState;
  exceptions: CellException[];
  exceptionsTotal: number;
  /** What a cell took in the last passes, ms: the median of each. */
  cellTimesMs?: number[];
  /** What the last pass had to raise, and was not over. */
  alerts?: AlertBook;
  /** What would be done there, while the ring is only observed. */
  watched?: WatchedRing;
}

export interface ConvergedBefore {
  version: string;
  convergedAt: string | null;
}

export interface QueuedRequest extends RequestRing {
  sender: string;
  /** The ring it is for; null while there is no topology to tell. */
  at: number | null;
  /** The last answer given, so that the same is not said twice. */
  told: string;
  held: WaitingFor | null;
  /** Asked for by the cluster itself: the cells that are to come back to what their ring converged on. */
  cells?: string[];
  /** Who wants that, and whether what failed before is to be tried again. */
  by?: string;
  askedFor?: boolean;
  /** Since when this rollback waits for a pass that has not said whose it is. */
  unmetSinceMs?: number;
}

/** A ring that is granted to one rollout. */
export interface Turn {
  request: QueuedRequest;
  grantedAtMs: number;
  /** First run id of the pass, once it has entered the ring. */
  pass: string | null;
  state: RingState;
  /** What the ring was to run before this turn. */
  before: string | null;
  /** The holder was told to make room. */
  asked: boolean;
  /** Since when a rollback waits for the ring, and the holder knows; null: none does. */
  rollbackSinceMs: number | null;
  starterGone: boolean;
  /** What its pass waits for, as it said last. */
  waits?: WaitKind | null;
  /** How long the ring has been worked on. */
  work?: WorkClock;
}

/** Runs and stands; ms. */
export interface WorkClock {
  /** How long it ran, up to `sinceMs`. */
  ranMs: number;
  /** Since when it runs, epoch ms; null: it stands. */
  sinceMs: number | null;
}

export interface OpenRollout {
  /** First run id of the run that registered last. */
  run: string;
  startedAtMs: number;
  chartVersion: string | null;
  /** Where it has none by name: the one with which cells were seen to run it. */
  runsWith?: string | null;
  /** The lane with which it graduated. */
  lane: string | null;
  graduatedAt: string | null;
  /** Its own brakes, as it told them last. */
  braked?: { epoch: string; seq: number; brakes: BrakeStatus[] };
  /** It was aborted: it has yet to take back what it was told to. */
  aborting?: true;
  /** What an earlier run of it left, which has not said how it ended. */
  earlier?: Omit<OpenRollout, 'earlier'> | null;
}

/** A package that is being taken back. */
export interface OpenRollback {
  /** First run id of the rollback that asked last. */
  run: string;
  by: string;
  reason: string;
  since: string;
}

/** Kept for as long as a cell is seen on the package. */
export interface LeftByRollback extends LeftOnPackage {
  sinceMs: number;
}

export interface EndedRollout {
  state: RolloutState;
  supersededBy: string | null;
  chartVersion: string | null;
  runsWith?: string | null;
  at: string;
  /** The run that ended so. */
  run: string;
  /** A later run, which was to look at it again, is being aborted. */
  aborting?: true;
}

const KEPT = { acts: 200, rejected: 50, graduated: 100, ended: 100, rollouts: 200 };

export const newClusterState = (): ClusterState => ({
  cluster: null,
  topology: null,
  revision: 0,
  perimeter: null,
  notInForce: [],
  rings: {},
  brakes: [],
  brakesSeq: 0,
  named: 0,
  blocked: [],
  queue: [],
  turns: {},
  unmet: null,
  rollouts: {},
  graduated: [],
  repeats: {},
  systemic: null,
  rollbacks: {},
  ended: {},
  quarantined: {},
  drift: newDrift(),
  acts: [],
  rejected: [],
  toLook: [],
  looking: null,
  reconcile: newReconcile(),
  alerts: newClusterAlerts(),
  cold: null,
});

export const newRingRecord = (name: string): RingRecord => ({
  name,
  total: 0,
  desired: null,
  observed: {},
  converged: null,
  convergedAt: null,
  state: 'idle',
  exceptions: [],
  exceptionsTotal: 0,
});

/** Keeps what grows with time within bounds; the newest stay. */
export function trim(state: ClusterState): void {
  forgetActs(state);
  state.rejected = state.rejected.slice(-KEPT.rejected);
  state.graduated = state.graduated.slice(-KEPT.graduated);
  forgetEnded(state);
  forgetIdle(state);
}

/** What the coordinator did by itself is forgotten before what a person did. */
function forgetActs(state: ClusterState): void {
  let tooMany = state.acts.length - KEPT.acts;
  const others = state.acts.filter(({ by }) => by !== COORDINATOR || tooMany-- <= 0);
  state.acts = others.slice(-KEPT.acts);
}

/** How packages ended that no ring has any more: of those the ones that ended first are forgotten. */
function forgetEnded(state: ClusterState): void {
  const isSomewhere = somewhere(state);
  const gone = Object.entries(state.ended).filter(([version]) => !isSomewhere.has(version));
  gone.sort(([, a], [, b]) => a.at.localeCompare(b.at));
  for (const [version] of gone.slice(0, -KEPT.ended)) delete state.ended[version];
}

/** What runs in a ring, or is to run there. */
const somewhere = ({ rings }: ClusterState): ReadonlySet<string | null> =>
  new Set(
    Object.values(rings).flatMap(({ desired, converged, convergedBefore = [], observed }) => [
      ...[desired, converged, ...Object.keys(observed)],
      ...convergedBefore.map(({ version }) => version),
    ]),
  );

/**
 * Rollouts that somebody terminated never say that they ended. Of those that neither have nor wait for a ring the ones
 * that began first are forgotten: one of them that is open after all is heard as before, only what chart and lane it has
 * is not held against anybody any more.
 */
function forgetIdle(state: ClusterState): void {
  const tooMany = Object.keys(state.rollouts).length - KEPT.rollouts;
  if (tooMany <= 0) return;
  const requests = [...state.queue, ...Object.values(state.turns).map((turn) => turn.request)];
  const busy = new Set(requests.map((request) => request.version));
  const idle = Object.entries(state.rollouts).filter(([version]) => !busy.has(version));
  idle.sort(([, a], [, b]) => a.startedAtMs - b.startedAtMs);
  for (const [version] of idle.slice(0, tooMany)) delete state.rollouts[version];
}
