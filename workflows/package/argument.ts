import { ApplicationFailure, workflowInfo } from '@temporalio/workflow';
import { FAILURE } from '../../src/contract/failures.js';
import { packageRolloutId } from '../../src/contract/ids.js';
import * as messages from '../../src/contract/messages.js';
import type { PackageState } from '../../src/domain/rollout/state.js';

export interface PackageRolloutInput {
  version: string;
  chartVersion?: string;
  /** What an earlier run carried over. */
  state?: PackageState;
  /** Events after which the rollout continues as new; only tests set it. */
  continueAsNewAfter?: number;
  /** How long its rollback waits for its own passes to end; only tests set it. */
  oustAfterMs?: number;
}

/** Reads the argument of a `PackageRollout`; fails the run where it is none. */
export function argumentOf(input: unknown): { version: string; chartVersion: string | null } {
  const { state, continueAsNewAfter: _after, oustAfterMs: _oust, ...argument } = (input ?? {}) as PackageRolloutInput;
  const parsed = messages.packageRolloutArgument().safeParse(argument);
  if (!parsed.success) throw ApplicationFailure.nonRetryable(parsed.error.message, FAILURE.badArgument);
  const { version, chartVersion } = parsed.data;
  if (state !== undefined && (state as PackageState | null)?.version !== version) {
    throw ApplicationFailure.nonRetryable('state is only what an earlier run carried over', FAILURE.badArgument);
  }
  const { workflowId } = workflowInfo();
  if (workflowId === packageRolloutId(version)) return { version, chartVersion: chartVersion ?? null };
  const message = `the workflow of ${version} has the id ${packageRolloutId(version)}, not ${workflowId}`;
  throw ApplicationFailure.nonRetryable(message, FAILURE.badArgument);
}
