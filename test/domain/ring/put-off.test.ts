import { describe, expect, it } from 'vitest';
import type { CellResult } from '../../../src/contract/internal.js';
import type { RingPolicy } from '../../../src/contract/policy.js';
import type { CellState } from '../../../src/contract/status.js';
import { cellEnded, otherLanded } from '../../../src/domain/ring/cell-ended.js';
import { setMark } from '../../../src/domain/ring/marks.js';
import { type PassState, takeNext } from '../../../src/domain/ring/pass.js';
import { override, quarantine, resume, retried, retryable, skip } from '../../../src/domain/ring/people.js';
import { isDueBeside, takePutOff } from '../../../src/domain/ring/put-off.js';
import { type Advance, advance } from '../../../src/domain/ring/stages.js';
import { countsOf, resultOf, stateOf, type ViewContext, waitOf } from '../../../src/domain/ring/view.js';
import { policyOf } from '../policies.js';
import { FREE, marksOf, NOW, result, rules, standing, waiting } from './passes.js';

const HOUR = 3_600_000;
/** Six polls, without jitter. */
const FIRST_PAUSE = 6_000;
const LONGEST_PAUSE = 60_000;

const deferred = (state: CellState) => result(state, { deferred: true, jobId: null, reason: 'job 7 is under way' });

/** Whoever is watched has answered well. */
function through(s: PassState, policy: RingPolicy, more: Partial<Advance> = {}): void {
  do s.watched = s.stage;
  while (advance(s, rules(policy, more)));
}

const take = (s: PassState, policy: RingPolicy, now = NOW) => [
  ...takeNext(s, policy, FREE),
  ...takePutOff(s, policy, FREE, now),
];

/** The last cell of the ring is tried once more when the others have settled, and is still so. */
function afterItsSecondTry(marks: string, policy: RingPolicy, state: CellState = 'busy', more = {}): PassState {
  const s = standing(marks);
  const last = marks.length - 1;
  through(s, policy);
  expect(take(s, policy)).toEqual([last]);
  cellEnded(s, last, deferred(state), policy, NOW);
  through(s, policy, more);
  return s;
}

const viewed = (more: Partial<ViewContext> = {}): ViewContext => ({
  ring: 2,
  name: 'two',
  version: 'V1',
  perimeter: false,
  soft: false,
  idOf: (index) => `c-${index}`,
  leftOut: [],
  brakes: [],
  trouble: null,
  startedAtMs: NOW,
  nowMs: NOW,
  ...more,
});

