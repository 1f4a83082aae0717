import type { Alert } from './activities.js';
import type { Calendar, CalendarWait, CalendarWord, Waiver } from './calendar.js';
import type { HealthPolicy, HealthRule, LooksState } from './health.js';
import type { LedgerEntry } from './ledger.js';
import type { OverridableWait } from './messages.js';
import type { RingPolicy } from './policy.js';
import type {
  BrakeStatus,
  CellException,
  PassPurpose,
  RefusalCode,
  Ring0Verdict,
  RingHealth,
  RingOutcome,
  RolloutRing,
  RolloutState,
  WaitingFor,
} from './status.js';

export * from './internal-cell.js';

/**
 * What our own workflows say to one another. Only signals: a workflow can neither query nor update another one.
 * Not for people: their messages are in `messages.ts`.
 */

// ── alerts ───────────────────────────────────────────────────────────────────

/** Alerts that a workflow has raised and that are not over, by what tells one from another. */
export type AlertBook = Record<string, RaisedAlert>;

export interface RaisedAlert {
  alert: Alert;
  /** When it was raised last, epoch ms; null: it is not known to have been. */
  saidAtMs: number | null;
}

// ── PackageRollout → CellCluster ─────────────────────────────────────────────

/** Says that a rollout is open, and asks what the cluster remembers of its version. */
export interface RegisterRollout {
  version: string;
  /** First run id of the rollout: what it asks for begins with it. */
  run: string;
  startedAtMs: number;
  chartVersion: string | null;
  /** A person opened an ended rollout again. */
  reopen: boolean;
  graduatedAt: string | null;
  /** It was aborted, and has not ended yet. */
  aborting?: true;
}

/** A rollout was aborted: nothing of its package goes forward any more, although it has not ended yet. */
export interface RolloutAborting {
  version: string;
  /** First run id of the rollout. */
  run: string;
}

export interface AskGraduation {
  requestId: string;
  version: string;
  chartVersion: string | null;
  lane: string | null;
  by: string;
  at: string;
  /** What ring 0 made of it when it was asked; the cluster asks for it where its topology says `requireRing0`. */
  ring0?: Ring0Verdict;
}

/** Asks for the turn of one ring; asked again with the same id it replaces what was asked before. */
export interface RequestRing {
  requestId: string;
  version: string;
  chartVersion: string | null;
  /** A ring by its number, or the outer ring after one (after the perimeter: null). */
  ring: number | { after: number | null };
  purpose: PassPurpose;
  lane: string | null;
  /** Rings that a person approved this package for. */
  approved: number[];
  /** When it was last done, by ring, epoch ms. */
  approvedAtMs?: Record<number, number>;
  /** Waits for the calendar that a person ended, by ring; absent: none. */
  waivers?: RingWaiver[];
  /** Since when the package waits for this ring, in epoch milliseconds. */
  sinceMs: number;
  /** It takes the place of an older package that runs: that one lets its cells in flight end, and gives way. */
  preempt?: boolean;
  /** What it mends, as its caller says: it passes the pause for drift. */
  fixes?: string;
  /** Workflow id of who asks; left out: the rollout of the package. */
  sender?: string;
}

export type RingWaiver = Waiver & { ring: number };

/** Takes a request, or the turn that it was granted, back. */
export interface WithdrawRequest {
  requestId: string;
}

/** A cluster that lost its memory is told who holds a ring; `pass` is its first run id, null while it is being started. */
export type ClaimRing = RequestRing & { ring: number; pass: string | null };

/** The package's own brakes: they stop what the cluster itself would bring it to, too. */
export interface PackageBrakes extends BrakesNumber {
  version: string;
  brakes: BrakeStatus[];
}

/**
 * Which list of the package's brakes the cluster goes by, and that its own passes do: from now on no cell of theirs but
 * these can get a forward job that they cover.
 */
export interface PackageBrakesKnown extends BrakesNumber {
  inFlight: string[];
}

/** Whether the topology has a cell of this name. */
export interface AskCell {
  version: string;
  cell: string;
  /** Who asks: the rollback of the package, and not its rollout. */
  rollback?: true;
}

/** Whether a ring can be driven on command: a brake is no reason to keep that from whoever asks. */
export interface AskRing {
  version: string;
  ring: number;
}

