import { describe, expect, it, test } from 'vitest';
import type { CellObservation, HealthPolicy, LooksState } from '../../../src/contract/health.js';
import { judgeRing, Memo } from '../../../src/domain/health/index.js';
import {
  around,
  type Course,
  cellOf,
  DEPLOYED,
  ERRORS,
  HOUR,
  INTERVAL,
  MINUTE,
  oldCellOf,
  policyOf,
  TRAFFIC,
} from './observations.js';

const POLICY = policyOf();
const AGE = 30 * MINUTE;

const news = (count: number, course: (i: number) => [Course, Course], ageMs = AGE): CellObservation[] =>
  Array.from({ length: count }, (_, i) => cellOf({ errors: course(i) }, { ageMs, cell: `new-${i + 10}` }));
const olds = (count: number, course: (i: number) => Course, ageMs = AGE): CellObservation[] =>
  Array.from({ length: count }, (_, i) => oldCellOf({ errors: course(i) }, { ageMs, cell: `old-${i + 10}` }));

const steady = (i: number): Course => around(0.0002, 0.5, i + 1);
const same = (i: number): [Course, Course] => [steady(i), steady(i)];
const raised =
  (by: number) =>
  (i: number): [Course, Course] => [steady(i), (at) => steady(i)(at) + by];

const judged = (
  onNew: CellObservation[],
  onOld: CellObservation[],
  policy: HealthPolicy = POLICY,
  looks: LooksState | null = null,
) => judgeRing({ onNew, onOld, policy, looks, nowMs: onNew[0]?.nowMs ?? DEPLOYED + AGE });

