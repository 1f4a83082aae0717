import { describe, expect, it } from 'vitest';
import type { CellVerdict, RingVerdict, Verdict } from '../../../src/contract/health.js';
import type { RingHealthNote } from '../../../src/contract/internal.js';
import { judgeCell, judgeRing } from '../../../src/domain/health/index.js';
import { cellEnded } from '../../../src/domain/ring/cell-ended.js';
import {
  asksForAct,
  beforeOf,
  boundDoubt,
  carryHealth,
  doubtOf,
  haltAsSystemic,
  hasWatched,
  healthUnknown,
  isOtherDoubt,
  newHealth,
  noteRingHealth,
  restoreHealth,
  watchedCells,
} from '../../../src/domain/ring/health.js';
import { setMark } from '../../../src/domain/ring/marks.js';
import { type PassState, sendBack, takeNext } from '../../../src/domain/ring/pass.js';
import { override, resume, retried, skip } from '../../../src/domain/ring/people.js';
import { advance, isToGoBack } from '../../../src/domain/ring/stages.js';
import {
  APDEX,
  around,
  type Course,
  cellOf,
  DEPLOYED,
  ERRORS,
  HOUR,
  policyOf as healthPolicyOf,
  MINUTE,
  SATURATION,
} from '../health/observations.js';
import { policyOf } from '../policies.js';
import { FREE, marksOf, NOW, result, rules, standing, waiting } from './passes.js';

const measured = (marks: string, more: Partial<PassState> = {}): PassState => ({
  ...standing(marks),
  health: newHealth(),
  healthMode: 'enforce',
  ...more,
});

const unhealthy = (cell: string): CellVerdict => ({
  cell,
  verdict: 'unhealthy',
  quiet: false,
  package: 'v',
  atMs: NOW,
  sentence: 'errors are high',
  evidence: [
    {
      ...{ signal: 'errors', rule: 'z-score', verdict: 'unhealthy', cell, package: 'v', fromMs: 0, toMs: NOW },
      ...{ samples: 9, value: 1, baseline: 0, threshold: 0.1, sentence: 'errors are high' },
    },
  ],
});

describe('the watch of a ring', () => {
  it('goes on while the ring is halted, and says whether that is for the package already', () => {
    const s = measured('CX.', { halt: { kind: 'cells', reason: 'two failed', sinceMs: NOW } });
    expect(hasWatched(s)).toBe(true);
    expect(watchedCells(s)).toMatchObject({ over: false, isSystemic: false, onNew: [[0, null, null, 0]] });
    haltAsSystemic(s, 'the package is unhealthy', NOW);
    expect(watchedCells(s)).toMatchObject({ over: false, isSystemic: true });
  });

  it.each([
    ['is to end', { stop: { outcome: 'aborted', by: 'alice', reason: 'enough', hurry: false } }],
    ['goes back', { stage: 'rollback' }],
    ['is over', { stage: 'done' }],
  ] as const)('ends where the pass %s', (_what, more) => {
    expect(hasWatched(measured('CC', more))).toBe(false);
  });

  it('has nothing to do before the first cell is on the package', () => {
    expect(hasWatched(measured('.>d'))).toBe(false);
  });

  it('carries on what its looks have spent', () => {
    const s = measured('CCC');
    const note: RingVerdict = {
      ...{ verdict: 'healthy', scope: 'none', atMs: NOW, sentence: 'all 3 cells are healthy', evidence: [] },
      ...{ cells: [], looks: { spent: 4, lastMs: NOW } },
    };
    noteRingHealth(s, note, { looks: note.looks });
    noteRingHealth(s, { ...note, atMs: NOW + 1 });
    expect(s.health?.looks).toEqual({ spent: 4, lastMs: NOW });
  });
});

