import type { CellRef } from './activities.js';
import type { CellVerdict, HealthPolicy } from './health.js';
import type { RingPolicy } from './policy.js';
import type { CellReturn } from './returning.js';
import type { CellState, PassPurpose } from './status.js';

/** What a pass gives the run of one cell, and what it hears from it. */

export type CellPurpose = PassPurpose;

export interface CellRolloutInput {
  cluster: string;
  ring: number;
  /** First run id of the pass. */
  pass: string;
  /** Workflow id of the pass, for notes. */
  passWorkflowId: string;
  purpose: CellPurpose;
  cell: CellRef;
  /** Another cell of the ring, to tell whether a token is refused by one cell or by all; null: there is none. */
  witness: CellRef | null;
  version: string;
  chartVersion: string | null;
  /** What the pass saw on the cell: the fence of the first order. */
  expectedVersion: string | null;
  policy: RingPolicy;
  /** Whether the ring is soft, and inside the perimeter: whom alerts page. */
  soft?: boolean;
  perimeter?: boolean;
  /** null: readiness and revision alone decide. */
  health: HealthPolicy | null;
  /** How the cell was judged before this package came, where it was unhealthy: it is held to that. */
  before: CellVerdict | null;
  /** Nothing forward is ordered from then on, epoch ms: the ring is closed. Absent: at any time. */
  notAfterMs?: number;
  /** How often this pass has ordered this work for this cell, from 1. */
  order: number;
  /** An earlier run of the same order was cancelled, and died over it: this one finds its job, cancels it, goes back. */
  cancelled: boolean;
  lane: string | null;
  reason: string;
  /** A person wants the package taken back; left out: as the policy says, in one try. */
  back?: CellReturn;
}

/** A pass of another package holds the ring: nothing that has not been ordered yet is to be. */
export interface StandAside {
  version: string;
}

/** How one cell's run ended. */
export interface CellResult {
  cell: string;
  version: string;
  purpose: CellPurpose;
  /** `pending`: nothing was changed, and it can be tried again. */
  state: CellState;
  reason: string;
  jobId: string | null;
  /** What it ran when the run began, and what it runs now, by AMP's word; null is unknown. */
  from: string | null;
  to: string | null;
  /** The chart with which it was verified on the package. */
  chartVersion?: string | null;
  /** Nothing was ordered because the cell could not take it now (busy, silent, not ready). */
  deferred: boolean;
  needsDowntime: boolean;
  /** A cancel was why it did not converge: no fault of the cell's. */
  cancelled: boolean;
  /** A brake came before its job was ordered: nothing was, and nothing will be. */
  stoodDown?: true;
  /** The ring closed before its job was ordered: it starts again when that is open. */
  closed?: true;
  /** Its health could not be told, and the policy says that this is for a person: the ring halts, whatever its budget. */
  isUnknown?: true;
  /** When the job that brought the package began and ended, epoch ms; absent where nothing is measured. */
  deployed?: { begunAtMs: number; endedAtMs: number };
  smokeTests?: 'passed' | 'failed';
  /** How the cell was judged before its deployment, where that was not healthy. */
  before?: CellVerdict;
  /** How it was judged after it; with its evidence where that was not healthy. */
  health?: CellVerdict;
}
