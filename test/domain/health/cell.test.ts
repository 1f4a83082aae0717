import { describe, expect, it, test } from 'vitest';
import type { CellObservation, CellVerdict, HealthPolicy, Sample } from '../../../src/contract/health.js';
import { judgeCell } from '../../../src/domain/health/index.js';
import {
  APDEX,
  after,
  around,
  type Course,
  cellOf,
  DAY,
  DEPLOYED,
  ERRORS,
  HOUR,
  INTERVAL,
  MINUTE,
  NEW,
  OLD,
  oldCellOf,
  policyOf,
  SATURATION,
  samples,
  TRAFFIC,
} from './observations.js';

const POLICY = policyOf();
const STEADY = around(0.0002);
const healthy = cellOf({ errors: STEADY });

const judged = (observation: CellObservation, policy: HealthPolicy = POLICY) => judgeCell(observation, policy);
const gist = ({ verdict, evidence }: CellVerdict) => [verdict, evidence[0]?.rule];
const withAfter = (errors: Sample[]): CellObservation => ({ ...healthy, after: { errors } });

describe('a cell after its deployment', () => {
  it('whose signals stay as they were is healthy once the window is over', () => {
    expect(judged(healthy)).toMatchObject({ cell: 'cell-1', verdict: 'healthy', quiet: false, package: NEW });
  });

  it('is judged by the worst of what is found, and says why in one sentence', () => {
    const signals = { errors: ERRORS, apdex: APDEX };
    const cell = cellOf({ errors: [STEADY, around(0.3)], apdex: (at) => 1 - around(0.001)(at) });
    const verdict = judged(cell, policyOf({ signals }));
    expect(verdict.verdict).toBe('unhealthy');
    expect(verdict.evidence[0]).toMatchObject({
      signal: 'errors',
      rule: 'burn-rate',
      verdict: 'unhealthy',
      samples: 11,
    });
    expect(verdict.sentence).toMatch(/^cell-1 is unhealthy: errors burns the budget of its objective 0.0005 \d+/);
  });

  test.each([
    ['it is not known which package runs', { running: null }, /it is not known which package runs$/],
    ['the old package runs', { running: OLD }, /should run 17.10.202503190906.*, and 17.10.202503180906.* runs$/],
  ])('is not judged where %s', (_what, more, sentence) => {
    const verdict = judged({ ...healthy, ...more });
    expect(gist(verdict)).toEqual(['inconclusive', 'data']);
    expect(verdict.evidence).toHaveLength(1);
    expect(verdict.evidence[0]?.sentence).toMatch(sentence);
  });

  it('is the same package where a sha is written longer', () => {
    expect(judged({ ...healthy, running: `${NEW}aa` }).verdict).toBe('healthy');
  });

  it('that is only read needs no package', () => {
    expect(judged({ ...healthy, expected: '', running: null, deployedAtMs: null }).verdict).toBe('healthy');
  });

  test.each([
    ['ready', 'healthy'],
    ['not-ready', 'unhealthy'],
    ['silent', 'inconclusive'],
    ['unasked', 'healthy'],
  ] as const)('that is %s is %s where its signals are well', (readiness, verdict) => {
    expect(judged({ ...healthy, readiness }).verdict).toBe(verdict);
  });

  test.each([
    ['ready', 'healthy'],
    ['not-ready', 'unhealthy'],
    ['silent', 'inconclusive'],
    ['unasked', 'inconclusive'],
  ] as const)('that is %s is %s where there are no signals', (readiness, verdict) => {
    expect(judged({ ...healthy, readiness }, policyOf({ signals: {} })).verdict).toBe(verdict);
  });

  it('whose smoke tests failed is unhealthy', () => {
    expect(gist(judged({ ...healthy, smokeTests: 'failed' }))).toEqual(['unhealthy', 'smoke-tests']);
  });
});

