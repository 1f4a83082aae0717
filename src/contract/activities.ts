import type { AmpJobState } from './amp.js';
import type { Calendar, CalendarWord } from './calendar.js';
import type { CellVerdict, HealthPolicy, LooksState, RingVerdict } from './health.js';
import type { RingEntry } from './internal.js';
import type { LedgerEntry } from './ledger.js';
import type { OutsideCheck } from './policy.js';
import type { PackageRolloutStatus, ReturnPlan } from './status.js';

/**
 * What workflows ask of the outside world. Written by hand and importing no implementation, so that the deterministic
 * side and the effects meet only here. Every activity is safe to run twice: its effect is keyed by its input.
 */

/** A cell as a pass knows it, from its snapshot of the topology. */
export interface CellRef {
  id: string;
  tenant: string;
  /** Base address of the cell itself, without a trailing slash. */
  url: string;
  /** For the queries of its signals; absent: none. */
  labels?: Record<string, string> | undefined;
}

export type JobKind = 'configure' | 'rollback' | 'post_deploy_migrations' | 'smoke_tests';

/** What AMP says that a tenant runs. Nulls are unknown. */
export interface TenantFacts {
  version: string | null;
  chartVersion: string | null;
  migratedVersion: string | null;
  previousVersion: string | null;
  previousChartVersion: string | null;
}

/** Readiness as the cell itself answers: `silent` is no answer at all, `unasked` was not needed. */
export type Readiness = 'ready' | 'not-ready' | 'silent' | 'unasked';

export interface CellLook {
  cell: string;
  /** `known`: AMP knows the tenant, and it is this cell's. */
  tenant: 'known' | 'unknown' | 'mismatch';
  facts: TenantFacts;
  /** The job under way on it, if any, and whether a coordinator of this cluster ordered it. */
  activeJob: { id: string; ours: boolean } | null;
  /** The last job on it, where AMP says that it failed and none is under way since. */
  failedJob: { id: string; kind: JobKind; version: string; fromVersion: string | null; ours: boolean } | null;
  /**
   * The newest job that installs something there, where that was asked for and it runs another package than wanted; null:
   * AMP has none.
   */
  lastJob?: LastJob | null;
  readiness: Readiness;
  /** True where the cell runs the wanted package and chart, is ready, and its own metadata agree. */
  onTarget: boolean;
  /** What is wrong, in one sentence; empty where nothing is. */
  problem: string;
}

/** A job that installs something: `configure` or `rollback`. */
export interface LastJob {
  id: string;
  kind: JobKind;
  version: string;
  fromVersion: string | null;
  state: AmpJobState;
  createdAt: string;
  /** A coordinator of this cluster ordered it. */
  ours: boolean;
}

export interface LookOrder {
  cluster: string;
  ring: number;
  cells: CellRef[];
  /** The package and chart that a cell must run to be on target. */
  version: string;
  chartVersion: string | null;
  /** Ask every cell for its readiness, not only those that AMP says are on target. */
  askReadiness: boolean;
  /** What AMP says of the tenants is enough: no cell is asked or found to be on target, and no failed job is looked up. */
  askOnlyAmp?: boolean;
  /** Of cells that run another package: which job brought it. */
  askJobs?: boolean;
}

export interface JobOrder {
  cluster: string;
  ring: number;
  cell: CellRef;
  /** Idempotency key: the same work is ordered under the same key by every attempt. */
  key: string;
  kind: JobKind;
  version: string;
  chartVersion: string | null;
  /** The fence: AMP refuses where the tenant runs another version by now. Null sends none. */
  expectedVersion: string | null;
  scope: 'application' | 'full';
  postDeployMigrations: 'skip' | 'include';
  reason: string;
  /** Refuse a cell that is not ready before its deployment. */
  requireReady: boolean;
  /** A job has this long from its `created_at`. Then it is cancelled; PDM is left to run, and answered as `timed-out`. */
  jobTimeoutMs: number;
  /** How long a cancel may stay unconfirmed. */
  cancelTimeoutMs: number;
  pollIntervalMs: number;
  /** Nothing is ordered from then on, epoch ms: the ring is closed. A job that this key has is watched all the same. */
  notAfterMs?: number;
  /** Do not order: find the job of this key, if it was ordered, and cancel it. */
  cancelOnly?: boolean;
  /** Do not order: find the job of this key, if it was ordered, and watch it. */
  findOnly?: boolean;
}