describe('a ring that is too large for one look', () => {
  const large = (cells: number) => measured('C'.repeat(cells));
  const indices = (s: PassState, look: number) => watchedCells(s, look).onNew.map(([index]) => index);

  it('up to 500 cells is none', () => {
    expect([indices(large(500), 7).length, watchedCells(large(500)).rounds]).toEqual([500, 1]);
  });

  it.each([501, 1_300, 10_000])('of %i cells has each of them in one of its rounds, and the newest in all', (cells) => {
    const s = large(cells);
    const { rounds } = watchedCells(s);
    const looks = Array.from({ length: rounds }, (_, i) => indices(s, 3 + i));
    expect(new Set(looks.flat()).size).toBe(cells);
    expect(Math.max(...looks.map((look) => look.length))).toBeLessThanOrEqual(500);
    for (const look of looks) expect(look).toEqual(expect.arrayContaining([cells - 1, cells - 250]));
  });

  it('takes nobody’s turn away while cells join', () => {
    const s = measured(`${'C'.repeat(800)}${'.'.repeat(180)}`);
    const { rounds } = watchedCells(s);
    const asked = new Set<number>();
    for (let look = 0; look < rounds; look += 1) {
      for (const index of indices(s, look)) asked.add(index);
      setMark(s, 800 + look, 'C');
    }
    expect([rounds, watchedCells(s).rounds, asked.size]).toEqual([3, 3, 802]);
  });

  it('asks with each cell what it is held to, and nothing of the others', () => {
    const s = large(1_000);
    if (s.health) s.health.before = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [i, ['max']]));
    const { onNew, before } = watchedCells(s, 1);
    expect(Object.keys(before).map(Number).sort()).toEqual(onNew.map(([index]) => index).sort());
    expect(JSON.stringify(watchedCells(s, 1)).length).toBeLessThan(40_000);
  });

  it('carries what it knows of 10,000 cells over in less than 200 KB', () => {
    const health = newHealth();
    for (let i = 0; i < 10_000; i += 1) {
      const begunAtMs = NOW + Math.floor(i / 25) * 600_000 + ((i * 7919) % 300_000);
      health.deployed[i] = [begunAtMs, begunAtMs + 240_000 + ((i * 104_729) % 120_000), 0];
      health.before[i] = ['readiness', ['z-score', 'errors'], ['burn-rate', i % 2 ? 'apdex' : 'errors']];
    }
    const carried = carryHealth(health);
    expect(JSON.stringify(carried).length).toBeLessThan(200 * 1024);
    expect(restoreHealth(JSON.parse(JSON.stringify(carried)))).toEqual(health);
    expect(restoreHealth(health)).toEqual(health);
  });
});

describe('of more unhealthy cells than a verdict names', () => {
  const policy = healthPolicyOf({ signals: {} });
  /** Not ready after its deployment, as all of them are. */
  const ill = (s: PassState) =>
    watchedCells(s).onNew.map(([index]) => cellOf({}, { cell: `c-${index}`, readiness: 'not-ready' }));
  const look = (s: PassState) =>
    judgeRing({ onNew: ill(s), onOld: [], policy, looks: null, nowMs: DEPLOYED + 600_000 });

  it('all go back, also once the ring is halted for it', () => {
    const s = measured('C'.repeat(230));
    for (const left of [130, 30, 0]) {
      const verdict = look(s);
      expect(asksForAct(verdict, watchedCells(s))).toBe(true);
      haltAsSystemic(s, verdict.sentence, NOW);
      for (const { cell } of verdict.cells) sendBack(s, Number(cell.slice(2)));
      expect(s.counts.C).toBe(left);
    }
    expect(s.counts['<']).toBe(230);
  });

  it('a stop that was made is asked for once', () => {
    const systemic = { scope: 'systemic', cells: [] } as const;
    expect(asksForAct({ ...systemic, cells: [] }, { isSystemic: false })).toBe(true);
    expect(asksForAct({ ...systemic, cells: [] }, { isSystemic: true })).toBe(false);
  });
});

describe('a stop for the package', () => {
  it.each(['cells', 'migration', 'check', 'none-converged'] as const)('takes the place of one for %s', (kind) => {
    const s = measured('CC', { halt: { kind, reason: 'before', sinceMs: 1 } });
    expect(haltAsSystemic(s, 'the package is unhealthy', NOW)).toBe(true);
    expect(s.halt).toEqual({ kind: 'systemic', reason: 'the package is unhealthy', sinceMs: NOW });
  });

  it('stays the word on the ring, whatever is seen of the cells that are left', () => {
    const s = measured('CC');
    const word = { verdict: 'unhealthy', atMs: NOW, sentence: 'errors are high on all cells' } as const;
    noteRingHealth(s, { ...word, scope: 'systemic', evidence: [] });
    haltAsSystemic(s, 'the package is unhealthy', NOW);
    noteRingHealth(s, { ...word, scope: 'local', sentence: 'c-1 is unhealthy', evidence: [] });
    expect(s.health?.ring).toMatchObject({ scope: 'systemic', sentence: 'errors are high on all cells' });
    s.halt = null;
    noteRingHealth(s, { ...word, verdict: 'healthy', scope: 'none', evidence: [] });
    expect(s.health?.ring).toMatchObject({ verdict: 'healthy' });
  });

  it('is made once', () => {
    const s = measured('CC');
    expect([haltAsSystemic(s, 'first', 1), haltAsSystemic(s, 'second', 2)]).toEqual([true, false]);
    expect(s.halt).toMatchObject({ reason: 'first', sinceMs: 1 });
  });
});