describe('what was not measured well is never healthy', () => {
  const late = (minutes: number): Sample[] => after(STEADY, minutes * MINUTE);
  const good = healthy.after.errors ?? [];
  const mapped = (of: (sample: Sample, i: number) => Sample) => good.map(of);

  test.each([
    ['an empty answer', [], /has no sample since the deployment/],
    ['samples that are NaN', mapped(([at]) => [at, Number.NaN]), /has no sample/],
    ['samples that are infinite', mapped(([at]) => [at, Number.POSITIVE_INFINITY]), /has no sample/],
    ['samples from the future', mapped(([at, v]) => [at + HOUR, v]), /has no sample/],
    ['samples from before the deployment', mapped(([at, v]) => [at - HOUR, v]), /has no sample/],
    ['too few of them', good.slice(-9), /has 9 samples since the deployment, of 10 needed/],
    ['a series that ended', late(9), /was measured last 60 s ago/],
    ['a hole', good.filter((_s, i) => i !== 15), /has holes: 9 of the last 10|has 10 samples/],
    ['one NaN among them', mapped(([at, v], i) => [at, i === 15 ? Number.NaN : v]), /has holes|has 10 samples/],
    ['values that stand still', mapped(([at]) => [at, 0.00017]), /stands still at 0.00017/],
  ])('%s', (_what, series, sentence) => {
    const verdict = judged(withAfter(series));
    expect(gist(verdict)).toEqual(['inconclusive', 'data']);
    expect(verdict.evidence[0]?.sentence).toMatch(sentence);
  });

  it('a signal that is missing altogether, or that nobody asked for', () => {
    const { errors: _errors, ...rest } = healthy.after;
    expect(judged({ ...healthy, after: rest }).verdict).toBe('inconclusive');
    expect(judged({ ...healthy, after: rest, baseline: {} }).verdict).toBe('inconclusive');
  });

  it('a cell that nothing was deployed to is told of without a deployment', () => {
    const old = { ...oldCellOf({ errors: STEADY }), after: { errors: [] } };
    expect(judged(old).sentence).toMatch(/errors has no sample of late/);
  });

  it('a stale healthy series from before the deployment’s end: not one sample of it counts, at any time', () => {
    const stale = samples(STEADY, DEPLOYED - HOUR, DEPLOYED, INTERVAL);
    for (let minutes = 0; minutes <= 120; minutes += 5) {
      const nowMs = DEPLOYED + minutes * MINUTE;
      const verdict = judged({ ...withAfter(stale), nowMs });
      expect([minutes, ...gist(verdict)]).toEqual([minutes, 'inconclusive', 'data']);
      expect(verdict.evidence[0]?.samples).toBe(0);
    }
  });

  it('before the window is over: samples of a rate over five minutes look back beyond the deployment', () => {
    const verdicts = [1, 5, 9, 9.5, 10].map((m) => judged(cellOf({ errors: STEADY }, { ageMs: m * MINUTE })).verdict);
    expect(verdicts).toEqual(['inconclusive', 'inconclusive', 'inconclusive', 'healthy', 'healthy']);
  });

  it('a clock that stepped back', () => {
    expect(judged({ ...healthy, nowMs: DEPLOYED - MINUTE }).verdict).toBe('inconclusive');
  });

  it.each([1, 2, 3, 10])(
    'a value stands still where it is repeated, if %d samples are enough as well',
    (minSamples) => {
      const policy = policyOf({ minSamples, signals: { errors: ERRORS, saturation: SATURATION } });
      const moving = cellOf({ errors: around(0.0001), saturation: around(0.3) }, { ageMs: HOUR });
      expect(judged(moving, policy).verdict).toBe('healthy');
      const still = cellOf({ errors: [around(0.0001), () => 0.0001], saturation: around(0.3) }, { ageMs: HOUR });
      expect(judged(still, policy).sentence).toMatch(/stands still at 0.0001/);
    },
  );

  it('in the step in which it was measured: the samples of many hours lie further apart', () => {
    const intervalMs = 5_000;
    const policy = policyOf({ intervalMs, minSamples: 60 });
    const ageMs = 16 * HOUR;
    const stepMs = Math.ceil(ageMs / 11_000);
    const cell = cellOf({ errors: STEADY }, { ageMs });
    const errors = samples(STEADY, DEPLOYED + stepMs, DEPLOYED + ageMs, stepMs);
    expect(judged({ ...cell, after: { errors } }, policy).verdict).toBe('healthy');
    const holed = errors.filter(([at]) => at < cell.nowMs - 5 * MINUTE || at > cell.nowMs - 4 * MINUTE);
    expect(judged({ ...cell, after: { errors: holed } }, policy).sentence).toMatch(/has holes/);
  });

  it('a hole is waited out', () => {
    const cell = cellOf({ errors: STEADY }, { ageMs: 50 * MINUTE });
    const errors = (cell.after.errors ?? []).filter(([at]) => Math.abs(at - (DEPLOYED + 20 * MINUTE)) > 5 * MINUTE);
    const at = (minutes: number) => judged({ ...cell, after: { errors }, nowMs: DEPLOYED + minutes * MINUTE }).verdict;
    const verdicts = [at(14), at(20), at(31), at(44), at(46)];
    expect(verdicts).toEqual(['healthy', 'inconclusive', 'inconclusive', 'inconclusive', 'healthy']);
  });

  it('what is missing excuses nothing: a fault that is seen is a fault', () => {
    const cell = cellOf({ errors: [STEADY, around(0.3)] });
    const holed = (cell.after.errors ?? []).filter((_s, i) => i !== 17);
    expect(judged({ ...cell, after: { errors: holed } }).verdict).toBe('unhealthy');
  });

  it('values that stand still convict nobody, unless nothing good is left', () => {
    const stuck = (value: number) => judged(cellOf({ errors: [STEADY, () => value] }, { ageMs: 15 * MINUTE })).verdict;
    expect([stuck(0.05), stuck(1)]).toEqual(['inconclusive', 'unhealthy']);
  });

  it('no errors at all stand still and are good; unless everything stands still', () => {
    const signals = { errors: ERRORS, traffic: TRAFFIC };
    const none: [Course, Course] = [STEADY, () => 0];
    expect(judged(cellOf({ errors: none, traffic: around(20) }), policyOf({ signals })).verdict).toBe('healthy');
    const still = judged(cellOf({ errors: none, traffic: [around(20), () => 20] }), policyOf({ signals }));
    expect(still.evidence.map((e) => e.rule)).toContain('data');
    expect(still.verdict).toBe('inconclusive');
  });

  it('a signal that always stood still may go on doing so', () => {
    const signals = { deployment: { query: 'min(health)', worse: 'lower' as const, min: 1 }, errors: ERRORS };
    expect(judged(cellOf({ deployment: () => 1, errors: STEADY }), policyOf({ signals })).verdict).toBe('healthy');
  });
});