export interface JobFacts {
  id: string;
  /** What the tenant ran when the job began, by AMP's own record. */
  fromVersion: string | null;
  fromChartVersion: string | null;
  /** Null where the job never started: then it changed nothing. */
  startedAt: string | null;
  finishedAt: string | null;
  /** The same by the clock of whoever read it, epoch ms, and never earlier: what is measured is measured by ours. */
  finishedMs?: number;
  error: string | null;
  logUrl: string | null;
}

export type NotOrdered =
  | 'unknown-tenant'
  | 'mismatch'
  | 'busy'
  | 'not-ready'
  | 'silent'
  | 'changed'
  | 'refused'
  | 'closed'
  | 'cancelled';

export type JobReport =
  | { outcome: 'succeeded'; job: JobFacts }
  | { outcome: 'failed' | 'canceled' | 'timed-out' | 'cancel-unconfirmed'; job: JobFacts }
  /** Nothing was ordered, and nothing of this key runs. `seen` is what AMP says of the tenant, where it could be read. */
  | { outcome: 'not-ordered'; why: NotOrdered; detail: string; seen: TenantFacts | null };

export interface VerifyOrder {
  cluster: string;
  ring: number;
  cell: CellRef;
  /** Asked where the cell refuses our token: one that takes it shows that the token is good, and the cell is not. */
  witness: CellRef | null;
  version: string;
  chartVersion: string | null;
  /** Also require that this package's post-deployment migrations have begun there, by AMP's word. */
  migrated: boolean;
  /** Epoch milliseconds from which `timeoutMs` counts; at least one look is taken. */
  sinceMs: number;
  timeoutMs: number;
  intervalMs: number;
  /** How its health is watched once all of that is so; null: nothing is measured. */
  health: HealthWatch | null;
}

/** How a cell's health is watched after its deployment. Instants are epoch ms. */
export interface HealthWatch {
  policy: HealthPolicy;
  /** What was measured before is the cell's past. */
  begunAtMs: number;
  /** What was measured from here on is judged: healthy after the policy's window, unhealthy at once. */
  deployedAtMs: number;
  /** A cell about which not enough is known is looked at until then, if that is later than the window's end. */
  untilMs: number;
  smokeTests: 'passed' | 'failed' | null;
  /** How it was judged before its deployment. */
  before: CellVerdict | null;
}

export interface JudgeOrder {
  cell: CellRef;
  policy: HealthPolicy;
  /** What is answered stops nothing: where its signals cannot be asked for, too little is known of it. */
  onlyTold?: boolean;
  /** A cell about which not enough is known is looked at until then, epoch ms; once at least. */
  untilMs: number;
  /** Nobody looks again: one answer of the cell is taken for what it is. */
  once?: boolean;
}

export interface Verification {
  verified: boolean;
  facts: TenantFacts;
  readiness: Readiness;
  revision: string | null;
  /** One sentence; empty where verified. */
  problem: string;
  /** null: it was not asked for, or the cell was not verified. */
  health: CellVerdict | null;
}

export interface WatchOrder {
  cells: CellRef[];
  /** Epoch milliseconds. The watch ends then, when every cell's last answer was good. */
  untilMs: number;
  intervalMs: number;
  /** So many bad answers in a row make a cell bad. */
  badInARow: number;
}

export interface WatchRingOrder {
  ring: number;
  /** Which pass is asked: another one over the same ring is none of this watch's business. */
  requestId: string;
  version: string;
  policy: HealthPolicy;
  /** Gzipped, base64, as in the pass's entry. */
  cellsGz: string;
  /** What earlier watches of this pass spent of the error allowed; null: nothing. */
  looks: LooksState | null;
}