describe('what was known of a cell before it went back', () => {
  const policy = policyOf({ failureBudget: 5, firstCells: 0 });

  /** A cell that was ill before its deployment, and was sent back for being worse after it. */
  const wentBack = (): PassState => {
    const s = measured('>');
    const deployed = { begunAtMs: 1, endedAtMs: 2 };
    cellEnded(s, 0, result('converged', { deployed, before: unhealthy('c') }), policy, NOW);
    expect(s.health).toMatchObject({ before: { 0: [['z-score', 'errors']] }, deployed: { 0: [1, 2, 0] } });
    if (s.health) s.health.bad[0] = { reason: 'worse than before', evidence: unhealthy('c').evidence };
    sendBack(s, 0);
    cellEnded(s, 0, result('rolled-back', { purpose: 'rollback' }), policy, NOW);
    expect(s.exceptions[0]?.evidence).toHaveLength(1);
    return s;
  };

  it('counts no more once it is tried again', () => {
    const s = wentBack();
    retried(s, 0, { on: 'other' });
    expect(takeNext(s, policy, FREE)).toEqual([0]);
    expect(s.health).toMatchObject({ before: {}, deployed: {}, bad: {} });
    cellEnded(s, 0, result('failed', { reason: 'the job failed' }), policy, NOW);
    expect(s.exceptions[0]).toEqual({ state: 'failed', reason: 'the job failed', jobId: 'job-1' });
  });

  it('is what its PDM is held to all the same', () => {
    const s = measured('>');
    cellEnded(
      s,
      0,
      result('converged', { before: unhealthy('c'), deployed: { begunAtMs: 1, endedAtMs: 2 } }),
      policy,
      1,
    );
    s.stage = 'migrate';
    expect(takeNext(s, policy, FREE)).toEqual([0]);
    expect(s.health).toMatchObject({ before: { 0: [['z-score', 'errors']] }, deployed: { 0: [1, 2, 0] } });
  });
});

describe('a cell that was unhealthy before its deployment', () => {
  const signals = { apdex: APDEX, errors: { ...ERRORS, max: 0.01 }, saturation: SATURATION };
  const policy = healthPolicyOf({ signals });
  const AGE = 2 * HOUR;
  /** Since fifteen minutes: too late to be laid to the deployment by what was before. */
  const late =
    (usual: Course, now: Course): Course =>
    (at) =>
      (at < DEPLOYED + AGE - 15 * MINUTE ? usual : now)(at);
  const slow = late(
    (at) => 1 - around(0.001)(at),
    (at) => 1 - around(0.05)(at),
  );
  const courses = { apdex: slow, errors: around(0.0002), saturation: late(around(0.3), around(0.99, 0.005)) };
  const held = (before: CellVerdict | null) =>
    judgeCell(cellOf(courses, { ageMs: AGE, before }), policy)
      .evidence.filter(({ verdict }) => verdict === 'unhealthy')
      .map(({ signal, rule }) => [signal, rule]);

  const wasBad = (rules: readonly ('max' | 'z-score' | 'readiness')[], signal: string | null): CellVerdict => {
    const { evidence, ...verdict } = unhealthy('c');
    return { ...verdict, evidence: evidence.flatMap((e) => rules.map((rule) => ({ ...e, rule, signal }))) };
  };

  /** What the watch of the ring holds a cell to that was judged so before its deployment, also after the pass was carried on. */
  function keptOf(before: CellVerdict): CellVerdict | null {
    const s = measured('>');
    const deployed = { begunAtMs: 1, endedAtMs: 2 };
    cellEnded(s, 0, result('converged', { deployed, before }), policyOf({ firstCells: 0 }), NOW);
    const carried = s.health && JSON.parse(JSON.stringify(carryHealth(s.health)));
    const watched = watchedCells({ ...s, health: carried && restoreHealth(carried) });
    return beforeOf('c', JSON.parse(JSON.stringify(watched)).before[0]);
  }

  it('is held by the ring to what it was held to by itself, signal by signal', () => {
    const found = held(null);
    expect(found).toEqual([
      ['apdex', 'z-score'],
      ['saturation', 'max'],
    ]);
    for (const signal of ['errors', 'apdex', 'saturation']) {
      const before = wasBad(['max', 'z-score'], signal);
      expect(held(before)).toEqual(found.filter(([name]) => name !== signal));
      expect(held(keptOf(before))).toEqual(held(before));
    }
  });

  it('is held to what was kept of the cell as such', () => {
    expect(keptOf(wasBad(['readiness'], null))?.evidence).toMatchObject([{ rule: 'readiness', signal: null }]);
  });

  it('of which an older worker kept the rules alone, is held to those of any signal', () => {
    expect(held(beforeOf('c', ['max', 'z-score']))).toEqual([]);
    expect(held(beforeOf('c', ['max']))).toEqual([['apdex', 'z-score']]);
  });
});