describe('a young cell', () => {
  const young = (course: Course, more: Partial<CellObservation> = {}): CellObservation => {
    const cell = cellOf({ errors: [STEADY, course] }, { ageMs: 40 * MINUTE, ...more });
    return { ...cell, baseline: { errors: (cell.baseline.errors ?? []).slice(-12) } };
  };

  it('is judged by its objective alone', () => {
    expect(judged(young(around(0.0008))).verdict).toBe('healthy');
    expect(gist(judged(young(around(0.0008), { bornMs: DEPLOYED - 2 * HOUR })))).toEqual(['healthy', 'readiness']);
    expect(gist(judged(young(around(0.01))))).toEqual(['unhealthy', 'burn-rate']);
    expect(judged({ ...young(around(0.0002)), baseline: {} }).verdict).toBe('healthy');
  });

  it('is another thing than a cell whose past is missing', () => {
    expect(judged(young(around(0.0002), { bornMs: DEPLOYED - 30 * DAY })).verdict).toBe('inconclusive');
  });

  it('with nothing that could be held against it is not known to be healthy', () => {
    const { slo: _none, ...signal } = ERRORS;
    const cell = { ...young(around(0.0002)), readiness: 'unasked' as const };
    expect(judged(cell, policyOf({ signals: { errors: signal } })).verdict).toBe('inconclusive');
  });
});

