/** Status types that queries answer and results carry. Names as in the contract; instants are RFC 3339 in UTC. */

import type { CalendarWait } from './calendar.js';
import type { Evidence } from './health.js';
import type { Problem } from './problem.js';

export type CellState =
  | 'pending'
  | 'deploying'
  | 'verifying'
  | 'converged'
  | 'migrating'
  | 'rolling-back'
  | 'rolled-back'
  | 'failed'
  | 'rollback-failed'
  | 'migration-failed'
  | 'cancel-unconfirmed'
  | 'skipped'
  | 'quarantined'
  | 'unreachable'
  | 'busy'
  | 'left';

export type RingState =
  | 'idle'
  | 'waiting'
  | 'rolling'
  | 'baking'
  | 'grace'
  | 'migrating'
  | 'converged'
  | 'halted'
  | 'braked'
  | 'rolling-back'
  | 'mixed';

export type RolloutState =
  | 'perimeter'
  | 'awaiting-graduation'
  | 'waiting'
  | 'rolling-out'
  | 'baking'
  | 'migrating'
  | 'halted'
  | 'braked'
  | 'rolling-back'
  | 'converged'
  | 'superseded'
  | 'aborted'
  | 'rolled-back'
  | 'expired';

export type WaitKind =
  | 'topology'
  | 'graduation'
  | 'ring-turn'
  | 'approval'
  | 'brake'
  | 'bake'
  | 'deploy-window'
  | 'freeze'
  | 'grace-period'
  | 'health'
  | 'check'
  | 'cell-busy'
  | 'drift'
  | 'operator';

/** Why something waits: since when, until when where that is known, and the commands that would end it. */
export interface WaitingFor {
  kind: WaitKind;
  ring?: number;
  since: string;
  until?: string;
  detail: string;
  next: string[];
  /** It is a block of packages that it waits for: the one with which the block begins. */
  blocked?: string;
}

export type BrakeMode = 'finish-ring' | 'finish-cells' | 'cancel-cells';
export type BrakeScope = 'cluster' | 'outer' | 'package' | { ring: number };

export interface BrakeStatus {
  brakeId: string;
  scope: BrakeScope;
  mode: BrakeMode;
  by: string;
  reason: string;
  since: string;
  expiresAt?: string;
  url?: string;
  /** Only between workflows: it stands for a block, and stops these packages alone. */
  blocks?: BlockedRange;
}

/** Every package from `version` up to, not including, `fixedIn`; without that every later one. */
export interface BlockedRange {
  version: string;
  fixedIn?: string;
}

export interface BlockedVersion extends BlockedRange {
  by: string;
  reason: string;
  since: string;
  url?: string;
}

export interface CellException {
  cell: string;
  state: CellState;
  reason: string;
  jobId?: string;
  evidence?: Evidence[];
  /** The rule of return says that going back takes the cell down. */
  needsDowntime?: true;
  /** In the cluster's status: since when it is known so. */
  since?: string;
  /** The package that it runs, where that is known and is not the one that it was to run. */
  runs?: string;
}

export interface RingCounts {
  total: number;
  converged: number;
  inFlight: number;
  failed: number;
  rolledBack: number;
  quarantined: number;
  skipped: number;
  pending: number;
}

export interface CheckRecord {
  ring: number;
  name: string;
  outcome: 'passed' | 'failed';
  by: string;
  at: string;
  /** Who ended the wait that this failure made. */
  overriddenBy?: string;
}

/** One ring as one package sees it. */
/** How a ring was found while a package rolled over it; only where it has signals. */
export interface RingHealth {
  /** `shadow`: judged and kept, and not obeyed. */
  mode: 'enforce' | 'shadow';
  /** Cells by how they were judged after their deployment; `quiet` ones are among the others too. */
  cells: { healthy: number; quiet: number; unhealthy: number; inconclusive: number };
  /** In shadow: the first verdict on which the package would have been stopped, or a cell taken back. */
  wouldHave?: string;
  /** What spoke against the ring before it was entered, where the package went there all the same. */
  before?: string;
  /** The last word on the ring as a whole. */
  ring?: {
    verdict: 'healthy' | 'unhealthy' | 'inconclusive';
    /** `systemic`: the package; `local`: single cells. */
    scope: 'none' | 'local' | 'systemic';
    sentence: string;
    /** Epoch ms. */
    atMs: number;
    evidence: Evidence[];
    /** Cells of which too little is known, where there is no other doubt; left out where they are too many to name. */
    unknown?: string[];
    /** Nothing could be measured: nobody answers who measures. */
    unmeasured?: true;
  };
}

