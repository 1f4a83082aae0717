import { describe, expect, it, test } from 'vitest';
import { comparisonsOf, lineAt } from '../../../src/domain/health/error-control.js';
import { APDEX, ERRORS, policyOf, TRAFFIC } from './observations.js';

describe('comparisons with the past', () => {
  it('are as many as signals held to a z-score, in each direction that is worse, on each cell', () => {
    const { zScore: _none, ...limited } = APDEX;
    const policy = policyOf({ signals: { errors: ERRORS, traffic: TRAFFIC, limited } });
    expect(comparisonsOf(policy, 20)).toEqual({ cells: 20, perCell: 3 });
    expect(comparisonsOf(policyOf({ signals: {} }), 0)).toEqual({ cells: 1, perCell: 1 });
  });
});

describe('the line', () => {
  test.each([
    ['what the signal asks for, where that is more', 9, 20, 6, 3, 1, Infinity, 9],
    ['one comparison in the first block: 0.005 / 2', 2, 1, 1, 1, 1, Infinity, 2.807],
    ['six on each of twenty cells, in the second doubling: 0.005 / 120 / 6', 3, 20, 6, 3, 1, Infinity, 4.346],
    ['the same after two hours, in the fifth: 0.005 / 120 / 30', 3, 20, 6, 24, 1, Infinity, 4.689],
    ['one of three windows: 0.005 / 120 / 3 / 6', 3, 20, 6, 3, 3, Infinity, 4.58],
    ['further out where deviations were estimated from little', 3, 1, 1, 1, 1, 10, 3.581],
  ])('is %s', (_what, zScore, cells, perCell, blocks, lengths, freedom, line) => {
    expect(lineAt(zScore, { cells, perCell }, { blocks, lengths, freedom })).toBeCloseTo(line, 1);
  });
});