export interface RolloutEnded {
  version: string;
  state: RolloutState;
  supersededBy: string | null;
  /** The run that ended, and has the last status as its result. */
  run: string;
  /** Nothing was ever accepted: it is as if this run had not been. */
  forget?: boolean;
}

// ── CellCluster → PackageRollout ─────────────────────────────────────────────

export interface Registered {
  /** How an earlier run of this version ended, where that ends this one too. */
  endedAs: RolloutState | null;
  supersededBy: string | null;
  /** The earlier run, whose result is what it left. */
  endedRun: string | null;
  /** Another chart, or another package, stands under this version's name: why this rollout cannot be. */
  conflict: { path: string; value: string; expected: string } | null;
  chartVersion: string | null;
  /** Where it has none by name: the chart with which cells run it. */
  runsWith?: string | null;
  /** Name of the cluster. */
  cluster?: string | null;
  /** The block that covers it, for who asks for what has ended. */
  blocked?: { version: string } | null;
  graduationTimeoutMs: number;
  /** When it graduated, where the cluster remembers that it did. */
  graduatedAt: string | null;
  /** Rings that never block their callers. */
  softRings: number[];
  /** Rings where cells run this package already. */
  alsoOn: number[];
  /** The last ring that moves on command; null where there is no topology yet. */
  perimeter: number | null;
  /** Passes that an earlier run of this rollout started, and that go on: they are this run's. */
  holds: HeldRing[];
  /** Brakes that an earlier run of this rollout told, which has not ended: they hold on; absent: none. */
  braked?: BrakeStatus[];
}

export interface HeldRing {
  ring: number;
  name: string;
  soft: boolean;
  perimeter: boolean;
  /** Of the earlier run: the pass goes by it to its end. */
  requestId: string;
  purpose: PassPurpose;
  pass: string;
}

export interface GraduationAnswer {
  requestId: string;
  accepted: boolean;
  rejection: { path: string; value: string; expected: string } | null;
}

export type RingAnswer =
  | { requestId: string; kind: 'granted'; ring: number; name: string; soft: boolean; perimeter: boolean }
  /** Still in the queue; `waiting` says for what. */
  | { requestId: string; kind: 'held'; ring: number; name: string; soft: boolean; waiting: WaitingFor }
  | {
      requestId: string;
      kind: 'refused';
      ring: number;
      name: string;
      soft: boolean;
      code: RefusalCode;
      /** Which wait of the calendar is behind `frozen`. */
      wait?: CalendarWait;
      detail: string;
      until: string | null;
      next: string[];
      supersededBy: string | null;
    }
  /** A newer package took this one's place in the queue of a soft ring. */
  | { requestId: string; kind: 'replaced'; ring: number; name: string; soft: boolean; by: string }
  /** There is no ring after the one named. */
  | { requestId: string; kind: 'none' }
  /** The request makes no sense for this topology. */
  | { requestId: string; kind: 'rejected'; path: string; value: string; expected: string };

export interface CellAnswer {
  cell: string;
  isKnown: boolean;
}

export interface RingKnown {
  ring: number;
  /** What is wrong with driving this ring; null: nothing. */
  problem: { path: string; value: string; expected: string } | null;
}

/** A newer package takes this one's place: it ends as `superseded`. */
export interface SupersededNotice {
  by: string;
}

/** The pass over a ring ended without saying so (terminated by hand, timed out). */
export interface PassLost {
  ring: number;
  requestId: string;
}

// ── RingRollout → CellCluster and PackageRollout ─────────────────────────────

/** Which pass speaks: a cluster that lost its memory learns from it who holds the ring. */
export interface PassSpeaks {
  ring: number;
  requestId: string;
  /** First run id of the pass. */
  pass: string;
  version: string;
  purpose: PassPurpose;
  /** Workflow id of who started it; left out: the rollout of the package. */
  starter?: string;
}

/** A pass asks to begin: no cell of it starts before the answer. */
export interface EnterRing extends PassSpeaks {
  starter: string;
}

