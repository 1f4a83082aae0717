/**
 * What the checks read: AMP's own job log, the topology as its users wrote it, the record of acts, and what the
 * coordinator says of itself. They know contract section 7 and nothing of the code that they check.
 */

/** One act of a person or of release-tools, as the test that did it saw it. Instants are epoch milliseconds. */
export interface ActRecord {
  act: string;
  /** The package it was for; null: the cluster. */
  version: string | null;
  payload: unknown;
  askedAt: number;
  /** null: not answered yet. */
  answeredAt: number | null;
  answer: unknown;
  /** Set where it was refused or failed. */
  error?: string;
}

/** A job of AMP's own log; fields named as on the wire. The optional ones are in the simulator's log only. */
export interface LoggedJob {
  id: string;
  tenant: string;
  kind: string;
  version: string;
  from_version: string | null;
  /** What the order expected the tenant to run, where it said so: AMP answers 412 where that is not so. */
  expected_version?: string | null;
  state: string;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  idempotency_key: string | null;
  post_deploy_migrations?: string;
  chart_version?: string | null;
  from_chart_version?: string | null;
}

export interface SeenException {
  cell: string;
  state: string;
  reason: string;
}

export interface SeenRing {
  ring: number;
  total: number;
  converged: number;
  inFlight: number;
  pending: number;
  startedAt: string | null;
  exceptions: SeenException[];
}

export interface SeenAct {
  at: string;
  act: string;
  by: string;
  reason?: string;
  outcome: string;
}

/** What is read of a `PackageRollout`'s status. */
export interface SeenRollout {
  state: string;
  startedAt: string;
  finishedAt: string | null;
  rings: SeenRing[];
  failures: { at?: string; ring: number; cell?: string; state?: string; reason: string }[];
  acts?: SeenAct[];
  /** What was refused; a signal has no other answer. */
  rejected?: { at: string; message: string; by?: string }[];
}

export interface Evidence {
  jobs: readonly LoggedJob[];
  /** The topology that was applied first, as in its file; later ones are read from the acts. */
  topology: unknown;
  acts: readonly ActRecord[];
  /** Status by version, taken after the last job. */
  statuses?: Readonly<Record<string, SeenRollout>>;
  /** Acts that rollbacks kept, by the package that they took back. */
  rollbacks?: Readonly<Record<string, SeenAct[]>>;
  /** Status of the cluster, for the acts that it kept. */
  cluster?: { acts?: SeenAct[] };
}

export interface Leeway {
  /** How far the clocks of AMP, of Temporal and of whoever recorded the acts may be apart, in ms. */
  toleranceMs: number;
  /** How long it may take to learn from AMP that a job failed, and to tell every ring, on top of the poll interval; ms. */
  noticeMs: number;
}

export interface Violation {
  /** Number in contract section 7. */
  rule: number;
  message: string;
  /** Ids of the jobs that it is about. */
  jobs: string[];
}
