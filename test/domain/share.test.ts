import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { type Amount, resolveAtLeastOne, resolveDown } from '../../src/domain/share.js';

describe('a share of a ring', () => {
  test.each<[Amount, number, number, number]>([
    // amount, cells, at least one (rounded up), rounded down
    ['20%', 5, 1, 1],
    ['7%', 100, 7, 7],
    ['29%', 100, 29, 29],
    ['58%', 50, 29, 29],
    ['14.5%', 200, 29, 29],
    ['0.01%', 10_000, 1, 1],
    ['20%', 1, 1, 0],
    ['99%', 1, 1, 0],
    ['100%', 1, 1, 1],
    ['50%', 3, 2, 1],
    ['34%', 3, 2, 1],
    ['33%', 3, 1, 0],
    ['0%', 10, 1, 0],
    ['20%', 0, 1, 0],
    [3, 1, 3, 3],
    [0, 5, 1, 0],
  ])('%s of %d cells is %d where one must go, %d as a budget', (amount, total, up, down) => {
    expect(resolveAtLeastOne(amount, total)).toBe(up);
    expect(resolveDown(amount, total)).toBe(down);
  });

  it('that is whole is exact, whatever the numbers', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 1, max: 1000 }), (percent, hundreds) => {
        expect(resolveDown(`${percent}%`, hundreds * 100)).toBe(percent * hundreds);
        expect(resolveAtLeastOne(`${percent}%`, hundreds * 100)).toBe(Math.max(1, percent * hundreds));
      }),
    );
  });

  test.each(['101%', '-1%', '1.234%', '%', 'x%'])('is not %s', (text) => {
    expect(() => resolveDown(text as Amount, 10)).toThrow(RangeError);
  });
});
