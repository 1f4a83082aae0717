import { describe, expect, it } from 'vitest';
import type { Signal } from '../../../src/contract/health.js';
import {
  beyondOthers,
  commonChange,
  commonOf,
  freedomAmong,
  NOTHING_COMMON,
} from '../../../src/domain/health/common.js';
import { Memo } from '../../../src/domain/health/index.js';
import type { Subject } from '../../../src/domain/health/subject.js';
import { around, cellOf, DEPLOYED, ERRORS, MINUTE, oldCellOf, policyOf } from './observations.js';

const subject = new Memo().subject('s', ERRORS, 'higher', cellOf({ s: around(0.0001) }), policyOf());
/** From one bad event in ten thousand, on a cell so busy that each deviation is a tenth of that level. */
const busy = { z: 20, level: 0.01, spread: 0.001 };

describe('what other cells did', () => {
  const moves = [0, 1, 2, 3, 4].map((z) => ({ z, before: 0.0001, now: 0.0003 }));

  it('is nothing where there are fewer than five', () => {
    expect(commonOf(moves.slice(1))).toEqual(NOTHING_COMMON);
  });

  it('is how far the middle one went, and what there is more on all of them', () => {
    const common = commonOf(moves);
    expect(common).toMatchObject({ middle: 2, cells: 5 });
    expect(common.factor).toBeCloseTo(3, 9);
    expect(common.added).toBeCloseTo(0.0002, 9);
  });

  it('is pooled without the cell that rose most, and is never less than nothing', () => {
    const still = moves.map((move) => ({ ...move, now: 0.0001 }));
    const [first, ...rest] = still;
    expect(commonOf([{ ...first, z: 90, before: 0.0001, now: 0.5 }, ...rest])).toMatchObject({ factor: 1, added: 0 });
    expect(commonOf(moves.map((move) => ({ ...move, now: 0 })))).toMatchObject({ factor: 1, added: 0 });
  });
});

describe('a change beyond that of others', () => {
  it('is all of it where they did not change', () => {
    expect(beyondOthers(subject, busy, NOTHING_COMMON, 1)).toBe(20);
    expect(beyondOthers(subject, busy, { ...NOTHING_COMMON, middle: -5 }, 1)).toBe(20);
  });

  it('leaves off what the same factor makes of it, though small cells see in it few deviations', () => {
    expect(beyondOthers(subject, busy, { ...NOTHING_COMMON, middle: 1, factor: 9 }, 1)).toBeCloseTo(0, 6);
    expect(beyondOthers(subject, busy, { ...NOTHING_COMMON, middle: 1, factor: 4 }, 2)).toBeCloseTo(5, 6);
  });

  it('leaves off what as many bad events make of it, but not of a signal that is no share', () => {
    const common = { ...NOTHING_COMMON, added: 0.0003 };
    expect(beyondOthers(subject, busy, common, 1)).toBeCloseTo(10, 6);
    const { slo: _slo, ...level } = ERRORS;
    const other = new Memo().subject('s', level, 'higher', cellOf({ s: around(0.0001) }), policyOf());
    expect(beyondOthers(other, busy, common, 1)).toBe(20);
  });

  it('is none while most of them are beyond the line of the signal themselves', () => {
    expect(beyondOthers(subject, busy, { ...NOTHING_COMMON, middle: 2.9 }, 1)).toBeGreaterThan(14);
    expect(beyondOthers(subject, busy, { ...NOTHING_COMMON, middle: 3 }, 1)).toBe(0);
  });
});

describe('where nothing ever was', () => {
  const dead: Signal = { query: 'dead:rate_5m', worse: 'higher', zScore: 3 };
  const others = Array.from({ length: 5 }, (_, i) =>
    new Memo().subject('s', dead, 'higher', oldCellOf({ s: [() => 0, () => 1e6] }, { cell: `${i}` }), policyOf()),
  );

  it('nothing is explained by others that did not change', () => {
    expect(beyondOthers(others[0] as Subject, { z: 1e6, level: 0, spread: 0 }, NOTHING_COMMON, 1)).toBe(1e6);
  });

  it('others that rose as well are seen', () => {
    const change = { lag: 2, stretch: 1 };
    const common = commonChange({ onOld: others, onNew: [] }, change, DEPLOYED + 10 * MINUTE);
    expect(common).toMatchObject({ cells: 5, middle: 1e6 });
  });
});

describe('degrees of freedom', () => {
  it('are those of the past where cells are no further apart than that says, and of the cells where they are', () => {
    expect(freedomAmong(95, 1, 6)).toBeCloseTo(95, 6);
    expect(freedomAmong(95, 10, 6)).toBeLessThan(5.2);
    expect(freedomAmong(95, 1.5, 6)).toBeGreaterThan(freedomAmong(95, 2, 6));
  });
});
