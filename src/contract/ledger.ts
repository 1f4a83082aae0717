import type { BrakeStatus, ClusterStatus, GraduatedPackage, RolloutState } from './status.js';

/**
 * The ledger: what people did, what the coordinator decided and what failed, kept beyond Temporal's retention. Entries are
 * only ever added.
 */

export const LEDGER_KINDS = ['act', 'decision', 'failure'] as const;
/** `act`: of a person. `decision`: the coordinator's. `failure`: something went wrong, and what was done about it. */
export type LedgerKind = (typeof LEDGER_KINDS)[number];

export interface LedgerEntry {
  /** The run that made it and a number that grows: the same entry, written again, is still one. */
  id: string;
  /** RFC 3339, in UTC. */
  at: string;
  kind: LedgerKind;
  /** Name of the cluster; empty where it was not known yet. */
  cluster: string;
  /** What it is about, where it is about one. */
  version?: string;
  ring?: number;
  cell?: string;
  /** The act's or the decision's name: `engageBrake`, `granted`, `cellFailed`. */
  act: string;
  by: string;
  reason?: string;
  url?: string;
  /** What came of it. */
  outcome?: string;
  /** AMP's job. */
  jobId?: string;
  /** Sentences that let a reader check it. */
  evidence?: string[];
  tookMs?: number;
  /** The rest, as data. */
  facts?: Record<string, unknown>;
}

/** What is said of an entry where it is made; the rest is known there. */
export type NewEntry = Omit<LedgerEntry, 'id' | 'at' | 'cluster'>;

export const LEDGER_DEFAULT_LIMIT = 50;
export const LEDGER_MOST_ENTRIES = 1_000;

/** Which entries to read, the newest first. */
export interface HistoryQuery {
  cell?: string;
  version?: string;
  ring?: number;
  /** Only what went wrong. */
  failures?: boolean;
  /** Entries from this instant on, RFC 3339. */
  since?: string;
  limit: number;
}

export interface History {
  entries: LedgerEntry[];
  /** There are older ones that fit. */
  more: boolean;
}

export interface ReportQuery {
  /** RFC 3339. */
  since: string;
  until: string;
}

/** Of several values; null where there are none. */
export interface Spread {
  count: number;
  medianMs: number | null;
  p90Ms: number | null;
  longestMs: number | null;
}

/** How deliveries went over a time, counted from the ledger's entries. */
export interface LedgerReport extends ReportQuery {
  days: number;
  /** A deployment: an outer ring that converged on a package for the first time. */
  deployments: { packages: number; rings: number; cells: number; perDay: number; byDay: Record<string, number> };
  /** From graduation to converged, by outer ring. */
  leadTime: Record<string, Spread>;
  /** Passes of a package over a ring in which a cell failed or the ring halted, or that were taken back, of all that ended. */
  changeFailureRate: { passes: number; failed: number; share: number | null };
  /** From a failure until its cell was back, or mended; from a person's word until a ring was back on what it ran before. */
  timeToRestore: Spread & { open: number };
  failures: Record<string, number>;
  /** How many graduated packages each outer ring was behind at the end of each day, UTC. */
  drift: Record<string, Record<string, number>>;
}

/** What stands by the ledger: what a cluster that lost its memory takes up again. */
export interface Standing {
  brakes: BrakeStatus[];
  /** Of packages that have not ended, each its own; absent: none. */
  packageBrakes?: PackageBrakesStanding[];
  blocked: ClusterStatus['blocked'];
  quarantined: ClusterStatus['quarantined'];
  /** Oldest first. */
  graduated: GraduatedPackage[];
  ended: EndedStanding[];
  /** The newest package that was stopped as its own fault, or taken back (`why`), and where; `fixedIn`: the one with the fix. */
  systemic: { version: string; ring: number; sinceMs: number; why?: 'rolled-back'; fixedIn?: string } | null;
}

export interface PackageBrakesStanding {
  version: string;
  brakes: BrakeStatus[];
}

export interface EndedStanding {
  version: string;
  state: RolloutState;
  supersededBy: string | null;
  chartVersion: string | null;
  runsWith: string | null;
  at: string;
  run: string;
}

/** What the activities do that only a worker with the ledger open serves, on a task queue of their own. */
export interface LedgerActivities {
  /** Writes entries; one that is there already stays as it is. Fails where the database cannot be reached. */
  writeLedger(order: { entries: LedgerEntry[] }): Promise<void>;
  readLedger(query: HistoryQuery): Promise<History>;
  reportLedger(query: ReportQuery): Promise<LedgerReport>;
  readStanding(query: { cluster: string }): Promise<Standing>;
}

/** What a `LedgerRead` is started with. */
export type LedgerReadInput = { history: HistoryQuery } | { report: ReportQuery };

/** What the `ledger` workflow answers to `status`. */
export interface LedgerStatus {
  /** Entries that it has and that are not known to be written. */
  waiting: number;
  /** When the oldest of them was made; null: none waits. */
  waitingSince: string | null;
  written: number;
  /** Runs of `LedgerBatch` that were given entries because the database took none. */
  batches: number;
}