describe('a cell of which too little is known, where that is for a person', () => {
  const policy = policyOf({ failureBudget: 5, firstCells: 0, autoRollback: 'ring' });
  const unknown = result('failed', { isUnknown: true, reason: 'not known to be healthy after its job: no sample' });
  const halted = (marks = '>C'): PassState => {
    const s = measured(marks);
    cellEnded(s, 0, unknown, policy, NOW);
    return s;
  };

  it('halts the ring within its budget, and takes nothing back', () => {
    const s = halted();
    expect(s.halt).toMatchObject({ kind: 'inconclusive', reason: expect.stringContaining('c is not known') });
    expect([isToGoBack(s, policy), advance(s, rules(policy)), marksOf(s)]).toEqual([false, false, 'XC']);
  });

  it('that could not be judged before its deployment is tried once more first', () => {
    const s = measured('>C');
    cellEnded(s, 0, { ...unknown, deferred: true, jobId: null }, policy, NOW);
    expect([marksOf(s), s.halt]).toEqual(['dC', null]);
    advance(s, rules(policy));
    takeNext(s, policy, FREE);
    cellEnded(s, 0, { ...unknown, deferred: true, jobId: null }, policy, NOW);
    expect([marksOf(s), s.halt?.kind]).toEqual(['XC', 'inconclusive']);
  });

  it('is left out of the way by a skip, which ends the halt; that of another cell does not', () => {
    const s = halted('>C.');
    skip(s, 2, 'alice', 'later', policy);
    expect(s.halt?.kind).toBe('inconclusive');
    skip(s, 0, 'alice', 'seen by eye', policy);
    expect(s.halt).toBeNull();
  });

  it('halts the ring again where a retry was about others', () => {
    const s = halted();
    resume(s, policy, NOW);
    expect(s.halt?.kind).toBe('inconclusive');
  });
});

describe('a ring that goes back as a whole', () => {
  const halted = (kind: NonNullable<PassState['halt']>['kind'], more: Partial<PassState> = {}) =>
    measured('C>', { halt: { kind, reason: '', sinceMs: 0 }, ...more });
  const whole = policyOf({ autoRollback: 'ring' });

  it.each([
    ['cells', true],
    ['systemic', true],
    ['inconclusive', false],
    ['migration', false],
    ['check', false],
  ] as const)('is one that is halted for %s: %s', (kind, goesBack) => {
    expect(isToGoBack(halted(kind), whole)).toBe(goesBack);
    expect(isToGoBack(halted(kind), policyOf({ autoRollback: 'cell' }))).toBe(false);
  });

  it('is none that is to end, or goes back already', () => {
    const stop = { outcome: 'aborted', by: '', reason: '', hurry: false } as const;
    expect(isToGoBack(halted('cells', { stop }), whole)).toBe(false);
    expect(isToGoBack(halted('cells', { stage: 'rollback' }), whole)).toBe(false);
  });
});

