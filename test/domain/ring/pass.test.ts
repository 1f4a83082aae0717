import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CellResult } from '../../../src/contract/internal.js';
import type { RingPolicy } from '../../../src/contract/policy.js';
import type { CellState } from '../../../src/contract/status.js';
import { cellDied, cellEnded } from '../../../src/domain/ring/cell-ended.js';
import { concerned, converged, failures, flying, forwardCells } from '../../../src/domain/ring/marks.js';
import { joinRun, newPass, type PassState, room, sendBack, takeNext } from '../../../src/domain/ring/pass.js';
import { leave, quarantine, resume, retried, retryable, skip } from '../../../src/domain/ring/people.js';
import { advance } from '../../../src/domain/ring/stages.js';
import { countsOf } from '../../../src/domain/ring/view.js';
import { policyOf } from '../policies.js';
import { FREE, marksOf, NOW, result, rules, standing } from './passes.js';

it('names as forward what goes forward, and every cell with another pass’s run, also where it is to go back', () => {
  const s = standing('>m<<C');
  expect(forwardCells(s)).toEqual([0, 1]);
  Object.assign(s.inFlight[3] ?? {}, { foreign: true });
  expect(forwardCells(s)).toEqual([0, 1, 3]);
});

it('a cell with a run of a lost pass takes its place in the window, and what the run came to is the cell’s end', () => {
  const s = newPass('deploy', 3);
  joinRun(s, 1);
  expect(marksOf(s)).toBe('.>.');
  expect(forwardCells(s)).toEqual([1]);
  Object.assign(s.inFlight[1] ?? {}, { purpose: 'rollback' });
  cellEnded(s, 1, result('rolled-back', { purpose: 'rollback' }), policyOf(), NOW);
  expect(marksOf(s)).toBe('.R.');
  expect(s.halt?.kind).toBe('cells');
});

describe('room: how many more cells may start', () => {
  it.each<[string, string, Partial<RingPolicy>, number]>([
    ['the first cells alone at the beginning', '......', { firstCells: 2, maxParallel: 5 }, 2],
    ['first cells no wider than the window', '......', { firstCells: 4, maxParallel: 3 }, 3],
    ['no further cell while a first one is in flight', '>.....', { firstCells: 1, maxParallel: 5 }, 0],
    ['only the missing first cells', 'C>....', { firstCells: 3, maxParallel: 5 }, 1],
    ['the window once the first have passed', 'C.....', { firstCells: 1, maxParallel: 3 }, 3],
    ['what the window has left', 'C>>...', { firstCells: 1, maxParallel: 3 }, 1],
    ['nothing where the window is full', 'C>>>..', { firstCells: 1, maxParallel: 3 }, 0],
    ['more first cells than the ring has', '...', { firstCells: 9, maxParallel: 9 }, 3],
    ['as long as the failures are within the budget', 'CR....', { failureBudget: 1, maxParallel: 4 }, 4],
    ['nothing once they are not', 'CRX...', { failureBudget: 1, maxParallel: 4 }, 0],
    [
      'a strict budget counts cells in flight as failed',
      'C>....',
      { failureBudget: 1, strictBudget: true, maxParallel: 9 },
      1,
    ],
    ['a strict budget of none: one at a time', 'C.....', { failureBudget: 0, strictBudget: true, maxParallel: 9 }, 1],
    ['a strict budget that is spent in flight', 'C>>...', { failureBudget: 1, strictBudget: true, maxParallel: 9 }, 0],
    ['cells going back take their place in the window', 'C<>...', { maxParallel: 3 }, 1],
    [
      'a first cell that failed before its job proves nothing: the next goes first',
      'X.....',
      { firstCells: 1, failureBudget: 2, maxParallel: 4 },
      1,
    ],
  ])('%s', (_, marks, policy, expected) => {
    expect(room(standing(marks), policyOf(policy), FREE)).toBe(expected);
  });

  it.each([
    ['a brake', { braked: true, trouble: false }],
    ['trouble of AMP', { braked: false, trouble: true }],
  ])('%s leaves none', (_, hold) => {
    expect(room(standing('C.....'), policyOf({}), hold)).toBe(0);
    expect(room({ ...standing('CCC...'), stage: 'migrate' }, policyOf({}), hold)).toBe(0);
  });

  it('a halt, a stop, or a failed PDM elsewhere leaves none', () => {
    const s = standing('C.....');
    expect(room({ ...s, halt: { kind: 'cells', reason: '', sinceMs: 0 } }, policyOf({}), FREE)).toBe(0);
    expect(room({ ...s, stop: { outcome: 'aborted', by: '', reason: '', hurry: false } }, policyOf({}), FREE)).toBe(0);
    expect(room({ ...s, holdForward: { reason: 'PDM failed', sinceMs: 0 } }, policyOf({}), FREE)).toBe(0);
  });

  it('a rollback waits for nothing but its own width', () => {
    const s = standing('CCCC<', 'rollback');
    s.halt = { kind: 'cells', reason: '', sinceMs: 0 };
    s.stop = { outcome: 'aborted', by: '', reason: '', hurry: false };
    s.holdForward = { reason: 'PDM failed', sinceMs: 0 };
    expect(room(s, policyOf({ maxParallel: 3 }), { braked: true, trouble: true })).toBe(2);
  });

  it.each(['bake', 'grace', 'done'] as const)('nothing starts in stage %s', (stage) => {
    expect(room({ ...standing('C....'), stage }, policyOf({}), FREE)).toBe(0);
  });

  it('PDM, too, goes to first cells alone, whatever failed while it was deployed', () => {
    const s = { ...standing('CCCCRX'), stage: 'migrate' as const };
    expect(room(s, policyOf({ firstCells: 1, maxParallel: 3, failureBudget: 0 }), FREE)).toBe(1);
    expect(room({ ...standing('MCCCRX'), stage: 'migrate' }, policyOf({ maxParallel: 3 }), FREE)).toBe(3);
  });
});

