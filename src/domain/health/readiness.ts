import type { CellObservation, Verdict } from '../../contract/health.js';
import type { Finding } from './evidence.js';
import { otherPackage } from './expected.js';

/** So many answers in a row that it is not ready make a watched cell bad. */
export const BAD_IN_A_ROW = 3;

/** Who looks once has one answer only, and takes it for what it is. */
export function readiness(observation: CellObservation): Finding[] {
  const { cell, readiness: answer, notReadyInARow: looks = BAD_IN_A_ROW } = observation;
  if (answer === 'unasked') return [];
  const isFew = looks < BAD_IN_A_ROW;
  const few = isFew ? ` (${looks} of ${BAD_IN_A_ROW} answers in a row)` : '';
  const found: Record<typeof answer, [Verdict, words: string]> = {
    ready: ['healthy', 'says that it is ready'],
    silent: ['inconclusive', 'gives no answer'],
    'not-ready': [isFew ? 'inconclusive' : 'unhealthy', `says that it is not ready${few}`],
  };
  const [verdict, words] = found[answer];
  return [{ signal: null, rule: 'readiness', verdict, sentence: `${cell} ${words}` }];
}

/**
 * In how many looks in a row each cell said that it is not ready, for whoever looks again and again. A cell counts by the
 * looks that asked it. Silence neither adds to it nor clears it, and neither does that a cell is not ready while it runs
 * another package, or a job. Who begins anew counts from 0: that convicts later, and acquits nobody.
 */
export class NotReadyLooks {
  private readonly inARow = new Map<string, { deployedAtMs: number | null; looks: number }>();

  /** What was observed, with the looks before it. */
  counted(observation: CellObservation): CellObservation {
    const { cell, deployedAtMs, readiness: answer } = observation;
    if (answer === 'ready') this.inARow.delete(cell);
    if (answer !== 'not-ready' || otherPackage(observation)) return observation;
    const known = this.inARow.get(cell);
    const looks = (known?.deployedAtMs === deployedAtMs ? known.looks : 0) + 1;
    this.inARow.set(cell, { deployedAtMs, looks });
    return { ...observation, notReadyInARow: looks };
  }
}
