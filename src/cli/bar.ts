import type { RingCounts } from '../contract/status.js';
import type { Paint, Segment } from './paint.js';

type Kind = readonly [count: (c: RingCounts) => number, mark: string, paint: Paint];

const KINDS: readonly Kind[] = [
  [(c) => c.converged, '█', 'green'],
  [(c) => c.inFlight, '▒', 'yellow'],
  [(c) => c.failed + c.rolledBack, '!', 'red'],
  [(c) => c.skipped + c.quarantined, '-', 'dim'],
  [(c) => c.pending, '░', 'dim'],
];

/** A ring's cells as a bar of `width` columns, in the order converged, in flight, failed, left out, pending. */
export function bar(counts: RingCounts, width: number): Segment[] {
  const total = KINDS.reduce((sum, [count]) => sum + count(counts), 0);
  if (total === 0) return [[' '.repeat(width), 'dim']];
  let sum = 0;
  let drawn = 0;
  return KINDS.flatMap(([count, mark, paint]): Segment[] => {
    sum += count(counts);
    const end = Math.round((sum / total) * width);
    const piece: Segment = [mark.repeat(end - drawn), paint];
    drawn = end;
    return piece[0] === '' ? [] : [piece];
  });
}

const WORDS: readonly (readonly [keyof RingCounts, string])[] = [
  ['inFlight', 'in flight'],
  ['failed', 'failed'],
  ['rolledBack', 'rolled back'],
  ['quarantined', 'quarantined'],
  ['skipped', 'skipped'],
  ['pending', 'pending'],
];

/** What is not converged, in words: `2 in flight, 1 failed`. */
export const countsText = (counts: RingCounts): string =>
  WORDS.filter(([field]) => counts[field] > 0)
    .map(([field, word]) => `${counts[field]} ${word}`)
    .join(', ');
