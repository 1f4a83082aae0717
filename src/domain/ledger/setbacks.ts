import type { Evidence } from '../../contract/health.js';
import type { CellState } from '../../contract/status.js';
import type { PassState } from '../ring/pass.js';

/** Cells that went wrong in a pass, as the ledger is to know of them: each once for what went wrong with it. */

/** Where the word of a setback ends: what nobody counts as one is none. */
const SETBACKS: readonly CellState[] = [
  ...(['failed', 'rolled-back', 'rollback-failed', 'migration-failed', 'cancel-unconfirmed'] as const),
  ...(['unreachable', 'busy'] as const),
];

/** What is known to stand in the ledger of a cell: how it ended, and under which order. */
export type Entered = Record<number, string>;

export interface Setback {
  index: number;
  state: CellState;
  reason: string;
  jobId?: string;
  evidence?: Evidence[];
}

/** Notes what the ledger is to be told of now: cells that went wrong, and those that are well again. */
export function takeSetbacks(s: PassState, entered: Entered): { wrong: Setback[]; mended: number[] } {
  const wrong: Setback[] = [];
  for (const [key, { state, reason, jobId, evidence }] of Object.entries(s.exceptions)) {
    const index = Number(key);
    // One that is put off is tried again while the pass lasts; one that was to go back, and did, is no setback.
    const isOver = s.marks[index] === 'X' || (s.marks[index] === 'R' && s.purpose !== 'rollback') || isLeft(s, index);
    const word = `${state}/${s.orders[index] ?? 0}`;
    if (!isOver || !SETBACKS.includes(state) || entered[index] === word) continue;
    entered[index] = word;
    wrong.push({ index, state, reason, ...(jobId ? { jobId } : {}), ...(evidence ? { evidence } : {}) });
  }
  const mended = Object.keys(entered)
    .map(Number)
    .filter((index) => s.exceptions[index] === undefined && isWell(s, index));
  for (const index of mended) delete entered[index];
  return { wrong, mended };
}

/** The ring converged without it. */
const isLeft = (s: PassState, index: number): boolean =>
  s.marks[index] === 'd' && s.stage === 'done' && !s.stop && !s.halt;

/** Its deployment, or its PDM, has come through. */
const isWell = (s: PassState, index: number): boolean => s.marks[index] === 'C' || s.marks[index] === 'M';
