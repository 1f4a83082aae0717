import type { RingPolicy } from '../../src/contract/policy.js';

/** A complete policy for tables: window of 3, one first cell, no budget, no waits. */
export const policyOf = (more: Partial<RingPolicy> = {}): RingPolicy => ({
  maxParallel: 3,
  firstCells: 1,
  failureBudget: 0,
  strictBudget: false,
  onFailure: 'block',
  autoRollback: 'cell',
  downtimeRollback: 'never',
  deployToUnhealthy: false,
  bakeTimeMs: 0,
  scope: 'application',
  postDeployMigrations: 'separate',
  gracePeriodMs: 0,
  migrateWhen: 'grace',
  approval: 'none',
  smokeTests: false,
  checks: [],
  mode: 'act',
  convergeWithinMs: 3_600_000,
  deployTimeoutMs: 60_000,
  cancelTimeoutMs: 5_000,
  verifyTimeoutMs: 5_000,
  verifyIntervalMs: 1_000,
  pollIntervalMs: 1_000,
  ...more,
});
