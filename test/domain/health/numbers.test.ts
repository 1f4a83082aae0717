import { describe, expect, it, test } from 'vitest';
import {
  clamp,
  freedomOf,
  median,
  normalTail,
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

  test.each([
    [800, 700, 1.154e-4],
    [2_000, 1_900, 0.0116],
    [700, 800, 0.9998],
    [20_000, 2_000, 0],
    [1e12, 1e12, 0.5],
    [2e12, 1e12, 0],
    [1e12, 5, 0],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0],
  ])('%d or more of a Poisson variable with the large mean %d, at once', (count, mean, expected) => {
    const began = performance.now();
    const probability = poissonTail(count, mean);
    expect(performance.now() - began).toBeLessThan(200);
    expect(Math.abs(probability - expected)).toBeLessThanOrEqual(0.03 * expected);
  });

  it('the tail of a Poisson variable is much the same on both sides of where it is worked out otherwise', () => {
    for (const count of [470, 500, 530, 560, 600]) {
      const [below, above] = [poissonTail(count, 499.999), poissonTail(count, 500.001)];
      expect(above / below).toBeCloseTo(1, 1);
    }
  });

  test.each([
    [0.5, 0.308538],
    [1.959964, 0.025],
    [4.753424, 1e-6],
    [-1.959964, 0.975],
    [40, 0],
  ])('a normal variable exceeds %d with the probability that tables say', (z, expected) => {
    expect(Math.abs(normalTail(z) - expected)).toBeLessThanOrEqual(1e-3 * expected);
  });

  it('clamps', () => {
    expect([clamp(-5, -4, 4), clamp(5, -4, 4), clamp(1, -4, 4)]).toEqual([-4, 4, 1]);
  });
});
