import type { CellObservation, Verdict } from '../../contract/health.js';
import type { Finding } from './evidence.js';
import { otherPackage } from './expected.js';

/** So many answers that it is not ready make a watched cell bad … */
export const BAD_ANSWERS = 3;
/** … of so many. */
const AMONG = 5;

/** Who looks once has one answer only, and takes it for what it is. */
export function readiness(observation: CellObservation): Finding[] {
  const { cell, readiness: answer, notReadyAnswers: bad = BAD_ANSWERS } = observation;
  if (answer === 'unasked') return [];
  const isFew = bad < BAD_ANSWERS;
  const few = isFew ? ` (${bad} of ${BAD_ANSWERS} answers)` : '';
  const found: Record<typeof answer, [Verdict, words: string]> = {
    ready: ['healthy', 'says that it is ready'],
    silent: ['inconclusive', 'gives no answer'],
    'not-ready': [isFew ? 'inconclusive' : 'unhealthy', `says that it is not ready${few}`],
  };
  const [verdict, words] = found[answer];
  return [{ signal: null, rule: 'readiness', verdict, sentence: `${cell} ${words}` }];
}

interface Answers {
  deployedAtMs: number | null;
  /** When the last of them was given, epoch ms. */
  atMs: number;
  /** The last ones, oldest first; true: not ready. */
  bad: boolean[];
}

/**
 * How many of the last answers of each cell were that it is not ready, for whoever looks again and again: also of one that
 * comes and goes. A cell counts by the looks that asked it. Silence is no answer, and neither is one while the cell runs
 * another package, or a job. Who begins anew counts from 0: that convicts later, and acquits nobody.
 */
export class NotReadyLooks {
  private readonly answers = new Map<string, Answers>();

  /** @param apartMs of looks that follow closer upon one another only the first counts */
  constructor(private readonly apartMs = 0) {}

  /** What was observed, with the answers before it. */
  counted(observation: CellObservation): CellObservation {
    const { cell, deployedAtMs, nowMs, readiness: answer } = observation;
    if ((answer !== 'ready' && answer !== 'not-ready') || otherPackage(observation)) return observation;
    const known = this.answers.get(cell);
    const before =
      known?.deployedAtMs === deployedAtMs ? known : { deployedAtMs, atMs: Number.NEGATIVE_INFINITY, bad: [] };
    const isBad = answer === 'not-ready';
    const isApart = nowMs - before.atMs >= this.apartMs;
    const now = isApart ? { deployedAtMs, atMs: nowMs, bad: [...before.bad, isBad].slice(-AMONG) } : before;
    this.answers.set(cell, now);
    return isBad ? { ...observation, notReadyAnswers: Math.max(1, now.bad.filter(Boolean).length) } : observation;
  }
}

/** Whether the cell says that it is not ready, and the next answers will tell whether it is. */
export const isCounting = ({ readiness: answer, notReadyAnswers: bad = BAD_ANSWERS }: CellObservation): boolean =>
  answer === 'not-ready' && bad < BAD_ANSWERS;
