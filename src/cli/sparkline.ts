import type { Sample } from '../contract/health.js';
import { median } from '../domain/health/numbers.js';

/** What is drawn: samples after `fromMs`, up to and including `toMs` (epoch ms), in so many columns. */
export interface Stretch {
  samples: readonly Sample[];
  fromMs: number;
  toMs: number;
  columns: number;
}

const LEVELS = '▁▂▃▄▅▆▇█';
const NOTHING = '·';

/**
 * Stretches of one signal as lines of blocks on one scale, from the lowest median of a column to the highest; a column
 * without a sample is a dot. What never moves is drawn in the middle.
 */
export function sparklines(stretches: readonly Stretch[]): string[] {
  const drawn = stretches.map(mediansOf);
  const known = drawn.flat().filter(Number.isFinite);
  const [least, most] = [Math.min(...known), Math.max(...known)];
  const blockOf = (value: number): string => {
    const share = most > least ? (value - least) / (most - least) : 0.5;
    return LEVELS[Math.round(share * (LEVELS.length - 1))] ?? NOTHING;
  };
  return drawn.map((values) => values.map((value) => (Number.isNaN(value) ? NOTHING : blockOf(value))).join(''));
}

/** NaN where a column has no sample. */
function mediansOf({ samples, fromMs, toMs, columns }: Stretch): number[] {
  const bins = Array.from({ length: columns }, (): number[] => []);
  for (const [at, value] of samples) {
    if (at <= fromMs || at > toMs || !Number.isFinite(value)) continue;
    // The end of a column belongs to it, as the end of the stretch does.
    bins[Math.ceil(((at - fromMs) / (toMs - fromMs)) * columns) - 1]?.push(value);
  }
  return bins.map(median);
}
