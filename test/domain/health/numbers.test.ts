import { describe, expect, it, test } from 'vitest';
import {
  clamp,
  freedomOf,
  median,
  normalUpper,
  poissonTail,
  quantile,
  studentUpper,
} from '../../../src/domain/health/numbers.js';

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

  test.each([
    [0.025, 10, 2.228],
    [0.001, 10, 4.144],
    [0.0005, 4, 8.61],
    [0.0005, 60, 3.46],
    [0.001, Number.POSITIVE_INFINITY, 3.09],
  ])(
    'a variable of Student’s t exceeds with probability %d, of %d degrees, what tables say',
    (p, freedom, expected) => {
      expect(Math.abs(studentUpper(p, freedom) / expected - 1)).toBeLessThan(freedom < 10 ? 0.12 : 0.01);
    },
  );

  it('a sum of variances has the degrees of freedom of what weighs most in it', () => {
    expect(freedomOf([[4, 9]])).toBeCloseTo(9);
    expect(
      freedomOf([
        [1, 9],
        [1, 9],
      ]),
    ).toBeCloseTo(18);
    expect(
      freedomOf([
        [1, Number.POSITIVE_INFINITY],
        [0, 4],
      ]),
    ).toBe(Number.POSITIVE_INFINITY);
  });

  test.each([
    [0, 3, 1],
    [1, 0.5, 0.3935],
    [4, 1, 0.01899],
  ])('%d or more of a Poisson variable with mean %d', (count, mean, expected) => {
    expect(poissonTail(count, mean)).toBeCloseTo(expected, 4);
  });

  it('clamps', () => {
    expect([clamp(-5, -4, 4), clamp(5, -4, 4), clamp(1, -4, 4)]).toEqual([-4, 4, 1]);
  });
});