describe('a ring', () => {
  it('is healthy where all its cells are', () => {
    expect(judged(news(8, same), olds(8, steady))).toMatchObject({
      verdict: 'healthy',
      scope: 'none',
      sentence: 'all 8 cells are healthy',
      cells: [],
    });
  });

  it('without cells on the package is not known to be healthy', () => {
    expect(judged([], olds(3, steady))).toMatchObject({
      verdict: 'inconclusive',
      sentence: 'no cell runs the package',
    });
  });

  it('names the silent one of ten, and is not healthy', () => {
    const cells = news(10, same);
    const silent = cells.map((cell, i) => (i === 6 ? { ...cell, after: {} } : cell));
    const verdict = judged(silent, []);
    expect(verdict).toMatchObject({ verdict: 'inconclusive', scope: 'none', cells: [{ cell: 'new-16' }] });
    expect(verdict.sentence).toMatch(/^new-16 of 10 is inconclusive: new-16 is inconclusive: errors has no sample/);
  });

  it('names at most five, and counts the others', () => {
    const cells = news(8, same).map((cell) => ({ ...cell, after: {} }));
    expect(judged(cells, []).sentence).toMatch(
      /^new-10, new-11, new-12, new-13, new-14 and 3 more of 8 are inconclusive/,
    );
  });

  it('has a local fault where one cell is broken and the pool is fine', () => {
    const cells = [...news(7, same), ...news(8, raised(0.05)).slice(-1)];
    const verdict = judged(cells, olds(8, steady));
    expect(verdict).toMatchObject({
      verdict: 'unhealthy',
      scope: 'local',
      cells: [{ cell: 'new-17', verdict: 'unhealthy' }],
    });
    expect(verdict.evidence.find((e) => e.verdict === 'unhealthy')).toMatchObject({ cell: 'new-17', signal: 'errors' });
  });

  it('has a systemic one where all cells are', () => {
    expect(judged(news(4, raised(0.05)), olds(8, steady))).toMatchObject({ verdict: 'unhealthy', scope: 'systemic' });
  });

  it('has a systemic one where all cells have what there never was, unless the others have it too', () => {
    const policy = policyOf({ signals: { errors: { query: 'dead:rate_5m', worse: 'higher', zScore: 3 } } });
    const risen = news(8, () => [() => 0, around(1e6)]);
    expect(
      judged(
        risen,
        olds(8, () => () => 0),
        policy,
      ),
    ).toMatchObject({ verdict: 'unhealthy', scope: 'systemic' });
    const onOld = Array.from({ length: 8 }, (_, i) =>
      oldCellOf({ errors: [() => 0, around(1e6)] }, { ageMs: AGE, cell: `old-${i}` }),
    );
    expect(judged(risen, onOld, policy).verdict).toBe('healthy');
  });

  it('cannot tell by one cell alone', () => {
    expect(judged(news(1, raised(0.05)), olds(8, steady))).toMatchObject({ verdict: 'unhealthy', scope: 'local' });
  });

  it('sees a fault over all cells that is too small to see on one', () => {
    const small = raised(0.00012);
    expect(judged(news(1, small), olds(10, steady)).verdict).toBe('healthy');
    const verdict = judged(news(12, small), olds(10, steady));
    expect(verdict).toMatchObject({ verdict: 'unhealthy', scope: 'systemic', cells: [] });
    expect(verdict.evidence[0]).toMatchObject({ rule: 'ring-wide', signal: 'errors', cell: null, samples: 12 });
    expect(verdict.sentence).toMatch(
      /^errors is higher on 12 cells with the new package than before, against 10 with the old one/,
    );
  });

  it('does not lay to the package what the cells on the old one did as well', () => {
    const surge =
      (i: number): Course =>
      (at) =>
        steady(i)(at) + (at > DEPLOYED + 5 * MINUTE ? 0.0002 : 0);
    expect(
      judged(
        news(10, (i) => [steady(i), surge(i)]),
        olds(10, surge),
      ).verdict,
    ).toBe('healthy');
  });

  it('is not compared as a whole where there are fewer than five cells to compare with', () => {
    const small = news(12, raised(0.00012));
    expect(judged(small, olds(4, steady)).evidence.filter((e) => e.rule === 'ring-wide')).toEqual([]);
    expect(judged(small, olds(5, steady)).evidence).toContainEqual(expect.objectContaining({ rule: 'ring-wide' }));
  });

  it('asks for more where it is compared with few', () => {
    const surge =
      (i: number): Course =>
      (at) =>
        steady(i)(at) + (at > DEPLOYED ? 0.0001 * (i % 3) : 0);
    const lineOf = (count: number) =>
      judged(news(12, raised(0.0001)), olds(count, surge)).evidence.find((e) => e.rule === 'ring-wide')?.threshold ?? 0;
    expect(lineOf(6)).toBeGreaterThan(lineOf(24));
  });

  it('does not let one broken cell speak for all: it is bounded, and each cell weighs the same', () => {
    const cells = [...news(11, same), ...news(12, raised(0.9)).slice(-1)];
    const verdict = judged(cells, olds(10, steady));
    expect(verdict.scope).toBe('local');
  });

  it('does not lay to the package what comes over all its cells in the same minutes, long after they were deployed to', () => {
    const late =
      (i: number): Course =>
      (at) =>
        steady(i)(at) + (at > DEPLOYED + 70 * MINUTE ? 0.0015 : 0);
    const cells = Array.from({ length: 10 }, (_, i) =>
      cellOf({ errors: [steady(i), late(i)] }, { ageMs: 100 * MINUTE, cell: `new-${i}` }),
    );
    expect(judged(cells, []).verdict).not.toBe('unhealthy');
    const [first, ...others] = cells;
    const alone = others.map((cell, i) => ({
      ...cell,
      after: cellOf({ errors: steady(i + 1) }, { ageMs: 100 * MINUTE }).after,
    }));
    expect(judged([...(first ? [first] : []), ...alone], [])).toMatchObject({ verdict: 'unhealthy', scope: 'local' });
  });

  it('keeps a signal in shadow out of its verdict, and the finding in its evidence', () => {
    const policy = policyOf({ signals: { errors: { ...ERRORS, mode: 'shadow' } } });
    const verdict = judged(news(12, raised(0.00012)), olds(10, steady), policy);
    expect(verdict.verdict).toBe('healthy');
    expect(verdict.evidence).toContainEqual(
      expect.objectContaining({ rule: 'ring-wide', verdict: 'unhealthy', shadow: true }),
    );
  });

  it('lists at most a hundred cells', () => {
    const cells = Array.from({ length: 120 }, (_, i) => ({
      ...cellOf({ errors: steady(1) }),
      cell: `cell-${i}`,
      running: null,
    }));
    expect(judged(cells, []).cells).toHaveLength(100);
  });

  it('is judged the same with and without what earlier looks worked out', () => {
    const memo = new Memo();
    const [onNew, onOld] = [news(6, raised(0.0003)), olds(8, steady)];
    const ask = (with_: Memo | undefined) =>
      judgeRing({
        onNew,
        onOld,
        policy: POLICY,
        looks: null,
        nowMs: DEPLOYED + AGE,
        ...(with_ ? { memo: with_ } : {}),
      });
    expect(ask(memo)).toEqual(ask(undefined));
    expect(ask(memo)).toEqual(ask(undefined));
  });
});

