import type { CellPurpose } from '../../contract/internal.js';
import type { CellState } from '../../contract/status.js';
import type { Mark, PassState } from './pass-state.js';

/** Where the cells of a pass stand, and how many of them. */

export function setMark(s: PassState, index: number, mark: Mark): void {
  const before = s.marks[index];
  if (before === undefined) throw new RangeError(`no cell ${index} in this pass`);
  s.counts[before] -= 1;
  s.counts[mark] += 1;
  s.marks[index] = mark;
  const purpose = stagePurpose(s);
  if (index < s.cursor && purpose !== null && mark === START[purpose].from) s.cursor = index;
}

export const flying = (s: PassState): number => s.counts['>'] + s.counts.m + s.counts['<'];

/**
 * Cells with a run that may order something forward, or has. What another pass's run does on a cell that is to go back is
 * not known: it may well be forward.
 */
export const forwardCells = (s: PassState): number[] =>
  Object.entries(s.inFlight)
    .filter(([, flight]) => flight.purpose !== 'rollback' || flight.foreign)
    .map(([index]) => Number(index));

/** Cells that spent the failure budget. */
export const failures = (s: PassState): number => s.counts.X + s.counts.R;

/** Cells that run the package, verified. */
export const converged = (s: PassState): number => s.counts.C + s.counts.D + s.counts.m + s.counts.M;

/** Cells that this pass is about. */
export const concerned = (s: PassState): number => s.marks.length - s.counts.L;

/** From which mark a stage takes a cell, and which one it has while its run is under way. */
export const START: Record<'deploy' | 'migrate' | 'rollback', { from: Mark; to: Mark }> = {
  deploy: { from: '.', to: '>' },
  migrate: { from: 'C', to: 'm' },
  rollback: { from: 'C', to: '<' },
};

/** Which purpose the present stage has for its cells; null where it starts none. */
export function stagePurpose(s: PassState): CellPurpose | null {
  if (s.stage === 'deploy' || s.stage === 'migrate' || s.stage === 'rollback') return s.stage;
  return null;
}

/** A retried PDM is as good as failed until it has succeeded: nothing else of the package goes forward before that. */
export const isMending = (s: PassState): boolean => s.stage !== 'rollback' && Object.keys(s.mending).length > 0;

/** The ring has converged, and PDM has not begun: no stage deploys, and cells that are put off are tried beside it. */
export const isPastDeploy = ({ stage }: PassState): boolean => stage === 'bake' || stage === 'grace';

export const quarantinedCells = (s: PassState): number[] =>
  s.marks.flatMap((mark, index) => (mark === 'Q' ? [index] : []));

export const hasLeft = (s: PassState, index: number): boolean => s.exceptions[index]?.state === 'left';

/** Not the cell's fault, nor the package's: it is tried again until it can be asked. */
export const isBusy = (state: CellState | undefined): boolean => state === 'busy' || state === 'unreachable';

/** Whether a pass that is `done`, or that nobody can move on, has settled: nothing of it is in flight. */
export const settled = (s: PassState): boolean => flying(s) === 0;
