import type {
  CellObservation,
  CellVerdict,
  Evidence,
  HealthPolicy,
  LooksState,
  RingVerdict,
} from '../../contract/health.js';
import { judgeCell } from './cell.js';
import { bounded, compare, shortened } from './evidence.js';
import { ringWide } from './ring-wide.js';
import { Memo } from './subject.js';

export interface RingObservation {
  /** Cells that run the new package. */
  onNew: readonly CellObservation[];
  /** Cells that still run the old one, observed at the same time. */
  onOld: readonly CellObservation[];
  policy: HealthPolicy;
  /** What the look before handed back; null at the first one. */
  looks: LooksState | null;
  nowMs: number;
  /** What earlier looks worked out of the same samples. */
  memo?: Memo;
}

/** What is said of a ring, and of every cell on the new package beside: that is more than may travel. */
export type RingJudgement = RingVerdict & { judged: CellVerdict[] };

const CELLS_AT_MOST = 100;
const NAMED_AT_MOST = 5;

/**
 * Judges a ring while a package rolls over it and bakes: every cell on the new package by itself, and all of them
 * together against the cells on the old one. `systemic` where the pool says it, or where at least two cells and half of
 * those judged are unhealthy; `local` where single cells are. Pure; the order of the cells changes nothing.
 */
export function judgeRing({ onNew, onOld, policy, looks, nowMs, memo = new Memo() }: RingObservation): RingJudgement {
  const news = inOrder(onNew);
  const olds = inOrder(onOld);
  const cells = news.map((cell) => judgeCell(cell, policy, { control: olds, peers: news, memo }));
  const busy = news.filter((_cell, i) => counts(cells[i]));
  const pool = ringWide({ onNew: busy, onOld: olds, policy, looks, nowMs, memo });
  const pooled = pool.evidence.filter((e) => e.verdict === 'unhealthy' && !e.shadow);
  const unhealthy = cells.filter((c) => c.verdict === 'unhealthy');
  const waiting = cells.filter((c) => c.verdict === 'inconclusive');
  const judged = cells.length - waiting.length;
  const systemic = pooled.length > 0 || (unhealthy.length >= 2 && unhealthy.length * 2 >= judged);
  const evidence = bounded([...pool.evidence, ...unhealthy.flatMap((c) => worst(c))]);
  return {
    verdict:
      systemic || unhealthy.length > 0
        ? 'unhealthy'
        : waiting.length > 0 || cells.length === 0
          ? 'inconclusive'
          : 'healthy',
    scope: systemic ? 'systemic' : unhealthy.length > 0 ? 'local' : 'none',
    atMs: nowMs,
    sentence: shortened(sentenceOf(cells.length, unhealthy, waiting, pooled, systemic)),
    evidence,
    cells: [...unhealthy, ...waiting].slice(0, CELLS_AT_MOST),
    looks: pool.looks,
    judged: cells,
  };
}

const inOrder = (cells: readonly CellObservation[]): CellObservation[] =>
  [...cells].sort((a, b) => compare(a.cell, b.cell));

/** A quiet cell, and one that is not known to run the package, say nothing about it. */
const counts = (verdict: CellVerdict | undefined): boolean =>
  verdict !== undefined && !verdict.quiet && !verdict.evidence.some((e) => e.rule === 'data' && e.signal === null);

const worst = ({ evidence }: CellVerdict): Evidence[] => evidence.filter((e) => e.verdict === 'unhealthy').slice(0, 1);

function sentenceOf(
  total: number,
  unhealthy: readonly CellVerdict[],
  waiting: readonly CellVerdict[],
  pooled: readonly Evidence[],
  systemic: boolean,
): string {
  if (pooled[0]) return pooled[0].sentence;
  const first = unhealthy[0] ?? waiting[0];
  if (!first) return total === 0 ? 'no cell runs the package' : `all ${total} cells are healthy`;
  if (systemic) return `${unhealthy.length} of ${total} cells are unhealthy, so it is the package: ${first.sentence}`;
  const these = unhealthy.length > 0 ? unhealthy : waiting;
  const word = unhealthy.length > 0 ? 'unhealthy' : 'inconclusive';
  return `${named(these)} of ${total} ${these.length === 1 ? 'is' : 'are'} ${word}: ${first.sentence}`;
}

function named(cells: readonly CellVerdict[]): string {
  const names = cells.slice(0, NAMED_AT_MOST).map((c) => c.cell);
  const more = cells.length - names.length;
  return more > 0 ? `${names.join(', ')} and ${more} more` : names.join(', ');
}