describe('a quiet cell', () => {
  // biome-ignore lint/suspicious/noThenProperty: the word of the topology; the value beside it is no function.
  const quiet = { signal: 'traffic', below: 1, forMs: 10 * MINUTE, then: 'smoke-tests' as const };
  const policy = policyOf({
    quiet,
    signals: { errors: ERRORS, apdex: APDEX, traffic: TRAFFIC, saturation: SATURATION },
  });
  const sunday = (
    more: Partial<CellObservation> = {},
    traffic: Course | [Course, Course] = around(0.2),
  ): CellObservation =>
    cellOf(
      { traffic, errors: () => Number.NaN, apdex: () => Number.NaN, saturation: around(0.2) },
      { smokeTests: 'passed', ...more },
    );

  it('is healthy (quiet) where it is ready and its smoke tests passed: its ratios are not asked', () => {
    const verdict = judged(sunday(), policy);
    expect(verdict).toMatchObject({ verdict: 'healthy', quiet: true });
    expect(verdict.sentence).toMatch(
      /^cell-1 is healthy \(quiet\): quiet: traffic is 0\.\d+, below 1 for 10m; ready, and the smoke tests passed$/,
    );
    expect(verdict.evidence.map((e) => e.signal)).not.toContain('errors');
  });

  test.each([
    ['smoke tests that nobody ran', { smokeTests: null }, 'inconclusive'],
    ['smoke tests that failed', { smokeTests: 'failed' }, 'unhealthy'],
    ['silence', { readiness: 'silent' }, 'inconclusive'],
    ['a cell that is not asked', { readiness: 'unasked' }, 'inconclusive'],
    ['a cell that is not ready', { readiness: 'not-ready' }, 'unhealthy'],
    ['nothing deployed, and ready', { smokeTests: null, deployedAtMs: null, expected: OLD, running: OLD }, 'healthy'],
  ] as const)('%s', (_what, more, verdict) => {
    expect(judged(sunday(more), policy).verdict).toBe(verdict);
  });

  it('is for a person to decide where the topology says so', () => {
    // biome-ignore lint/suspicious/noThenProperty: the word of the topology; the value beside it is no function.
    const held = { ...policy, quiet: { ...quiet, then: 'hold' as const } };
    expect(judged(sunday(), held).verdict).toBe('inconclusive');
  });

  it('still has levels that hold without traffic', () => {
    const cell = sunday();
    const full = { ...cell, after: { ...cell.after, saturation: after(around(0.95, 0.01), 10 * MINUTE) } };
    expect(gist(judged(full, policy))).toEqual(['unhealthy', 'max']);
    const { saturation: _none, ...rest } = cell.after;
    expect(judged({ ...cell, after: rest }, policy).verdict).toBe('inconclusive');
  });

  it('is not one whose traffic is not measured', () => {
    const cell = sunday();
    const { traffic: _none, ...rest } = cell.after;
    expect(judged({ ...cell, after: rest }, policy)).toMatchObject({ verdict: 'inconclusive', quiet: false });
  });

  it('is not convicted by ratios while its traffic is not measured, nor acquitted; one that was busy is', () => {
    const withErrors = (traffic: Course) => {
      const cell = cellOf(
        { traffic, errors: [() => 0, around(0.2)], apdex: around(0.999, 0.0001) },
        { ageMs: 30 * MINUTE },
      );
      const until = (cell.after.traffic ?? []).filter(([at]) => at <= DEPLOYED + 12 * MINUTE);
      const { saturation: _none, ...signals } = policy.signals;
      return judged({ ...cell, after: { ...cell.after, traffic: until } }, { ...policy, signals });
    };
    expect(withErrors(around(0.2))).toMatchObject({ verdict: 'inconclusive', quiet: false });
    expect(withErrors(around(0.2)).evidence.map((e) => e.signal)).not.toContain('errors');
    expect(withErrors(around(50)).verdict).toBe('unhealthy');
  });

  it('is not one that lost its traffic with the deployment', () => {
    const lost = judged(sunday({}, [around(30), around(0.2)]), policy);
    expect(lost).toMatchObject({ verdict: 'inconclusive', quiet: false });
    expect(lost.evidence.map((e) => e.sentence).join()).toMatch(/lost, not quiet/);
  });

  it('is not convicted for lost traffic by a signal in shadow, nor acquitted', () => {
    const inShadow = { ...policy, signals: { ...policy.signals, traffic: { ...TRAFFIC, mode: 'shadow' as const } } };
    for (const ageMs of [11 * MINUTE, 40 * MINUTE, HOUR]) {
      const lost = sunday(cellOf({ traffic: [around(30), around(0.2)], saturation: around(0.2) }, { ageMs }));
      expect(judged(lost, inShadow).verdict).toBe('inconclusive');
      const found = judged(lost, inShadow).evidence.find((e) => e.signal === 'traffic' && e.rule === 'z-score');
      expect(found?.shadow).toBe(true);
    }
    const lost = sunday(cellOf({ traffic: [around(30), around(0.2)], saturation: around(0.2) }, { ageMs: HOUR }));
    expect(judged(lost, policy).verdict).toBe('unhealthy');
  });

  it('may fall silent at the hour at which it did the day before', () => {
    const evening: Course = (at) =>
      ((at - DEPLOYED) % DAY >= 0 || (at - DEPLOYED) % DAY < -12 * HOUR ? 0.2 : 20) * around(1)(at);
    expect(judged(sunday({}, evening), policy)).toMatchObject({ verdict: 'healthy', quiet: true });
  });
});