it('a cell that stood down for a brake is as if it had not been taken, and spends nothing', () => {
  const policy = policyOf({ failureBudget: 0, firstCells: 0 });
  const s = measured('>d');
  cellEnded(s, 0, result('pending', { stoodDown: true, jobId: null }), policy, NOW);
  expect([marksOf(s), s.exceptions, s.halt]).toEqual(['.d', {}, null]);
  expect(takeNext(s, policy, { braked: true, trouble: false })).toEqual([]);
  expect(takeNext(s, policy, FREE)).toEqual([0]);
});

const says = (verdict: Verdict, more: Partial<RingHealthNote> = {}): RingHealthNote => ({
  ...{ verdict, scope: 'none', atMs: NOW, sentence: `it is ${verdict}`, evidence: [] },
  ...more,
});
const inDoubt = (...unknown: string[]) => says('inconclusive', { unknown });
const NOTHING_ANSWERS = says('inconclusive', { unmeasured: true });

describe('a person who waits for the health of a ring no longer', () => {
  const rolling = (note: RingHealthNote, marks = 'CC.') => {
    const s = measured(marks);
    noteRingHealth(s, note);
    return s;
  };

  it('means the cells of which too little is known then, and no other', () => {
    const s = rolling(inDoubt('c-1'));
    expect(doubtOf(s)).toMatchObject({ unknown: ['c-1'] });
    override(s, 'health', waiting());
    expect(doubtOf(s)).toBeNull();
    noteRingHealth(s, inDoubt('c-1', 'c-2'));
    expect(doubtOf(s)).toMatchObject({ unknown: ['c-1', 'c-2'] });
    override(s, 'health', waiting());
    expect(doubtOf(s)).toBeNull();
  });

  it('means it until enough is known: what is missing after that is missing anew', () => {
    const s = rolling(inDoubt('c-1'));
    override(s, 'health', waiting());
    noteRingHealth(s, says('healthy'));
    noteRingHealth(s, inDoubt('c-1'));
    expect(doubtOf(s)).not.toBeNull();
  });

  it('means a cell in flight, also when the ring is in doubt about it; not once enough was known of it', () => {
    const s = rolling(says('healthy'), 'C>');
    override(s, 'health', waiting(NOW, { inDoubt: ['c'] }));
    expect(s.overridden).toEqual([]);
    noteRingHealth(s, inDoubt('c'));
    expect(doubtOf(s)).toBeNull();
    const health = { ...unhealthy('c'), verdict: 'healthy' as const };
    cellEnded(s, 1, result('converged', { health }), policyOf(), NOW);
    expect(doubtOf(s)).not.toBeNull();
  });

  it('is asked again in the bake: it does not end at its clock while anything is unknown', () => {
    const policy = policyOf({ bakeTimeMs: 1_000, gracePeriodMs: 1_000 });
    const s = rolling(inDoubt('c-1'), 'CC');
    override(s, 'health', waiting());
    advance(s, rules(policy));
    noteRingHealth(s, { ...inDoubt('c-1'), atMs: NOW + 1_000 });
    advance(s, rules(policy, { now: NOW + 1_000 }));
    expect([s.stage, doubtOf(s)?.unknown]).toEqual(['bake', ['c-1']]);
    override(s, 'health', waiting(NOW + 1_000));
    advance(s, rules(policy, { now: NOW + 1_000 }));
    expect([s.stage, doubtOf(s)?.unknown]).toEqual(['grace', ['c-1']]);
  });

  it('means a bake in doubt to its end, unless another cell is unknown by then', () => {
    const s = rolling(inDoubt('c-1'), 'CC');
    Object.assign(s, { stage: 'bake', bakeUntilMs: NOW + 1_000 });
    override(s, 'health', waiting());
    noteRingHealth(s, { ...inDoubt('c-1'), atMs: NOW + 1_000 });
    expect(healthUnknown(s)).toBe(false);
    noteRingHealth(s, { ...inDoubt('c-2'), atMs: NOW + 1_001 });
    expect(healthUnknown(s)).toBe(true);
  });

  it('means nothing where nothing is waited for', () => {
    const s = rolling(says('healthy'));
    override(s, 'health', waiting());
    expect(s.overridden).toEqual([]);
    noteRingHealth(s, inDoubt('c-1'));
    expect(doubtOf(s)).not.toBeNull();
  });

  it('means all that is unknown while nothing can be measured, until it can', () => {
    const s = rolling(NOTHING_ANSWERS);
    override(s, 'health', waiting());
    noteRingHealth(s, inDoubt('c-1'));
    expect(doubtOf(s)).toBeNull();
    noteRingHealth(s, says('healthy'));
    noteRingHealth(s, inDoubt('c-1'));
    override(s, 'health', waiting());
    noteRingHealth(s, NOTHING_ANSWERS);
    expect(doubtOf(s)).not.toBeNull();
  });
});

