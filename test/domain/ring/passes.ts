import type { CellResult } from '../../../src/contract/internal.js';
import type { RingPolicy } from '../../../src/contract/policy.js';
import type { CellState, PassPurpose } from '../../../src/contract/status.js';
import type { Waiting } from '../../../src/domain/ring/health.js';
import { setMark } from '../../../src/domain/ring/marks.js';
import { newPass, type PassState } from '../../../src/domain/ring/pass.js';
import type { Advance } from '../../../src/domain/ring/stages.js';

/** Passes for tables. */

export const FREE = { braked: false, trouble: false };
export const NOW = 1_000_000;

export const marksOf = (s: PassState): string => s.marks.join('');

/** A pass whose cells stand as the marks say. */
export function standing(marks: string, purpose: PassPurpose = 'deploy'): PassState {
  const s = newPass(purpose, marks.length);
  [...marks].forEach((mark, index) => {
    setMark(s, index, mark as never);
    if ('>m<'.includes(mark)) {
      const doing = mark === '>' ? 'deploy' : mark === 'm' ? 'migrate' : 'rollback';
      s.inFlight[index] = { purpose: doing, runId: null, carried: false, foreign: false, cancelled: false };
      s.orders[index] = 1;
    }
  });
  return s;
}

export const result = (state: CellState, more: Partial<CellResult> = {}): CellResult => ({
  cell: 'c',
  version: 'any',
  purpose: 'deploy' as const,
  state,
  reason: `because ${state}`,
  jobId: 'job-1',
  from: null,
  to: null,
  deferred: false,
  needsDowntime: false,
  cancelled: false,
  ...more,
});

/** A person types while no cell in flight is in doubt, and nobody else is waited for. */
export const waiting = (now = NOW, more: Partial<Waiting> = {}): Waiting => ({
  inDoubt: [],
  isForOthers: false,
  now,
  ...more,
});

export const rules = (policy: RingPolicy, more: Partial<Advance> = {}) => ({
  policy,
  soft: policy.onFailure === 'soft',
  endsBaked: false,
  leftOut: 0,
  idOf: (index: number) => `c-${index}`,
  random: () => 0.5,
  now: NOW,
  ...more,
});
