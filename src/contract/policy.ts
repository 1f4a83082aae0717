/** Somebody else's word that a rollout may go on: `{"ok": true}`. */
export interface OutsideCheck {
  name: string;
  url: string;
  /** Time in ms between two questions. */
  everyMs: number;
  /** No answer, or none that can be read, speaks against going on. */
  failClosed: boolean;
}

/**
 * How one ring is worked on: every field of the policy in force there, lane included, with shares as numbers of cells
 * and durations in ms. A pass freezes it when it enters the ring.
 */
export interface RingPolicy {
  /** Cells in flight at once, 1 to 500. */
  maxParallel: number;
  /** Cells that go first; all of them must pass before the others start, whatever the failure budget. At least 1. */
  firstCells: number;
  /** Failed cells that the ring bears: a further cell starts only while no more than these have failed. */
  failureBudget: number;
  /** true: cells in flight count as failed, so that never more than the budget and one can fail. */
  strictBudget: boolean;
  /** `block`: a failure halts the ring. `soft`: it is reported, and neither blocks nor leaves the ring halted. */
  onFailure: 'block' | 'soft';
  /** What goes back when a cell fails: that cell, the ring, or nothing. */
  autoRollback: 'cell' | 'ring' | 'never';
  /** Whether going back may take a cell down where the rule of return says that it does. */
  downtimeRollback: 'never' | 'allowed';
  /** Whether a cell that is unhealthy before its deployment gets it all the same. */
  deployToUnhealthy: boolean;
  /** Time in ms that the converged ring must stay healthy before the package goes further. */
  bakeTimeMs: number;
  /** What an AMP job changes: the application, or the infrastructure too. */
  scope: 'application' | 'full';
  /** Whether PDM runs by itself after bake and grace period, or with the deployment. */
  postDeployMigrations: 'separate' | 'with-deploy';
  /** Time in ms from the end of the bake in which the ring can still go back, before PDM runs on its cells. */
  gracePeriodMs: number;
  /** `everywhere`: PDM only after the package has baked in every ring. */
  migrateWhen: 'grace' | 'everywhere';
  /** Whether a person must approve the package for this ring. */
  approval: 'none' | 'required';
  /** Outside checks that must agree before the ring and while it rolls. */
  checks: OutsideCheck[];
  /** Whether smoke tests run after the deployment. */
  smokeTests: boolean;
  /** `observe`: watch, judge and say what would be done; touch nothing. */
  mode: 'act' | 'observe';
  /** Time in ms from the ring's turn until it should have converged; waits for a person or the calendar stop this clock. */
  convergeWithinMs: number;
  /** Longest time in ms of one AMP job, from its `created_at`. */
  deployTimeoutMs: number;
  /** Time in ms after which a cancel that AMP has not confirmed makes the cell `cancel-unconfirmed`. */
  cancelTimeoutMs: number;
  /** Time in ms that a cell has to be ready and report the right revision, from the end of its own job. */
  verifyTimeoutMs: number;
  /** Time in ms between two looks at a cell that is being verified. */
  verifyIntervalMs: number;
  /** Time in ms between two looks at an AMP job. */
  pollIntervalMs: number;
}