describe('takeNext', () => {
  it('takes cells in the order of the snapshot, and counts how often each was ordered', () => {
    const s = standing('CR..s.X.');
    expect(takeNext(s, policyOf({ maxParallel: 2, failureBudget: 5 }), FREE)).toEqual([2, 3]);
    expect(marksOf(s)).toBe('CR>>s.X.');
    expect(s.orders).toEqual({ 2: 1, 3: 1 });
    cellEnded(s, 2, result('pending', { jobId: null, deferred: true }), policyOf({}), NOW);
    expect(takeNext(s, policyOf({ maxParallel: 2, failureBudget: 5 }), FREE)).toEqual([5]);
  });

  it('finds a cell again that went back behind the cursor', () => {
    const s = standing('C.....');
    const policy = policyOf({ maxParallel: 3 });
    expect(takeNext(s, policy, FREE)).toEqual([1, 2, 3]);
    const flight = s.inFlight[1];
    if (flight) flight.cancelled = true;
    cellEnded(s, 1, result('rolled-back', { cancelled: true }), policy, NOW);
    expect(marksOf(s)).toBe('C.>>..');
    expect(takeNext(s, policy, FREE)).toEqual([1]);
    expect(s.orders[1]).toBe(2);
  });
});

describe('cellEnded', () => {
  it.each<[CellState, Partial<CellResult>, string, CellState | undefined]>([
    ['converged', {}, 'C', undefined],
    ['rolled-back', {}, 'R', 'rolled-back'],
    ['failed', {}, 'X', 'failed'],
    ['rollback-failed', {}, 'X', 'rollback-failed'],
    ['cancel-unconfirmed', {}, 'X', 'cancel-unconfirmed'],
    ['busy', { deferred: true, jobId: null }, 'd', 'busy'],
    ['unreachable', { deferred: true, jobId: null }, 'd', 'unreachable'],
    ['failed', { deferred: true, jobId: null }, 'd', 'failed'],
    ['pending', { jobId: null }, 'X', 'failed'],
  ])('a deployment that ended %s (%j) makes the mark %s', (state, more, mark, exception) => {
    const s = standing('C>..');
    cellEnded(s, 1, result(state, more), policyOf({ failureBudget: 9 }), NOW);
    expect(s.marks[1]).toBe(mark);
    expect(s.exceptions[1]?.state).toBe(exception);
    expect(s.inFlight).toEqual({});
  });

  it('why a cell is none of the converged ones is kept to a sentence or two', () => {
    const s = standing('C>..');
    cellEnded(s, 1, result('failed', { reason: 'r'.repeat(2_000) }), policyOf({ failureBudget: 9 }), NOW);
    expect(s.exceptions[1]?.reason).toMatch(/^r{499}…$/);
  });

  it('with-deploy leaves no PDM to run', () => {
    const s = standing('C>..');
    cellEnded(s, 1, result('converged'), policyOf({ postDeployMigrations: 'with-deploy' }), NOW);
    expect(s.marks[1]).toBe('M');
  });

  it('a failure beyond the budget halts, and says how many and which was last', () => {
    const s = standing('CR>.');
    cellEnded(s, 2, result('rolled-back', { cell: 'c-2' }), policyOf({ failureBudget: 1 }), NOW);
    expect(s.halt).toMatchObject({ kind: 'cells', reason: expect.stringMatching(/2 failed, the budget is 1.*c-2/) });
  });

  it('a failure within the budget does not', () => {
    const s = standing('CR>.');
    cellEnded(s, 2, result('failed'), policyOf({ failureBudget: 2 }), NOW);
    expect(s.halt).toBeNull();
  });

  it('a first cell that got its job and failed halts, whatever the budget', () => {
    const s = standing('>...');
    cellEnded(s, 0, result('rolled-back'), policyOf({ failureBudget: 9 }), NOW);
    expect(s.halt?.reason).toMatch(/first cell/);
  });

  it.each<CellState>(['pending', 'rolled-back'])(
    'a cell that a brake cancelled and that is clean (%s) may start again, and spends nothing',
    (state) => {
      const s = standing('C>..');
      (s.inFlight[1] as { cancelled: boolean }).cancelled = true;
      cellEnded(s, 1, result(state, { cancelled: true }), policyOf({}), NOW);
      expect(s.marks[1]).toBe('.');
      expect(s.exceptions).toEqual({});
      expect(failures(s)).toBe(0);
    },
  );

  it('a cell that went back for a reason of its own, before the cancel reached it, is a failure', () => {
    const s = standing('C>..');
    (s.inFlight[1] as { cancelled: boolean }).cancelled = true;
    cellEnded(s, 1, result('rolled-back', { cancelled: false }), policyOf({}), NOW);
    expect(s.marks[1]).toBe('R');
    expect(s.halt).not.toBeNull();
  });

  it('a cell that a brake cancelled and that could not go back is a failure all the same', () => {
    const s = standing('C>..');
    (s.inFlight[1] as { cancelled: boolean }).cancelled = true;
    cellEnded(s, 1, result('rollback-failed', { cancelled: true }), policyOf({}), NOW);
    expect(s.marks[1]).toBe('X');
    expect(s.halt).not.toBeNull();
  });

  it('a cell whose run nobody knows changes nothing', () => {
    const s = standing('C>..');
    const before = structuredClone(s);
    cellEnded(s, 2, result('failed'), policyOf({}), NOW);
    expect(s).toEqual(before);
  });

  it('a PDM that fails halts at once, whatever the budget', () => {
    const s = { ...standing('MmCC'), stage: 'migrate' as const };
    cellEnded(s, 1, result('migration-failed'), policyOf({ failureBudget: 9 }), NOW);
    expect(s.halt?.kind).toBe('migration');
    expect(s.marks[1]).toBe('X');
  });
});