describe('a cell that was unhealthy before its deployment', () => {
  const policy = policyOf({ signals: { errors: ERRORS } });
  /** Red since six hours: an earlier package broke it. */
  const red: Course = (at) => (at > DEPLOYED - 6 * HOUR ? around(0.02) : STEADY)(at);
  const beforehand = judged({ ...oldCellOf({ errors: red }), nowMs: DEPLOYED + 10 * MINUTE }, policy);
  const afterFix = (course: Course, ageMs: number) =>
    judged(cellOf({ errors: [red, course] }, { ageMs, before: beforehand }), policy);

  it('was so by its objective', () => {
    expect(gist(beforehand)).toEqual(['unhealthy', 'burn-rate']);
  });

  test.each([10, 20, 40, 60, 90])('is not worse where a fix cures half of it, after %d minutes', (minutes) => {
    const verdict = afterFix(around(0.01), minutes * MINUTE);
    expect(verdict.verdict).toBe('healthy');
    expect(verdict.evidence.map((e) => e.rule)).toContain('not-worse');
    expect(verdict.evidence.find((e) => e.rule === 'not-worse')?.sentence).toMatch(/was bad before and is not worse/);
  });

  it('is not worse where a fix cures nothing', () => {
    for (const minutes of [20, 60]) expect(afterFix(around(0.02), minutes * MINUTE).verdict).toBe('healthy');
  });

  it('is worse where the next package makes it so', () => {
    const verdict = afterFix(around(0.08), 20 * MINUTE);
    expect(verdict.verdict).toBe('unhealthy');
    expect(verdict.evidence[0]?.sentence).toMatch(/was bad before and has become worse/);
  });

  it('is held to what it was before for the other signals too', () => {
    const signals = { errors: ERRORS, saturation: SATURATION };
    const cell = (level: number) =>
      cellOf(
        { errors: [red, around(0.01)], saturation: [around(0.5), around(level, 0.01)] },
        { ageMs: 40 * MINUTE, before: beforehand },
      );
    expect(judged(cell(0.5), policyOf({ signals })).verdict).toBe('healthy');
    expect(judged(cell(0.95), policyOf({ signals })).verdict).toBe('unhealthy');
  });

  describe('and whose other signal is bad now', () => {
    const signals = { errors: ERRORS, saturation: SATURATION };
    const full = (ageMs: number, before: CellVerdict | null) => {
      // Full since fifteen minutes: too late to be laid to the deployment by what was before.
      const late: Course = (at) => (at < DEPLOYED + ageMs - 15 * MINUTE ? around(0.3) : around(0.99, 0.005))(at);
      const cell = cellOf({ errors: STEADY, saturation: [around(0.3), late] }, { ageMs, before });
      return judged(cell, policyOf({ signals })).evidence.find((e) => e.signal === 'saturation');
    };
    const nameless = { ...beforehand, evidence: beforehand.evidence.map((e) => ({ ...e, signal: null })) };

    test.each([60, 120, 180])('breaks its line, after %d minutes', (minutes) => {
      for (const before of [null, beforehand, nameless])
        expect(full(minutes * MINUTE, before)).toMatchObject({ verdict: 'unhealthy', rule: 'max' });
    });

    it('is held to the line that it broke before', () => {
      const wasFull = judged(oldCellOf({ errors: STEADY, saturation: around(0.95, 0.01) }), policyOf({ signals }));
      const cell = cellOf(
        { errors: STEADY, saturation: around(0.95, 0.01) },
        { ageMs: 40 * MINUTE, before: { ...wasFull, evidence: wasFull.evidence.filter((e) => e.signal !== null) } },
      );
      expect(judged(cell, policyOf({ signals })).verdict).toBe('healthy');
    });
  });

  it('is held to what it was by one rule where another finds the same signal', () => {
    const byPast = { ...beforehand, evidence: beforehand.evidence.map((e) => ({ ...e, rule: 'z-score' as const })) };
    const cell = cellOf({ errors: [red, around(0.02)] }, { ageMs: 20 * MINUTE, before: byPast });
    expect(judged(cell, policy).verdict).toBe('healthy');
    expect(judged({ ...cell, before: null }, policy).evidence[0]?.rule).toBe('burn-rate');
  });

  it('where nothing is known of before, is not known to be no worse', () => {
    const cell = cellOf({ errors: [red, around(0.02)] }, { before: beforehand, bornMs: DEPLOYED - 30 * DAY });
    expect(judged({ ...cell, baseline: { errors: [] } }, policy).verdict).toBe('inconclusive');
  });

  it('that was not ready then either, is not rolled back for it', () => {
    const notReady = judged({ ...oldCellOf({ errors: STEADY }), readiness: 'not-ready' }, policy);
    expect(judged({ ...cellOf({ errors: STEADY }), readiness: 'not-ready', before: notReady }, policy).verdict).toBe(
      'healthy',
    );
    expect(judged({ ...cellOf({ errors: STEADY }), readiness: 'not-ready', before: beforehand }, policy).verdict).toBe(
      'unhealthy',
    );
  });
});

