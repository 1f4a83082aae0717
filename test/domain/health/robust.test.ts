import { describe, expect, it, test } from 'vitest';
import type { HealthPolicy, Signal } from '../../../src/contract/health.js';
import { NOTHING_COMMON } from '../../../src/domain/health/common.js';
import { Memo } from '../../../src/domain/health/index.js';
import { zScoreFinding } from '../../../src/domain/health/robust.js';
import { directionsOf } from '../../../src/domain/health/scale.js';
import {
  APDEX,
  after,
  around,
  BEGUN,
  type Course,
  cellOf,
  chance,
  DAY,
  DEPLOYED,
  ERRORS,
  HOUR,
  MINUTE,
  policyOf,
  STEP,
  samples,
  TRAFFIC,
} from './observations.js';

const POLICY = policyOf();

function found(
  courses: Course | [Course, Course],
  ageMs: number,
  signal: Signal,
  common = 0,
  policy: HealthPolicy = POLICY,
  cells = 1,
) {
  const cell = cellOf({ s: courses }, { ageMs });
  const memo = new Memo();
  const findings = directionsOf(signal).map((direction) =>
    zScoreFinding(
      memo.subject('s', signal, direction, cell, policy),
      policy,
      { common: () => ({ ...NOTHING_COMMON, middle: common }) },
      { cells, perCell: 1 },
    ),
  );
  return (
    findings.find((f) => f?.verdict === 'unhealthy') ??
    findings.find((f) => f?.verdict === 'inconclusive') ??
    findings[0]
  );
}

const verdictOf = (...args: Parameters<typeof found>) => found(...args)?.verdict;

/** Bad events among `requests` in five minutes, each five minutes anew, as the ratio that a recording rule shows. */
const counted =
  (share: number, requests: number, salt = 1): Course =>
  (at) => {
    let bad = 0;
    for (let i = 0; i < requests; i++) if (chance(Math.floor(at / STEP) * STEP + i * 7_000_000, salt) < share) bad += 1;
    return bad / requests;
  };

