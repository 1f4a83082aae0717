import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';
import { FAILURE } from '../../src/contract/failures.js';

export interface Trouble {
  kind: 'amp' | 'access';
  detail: string;
}

/** Reads a failed activity as trouble that is no cell's fault, or answers null: then it is something else. */
export function troubleOf(error: unknown): Trouble | null {
  if (!(error instanceof ActivityFailure) || !(error.cause instanceof ApplicationFailure)) return null;
  const { type, message } = error.cause;
  if (type === FAILURE.ampUnavailable) return { kind: 'amp', detail: message };
  return type === FAILURE.accessDenied ? { kind: 'access', detail: message } : null;
}