describe('repeated looks', () => {
  const cut = (cell: CellObservation, nowMs: number): CellObservation => ({
    ...cell,
    nowMs,
    after: Object.fromEntries(
      Object.entries(cell.after).map(([name, list]) => [name, list.filter(([at]) => at <= nowMs)]),
    ),
  });

  it('carry on what they spent, in plain JSON, and the line moves out with each one that counts', () => {
    const [onNew, onOld] = [news(6, same, HOUR), olds(8, steady, HOUR)];
    let looks: LooksState | null = null;
    const lines: number[] = [];
    for (let nowMs = DEPLOYED + 15 * MINUTE; nowMs <= DEPLOYED + 25 * MINUTE; nowMs += INTERVAL) {
      const verdict = judgeRing({
        onNew: onNew.map((c) => cut(c, nowMs)),
        onOld: onOld.map((c) => cut(c, nowMs)),
        policy: POLICY,
        looks,
        nowMs,
      });
      looks = JSON.parse(JSON.stringify(verdict.looks)) as LooksState;
      expect(looks).toEqual(verdict.looks);
      const line = verdict.evidence.find((e) => e.rule === 'ring-wide')?.threshold;
      if (line !== null && line !== undefined) lines.push(line);
    }
    // One each two and a half minutes, not one each 30 s.
    expect(looks?.spent).toBe(5);
    expect(lines).toHaveLength(5);
    expect([...lines].sort((a, b) => a - b)).toEqual(lines);
    expect(new Set(lines).size).toBe(5);
  });

  it('of good packages do not stop them: an hour of looks each 30 s at 30 rings', () => {
    let stopped = 0;
    for (let ring = 0; ring < 30; ring++) {
      const salted = (i: number): Course => around(0.0002, 0.8, 100 * ring + i);
      const memo = new Memo();
      const onNew = news(6, (i) => [salted(i), salted(i)], HOUR);
      const onOld = olds(6, (i) => salted(50 + i), HOUR);
      let looks: LooksState | null = null;
      for (let nowMs = DEPLOYED + 10 * MINUTE; nowMs <= DEPLOYED + HOUR; nowMs += 2 * MINUTE) {
        const look = { onNew: onNew.map((c) => cut(c, nowMs)), onOld: onOld.map((c) => cut(c, nowMs)) };
        const verdict = judgeRing({ ...look, policy: POLICY, looks, nowMs, memo });
        looks = verdict.looks;
        if (verdict.verdict === 'unhealthy') {
          stopped += 1;
          break;
        }
      }
    }
    expect(stopped).toBe(0);
  });
});

describe('signals of a ring', () => {
  test.each([
    ['traffic that falls on all cells', 50, 30, 'systemic'],
    ['traffic that stays', 50, 50, 'none'],
  ])('%s', (_what, then, now, scope) => {
    const policy = policyOf({ signals: { traffic: TRAFFIC } });
    const cells = Array.from({ length: 8 }, (_, i) =>
      cellOf({ traffic: [around(then, 0.3, i + 1), around(now, 0.3, i + 1)] }, { ageMs: HOUR, cell: `new-${i}` }),
    );
    const rest = Array.from({ length: 8 }, (_, i) =>
      oldCellOf({ traffic: around(then, 0.3, i + 31) }, { ageMs: HOUR, cell: `old-${i}` }),
    );
    expect(judged(cells, rest, policy).scope).toBe(scope);
  });
});