describe('the robust z-score', () => {
  test.each([
    ['errors as before', around(0.0002), 20 * MINUTE, 'healthy'],
    [
      'errors that rise beyond the objective, after three windows and the restart',
      [around(0.0002), around(0.0008)],
      20 * MINUTE,
      'unhealthy',
    ],
    ['the same after two: more is measured', [around(0.0002), around(0.0008)], 15 * MINUTE, 'inconclusive'],
    ['errors that fall', [around(0.0002), around(0.00005)], 20 * MINUTE, 'healthy'],
    [
      'errors that rise and keep the objective, after a quarter of an hour',
      [around(0.00005), around(0.0004)],
      15 * MINUTE,
      'inconclusive',
    ],
    ['the same after three windows of ten', [around(0.00005), around(0.0004)], 35 * MINUTE, 'unhealthy'],
    ['errors that rise by less than half of the budget', [around(0.00001), around(0.0002)], HOUR, 'healthy'],
  ] as const)('%s', (_what, courses, ageMs, verdict) => {
    const of = (typeof courses === 'function' ? courses : [courses[0], courses[1]]) as Course | [Course, Course];
    expect(verdictOf(of, ageMs, ERRORS)).toBe(verdict);
  });

  test.each([
    ['apdex that falls', APDEX, 0.9992, 0.9965, 'unhealthy'],
    ['apdex that rises', APDEX, 0.9985, 0.9999, 'healthy'],
    ['traffic that falls', TRAFFIC, 50, 10, 'unhealthy'],
    ['traffic that rises', TRAFFIC, 50, 200, 'unhealthy'],
    ['traffic that rises, where only less is worse', { ...TRAFFIC, worse: 'lower' as const }, 50, 200, 'healthy'],
    ['a signal below zero that rises', TRAFFIC, -50, -10, 'unhealthy'],
  ])('%s', (_what, signal, level, then, verdict) => {
    const near = (value: number): Course =>
      signal === APDEX ? (at) => 1 - around(1 - value)(at) : (at) => around(value, 0.1)(at);
    expect(verdictOf([near(level), near(then)], 40 * MINUTE, signal)).toBe(verdict);
  });

  it('is not fooled by one spike in the past: the next fault is seen all the same', () => {
    const spiked: Course = (at) => (Math.abs(at - (DEPLOYED - 3 * HOUR)) < 10 * MINUTE ? 0.5 : around(0.0002)(at));
    expect(verdictOf([spiked, around(0.0008)], 20 * MINUTE, ERRORS)).toBe('unhealthy');
  });

  it('does not take one burst, however high, for a fault: it is not in three windows in a row', () => {
    const burst: Course = (at) => (Math.abs(at - (DEPLOYED + 12 * MINUTE)) < 5 * MINUTE ? 0.3 : around(0.0002)(at));
    const verdicts = [15, 17, 20, 25, 30].map((m) => verdictOf([around(0.0002), burst], m * MINUTE, ERRORS));
    expect(verdicts).not.toContain('unhealthy');
  });

  it('does not lay a restart to the package, however bad it was', () => {
    const restart: Course = (at) => (at <= DEPLOYED + 9 * MINUTE ? 0.05 : 1.2 * around(0.0004)(at));
    const verdicts = [10, 15, 20, 25].map((m) => verdictOf([around(0.0003), restart], m * MINUTE, ERRORS));
    expect(verdicts).not.toContain('unhealthy');
  });

  it('asks for more where more is compared', () => {
    const moved: [Course, Course] = [around(0.0002, 0.65), around(0.0008)];
    const among = (cells: number) => found(moved, 20 * MINUTE, ERRORS, 0, POLICY, cells)?.verdict;
    expect([among(1), among(1_000_000_000)]).toEqual(['unhealthy', 'inconclusive']);
  });

  it('does not count one event ten times, because ten samples of a rate over five minutes have it in them', () => {
    const one: Course = (at) => (at > DEPLOYED + 13 * MINUTE && at <= DEPLOYED + 18 * MINUTE ? 1 / 900 : 0);
    const quietPast = counted(0.00002, 900, 5);
    for (let m = 10; m <= 30; m += 0.5) expect(verdictOf([quietPast, one], m * MINUTE, ERRORS)).not.toBe('unhealthy');
  });

  it('waits for a small cell until chance is no explanation any more', () => {
    const before = counted(0.0001, 3_000, 3);
    expect(verdictOf([before, counted(0.0001, 3_000, 4)], HOUR, ERRORS)).toBe('healthy');
    expect(verdictOf([before, counted(0.002, 3_000, 4)], HOUR, ERRORS)).toBe('unhealthy');
  });

  it('knows that a constant signal has moved, and that one that stays has not', () => {
    expect(verdictOf([() => 0, around(0.001)], 20 * MINUTE, ERRORS)).toBe('unhealthy');
    expect(verdictOf(() => 0, 20 * MINUTE, ERRORS)).toBe('healthy');
    expect(verdictOf([() => 100, () => 104], 40 * MINUTE, TRAFFIC)).toBe('healthy');
    expect(verdictOf([() => 100, () => 150], 40 * MINUTE, TRAFFIC)).toBe('unhealthy');
  });

  test.each([
    [0.001, 10, 'inconclusive'],
    [1e6, 10, 'inconclusive'],
    [0.001, 40, 'unhealthy'],
    [1e6, 40, 'unhealthy'],
    [0, 40, 'healthy'],
  ])(
    'knows that a signal without an objective that never was above 0 has gone to %d, after %d min',
    (to, min, verdict) => {
      const signal: Signal = { query: 'dead:rate_5m', worse: 'higher', zScore: 3 };
      expect(verdictOf([() => 0, around(to)], min * MINUTE, signal)).toBe(verdict);
    },
  );

  describe('with a daily rhythm', () => {
    const hoursOf = (at: number) => (at / HOUR) % 24;
    const smooth: Course = (at) =>
      100 * Math.exp(0.8 * Math.sin((2 * Math.PI * hoursOf(at)) / 24)) * around(1, 0.05)(at);
    /** An office that opens at 12:10, ten minutes after the deployment. */
    const sudden: Course = (at) =>
      (hoursOf(at - 10 * MINUTE) >= 12 && hoursOf(at - 10 * MINUTE) < 20 ? 300 : 60) * around(1, 0.05)(at);

    it('finds no fault at any hour', () => {
      for (let hour = 0; hour < 24; hour += 1) {
        const shifted: Course = (at) => smooth(at + hour * HOUR);
        for (const m of [15, 30, 45, 60])
          expect([hour, m, verdictOf(shifted, m * MINUTE, TRAFFIC)]).not.toContain('unhealthy');
      }
    });

    it('knows a sudden rise that was there a day before at the same minute', () => {
      for (const m of [20, 30, 45, 60]) expect(verdictOf(sudden, m * MINUTE, TRAFFIC)).not.toBe('unhealthy');
    });

    it('knows one that was not', () => {
      const flat: Course = around(60, 0.05);
      expect(verdictOf([flat, sudden], HOUR, TRAFFIC)).toBe('unhealthy');
    });
  });

  it('takes off twice what other cells did meanwhile', () => {
    const moved: [Course, Course] = [around(0.0002), around(0.0008)];
    expect(verdictOf(moved, 20 * MINUTE, ERRORS, 0.5)).toBe('unhealthy');
    expect(verdictOf(moved, 20 * MINUTE, ERRORS, 50)).toBe('healthy');
    expect(verdictOf(moved, 20 * MINUTE, ERRORS, -50)).toBe('unhealthy');
  });

  it('waits for a whole block, however long those of a long baseline are', () => {
    const week = policyOf({ baselineMs: 7 * DAY });
    const of = (ageMs: number, course: Course) => {
      const cell = cellOf({}, { ageMs });
      const stepMs = Math.ceil((7 * DAY) / 288);
      cell.baseline.s = samples(around(100), BEGUN - 7 * DAY + stepMs, BEGUN, stepMs);
      cell.after.s = after(course, ageMs);
      const subject = new Memo().subject('s', TRAFFIC, 'lower', cell, week);
      return zScoreFinding(subject, week, { common: () => NOTHING_COMMON }, { cells: 1, perCell: 1 });
    };
    for (const minutes of [10, 34])
      expect(of(minutes * MINUTE, around(1))).toMatchObject({
        verdict: 'inconclusive',
        sentence: 's is not compared with its past yet: that is looked at in steps of 35 min',
      });
    expect(of(4 * MINUTE, around(1))).toBeNull();
    expect(of(40 * MINUTE, around(1))?.rule).toBe('z-score');
    expect(of(40 * MINUTE, around(100))?.verdict).toBe('healthy');
  });

  it('is not asked of a signal without one, nor of a young cell; a past that is missing is another thing', () => {
    const cell = cellOf({ s: [around(0.0002), around(0.0008)], other: around(1) }, { ageMs: 20 * MINUTE });
    const of = (bornMs: number | null, baseline: typeof cell.baseline, signal = ERRORS) =>
      zScoreFinding(
        new Memo().subject('s', signal, 'higher', { ...cell, bornMs, baseline }, POLICY),
        POLICY,
        { common: () => NOTHING_COMMON },
        { cells: 1, perCell: 1 },
      );
    const { zScore: _none, ...without } = ERRORS;
    expect(of(null, cell.baseline, without)).toBeNull();
    expect(of(DEPLOYED - 2 * HOUR, cell.baseline)).toBeNull();
    expect(of(null, { s: [], other: [] })).toBeNull();
    const lost = { s: (cell.baseline.s ?? []).slice(-5), other: cell.baseline.other ?? [] };
    expect(of(null, lost)).toMatchObject({ rule: 'data', verdict: 'inconclusive' });
    expect(of(DEPLOYED - 30 * DAY, { s: [], other: [] })).toMatchObject({ rule: 'data', verdict: 'inconclusive' });
  });

  it('says what was measured, what was before, and where the line is, in the signal’s own unit', () => {
    const finding = found([around(0.0002), around(0.0008)], 20 * MINUTE, ERRORS);
    expect(finding).toMatchObject({ signal: 's', rule: 'z-score', verdict: 'unhealthy' });
    expect(finding?.value).toBeGreaterThan(0.0006);
    expect(finding?.baseline).toBeCloseTo(0.0002, 4);
    expect(finding?.threshold).toBeGreaterThan(0.0003);
    expect(finding?.threshold).toBeLessThan(0.0006);
    expect(finding?.sentence).toMatch(
      /^s is 0\.000\d+, [\d.]+ robust deviations above what it was before \(0\.0001?\d+\); the line is 3\.57$/,
    );
  });
});