describe('in shadow', () => {
  const cell = cellOf({ errors: [STEADY, around(0.3)], traffic: around(50) });
  const signals = (mode: 'enforce' | 'shadow') => ({ errors: { ...ERRORS, mode }, traffic: TRAFFIC });

  it('a signal is judged and kept, and left out of the verdict', () => {
    const verdict = judged(cell, policyOf({ signals: signals('shadow') }));
    expect(verdict.verdict).toBe('healthy');
    expect(verdict.evidence.filter((e) => e.shadow).map((e) => [e.signal, e.verdict])).toContainEqual([
      'errors',
      'unhealthy',
    ]);
  });

  it('a ring’s verdict is what it would be: whoever reads it obeys it or not', () => {
    const verdict = judged(cell, policyOf({ mode: 'shadow', signals: signals('enforce') }));
    expect(verdict.verdict).toBe('unhealthy');
    expect(verdict.evidence.every((e) => !e.shadow)).toBe(true);
  });

  it('signals alone are no verdict', () => {
    const alone = { ...cell, readiness: 'unasked' as const };
    expect(judged(alone, policyOf({ signals: { errors: { ...ERRORS, mode: 'shadow' } } })).verdict).toBe(
      'inconclusive',
    );
  });
});

describe('other cells', () => {
  const surge: [Course, Course] = [around(50, 0.05), around(150, 0.05)];
  const policy = policyOf({ signals: { traffic: TRAFFIC } });
  const cell = cellOf({ traffic: surge }, { ageMs: 40 * MINUTE });
  const olds = (course: Course, count: number) =>
    Array.from({ length: count }, (_, i) => {
      const traffic: Course = (at) => (at > DEPLOYED ? course : around(50, 0.05, i + 2))(at);
      return oldCellOf({ traffic: [traffic, traffic] }, { ageMs: 40 * MINUTE, cell: `old-${i}` });
    });

  it('on the old package that have the same surge: no fault of the package', () => {
    expect(judgeCell(cell, policy).verdict).toBe('unhealthy');
    expect(judgeCell(cell, policy, { control: olds(around(150, 0.05, 9), 6) }).verdict).toBe('healthy');
    expect(judgeCell(cell, policy, { control: olds(around(50, 0.05, 9), 6) }).verdict).toBe('unhealthy');
  });

  it('that break the same objective make a rollback pointless: it is waited', () => {
    const broken = cellOf({ errors: [STEADY, around(0.3)] });
    const control = (course: Course) =>
      Array.from({ length: 4 }, (_, i) => oldCellOf({ errors: [STEADY, course] }, { cell: `old-${i}` }));
    expect(judgeCell(broken, POLICY, { control: control(around(0.3)) }).verdict).toBe('inconclusive');
    expect(judgeCell(broken, POLICY, { control: control(STEADY) }).verdict).toBe('unhealthy');
  });
});