describe('news of a ring in doubt', () => {
  it.each<[string, RingHealthNote, RingHealthNote, boolean]>([
    ['the same cell', inDoubt('a'), inDoubt('a'), false],
    ['fewer', inDoubt('a', 'b'), inDoubt('b'), false],
    ['another cell', inDoubt('a'), inDoubt('b'), true],
    ['more than are named', inDoubt('a'), says('inconclusive'), true],
    ['a Prometheus that is gone', inDoubt('a'), NOTHING_ANSWERS, true],
    ['a Prometheus that is back', NOTHING_ANSWERS, inDoubt('a'), true],
    ['none, where it is known', inDoubt('a'), says('healthy'), false],
  ])('is %s', (_, told, note, isNews) => {
    expect(isOtherDoubt(told, note)).toBe(isNews);
  });
});

describe('a ring of which too little is known', () => {
  const HOLD = 60_000;
  const rolling = (note: RingHealthNote) => {
    const s = measured('CC.');
    noteRingHealth(s, note);
    return s;
  };

  it('is halted for a person when its time for that is over', () => {
    const s = rolling(inDoubt('c-1'));
    expect(boundDoubt(s, HOLD, NOW)).toBe(NOW + HOLD);
    noteRingHealth(s, inDoubt('c-1', 'c-2'));
    expect(boundDoubt(s, HOLD, NOW + HOLD - 1)).toBe(NOW + HOLD);
    expect(s.halt).toBeNull();
    expect(boundDoubt(s, HOLD, NOW + HOLD)).toBeNull();
    expect(s.halt).toEqual({
      kind: 'in-doubt',
      reason: 'not known to be healthy for 1m: it is inconclusive',
      sinceMs: NOW + HOLD,
    });
    expect(isToGoBack(s, policyOf({ autoRollback: 'ring' }))).toBe(false);
  });

  it('is asked about for as long again after a retry; a skip changes nothing', () => {
    const s = rolling(inDoubt('c-1'));
    for (const at of [0, HOLD]) boundDoubt(s, HOLD, NOW + at);
    skip(s, 2, 'alice', 'later', policyOf());
    expect(boundDoubt(s, HOLD, NOW + HOLD + 1)).toBeNull();
    expect(s.halt?.kind).toBe('in-doubt');
    resume(s, policyOf(), NOW + 2 * HOLD);
    expect([s.halt, boundDoubt(s, HOLD, NOW + 2 * HOLD)]).toEqual([null, NOW + 3 * HOLD]);
  });

  it.each<[string, (s: PassState) => void]>([
    ['enough is known meanwhile', (s) => noteRingHealth(s, says('healthy'))],
    ['nothing can be measured meanwhile', (s) => noteRingHealth(s, NOTHING_ANSWERS)],
    ['a person takes it on', (s) => override(s, 'health', waiting())],
  ])('has its time anew where %s', (_, ends) => {
    const s = rolling(inDoubt('c-1'));
    boundDoubt(s, HOLD, NOW);
    ends(s);
    expect(boundDoubt(s, HOLD, NOW + 10 * HOLD)).toBeNull();
    expect(s.halt).toBeNull();
    noteRingHealth(s, inDoubt('c-9'));
    expect(boundDoubt(s, HOLD, NOW + 10 * HOLD)).toBe(NOW + 11 * HOLD);
  });

  it('waits on as long over a continue-as-new, and a person’s word with it', () => {
    const s = rolling(inDoubt('c-1'));
    override(s, 'health', waiting());
    noteRingHealth(s, inDoubt('c-2'));
    boundDoubt(s, HOLD, NOW);
    const carried = s.health && JSON.parse(JSON.stringify(carryHealth(s.health)));
    const after: PassState = { ...s, health: carried && restoreHealth(carried) };
    expect(boundDoubt(after, HOLD, NOW + 5)).toBe(NOW + HOLD);
    noteRingHealth(after, inDoubt('c-1'));
    expect(doubtOf(after)).toBeNull();
  });
});
