import type { Evidence } from '../../contract/health.js';
import type { CellResult } from '../../contract/internal.js';
import type { CellException, CellState } from '../../contract/status.js';
import { shortened } from '../shortened.js';
import type { PassState } from './pass-state.js';

/** Cells of a pass that people are to be told of, with the reason. */

/** A hundred of them are named in every report, and carried over: each is a sentence or two. */
export const MAX_REASON = 500;

export function except(s: PassState, index: number, result: CellResult, state: CellState = result.state): void {
  s.exceptions[index] = {
    state,
    reason: shortened(result.reason, MAX_REASON),
    ...(result.jobId === null ? {} : { jobId: result.jobId }),
    ...(result.needsDowntime ? { needsDowntime: true } : {}),
    ...(result.isUnknown ? { isUnknown: true } : {}),
    ...evidenceFor(s, index, result),
  };
}

const WITH_EVIDENCE = 100;
const FINDINGS = 2;

/** So that a ring of thousands of failures carries over in little, only the first ones keep what they rest on. */
function evidenceFor(s: PassState, index: number, { health, before }: CellResult): { evidence?: Evidence[] } {
  const judged = s.health?.bad[index] ?? health ?? before;
  if (!judged || Object.keys(s.exceptions).length >= WITH_EVIDENCE) return {};
  return { evidence: judged.evidence.filter(({ verdict }) => verdict !== 'healthy').slice(0, FINDINGS) };
}

const orAbsent = (runs: string | null): { runs?: string } => (runs === null ? {} : { runs });

/** Where going back or being cancelled failed half way, AMP's word on the version is not enough. */
const UNSURE: ReadonlySet<CellState> = new Set(['rollback-failed', 'cancel-unconfirmed', 'left']);

/**
 * Exceptions in the order of the snapshot, with their cells' ids. `runs`: what a cell was last seen to run, where that is
 * a package, and not the one that it was to run.
 */
export function exceptionsOf(
  s: PassState,
  idOf: (index: number) => string,
  runs: (index: number) => string | null = () => null,
): CellException[] {
  const elsewhere = (index: string, state: CellState) => (UNSURE.has(state) ? null : runs(Number(index)));
  return Object.entries(s.exceptions).map(([index, e]) => ({
    cell: idOf(Number(index)),
    state: e.state,
    reason: e.reason,
    ...orAbsent(elsewhere(index, e.state)),
    ...(e.jobId === undefined ? {} : { jobId: e.jobId }),
    ...(e.needsDowntime ? { needsDowntime: true as const } : {}),
    ...(e.evidence === undefined ? {} : { evidence: e.evidence }),
  }));
}