describe('a cell that is busy or unreachable still, when the others have settled', () => {
  const policy = policyOf();

  it.each<CellState>(['busy', 'unreachable'])('and is %s is waited for where the budget bears none', (state) => {
    const s = afterItsSecondTry('CCd', policy, state);
    expect(s).toMatchObject({ stage: 'deploy', halt: null });
    expect(countsOf(s, [])).toMatchObject({ converged: 2, failed: 0, pending: 1 });
    expect(resultOf(s, false)).toBeNull();
    expect(waitOf(s, viewed())).toEqual({
      kind: 'cell-busy',
      ring: 2,
      since: new Date(NOW).toISOString(),
      until: new Date(NOW + HOUR).toISOString(),
      detail: `tried again by itself: c-2 is ${state}: job 7 is under way`,
      next: [
        'cellctl skip c-2 --version V1 --reason "…"',
        'cellctl retry --ring 2 V1',
        'cellctl abort V1 --reason "…"',
      ],
    });
  });

  it('is tried again by the clock, ever more rarely, and each try is another order', () => {
    const s = afterItsSecondTry('Cd', policy);
    const orders = s.orders[1] ?? 0;
    let now = NOW;
    const pauses = Array.from({ length: 6 }, () => {
      const nextMs = s.putOff?.nextAtMs ?? 0;
      const pause = nextMs - now;
      through(s, policy, { now: nextMs - 1 });
      expect(take(s, policy)).toEqual([]);
      now = nextMs;
      through(s, policy, { now });
      expect(take(s, policy)).toEqual([1]);
      cellEnded(s, 1, deferred('busy'), policy, now);
      through(s, policy, { now });
      return pause;
    });
    expect(pauses).toEqual([FIRST_PAUSE, 12_000, 24_000, 48_000, LONGEST_PAUSE, LONGEST_PAUSE]);
    expect(s.orders[1]).toBe(orders + 6);
  });

  it('is come back to with jitter', () => {
    const soon = afterItsSecondTry('Cd', policy, 'busy', { random: () => 0 });
    const late = afterItsSecondTry('Cd', policy, 'busy', { random: () => 0.999 });
    expect((soon.putOff?.nextAtMs ?? 0) - NOW).toBe(FIRST_PAUSE * 0.75);
    expect((late.putOff?.nextAtMs ?? 0) - NOW).toBeGreaterThan(FIRST_PAUSE * 1.2);
  });

  it('lets its ring go on once it is free', () => {
    const s = afterItsSecondTry('Cd', policy);
    const now = s.putOff?.nextAtMs ?? 0;
    through(s, policy, { now });
    take(s, policy);
    cellEnded(s, 1, result('converged'), policy, now);
    through(s, policy, { now });
    expect(s).toMatchObject({ stage: 'migrate', convergedAtMs: now, halt: null, exceptions: {}, putOff: null });
  });

  it('halts its ring for a person after one last try when that should have converged', () => {
    const s = afterItsSecondTry('Cd', policy);
    s.putOff = { sinceMs: NOW, tries: 9, nextAtMs: null, untilMs: null };
    through(s, policy, { now: NOW + HOUR - 1 });
    expect(s.putOff?.nextAtMs).toBe(NOW + HOUR);
    const now = NOW + HOUR;
    through(s, policy, { now });
    expect(s.halt).toBeNull();
    expect(take(s, policy)).toEqual([1]);
    cellEnded(s, 1, deferred('busy'), policy, now);
    through(s, policy, { now });
    expect(s.halt).toMatchObject({ kind: 'put-off', sinceMs: now });
    expect(s.halt?.reason).toMatch(/^1 failed, the budget is 0; the last was c-1: job 7 is under way; tried until /);
    expect(countsOf(s, [])).toMatchObject({ failed: 1, pending: 0 });
    expect(s.exceptions[1]?.state).toBe('busy');
  });

  it('does not halt a ring whose brake kept it from that last try', () => {
    const s = afterItsSecondTry('Cd', policy);
    through(s, policy, { now: NOW + 2 * HOUR });
    expect(takeNext(s, policy, { ...FREE, braked: true })).toEqual([]);
    through(s, policy, { now: NOW + 3 * HOUR });
    expect(s.halt).toBeNull();
    expect(take(s, policy)).toEqual([1]);
  });

  it('has its whole time from when it was put off, however late in the pass that is', () => {
    const s = standing('Cd');
    s.again[1] = true;
    s.exceptions[1] = { state: 'busy', reason: 'job 7 is under way' };
    const late = NOW + 9 * HOUR;
    through(s, policy, { now: late });
    expect(s).toMatchObject({ halt: null, putOff: { untilMs: late + HOUR, nextAtMs: late + FIRST_PAUSE } });
  });

  it('is not given up before it was tried by the clock, even where its time was over before the budget was spent', () => {
    const s = afterItsSecondTry('Cd', policy);
    s.putOff = { sinceMs: NOW - 2 * HOUR, tries: 0, nextAtMs: null, untilMs: null };
    through(s, policy);
    expect(s).toMatchObject({ halt: null, putOff: { nextAtMs: NOW + FIRST_PAUSE } });
    const now = NOW + FIRST_PAUSE;
    through(s, policy, { now });
    expect(take(s, policy)).toEqual([1]);
    cellEnded(s, 1, deferred('busy'), policy, now);
    through(s, policy, { now });
    expect(s.halt?.kind).toBe('put-off');
  });

  describe('and is given up', () => {
    const givenUp = (ring: RingPolicy) => {
      const s = afterItsSecondTry('CCd', ring);
      s.putOff = { sinceMs: NOW - HOUR, tries: 1, nextAtMs: null, untilMs: NOW };
      through(s, ring);
      return s;
    };

    it('takes no healthy cell back with it', () => {
      const whole = policyOf({ autoRollback: 'ring' });
      const s = givenUp(whole);
      expect(s).toMatchObject({ stage: 'deploy', halt: { kind: 'put-off' } });
      retried(s, 2, { on: 'bad', reason: 'busy: job 7 is under way' });
      resume(s, whole, NOW);
      through(s, whole);
      expect(s).toMatchObject({ stage: 'deploy', halt: { kind: 'put-off' } });
    });

    it('does not keep a ring from going back for cells that failed', () => {
      const whole = policyOf({ autoRollback: 'ring' });
      const s = givenUp(whole);
      setMark(s, 1, 'R');
      s.exceptions[1] = { state: 'rolled-back', reason: 'unhealthy' };
      retried(s, 2, { on: 'bad', reason: 'busy: job 7 is under way' });
      resume(s, whole, NOW);
      through(s, whole);
      expect(s).toMatchObject({ stage: 'rollback', halt: { kind: 'cells' } });
    });

    it('lets its ring go on when a person skips it, as the view says', () => {
      const s = givenUp(policy);
      expect(waitOf(s, viewed())?.next).toContain('cellctl skip c-2 --version V1 --reason "…"');
      skip(s, 2, 'alice', 'rebuilt', policy);
      expect(s.halt).toBeNull();
    });

    it('has its whole time again when a person retries it', () => {
      const s = givenUp(policy);
      retried(s, 2, { on: 'other' });
      const now = NOW + 9 * HOUR;
      resume(s, policy, now);
      for (const _ of ['first', 'second']) {
        through(s, policy, { now });
        expect(take(s, policy)).toEqual([2]);
        cellEnded(s, 2, deferred('busy'), policy, now);
      }
      through(s, policy, { now });
      expect(s).toMatchObject({ halt: null, putOff: { untilMs: now + HOUR } });
    });
  });

  it('is waited for whatever the budget where no cell has converged', () => {
    const s = afterItsSecondTry('d', policyOf({ failureBudget: 9 }));
    expect(s).toMatchObject({ stage: 'deploy', halt: null, putOff: { untilMs: NOW + HOUR } });
  });

  it('ends a soft ring with its result', () => {
    const soft = policyOf({ onFailure: 'soft' });
    const s = afterItsSecondTry('Cd', soft);
    expect(marksOf(s)).toBe('CX');
    expect(resultOf(s, true)).toMatchObject({ outcome: 'failed', reason: expect.stringContaining('job 7') });
  });

  it('is out of the way when a person skips or quarantines it', () => {
    const skipped = afterItsSecondTry('Cd', policy);
    expect(skip(skipped, 1, 'alice', 'rebuilt', policy)).toBeNull();
    through(skipped, policy);
    expect(skipped).toMatchObject({ stage: 'migrate', halt: null });
    expect(countsOf(skipped, [])).toMatchObject({ skipped: 1, pending: 0 });
    const quarantined = afterItsSecondTry('Cd', policy);
    quarantine(quarantined, 1, 'alice', 'rebuilt', policy);
    through(quarantined, policy);
    expect(quarantined).toMatchObject({ stage: 'migrate', halt: null });
  });

  it('is not failed by a halt that another cell makes, and goes on after it', () => {
    const s = afterItsSecondTry('Cd', policy);
    s.halt = { kind: 'systemic', reason: 'bad', sinceMs: NOW };
    through(s, policy, { now: NOW + 2 * HOUR });
    expect(s.marks[1]).toBe('d');
    s.halt = null;
    through(s, policy, { now: NOW + 2 * HOUR });
    expect(take(s, policy)).toEqual([1]);
  });
});