export interface RolloutRing extends RingCounts {
  ring: number;
  name: string;
  state: RingState;
  startedAt: string | null;
  convergedAt: string | null;
  finishedAt: string | null;
  exceptions: CellException[];
  exceptionsTotal: number;
  /** Of all exceptions, named or not: how many cells would have to be taken down to go back. Only where a package is taken back. */
  needDowntime?: number;
  /** Cells with a run of their own at this moment, at most 100 of them. */
  cellsInFlight: string[];
  empty?: boolean;
  /** The ring is in mode `observe`: what would be done there, on how many cells, and after which waits. */
  observed?: { sentence: string; would: number; waits: string[] };
  /** How the last pass of this package over the ring ended, or stands while it waits for a person. */
  outcome?: RingOutcome;
  /** Why this ring waits, where it does. */
  waitingFor: WaitingFor | null;
  /** `failed` where they failed on one cell; absent: none were run. */
  smokeTests?: 'passed' | 'failed';
  health?: RingHealth;
}

export interface Failure {
  at: string;
  ring: number;
  cell?: string;
  state?: CellState;
  reason: string;
  jobId?: string;
}

export interface Rejection {
  at: string;
  message: string;
  by?: string;
  path: string;
  value: string;
  expected: string;
}

/** One act of a person, kept with what came of it. */
export interface Act {
  at: string;
  act: string;
  by: string;
  reason?: string;
  url?: string;
  detail?: string;
  outcome: string;
}

export interface PackageRolloutStatus {
  version: string;
  chartVersion: string | null;
  lane: string | null;
  state: RolloutState;
  waitingFor: WaitingFor | null;
  graduatedAt: string | null;
  brakes: BrakeStatus[];
  rings: RolloutRing[];
  failures: Failure[];
  checks: CheckRecord[];
  acts: Act[];
  rejected: Rejection[];
  startedAt: string;
  finishedAt: string | null;
  supersededBy?: string;
  /** Cells that could not go back when the rollout was aborted with `rollback`, with the reason. */
  needsDowntime?: CellException[];
}

/** What taking a package back comes to in one ring, as it was found when that began. */
export interface ReturnPlan {
  ring: number;
  name: string;
  /** Cells that ran the package. */
  cells: number;
  /** Of those, the ones that can go back, by the package that they go back to. */
  targets: Record<string, number>;
  /** Of those, the ones that stay, with the reason; at most 100 are named. */
  stays: CellException[];
  staysTotal: number;
  /** Cells with a job of ours under way, which may bring the package. */
  underWay: number;
  /** Cells of which it was not known what they run. */
  unknown: number;
}

/** What a `PackageRollback` answers: as a rollout, and what it is about. */
export interface PackageRollbackStatus extends PackageRolloutStatus {
  needsDowntime: CellException[];
  by: string;
  reason: string;
  url?: string;
  /** Only this ring. */
  ring?: number;
  /** The package is not blocked by it. */
  block?: false;
  /** It only says what would be done. */
  dryRun?: true;
  /** Empty until every cell was looked at. */
  plan: ReturnPlan[];
}

export type RingOutcome = 'converged' | 'failed' | 'halted' | 'superseded' | 'refused' | 'aborted';

export type RefusalCode =
  | 'braked'
  | 'frozen'
  | 'approval'
  | 'drift'
  | 'blocked'
  | 'older_package'
  | 'newer_running'
  | 'check'
  | 'ended';

