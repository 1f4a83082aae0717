import { describe, expect, it } from 'vitest';
import { type Stretch, sparklines } from '../../src/cli/sparkline.js';
import type { Sample } from '../../src/contract/health.js';

/** Samples at 1, 2, 3 … of a stretch that is as long as it has values. */
const stretch = (values: readonly number[], columns = values.length): Stretch => ({
  samples: values.map((value, at): Sample => [at + 1, value]),
  fromMs: 0,
  toMs: values.length,
  columns,
});

describe('a sparkline', () => {
  it('draws the least as the lowest block and the most as the highest', () => {
    expect(sparklines([stretch([0, 1, 2, 3, 4, 5, 6, 7])])).toEqual(['▁▂▃▄▅▆▇█']);
  });

  it('draws all stretches on one scale', () => {
    expect(sparklines([stretch([1, 1]), stretch([1, 8])])).toEqual(['▁▁', '▁█']);
  });

  it('draws the median where several samples share a column', () => {
    expect(sparklines([stretch([0, 0, 9, 8, 8, 8], 2)])).toEqual(['▁█']);
    expect(sparklines([stretch([0, 0, 7, 7, 5, 7], 2)])).toEqual(['▁█']);
  });

  it('shows where nothing was measured, and takes what is no number for nothing', () => {
    expect(sparklines([stretch([1, Number.NaN, 2, Number.POSITIVE_INFINITY])])).toEqual(['▁·█·']);
    expect(sparklines([stretch([]), { samples: [[5, 1]], fromMs: 6, toMs: 8, columns: 2 }])).toEqual(['', '··']);
  });

  it('leaves out what lies outside: the begin does not belong to it, the end does', () => {
    const samples: Sample[] = [
      [10, 100],
      [11, 1],
      [12, 2],
      [13, 100],
    ];
    expect(sparklines([{ samples, fromMs: 10, toMs: 12, columns: 2 }])).toEqual(['▁█']);
  });

  it('draws what never moves in the middle', () => {
    expect(sparklines([stretch([3, 3, 3])])).toEqual(['▅▅▅']);
  });
});
