import { expect, test } from 'vitest';
import type { CellState } from '../../../src/contract/status.js';
import { type Entered, takeSetbacks } from '../../../src/domain/ledger/setbacks.js';
import { setMark } from '../../../src/domain/ring/marks.js';
import type { PassState } from '../../../src/domain/ring/pass.js';
import { standing } from '../ring/passes.js';

/** A pass in which the first cell ended so. */
function ended(mark: string, state: CellState, purpose: 'deploy' | 'rollback' = 'deploy'): PassState {
  const s = standing(`${mark}..`, purpose);
  s.orders[0] = 1;
  s.exceptions[0] = { state, reason: 'because', jobId: 'job-1' };
  return s;
}

const told = (s: PassState, entered: Entered = {}) => takeSetbacks(s, entered).wrong.map(({ state }) => state);

test.each<[string, CellState]>([
  ['X', 'failed'],
  ['R', 'rolled-back'],
  ['X', 'rollback-failed'],
  ['X', 'migration-failed'],
  ['X', 'cancel-unconfirmed'],
  ['X', 'unreachable'],
  ['X', 'busy'],
])('a cell marked %s as %s is a setback, once', (mark, state) => {
  const s = ended(mark, state);
  const entered: Entered = {};
  expect(takeSetbacks(s, entered).wrong).toEqual([{ index: 0, state, reason: 'because', jobId: 'job-1' }]);
  expect(told(s, entered)).toEqual([]);
});

test.each<[string, string, CellState]>([
  ['put off, which is tried again', 'd', 'busy'],
  ['skipped by a person', 's', 'skipped'],
  ['of no business of this pass', 'L', 'failed'],
])('a cell that is %s is none', (_, mark, state) => {
  expect(told(ended(mark, state))).toEqual([]);
});

test('a cell that is put off is one when its ring has converged without it, and not where the pass was stopped', () => {
  const done = { ...ended('d', 'busy'), stage: 'done' as const };
  expect(told({ ...done, stop: { outcome: 'aborted', by: 'alice', reason: 'no', hurry: false } })).toEqual([]);
  expect(told({ ...done, halt: { kind: 'cells', reason: 'another cell failed', sinceMs: 0 } })).toEqual([]);
  expect(told(done)).toEqual(['busy']);
});

test('a cell that was to go back, and did, is none; one that could not is', () => {
  expect(told(ended('R', 'rolled-back', 'rollback'))).toEqual([]);
  expect(told(ended('X', 'rollback-failed', 'rollback'))).toEqual(['rollback-failed']);
});

test('a cell that fails again after a retry is told again, and mended when it has come through', () => {
  const s = ended('R', 'rolled-back');
  const entered: Entered = {};
  expect(told(s, entered)).toEqual(['rolled-back']);
  setMark(s, 0, '>');
  expect(takeSetbacks(s, entered)).toEqual({ wrong: [], mended: [] });
  setMark(s, 0, 'R');
  s.orders[0] = 2;
  expect(told(s, entered)).toEqual(['rolled-back']);
  delete s.exceptions[0];
  setMark(s, 0, 'C');
  expect(takeSetbacks(s, entered)).toEqual({ wrong: [], mended: [0] });
  expect(takeSetbacks(s, entered)).toEqual({ wrong: [], mended: [] });
});