/** What a pass knows, sent whenever a reader would see something else than before. */
export interface RingReport {
  requestId: string;
  pass: string;
  version: string;
  purpose: PassPurpose;
  starter?: string;
  view: RolloutRing;
  /** version → cells, as last seen by this pass. */
  observed: Record<string, number>;
  /** Of these, cells that were quarantined while it was there; absent: none. */
  observedOut?: Record<string, number>;
  /** Where the package has no chart by name: the one with which cells of the ring run it, null where none is known to. */
  runsWith?: string | null;
  /** The package may go on to the next ring: converged and baked. */
  baked: boolean;
  /** The ring stopped because the package is at fault, whatever single cells say. */
  systemic: boolean;
  /** Since when, epoch ms; absent: it did not. */
  systemicSinceMs?: number;
  /** Why a cell is unhealthy after its PDM, so that going back would take it down; null: none is. */
  needsDowntime: string | null;
  /** PDM has failed on these cells, and nobody has retried it. */
  migrationFailed: string[];
  /** How the pass stands for somebody who waits for it: null while it is under way. */
  result: PassResult | null;
  /** The pass is over, and its ring free. */
  ended: boolean;
  /** How many retries it has heard of; one that came when all was over it has not. */
  retries?: number;
  /** The median time of the cells that this pass deployed, ms, health window included; null: it deployed none. */
  cellMs?: number | null;
  /** Alerts whose cause lasts: with the pass's end they are the cluster's to keep up. */
  alerts?: AlertBook;
  /** The package's brakes that it knows, and whose list that is: a rollout that began anew learns them here. */
  packageBrakes: { epoch: string; brakes: BrakeStatus[] };
}

export interface PassResult {
  outcome: RingOutcome | 'yielded' | 'lost';
  code: RefusalCode | null;
  supersededBy: string | null;
  reason: string;
}

/** Says that from now on no cell but these can get a forward job that the brakes of this list cover. */
export interface BrakesHold extends PassSpeaks, BrakesNumber {
  inFlight: string[];
}

/** Which of the lists of brakes that one workflow has sent. */
export interface BrakesNumber {
  /** First run id of whose brakes these are: one that began anew counts from the start again. */
  epoch: string;
  /** Grows with every change of the brakes. */
  seq: number;
}

// ── to Ledger ────────────────────────────────────────────────────────────────

export interface EnterInLedger {
  entries: LedgerEntry[];
}

// ── to RingRollout ───────────────────────────────────────────────────────────

/** The answer to `EnterRing`: what the pass works on, frozen. */
export interface RingEntry extends ForPass {
  cluster: string;
  name: string;
  policy: RingPolicy;
  soft: boolean;
  perimeter: boolean;
  topologyRevision: number;
  /** How the health of its cells is judged; null: readiness and revision alone decide. */
  health: HealthPolicy | null;
  /** The ring, or one before it, has signals: they must be healthy first. */
  gated: boolean;
  /** Gzipped, base64: JSON of `[id, tenant, url, labels?][]`. */
  cellsGz: string;
  leftOut: CellException[];
  /** Cells that came to the ring, from another one or anew, and do not run yet what it does. */
  came?: string[];
  /** What an earlier pass over the ring left: from here on they are this one's to end. */
  alerts?: AlertBook;
  brakes: BrakeStatus[];
  brakesNumber: BrakesNumber;
  /** The package's own brakes, where the pass is one of the cluster's own. */
  packageBrakes?: BrakesNumber & { brakes: BrakeStatus[] };
  /** A person's yes is missing: only where the ring is observed does that not keep the pass out. */
  unapproved?: true;
  /** When the ring may be taken forward; absent: at any time. */
  calendar?: Calendar;
  /** What the calendar said when the pass was let in, where that was asked. */
  word?: CalendarWord;
  /** The grant is gone: the pass must end without having done anything. */
  refused: string | null;
  /** Events after which the pass continues as new; only tests set it, through the cluster's own argument. */
  continueAsNewAfter?: number;
}

/** Passes over a ring come one after the other under one workflow id: what is meant for one of them names its request. */
export interface ForPass {
  requestId?: string;
}

/** The whole list; an older one of the same epoch than was seen is ignored. */
export interface SetBrakes extends BrakesNumber, ForPass {
  from: 'cluster' | 'package';
  brakes: BrakeStatus[];
}