export interface GateOrder {
  ring: number;
  /** Which pass waits, and is told why. */
  requestId: string;
  /** Look once, and answer what speaks against the ring. */
  once: boolean;
}

/** How the cells of a ring are as they stand. */
export interface RingHealth {
  /** null: nothing is known, or nothing is measured there. */
  healthy: boolean | null;
  sentence: string;
}

export interface WatchChecksOrder {
  ring: number;
  requestId: string;
  checks: OutsideCheck[];
}

export interface WatchReport {
  /** Cells that answered, several times in a row, that they are not ready. */
  bad: { cell: string; reason: string }[];
  /** Cells that did not answer when the watch should have ended: never taken for fine, never taken for failed. */
  silent: string[];
}

export interface CarriedCell {
  cell: string;
  /** Run to wait for; null: the run that is open now. */
  runId: string | null;
}

/** How a `CellRollout` ended that its pass could not hear itself; `result` is null where it died without one. */
export interface CarriedEnd {
  cell: string;
  result: unknown | null;
  problem: string;
}

export interface RunState {
  workflowId: string;
  /** `open`: running; `closed`: it ended, however; `unknown`: Temporal has no such run. */
  state: 'open' | 'closed' | 'unknown';
}

export type Severity = 's1' | 's2' | 's3' | 's4';

/** Whose alert it is: the owners of the rings up to the perimeter, of those beyond it, or both. */
export type AlertTeam = 'perimeter' | 'outer' | 'both';

/**
 * Something that a person should know of. Name, severity, cluster, ring, cell, brake, version and team are its identity:
 * told again with the same ones, it is the same alert.
 */
export interface Alert {
  /** As `docs/runbooks.md` has it. */
  name: string;
  severity: Severity;
  cluster: string;
  ring?: number;
  cell?: string;
  /** Id of the brake that it is about. */
  brake?: string;
  version?: string;
  /** Left out: both. */
  team?: AlertTeam;
  /** One sentence: what is the matter. */
  summary: string;
  /** Sentences that let a reader check it. */
  evidence?: string[];
  /** The commands to type. */
  next: string[];
  /** Left out: the section of this name in the runbooks. */
  runbookUrl?: string;
  /** When its cause began, epoch ms; the same however often it is raised. Left out: when this activity was asked for. */
  startedAtMs?: number;
  /** Its cause is gone. */
  resolved?: true;
}

/** What a rollback of a package comes to in one ring, by AMP's word on every cell of it. */
export interface RingReturn extends ReturnPlan {
  /** Cells that run the package, the first hundred of them. */
  on: string[];
}

export interface SurveyOrder {
  version: string;
  /** Only this ring; null: every one. */
  ring: number | null;
  allowDowntime: string[];
  toBlocked: boolean;
}

/** Rings where there is something to take back, or to wait for. */
export interface Survey {
  rings: RingReturn[];
  /** Names in `allowDowntime` that no ring which is taken back has, in words; only where there are any. */
  unknownCells?: string;
}

