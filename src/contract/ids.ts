/**
 * The fixed names of workflows. Temporal lets one open run hold an id, so these ids are the locks:
 * no two runs ever work on one package, one ring or one cell at once.
 */
export const DEFAULT_TASK_QUEUE = 'cells';

/** Of the activities that only a worker with the ledger open can carry out. */
export const ledgerTaskQueue = (taskQueue: string): string => `${taskQueue}-ledger`;

export const WORKFLOW_TYPES = [
  'CellCluster',
  'PackageRollout',
  'PackageRollback',
  'RingRollout',
  'CellRollout',
  'Ledger',
  'LedgerBatch',
  'LedgerRead',
] as const;
export type WorkflowType = (typeof WORKFLOW_TYPES)[number];

export const CLUSTER_WORKFLOW_ID = 'cell-cluster';
export const LEDGER_WORKFLOW_ID = 'ledger';

const PACKAGE_PREFIX = 'package-rollout/';
const ROLLBACK_PREFIX = 'package-rollback/';
const RING_PREFIX = 'ring-rollout/';
const CELL_PREFIX = 'cell-rollout/';

export const packageRolloutId = (version: string): string => `${PACKAGE_PREFIX}${version}`;
export const packageRollbackId = (version: string): string => `${ROLLBACK_PREFIX}${version}`;
export const ringRolloutId = (ring: number): string => `${RING_PREFIX}${ring}`;
export const cellRolloutId = (cell: string): string => `${CELL_PREFIX}${cell}`;
/** Of entries that the ledger gave away, by the ids of the first and the last: a run that was reset names the same ones alike. */
export const ledgerBatchId = (first: string, last: string): string => `ledger-batch/${first}..${last}`;
export const ledgerReadId = (asker: string): string => `ledger-read/${asker}`;

const suffix = (prefix: string, id: string): string | null => (id.startsWith(prefix) ? id.slice(prefix.length) : null);

/** The version a `PackageRollout` id stands for, or null for another kind of id. */
export const versionOfPackageRolloutId = (id: string): string | null => suffix(PACKAGE_PREFIX, id);

/** The version a `PackageRollback` id stands for, or null for another kind of id. */
export const versionOfPackageRollbackId = (id: string): string | null => suffix(ROLLBACK_PREFIX, id);

/** The ring a `RingRollout` id stands for, or null for another kind of id. */
export function ringOfRingRolloutId(id: string): number | null {
  const text = suffix(RING_PREFIX, id);
  return text !== null && /^\d+$/.test(text) ? Number(text) : null;
}

/** The cell a `CellRollout` id stands for, or null for another kind of id. */
export const cellOfCellRolloutId = (id: string): string | null => suffix(CELL_PREFIX, id);

export interface JobKeyParts {
  cluster: string;
  /** First run id of the `RingRollout`: stable over continue-as-new and reset. */
  pass: string;
  cell: string;
  kind: string;
  version: string;
  /** How often this pass has ordered this work for this cell, from 1. */
  order: number;
}

/**
 * AMP's idempotency key of a job, made from what the job is for and never from chance, time or an attempt:
 * whoever asks again for the same work gets the same job.
 */
export const jobKey = (p: JobKeyParts): string =>
  `${jobKeyPrefix(p.cluster)}${p.pass}/${p.cell}/${p.kind}/${p.version}/${p.order}`;

/** What every job of one cluster's coordinator begins with: a job whose key begins so is ours. */
export const jobKeyPrefix = (cluster: string): string => `ccc/${cluster}/`;