/** What `deployRing` and `migrateRing` answer. */
export interface RingResult {
  ring: number;
  version: string;
  outcome: RingOutcome;
  /** false: the caller may go on (the ring's policy is `soft`). */
  blocking: boolean;
  code?: RefusalCode;
  /** Which wait is behind `frozen`: what `override` is to name. */
  wait?: CalendarWait;
  until?: string;
  next?: string[];
  supersededBy?: string;
  empty?: boolean;
  startedAt: string;
  finishedAt: string;
  cells: Omit<RingCounts, 'inFlight' | 'pending'>;
  exceptions: CellException[];
  checks: CheckRecord[];
  /** `failed` where they failed on one cell; absent: none were run. */
  smokeTests?: 'passed' | 'failed';
  health?: RingHealth;
  /** The ring is only observed: nothing was done there. */
  observed?: NonNullable<RolloutRing['observed']>;
}

export type Ring0Verdict = 'converged' | 'failed' | 'superseded' | 'never';

export interface GraduateResult {
  ring0: Ring0Verdict;
  /** The cell cluster has not answered yet: it counts once it has. */
  accepted?: false;
}

export interface BrakeResult {
  brakeId: string;
  /** Cells that may still get, or be running, a forward job although the brake holds. */
  inFlight: string[];
}

/** What `blockVersion` answers: the status after it, and where something is still under way. */
export interface BlockResult extends ClusterStatus {
  /** Cells that may still get, or be running, a forward job to a blocked package. */
  inFlight: string[];
}

/** One ring as the cluster sees it. */
/** A ring in mode `observe`, as it was seen last, whoever deploys it meanwhile. */
export interface WatchedRing {
  at: string;
  /** The package that would go there; null: none would. */
  version: string | null;
  /** So many cells would be deployed; at most so many, where others are left alone. */
  would: number;
  /** null: that is not known, or nothing is measured there. */
  healthy: boolean | null;
  /** What would be done, and what would stop it. */
  sentence: string;
}

export interface ClusterRing {
  ring: number;
  name: string;
  desired: string | null;
  /** version → how many cells run it, as last seen. */
  observed: Record<string, number>;
  /** Of these, cells that are out of automation; absent: none. */
  observedOut?: Record<string, number>;
  /** The version the whole ring last converged on. */
  converged: string | null;
  total: number;
  onDesired: number;
  state: RingState;
  rollout?: string;
  /** When the newest package that is on its way should have converged here; absent: it has, or that is not known. */
  expectedAt?: string;
  /** Why that is not known. */
  expectedAfter?: string;
  /** It takes longer than `convergeWithin`, or will. */
  late?: true;
  /** What a cell took in the last passes, ms: the median. */
  cellMs?: number;
  convergedAt: string | null;
  exceptions: CellException[];
  exceptionsTotal: number;
  /** Only of a ring in mode `observe`. */
  watched?: WatchedRing;
}

export interface GraduatedPackage {
  version: string;
  graduatedAt: string;
  by: string;
  blocked: boolean;
  convergedAt: string | null;
}

export interface QueueEntry {
  ring: number;
  version: string;
  purpose: PassPurpose;
  since: string;
  /** What this entry waits for: its turn, an approval, a brake. */
  held: WaitingFor | null;
  /** Only of what the cluster itself asks for: how many cells it is about, and who wants it. */
  cells?: number;
  by?: string;
}

/**
 * What is different about a cell that does not stand where its ring converged. `behind`: it missed the package; `failed`:
 * the package failed on it; `hand`: somebody else changed it; `newer`: it is past the ring; `restored`: AMP says one
 * thing, the cell another; `joined`: it came to the ring meanwhile; `no-pdm`: only PDM is missing. The others are waited
 * for: `busy`, `unwell`, `unknown`.
 */
export type DifferenceKind =
  | 'behind'
  | 'failed'
  | 'hand'
  | 'newer'
  | 'restored'
  | 'joined'
  | 'no-pdm'
  | 'busy'
  | 'unwell'
  | 'unknown';

export interface Difference {
  cell: string;
  kind: DifferenceKind;
  /** One sentence. */
  reason: string;
  since: string;
  /** The package that it runs, where that is known and is not its ring's. */
  runs?: string;
}