describe('a pass that was put off, skipped, or died', () => {
  it('gives a cell that was unhealthy before one more try at the end of its ring, and then lets it be', () => {
    const s = standing('Cd');
    const policy = policyOf({ failureBudget: 1, bakeTimeMs: 1_000 });
    expect(advance(s, rules(policy))).toBe(true);
    expect(takeNext(s, policy, FREE)).toEqual([1]);
    cellEnded(s, 1, result('failed', { deferred: true, jobId: null }), policy, NOW);
    expect(s.marks[1]).toBe('X');
    expect(s.exceptions[1]?.state).toBe('failed');
    advance(s, rules(policy));
    expect(takeNext(s, policy, FREE)).toEqual([]);
  });

  it('tries a skipped cell again at the end, and whatever comes of it spends no budget', () => {
    const s = standing('C.');
    const policy = policyOf({});
    expect(skip(s, 1, 'alice', 'maintenance', policy)).toBeNull();
    advance(s, rules(policy));
    expect(takeNext(s, policy, FREE)).toEqual([1]);
    cellEnded(s, 1, result('rolled-back'), policy, NOW);
    expect(s).toMatchObject({ halt: null });
    expect(s.exceptions[1]).toMatchObject({ state: 'skipped', reason: expect.stringContaining('rolled-back') });
    expect(countsOf(s, []).skipped).toBe(1);
  });

  it('skips a cell in flight once its run has ended', () => {
    const s = standing('C>.');
    skip(s, 1, 'alice', 'maintenance', policyOf({}));
    expect(s.marks[1]).toBe('>');
    cellEnded(s, 1, result('rolled-back'), policyOf({}), NOW);
    expect(s.marks[1]).toBe('s');
    expect(s.halt).toBeNull();
  });

  it.each<[string, CellState, boolean]>([
    ['rolled back', 'rolled-back', true],
    ['not deployed', 'failed', true],
    ['put off', 'busy', true],
    ['not rolled back', 'rollback-failed', false],
    ['not known to have stopped', 'cancel-unconfirmed', false],
  ])('a cell that was %s and is skipped is tried once more at the end of its ring: %s %s', (_, state, isTried) => {
    const policy = policyOf({ failureBudget: 0, bakeTimeMs: 1_000 });
    const ended = (s: PassState) => cellEnded(s, 1, result(state, { deferred: state === 'busy' }), policy, NOW);
    const skippedAfter = standing('C>');
    ended(skippedAfter);
    skip(skippedAfter, 1, 'alice', 'x', policy);
    const skippedBefore = standing('C>');
    skip(skippedBefore, 1, 'alice', 'x', policy);
    ended(skippedBefore);
    for (const s of [skippedAfter, skippedBefore]) {
      expect(s).toMatchObject({ halt: null, exceptions: { 1: { state: 'skipped' } } });
      advance(s, rules(policy));
      expect(takeNext(s, policy, FREE)).toEqual(isTried ? [1] : []);
      if (isTried) cellEnded(s, 1, result('rolled-back'), policy, NOW);
      expect(marksOf(s)).toBe('Cs');
      advance(s, rules(policy));
      expect(takeNext(s, policy, FREE)).toEqual([]);
      expect(s).toMatchObject({ stage: 'bake', halt: null });
    }
  });

  it('keeps a cell that converged although a skip was asked for', () => {
    const s = standing('C>.');
    skip(s, 1, 'alice', 'maintenance', policyOf({}));
    cellEnded(s, 1, result('converged'), policyOf({}), NOW);
    expect(s.marks[1]).toBe('C');
    expect(skip(s, 0, 'alice', 'late', policyOf({}))).toMatch(/not converged/);
  });

  it('a skip that brings the failures within the budget ends the halt; another does not', () => {
    const policy = policyOf({ failureBudget: 0 });
    const s = standing('CRX.');
    s.halt = { kind: 'cells', reason: 'two', sinceMs: 0 };
    skip(s, 1, 'alice', 'x', policy);
    expect(s.halt).not.toBeNull();
    skip(s, 2, 'alice', 'x', policy);
    expect(s.halt).toBeNull();
  });

  it('starts a run that died without a result again under the same order, three times', () => {
    const s = standing('C>.');
    expect([1, 2, 3, 4].map(() => cellDied(s, 1))).toEqual(['restart', 'restart', 'restart', 'give-up']);
    expect(s.orders[1]).toBe(1);
  });

  it('starts none again on a cell that was to leave the pass with the end of its run', () => {
    const policy = policyOf({ failureBudget: 0 });
    const s = standing('C>>>');
    quarantine(s, 1, 'alice', 'it burns', policy);
    leave(s, 2, policy);
    skip(s, 3, 'alice', 'later', policy);
    expect([1, 2, 3].map((index) => cellDied(s, index))).toEqual(['give-up', 'give-up', 'give-up']);
    for (const index of [1, 2, 3]) cellEnded(s, index, result('failed', { jobId: null }), policy, NOW);
    expect(marksOf(s)).toBe('CQLs');
    expect(s.halt).toBeNull();
  });
});

