import { expect, test } from 'vitest';
import {
  normalAt,
  paretoExcessAt,
  poissonAt,
  smoothAt,
  streamOf,
  unitAt,
} from '../../../src/simulator/metrics/draws.js';
import { mean, quantile, variance } from './curves.js';

const stream = streamOf(1, 'draws');
const draw = (count: number, drawAt: (index: number) => number): number[] =>
  Array.from({ length: count }, (_, index) => drawAt(index));

test('units are spread evenly, and neighbours have nothing to do with each other', () => {
  const units = draw(20_000, (i) => unitAt(stream, i));
  expect(Math.min(...units)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...units)).toBeLessThan(1);
  expect(mean(units)).toBeCloseTo(1 / 2, 1.5);
  expect(variance(units)).toBeCloseTo(1 / 12, 2);
  const products = units.slice(1).map((unit, i) => (unit - 0.5) * ((units[i] ?? 0) - 0.5));
  expect(Math.abs(mean(products))).toBeLessThan(0.002);
});

test('an index has its number whatever else is drawn, above 32 bits too; streams, salts and seeds differ', () => {
  const index = 2 ** 34 + 5;
  expect(unitAt(stream, index)).toBe(unitAt(streamOf(1, 'draws'), index));
  const others = [
    unitAt(stream, index),
    unitAt(stream, 5),
    unitAt(stream, index + 1),
    unitAt(stream, index, 1),
    unitAt(streamOf(1, 'others'), index),
    unitAt(streamOf(2, 'draws'), index),
  ];
  expect(new Set(others).size).toBe(others.length);
});

test('a smooth curve has unit variance between its points too, and no jumps', () => {
  const normals = draw(20_000, (i) => normalAt(stream, i));
  expect(mean(normals)).toBeCloseTo(0, 1.5);
  expect(variance(normals)).toBeCloseTo(1, 1);
  const between = draw(20_000, (i) => smoothAt(stream, i + 0.5));
  expect(variance(between)).toBeCloseTo(1, 1);
  const jumps = draw(20_000, (i) => Math.abs(smoothAt(stream, i / 100) - smoothAt(stream, (i + 1) / 100)));
  expect(Math.max(...jumps)).toBeLessThan(0.15);
});

test.each([0.02, 0.7, 12, 29.9, 30, 4000])(
  'Poisson numbers of mean %d have that mean, and it is their variance',
  (of) => {
    const counts = draw(20_000, (i) => poissonAt(stream, i, of));
    expect(counts.every((count) => Number.isInteger(count) && count >= 0)).toBe(true);
    expect(Math.abs(mean(counts) - of)).toBeLessThan(4 * Math.sqrt(of / counts.length));
    expect(Math.abs(variance(counts) / of - 1)).toBeLessThan(0.08);
  },
);

test('nothing is expected of a mean of 0', () => {
  expect(poissonAt(stream, 7, 0)).toBe(0);
});

test('a Pareto excess has its tail, and its bound', () => {
  const excesses = draw(20_000, (i) => paretoExcessAt(stream, i, 2, 50));
  expect(quantile(excesses, 0.5)).toBeCloseTo(Math.SQRT2 - 1, 1.5);
  expect(quantile(excesses, 0.99)).toBeGreaterThan(8);
  expect(Math.max(...excesses)).toBe(50);
});