/** How rings are kept on what they converged on. */
export interface ReconcileStatus {
  /** When every ring is looked at next. */
  nextAt: string | null;
  /** Rings that are to be looked at now. */
  looking: number[];
  /** Rings where only what runs is noted, with the reason. */
  notKept: { ring: number; reason: string }[];
  /** Cells that the last look found elsewhere than their ring, at most 100. */
  found: (Difference & { ring: number })[];
}

/** When a ring should converge on a package; `unknown`: what that depends on, where no clock ends it. */
export interface RingForecast {
  ring: number;
  version: string;
  expectedAt?: string;
  unknown?: string;
}

/** When the outer rings that lack a package should converge on it; none where it is not on its way there. */
export interface Forecast {
  version: string;
  rings: RingForecast[];
}

/** Why a cell, or cells of a ring (null), do not run a package or a newer one. */
export interface MissingCell {
  ring: number;
  cell: string | null;
  state: CellState | RingState | 'unknown';
  reason: string;
}

/** Whether a package, or a newer one, is on every cell of some rings, by what the cluster last saw. */
export interface Everywhere {
  version: string;
  there: boolean;
  /** Why it will not be there, and no newer one in its place; null: it may be. */
  never: string | null;
  rings: { ring: number; there: boolean; converged: string | null }[];
  /** At most 100; quarantined ones are named also where they are not counted. */
  missing: MissingCell[];
  missingTotal: number;
}

export type PassPurpose = 'deploy' | 'migrate' | 'rollback';

/** A package that is being taken back from its cells. */
export interface OpenReturn {
  version: string;
  by: string;
  reason: string;
  since: string;
}

/** Cells that stay on a package that was taken back, although nobody wanted that. */
export interface LeftBehind {
  version: string;
  /** When its rollback ended. */
  since: string;
  total: number;
  /** Some of them, with the reason. */
  cells: { cell: string; reason: string }[];
  /** Of those, the ones that would have to be taken down for it. */
  needsDowntime: string[];
  /** Only this ring was meant. */
  ring?: number;
  /** The package was not to be blocked. */
  block?: false;
}

/** What a cluster that began without memory found: on the cells, and in the ledger. */
export interface ColdStart {
  at: string;
  found: string;
}

export interface ClusterStatus {
  cluster: string | null;
  topologyRevision: number;
  perimeter: number | null;
  rings: ClusterRing[];
  brakes: BrakeStatus[];
  /** `inTopology`: it is written there, and only a topology without it ends it. */
  quarantined: { cell: string; by: string; reason: string; since: string; expiresAt?: string; inTopology?: true }[];
  blocked: BlockedVersion[];
  graduated: GraduatedPackage[];
  queue: QueueEntry[];
  reconcile?: ReconcileStatus;
  drift: { max: number; byRing: Record<string, number> };
  /** `override`: a person's word that lets it run although the drift is beyond its limit. */
  autoDeploy: {
    state: 'running' | 'paused';
    reason?: string;
    /** When it paused itself. */
    since?: string;
    override?: { by: string; reason: string; since: string; expiresAt?: string };
  };
  /** Fields of the topology that are written there and that this version does not obey yet. */
  notInForce: string[];
  waitingFor: WaitingFor | null;
  /** Absent while it looks. */
  coldStart?: ColdStart;
  /** Packages that are being taken back; absent: none is. */
  rollbacks?: OpenReturn[];
  /** What rollbacks that are over could not take back; absent: nothing. */
  leftBehind?: LeftBehind[];
  acts: Act[];
  rejected: Rejection[];
}

export interface TopologyChanges {
  cellsJoined: string[];
  cellsLeft: string[];
  cellsMoved: { cell: string; from: number; to: number }[];
  ringsAdded: number[];
  ringsRemoved: number[];
  perimeter?: { from: number; to: number };
  policy: string[];
}

/** Why a topology would not be put in force as it is; nothing: it would. */
export interface JudgedTopology {
  problems: Problem[];
}

export interface ApplyTopologyResult {
  revision: number;
  changes: TopologyChanges;
  notInForce: string[];
  /** What is allowed and will hardly do what its writer wants, a sentence each. */
  warnings: string[];
}