describe('whatever happens in whatever order', () => {
  const policies = fc.record({
    maxParallel: fc.integer({ min: 1, max: 8 }),
    firstCells: fc.integer({ min: 1, max: 4 }),
    failureBudget: fc.integer({ min: 0, max: 4 }),
    strictBudget: fc.boolean(),
    autoRollback: fc.constantFrom('cell', 'ring', 'never'),
    onFailure: fc.constantFrom('block', 'soft'),
  }) as fc.Arbitrary<Partial<RingPolicy>>;
  const END: { state: CellState; deferred?: boolean; jobId?: null }[] = [
    { state: 'converged' },
    { state: 'converged' },
    { state: 'rolled-back' },
    { state: 'failed' },
    { state: 'rollback-failed' },
    { state: 'busy', deferred: true, jobId: null },
  ];
  const events = fc.array(
    fc.record({
      which: fc.nat(50),
      what: fc.constantFrom('end', 'end', 'end', 'end', 'brake', 'skip', 'bad', 'retry', 'cancel'),
      how: fc.constantFrom(...END),
    }),
    { maxLength: 80 },
  );

  it('keeps window, first cells, budget and counts', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 14 }), policies, events, (cells, partial, happen) => {
        const policy = policyOf({ ...partial, bakeTimeMs: 0, gracePeriodMs: 0 });
        const s = newPass('deploy', cells);
        let braked = false;
        let now = NOW;
        for (const { which, what, how } of happen) {
          now += 1;
          while (advance(s, rules(policy, { now })));
          const before = { passed: converged(s), flew: flying(s), failed: failures(s), halted: s.halt !== null };
          const wasDeploying = s.stage === 'deploy';
          const started = takeNext(s, policy, { braked, trouble: false });
          checkStart(s, policy, { ...before, started, braked, wasDeploying });
          play(s, policy, now, { which, what, how });
          if (what === 'brake') braked = !braked;
          checkCounts(s);
        }
      }),
      { numRuns: 300 },
    );
  });

  function play(
    s: PassState,
    policy: RingPolicy,
    now: number,
    event: { which: number; what: string; how: (typeof END)[number] },
  ): void {
    const flights = Object.keys(s.inFlight).map(Number);
    const index = flights[event.which % Math.max(1, flights.length)];
    if (event.what === 'end' && index !== undefined) {
      const purpose = s.inFlight[index]?.purpose;
      const state = purpose === 'rollback' ? 'rolled-back' : event.how.state;
      cellEnded(s, index, result(state, { ...event.how, state }), policy, now);
    }
    if (event.what === 'cancel' && index !== undefined) (s.inFlight[index] as { cancelled: boolean }).cancelled = true;
    if (event.what === 'skip') skip(s, event.which % Math.max(1, s.marks.length), 'a', 'b', policy);
    if (event.what === 'retry') {
      for (const i of retryable(s, null)) retried(s, i, { on: 'other' });
      resume(s, policy, now);
    }
    if (event.what === 'bad' && s.stage === 'bake') {
      const bad = s.marks.indexOf('C');
      if (bad >= 0) sendBack(s, bad);
    }
  }

  interface Started {
    passed: number;
    flew: number;
    failed: number;
    halted: boolean;
    started: number[];
    braked: boolean;
    wasDeploying: boolean;
  }

  function checkStart(s: PassState, policy: RingPolicy, b: Started): void {
    if (b.started.length === 0) return;
    const rollback = s.stage === 'rollback';
    expect(flying(s)).toBeLessThanOrEqual(policy.maxParallel);
    expect(b.braked && !rollback).toBe(false);
    expect(b.halted && !rollback).toBe(false);
    for (const index of b.started) expect(s.orders[index]).toBeGreaterThan(0);
    if (!b.wasDeploying) return;
    const first = Math.min(policy.firstCells, concerned(s));
    if (b.passed < first) expect(b.flew + b.started.length).toBeLessThanOrEqual(first - b.passed);
    else if (policy.strictBudget) {
      expect(b.failed + b.flew + b.started.length).toBeLessThanOrEqual(policy.failureBudget + 1);
    } else expect(b.failed).toBeLessThanOrEqual(policy.failureBudget);
  }

  function checkCounts(s: PassState): void {
    for (const [mark, count] of Object.entries(s.counts)) {
      expect(s.marks.filter((m) => m === mark)).toHaveLength(count);
    }
    expect(Object.keys(s.inFlight)).toHaveLength(flying(s));
    const { total, ...parts } = countsOf(s, []);
    expect(Object.values(parts).reduce((a, b) => a + b, 0)).toBe(total);
  }
});