describe('a cell that is busy still, and that the failure budget bears', () => {
  const policy = policyOf({ failureBudget: 1, bakeTimeMs: 60_000, gracePeriodMs: 30_000 });
  const dueIn = (s: PassState) => s.putOff?.nextAtMs ?? 0;

  it('holds nothing up: its ring bakes without it, and names it as pending', () => {
    const s = afterItsSecondTry('CCd', policy);
    expect(s).toMatchObject({ stage: 'bake', halt: null, convergedAtMs: NOW });
    expect(countsOf(s, [])).toMatchObject({ converged: 2, pending: 1, failed: 0 });
    expect(waitOf(s, viewed())?.kind).toBe('bake');
  });

  it('is tried again while the ring bakes, whose clock runs on', () => {
    const s = afterItsSecondTry('CCd', policy);
    const now = dueIn(s);
    expect(takePutOff(s, policy, FREE, now - 1)).toEqual([]);
    expect(takePutOff(s, policy, FREE, now)).toEqual([2]);
    cellEnded(s, 2, deferred('busy'), policy, now);
    through(s, policy, { now });
    expect(s).toMatchObject({ stage: 'bake', bakeUntilMs: NOW + 60_000, putOff: { tries: 1 } });
    expect(dueIn(s)).toBe(now + 2 * FIRST_PAUSE);
  });

  it('comes to the package late without beginning the bake anew', () => {
    const s = afterItsSecondTry('CCd', policy);
    const now = dueIn(s);
    takePutOff(s, policy, FREE, now);
    cellEnded(s, 2, result('converged'), policy, now);
    through(s, policy, { now: NOW + 60_000 });
    expect(s).toMatchObject({ stage: 'grace', bakedAtMs: NOW + 60_000, graceUntilMs: NOW + 90_000, lateCells: 1 });
    expect(marksOf(s)).toBe('CCC');
  });

  it('does not keep the ring from having baked while its job runs, and then has its whole grace period', () => {
    const s = afterItsSecondTry('CCd', policy);
    takePutOff(s, policy, FREE, dueIn(s));
    through(s, policy, { now: NOW + 60_000 });
    expect(s).toMatchObject({ stage: 'bake', bakedAtMs: NOW + 60_000 });
    cellEnded(s, 2, result('converged'), policy, NOW + 70_000);
    through(s, policy, { now: NOW + 70_000 });
    expect(s).toMatchObject({ stage: 'grace', graceUntilMs: NOW + 100_000 });
  });

  it('that comes in the grace period has one of its own before its PDM', () => {
    const s = afterItsSecondTry('CCd', policy);
    through(s, policy, { now: NOW + 60_000 });
    expect(takePutOff(s, policy, FREE, NOW + 80_000)).toEqual([2]);
    cellEnded(s, 2, result('converged'), policy, NOW + 85_000);
    through(s, policy, { now: NOW + 114_999 });
    expect(s.stage).toBe('grace');
    through(s, policy, { now: NOW + 115_000 });
    expect(s.stage).toBe('migrate');
  });

  it('has a grace period that nobody has ended, where a person ended that of the others', () => {
    const s = afterItsSecondTry('CCd', policy);
    through(s, policy, { now: NOW + 60_000 });
    takePutOff(s, policy, FREE, NOW + 80_000);
    override(s, 'grace-period', waiting(NOW + 81_000));
    through(s, policy, { now: NOW + 81_000 });
    cellEnded(s, 2, result('converged'), policy, NOW + 85_000);
    through(s, policy, { now: NOW + 85_000 });
    expect(s).toMatchObject({ stage: 'grace', graceUntilMs: NOW + 115_000 });
    override(s, 'grace-period', waiting(NOW + 86_000));
    through(s, policy, { now: NOW + 86_000 });
    expect(s.stage).toBe('migrate');
  });

  it('comes as late by the run of another pass, which a look has told of', () => {
    const s = afterItsSecondTry('CCd', policy);
    through(s, policy, { now: NOW + 60_000 });
    setMark(s, 2, 'C');
    otherLanded(s, 2, { policy, now: NOW + 85_000 });
    expect(s).toMatchObject({ lateCells: 1, graceUntilMs: NOW + 115_000 });
    setMark(s, 2, '.');
    otherLanded(s, 2, { policy, now: NOW + 90_000 });
    expect(s).toMatchObject({ lateCells: 1, graceUntilMs: NOW + 115_000 });
    expect(marksOf(s)).toBe('CCd');
  });

  it('may be the first to converge: while it is on its way its ring is not halted, and it bakes by itself', () => {
    const s = afterItsSecondTry('Cd', policy);
    takePutOff(s, policy, FREE, dueIn(s));
    setMark(s, 0, 'R');
    s.overridden = ['bake'];
    through(s, policy, { now: NOW + 60_000 });
    expect(s).toMatchObject({ stage: 'bake', bakedAtMs: null, halt: null });
    cellEnded(s, 1, result('converged'), policy, NOW + 61_000);
    through(s, policy, { now: NOW + 61_000 });
    expect(s).toMatchObject({ stage: 'bake', bakeUntilMs: NOW + 121_000, overridden: [] });
  });

  it('and is on its way in vain has its ring halted, where no other is on the package', () => {
    const s = afterItsSecondTry('Cd', policy);
    takePutOff(s, policy, FREE, dueIn(s));
    setMark(s, 0, 'R');
    cellEnded(s, 1, deferred('busy'), policy, NOW + 61_000);
    through(s, policy, { now: NOW + 61_000 });
    expect(s.halt?.kind).toBe('none-converged');
    for (const index of retryable(s, [1])) retried(s, index, { on: 'other' });
    resume(s, policy, NOW + 62_000);
    through(s, policy, { now: NOW + 62_000 });
    expect(s).toMatchObject({ stage: 'deploy', halt: null });
    expect(take(s, policy)).toEqual([1]);
  });

  it('is tried at once where a person retries the ring, which bakes on', () => {
    const s = afterItsSecondTry('CCd', policy);
    for (const index of retryable(s, null)) retried(s, index, { on: 'other' });
    resume(s, policy, NOW + 1);
    through(s, policy, { now: NOW + 1 });
    expect(s).toMatchObject({ stage: 'bake', convergedAtMs: NOW, bakeUntilMs: NOW + 60_000 });
    expect(takePutOff(s, policy, FREE, NOW + 1)).toEqual([2]);
  });

  it('is tried again with the cells for which a retry deploys anew', () => {
    const s = afterItsSecondTry('CXd', policyOf({ ...policy, failureBudget: 2 }));
    s.exceptions[1] = { state: 'failed', reason: '' };
    for (const index of retryable(s, null)) retried(s, index, { on: 'other' });
    resume(s, policy, NOW + 1);
    expect(s.stage).toBe('deploy');
    expect(take(s, policy, NOW + 1)).toEqual([1]);
    cellEnded(s, 1, result('converged'), policy, NOW + 2);
    through(s, policy, { now: NOW + 2 });
    expect(take(s, policy, NOW + 2)).toEqual([2]);
  });

  it.each<[string, CellResult]>([
    ['a brake came before its job was ordered', result('pending', { stoodDown: true, jobId: null })],
    ['a brake sent it back', result('rolled-back', { cancelled: true })],
    ['the ring closed', result('pending', { closed: true, jobId: null })],
  ])('is neither given up nor late for a try that came to nothing because %s', (_, end) => {
    const s = afterItsSecondTry('CCd', policy);
    const now = NOW + 2 * HOUR;
    setMark(s, 1, 'R');
    through(s, policy, { now });
    expect(takePutOff(s, policy, FREE, now)).toEqual([2]);
    Object.assign(s.inFlight[2] ?? {}, { cancelled: end.cancelled });
    cellEnded(s, 2, end, policy, now);
    through(s, policy, { now });
    expect(marksOf(s)).toBe('CRd');
    expect(s.halt).toBeNull();
    expect(takePutOff(s, policy, { ...FREE, braked: true }, now)).toEqual([]);
    through(s, policy, { now: now + HOUR });
    expect(takePutOff(s, policy, FREE, now + HOUR)).toEqual([2]);
  });

  it('goes alone while first cells have yet to pass, and within a strict budget', () => {
    const tried = (marks: string, more: Partial<RingPolicy>) => {
      const ring = policyOf({ ...policy, failureBudget: 2, ...more });
      const s = { ...standing(marks), stage: 'bake' as const };
      s.putOff = { sinceMs: NOW, tries: 1, nextAtMs: NOW, untilMs: null };
      return takePutOff(s, ring, FREE, NOW);
    };
    expect(tried('Cdd', { firstCells: 2 })).toEqual([1]);
    expect(tried('CRRdd', { strictBudget: true })).toEqual([3]);
  });

  describe('one of more than are tried at once', () => {
    const narrow = policyOf({ failureBudget: 3, maxParallel: 1, bakeTimeMs: HOUR });
    const baking = () => {
      const s = standing('CCddd');
      for (const index of [2, 3, 4]) {
        s.again[index] = true;
        s.exceptions[index] = { state: 'busy', reason: 'job 7 is under way' };
      }
      through(s, narrow);
      return s;
    };
    const tryNext = (s: PassState) => {
      const now = dueIn(s);
      const taken = takePutOff(s, narrow, FREE, now);
      for (const index of taken) cellEnded(s, index, deferred('busy'), narrow, now);
      through(s, narrow, { now });
      return { taken, pause: dueIn(s) - now };
    };

    it('has its turn, and the pause grows when each had one', () => {
      const s = baking();
      const tries = Array.from({ length: 6 }, () => tryNext(s));
      expect(tries.map(({ taken }) => taken)).toEqual([[2], [3], [4], [2], [3], [4]]);
      expect(tries.map(({ pause }) => pause / FIRST_PAUSE)).toEqual([1, 1, 2, 2, 2, 4]);
    });

    it('stays due while there is no room', () => {
      const s = baking();
      const now = dueIn(s);
      takePutOff(s, narrow, FREE, now);
      through(s, narrow, { now });
      const next = dueIn(s);
      expect(takePutOff(s, narrow, FREE, next)).toEqual([]);
      expect(s.putOff).toMatchObject({ tries: 0, nextAtMs: next });
      cellEnded(s, 2, deferred('busy'), narrow, next);
      expect(takePutOff(s, narrow, FREE, next)).toEqual([3]);
    });
  });

  it.each([
    ['a brake', { braked: true }],
    ['trouble', { trouble: true }],
    ['a closed window', { closed: true }],
  ])('is not tried beside a bake under %s', (_, hold) => {
    const s = afterItsSecondTry('CCd', policy);
    expect(takePutOff(s, policy, { ...FREE, ...hold }, dueIn(s))).toEqual([]);
    expect(isDueBeside(s, dueIn(s))).toBe(true);
    expect(takePutOff(s, policy, FREE, dueIn(s) + HOUR)).toEqual([2]);
  });

  it.each<[string, Partial<PassState>]>([
    ['halted', { halt: { kind: 'check', reason: 'no', sinceMs: NOW } }],
    ['stopped', { stop: { outcome: 'aborted', by: 'alice', reason: 'no', hurry: false } }],
    ['held by another ring', { holdForward: { reason: 'PDM failed', sinceMs: NOW } }],
  ])('is not tried in a pass that is %s', (_, more) => {
    const s = { ...afterItsSecondTry('CCd', policy), ...more };
    expect(takePutOff(s, policy, FREE, dueIn(s))).toEqual([]);
  });

  it.each([
    ['a brake stood it down', result('pending', { jobId: null, stoodDown: true })],
    ['the ring had closed', result('pending', { jobId: null, closed: true })],
  ])('is put off once more where %s before its order', (_, end) => {
    const s = afterItsSecondTry('CCd', policy);
    takePutOff(s, policy, FREE, dueIn(s));
    cellEnded(s, 2, end, policy, NOW);
    expect(marksOf(s)).toBe('CCd');
  });

  it('keeps the ring from going further once another cell has spent the budget', () => {
    const s = afterItsSecondTry('CCd', policy);
    s.marks[1] = 'R';
    Object.assign(s.counts, { C: 1, R: 1 });
    through(s, policy, { now: NOW + 60_000 });
    expect(s).toMatchObject({ stage: 'bake', bakedAtMs: null, halt: null });
    expect(waitOf(s, viewed({ nowMs: NOW + 60_000 }))?.kind).toBe('cell-busy');
    // What keeps it from being tried is what is waited for.
    const brakes: ViewContext['brakes'] = [
      { brakeId: 'stop', scope: 'outer', mode: 'finish-cells', by: 'ann', reason: 'INC-1', since: '' },
    ];
    expect(waitOf(s, viewed({ nowMs: NOW + 60_000, brakes }))?.kind).toBe('brake');
    expect(stateOf(s, viewed({ nowMs: NOW + 60_000, brakes }))).toBe('braked');
    expect(waitOf(s, viewed({ brakes }))?.kind).toBe('bake');
    expect(stateOf(s, viewed({ brakes }))).toBe('baking');
  });

  it.each([
    ['bake', { bakeUntilMs: NOW }],
    ['grace', { graceUntilMs: NOW }],
  ] as const)('is named while it is on its way after the %s, for which nothing else waits', (stage, clock) => {
    const s = { ...standing('CC>'), stage, convergedAtMs: NOW, ...clock };
    const wait = waitOf(s, viewed({ nowMs: NOW + 1 }));
    expect(wait).toMatchObject({ detail: expect.stringContaining('c-2'), next: ['cellctl status V1'] });
    expect(wait).not.toHaveProperty('until');
    expect(waitOf(s, viewed({ nowMs: NOW - 1 }))).toMatchObject({ until: new Date(NOW).toISOString() });
  });

  it('is left to the next look where it is so when the pass ends', () => {
    const s = afterItsSecondTry('CCd', policy);
    through(s, policy, { now: NOW + HOUR, endsBaked: true });
    expect(s.stage).toBe('done');
    expect(countsOf(s, [])).toMatchObject({ converged: 2, pending: 1, failed: 0 });
    expect(resultOf(s, false)).toMatchObject({
      outcome: 'converged',
      reason: '1 busy or unreachable, within the budget',
    });
  });
});

