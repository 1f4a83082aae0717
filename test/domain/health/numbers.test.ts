import { describe, expect, it, test } from 'vitest';
import { clamp, median, normalUpper, quantile } from '../../../src/domain/health/numbers.js';

describe('numbers', () => {
  test.each([
    [[3], 3],
    [[3, 1], 2],
    [[9, 1, 5], 5],
    [[1, 10, 2, 9], 5.5],
  ])('the median of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  it('a median sorts by number, leaves its argument as it is, and of nothing is NaN', () => {
    const values = [10, 9, 1];
    expect(median(values)).toBe(9);
    expect(values).toEqual([10, 9, 1]);
    expect(median([])).toBeNaN();
  });

  it('a quantile lies between its neighbours', () => {
    expect(quantile([0, 10], 0.25)).toBe(2.5);
    expect(quantile([0, 10, 20], 1)).toBe(20);
  });

  test.each([
    [0.5, 0],
    [0.025, 1.959964],
    [0.00135, 2.999977],
    [1e-6, 4.753424],
    [1e-9, 5.997807],
  ])('a normal variable exceeds with probability %d what tables say', (p, expected) => {
    expect(normalUpper(p)).toBeCloseTo(expected, 2);
  });

  it('clamps', () => {
    expect([clamp(-5, -4, 4), clamp(5, -4, 4), clamp(1, -4, 4)]).toEqual([-4, 4, 1]);
  });
});