/** Start nothing more, let what runs settle, and end. */
export interface StopPass extends ForPass {
  outcome: 'aborted' | 'superseded' | 'yielded';
  by: string;
  reason: string;
  /** Drop what only judges (verification, rollback) once the AMP jobs have ended: a newer package is next. */
  hurry: boolean;
  /** A person gives up even a rollback. */
  evenRollback?: boolean;
}

export interface RetryPass extends ForPass {
  by: string;
  cells: string[] | null;
}

export interface SkipInPass extends ForPass {
  cell: string;
  by: string;
  reason: string;
}

/** The cell leaves all automation, or comes back to it: `out`. */
export interface QuarantineInPass {
  cell: string;
  by: string;
  reason: string;
  out: boolean;
}

export interface OverrideInPass extends ForPass {
  wait: OverridableWait;
  /** Of a wait for the calendar: until when it is over. */
  waiver?: Waiver;
  by: string;
  reason: string;
}

/** PDM of this package failed in some ring (no new cell, no PDM anywhere), or that is over (null). */
export interface HoldForward extends ForPass {
  held: { reason: string; sinceMs: number; ring?: number } | null;
}

/** Cells that the ring has no more. */
export interface CellsLeft extends ForPass {
  cells: string[];
}

export interface CheckInPass extends ForPass {
  name: string;
  outcome: 'passed' | 'failed';
  by: string;
}

/**
 * Whose trouble holds a ring: AMP's, a token's, Prometheus', that too little is known of a cell, an outside check's, or the cell
 * cluster's.
 */
export type TroubleKind = 'amp' | 'access' | 'prometheus' | 'health' | 'check' | 'cluster';

/** A word on a ring as a whole. */
export type RingHealthNote = NonNullable<RingHealth['ring']>;

/** How the ring stands, from whoever watches it, and what its looks may have spent by the next word of it. */
export type RingHealthMessage = RingHealthNote & {
  looks?: LooksState;
  /** In shadow, where cells are judged by the watch alone: how many were judged how, after their window. */
  cells?: RingHealth['cells'];
} & ForPass;

/** Why the rings before one, and it itself, are waited for. */
export type RingGateMessage = { detail: string } & ForPass;

/** What speaks against going on, from outside checks, null: nothing; and the names of those that do. */
export interface OutsideWord {
  detail: string | null;
  against?: string[];
}

export type RingChecksMessage = OutsideWord & ForPass;

/** The topology in force, gzipped, base64; null where there is none yet. */
export interface PackedTopology {
  revision: number;
  gzip: string | null;
}

/**
 * By which rule a cell was unhealthy, and of which signal. The rule alone: of the cell as such; or, from an older worker, of
 * some signal.
 */
export type KnownFault = HealthRule | [rule: HealthRule, signal: string];

/** What a pass answers to whoever watches its cells' health; cells by their index in its snapshot. */
export interface WatchedCells {
  requestId: string;
  /** The watch is over. */
  over: boolean;
  /** The pass has stopped for the package's own fault already: only cells are left to be told of. */
  isSystemic: boolean;
  /** On the package, as many as one look takes: when their job began and ended, epoch ms, null where none did, and whether smoke tests passed. */
  onNew: [index: number, begunAtMs: number | null, endedAtMs: number | null, smokeTested: 0 | 1][];
  /** To be deployed yet. */
  onOld: number[];
  /** Of these, the ones that were unhealthy before their deployment, and by what. */
  before: Record<number, KnownFault[]>;
  /** After so many looks in a row each cell on the package has been in one of them. */
  rounds: number;
  /** From then on the pass waits for a word, epoch ms; null: it does not. */
  tellAfterMs: number | null;
}

/** A cell's run that was asked to stand down cannot: its job is ordered, or may be. */
export interface CellOrders {
  cell: string;
}

/** Trouble that holds a whole pass. */
export interface PassTrouble {
  kind: TroubleKind;
  detail: string;
  sinceMs: number;
}

/** What a cell's run says while it goes on: what is no fault of the cell's, and must hold the ring. */
export interface CellNote {
  cell: string;
  /** The package of the run: a pass of another one tells it to stand aside. */
  version?: string;
  trouble: { kind: TroubleKind; detail: string } | null;
}