describe('the load of a cell', () => {
  const signals = { errors: ERRORS, traffic: { ...TRAFFIC, worse: 'lower' as const } };
  // biome-ignore lint/suspicious/noThenProperty: the topology's word; the value beside it is no function.
  const quiet = { signal: 'traffic', below: 1, forMs: 10 * MINUTE, then: 'smoke-tests' as const };
  const busyHour = (at: number) => at > DEPLOYED - 12 * HOUR && at <= DEPLOYED - 12 * HOUR + 65 * MINUTE;
  const busier = (usual: number, busy: number): [Course, Course] => [
    (at) => around(busyHour(at) ? busy : usual, 0.05, 3)(at),
    around(busy, 0.05, 4),
  ];
  const verdictOf = (errors: [Course, Course], traffic: [Course, Course]) =>
    judged(cellOf({ errors, traffic }, { ageMs: 25 * MINUTE }), policyOf({ signals, quiet })).verdict;

  it('explains what came with as much of it before', () => {
    expect(verdictOf(busier(0.0002, 0.0009), busier(20, 60))).not.toBe('unhealthy');
  });

  it('explains nothing where there is no more of it, or where it did no harm then', () => {
    expect(verdictOf(busier(0.0002, 0.0009), [around(20), around(20)])).toBe('unhealthy');
    expect(verdictOf([around(0.0002), around(0.0009)], busier(20, 60))).toBe('unhealthy');
  });
});

describe('a verdict', () => {
  it('stays under 4 KB whatever there is to say, the worst first', () => {
    const names = Array.from({ length: 40 }, (_, i) => `signal-${'x'.repeat(50)}-${i}`);
    const signals = Object.fromEntries(
      names.map((name, i) => [name, { ...ERRORS, max: 0.5, ...(i === 30 ? {} : { max: 1 }) }]),
    );
    const courses = Object.fromEntries(
      names.map((name, i): [string, [Course, Course]] => [name, [STEADY, i === 30 ? around(0.8, 0.01) : STEADY]]),
    );
    const verdict = judged(cellOf(courses), policyOf({ signals }));
    expect(verdict.verdict).toBe('unhealthy');
    expect(verdict.evidence[0]?.signal).toBe(names[30]);
    expect(Buffer.byteLength(JSON.stringify(verdict))).toBeLessThan(4096);
  });

  it('is plain JSON, the same each time, and leaves the observation as it is', () => {
    const cell = cellOf({ errors: [STEADY, around(0.3)] });
    const copy = structuredClone(cell);
    const verdict = judged(cell);
    expect(JSON.parse(JSON.stringify(verdict))).toEqual(verdict);
    expect(judged(cell)).toEqual(verdict);
    expect(cell).toEqual(copy);
  });
});