export interface Activities {
  /** Looks at up to 100 cells. Fails with `AmpUnavailable` or `AccessDenied` where AMP itself cannot be asked. */
  lookAtCells(order: LookOrder): Promise<CellLook[]>;
  /**
   * Orders one AMP job under its key and watches it until it ended; heartbeats the job's id. A cancel asked for by the
   * workflow cancels the job and waits until AMP says that it ended; anything else that stops this activity stops only
   * the watching. Fails with `AmpUnavailable` or `AccessDenied` where AMP cannot be asked: ask again with the same key.
   */
  runJob(order: JobOrder): Promise<JobReport>;
  /**
   * Looks at one cell until it is as wanted, or its time is over; then, where asked to, watches its health. Fails with
   * `HealthUnavailable` where its signals cannot be asked for.
   */
  verifyCell(order: VerifyOrder): Promise<Verification>;
  /**
   * Judges a cell as it is, by what it runs. Fails with `HealthUnavailable` where its signals cannot be asked for, unless
   * its answer is only told.
   */
  judgeCell(order: JudgeOrder): Promise<CellVerdict>;
  /**
   * Watches the health of a ring while a package rolls over it and bakes, asking the pass at each look which cells run
   * what. Tells the pass by signal how the ring stands, where that changes or it waits for a word; ends with the verdict
   * where something must be done, with null where the watch is over.
   */
  watchRing(order: WatchRingOrder): Promise<RingVerdict | null>;
  /**
   * Looks at the health of a ring and of all before it until nothing speaks against entering it; tells the pass by signal
   * why it waits. Answers what speaks against it (only where it was to look once), or null.
   */
  awaitHealthyRings(order: GateOrder): Promise<string | null>;
  /** Judges a ring once, by what is measured there now; what cannot be asked is an answer too. */
  judgeRing(order: { ring: number }): Promise<RingHealth>;
  /** Asks outside checks until it is cancelled, and tells the pass by signal what speaks against going on. */
  watchChecks(order: WatchChecksOrder): Promise<void>;
  /** Watches up to 100 cells' readiness until a time, or until one is bad. */
  watchCells(order: WatchOrder): Promise<WatchReport>;
  /** Waits until at least one of these `CellRollout`s has ended, and answers all that have. */
  awaitCells(order: { cells: CarriedCell[] }): Promise<CarriedEnd[]>;
  /** Which of these workflows are open. */
  describeRuns(order: { workflowIds: string[] }): Promise<RunState[]>;
  /** Cells of a ring whose `CellRollout` is open, by visibility: one that has just started may be missing. */
  listOpenCells(order: { ring: number }): Promise<string[]>;
  /**
   * Terminates the pass with this first run id, and no other one; null: whatever has the ring's workflow id now. One that
   * has ended is as good as terminated.
   */
  terminatePass(order: { ring: number; pass: string | null; reason: string }): Promise<void>;
  /** The status that an ended run of a `PackageRollout` left as its result; null where Temporal has none of it. */
  readRollout(order: { version: string; runId: string }): Promise<PackageRolloutStatus | null>;
  /** Open `PackageRollout`s and `PackageRollback`s, by visibility. */
  listOpenRollouts(): Promise<string[]>;
  /**
   * Tells people that something is the matter, or that it is no more (`resolved`). Never fails, and takes a few seconds
   * at most: what cannot be delivered now is delivered later. Raised once, an alert stays up for a day; whoever knows
   * that its cause lasts raises it again, an hour later or so, since an Alertmanager that restarts forgets.
   */
  raiseAlert(alert: Alert): Promise<void>;
  /** Hands entries to the workflow `ledger`, and starts it where there is none. */
  tellLedger(order: { entries: LedgerEntry[] }): Promise<void>;
  /**
   * Whether a worker that has the ledger open polls its task queue, or did within the last minutes. Where nobody does it is
   * asked again for `forMs`: for some seconds Temporal says what it said before.
   */
  isLedgerServed(order: { forMs: number }): Promise<boolean>;
  /**
   * Asks AMP what every cell of the topology runs, and what taking a package back would come to. Fails with
   * `AmpUnavailable` or `AccessDenied` where AMP cannot be asked; waits for a topology that can be read.
   */
  surveyPackage(order: SurveyOrder): Promise<Survey>;
  /** Who has the workflow id of the pass over a ring now: first run id, and the ring's state by its search attribute. */
  describePass(order: { ring: number }): Promise<{ pass: string; state: string } | null>;
  /** What a pass over a ring works on, by the topology that the cluster had last; null: it has no such ring. */
  readEntry(order: { ring: number }): Promise<RingEntry | null>;
  /** Whether a ring may be taken forward now, by the time zone data of this worker, and until when that is so. */
  readCalendar(calendar: Calendar): Promise<CalendarWord>;
  /** Lets so many milliseconds pass. */
  linger(ms: number): Promise<void>;
}