describe('a cell that is busy when its PDM is to run', () => {
  const policy = policyOf({ failureBudget: 9 });
  const migrating = () => {
    const s = { ...standing('MDd'), stage: 'migrate' as const };
    s.exceptions[2] = { state: 'busy', reason: 'job 6 is under way' };
    through(s, policy);
    expect(takeNext(s, policy, FREE)).toEqual([1]);
    cellEnded(s, 1, { ...deferred('busy'), purpose: 'migrate' }, policy, NOW);
    through(s, policy);
    return s;
  };

  it('is waited for whatever the budget, and as long as its ring had to converge', () => {
    const s = migrating();
    expect(s).toMatchObject({ stage: 'migrate', halt: null });
    const wait = waitOf(s, viewed());
    expect(wait).toMatchObject({ kind: 'cell-busy', until: new Date(NOW + HOUR).toISOString() });
    expect(wait?.next.slice(0, 2)).toEqual(['cellctl quarantine c-1 --reason "…"', 'cellctl retry --ring 2 V1']);
    through(s, policy, { now: NOW + FIRST_PAUSE });
    expect(takeNext(s, policy, FREE)).toEqual([1]);
    cellEnded(s, 1, result('converged', { purpose: 'migrate' }), policy, NOW + FIRST_PAUSE);
    through(s, policy, { now: NOW + FIRST_PAUSE });
    expect(s.stage).toBe('done');
  });

  it('halts its ring in the end', () => {
    const s = migrating();
    through(s, policy, { now: NOW + HOUR });
    takeNext(s, policy, FREE);
    cellEnded(s, 1, { ...deferred('busy'), purpose: 'migrate' }, policy, NOW + HOUR);
    through(s, policy, { now: NOW + HOUR });
    expect(s.halt).toMatchObject({ kind: 'migration', reason: expect.stringContaining('PDM on c-1') });
  });
});
