export { CellCluster } from './cell-cluster.js';
export { CellRollout } from './cell-rollout.js';
export { Ledger, LedgerBatch, LedgerRead } from './ledger.js';
export { PackageRollback } from './package-rollback.js';
export { PackageRollout } from './package-rollout.js';
export { RingRollout } from './ring-rollout.js';
