import type { BlockedRange } from './status.js';

/** What workflows say to one another about a package that is taken back; as in `internal.ts`. */

/** How a package is taken back; where a pass is given none, as the policy says, in one try. */
export interface ReturnOrder {
  /** Cells that may be taken down for it, whatever the rule of return and the policy say. */
  allowDowntime: string[];
  /** A person said that cells may go back to a package that is blocked. */
  toBlocked: boolean;
  /** How often AMP is asked to take a cell back whose job fails. */
  tries: number;
}

/** The same for one cell. */
export interface CellReturn {
  mayTakeDown: boolean;
  /** Packages that it must not go back to. */
  notTo: BlockedRange[];
  tries: number;
}

/** Says that a package is taken back, and asks what the cluster knows of it. */
export interface AskRollback {
  version: string;
  /** First run id of the rollback. */
  run: string;
  by: string;
  reason: string;
  url: string | null;
  /** Only this ring; null: every one. */
  ring: number | null;
  block: boolean;
  /** Only asked what would be said. */
  dryRun: boolean;
}

export interface RollbackEnded {
  version: string;
  run: string;
  /** Cells that are left on the package although nobody wanted that; absent: an older version does not say. */
  left?: LeftOnPackage;
}

/** Cells that a rollback could not take back. */
export interface LeftOnPackage {
  total: number;
  /** Some of them, with the reason. */
  named: { cell: string; reason: string }[];
  /** Of those, the ones that would have to be taken down for it. */
  needDowntime: string[];
  /** Only this ring was meant. */
  ring?: number;
  /** The package was not to be blocked. */
  block?: false;
}

export interface RollbackAnswer {
  /** Which run of the rollback had asked. */
  run: string;
  /** Why it cannot be. */
  refused: { path: string; value: string; expected: string } | null;
  cluster: string | null;
  /** Rings where cells run the package, or may be getting it. */
  rings: number[];
}

/** A rollback takes the package back: its rollout goes no further, and ends as `rolled-back`. */
export interface TakenBack {
  by: string;
  reason: string;
  url: string | null;
}
