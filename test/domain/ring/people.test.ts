import { describe, expect, it } from 'vitest';
import { cellEnded, landAgain, otherLanded } from '../../../src/domain/ring/cell-ended.js';
import { concerned, setMark } from '../../../src/domain/ring/marks.js';
import { type Halt, joinRun, type Mark, type PassState, takeNext } from '../../../src/domain/ring/pass.js';
import {
  leave,
  quarantine,
  readmit,
  resume,
  retried,
  retryable,
  skip,
  skipAfterOther,
} from '../../../src/domain/ring/people.js';
import { countsOf } from '../../../src/domain/ring/view.js';
import { policyOf } from '../policies.js';
import { FREE, marksOf, NOW, standing } from './passes.js';

describe('a retry', () => {
  it('speaks of what did not converge, and of a skipped cell only by name', () => {
    const s = standing('CR.Xsd>');
    expect(retryable(s, null)).toEqual([1, 3, 5]);
    expect(retryable(s, [0, 3, 4, 6])).toEqual([3, 4]);
  });

  it('goes on with what the look found sane, and keeps the rest as it is', () => {
    const s = standing('CRXX');
    s.exceptions = {
      1: { state: 'rolled-back', reason: '' },
      2: { state: 'rollback-failed', reason: 'old' },
      3: { state: 'failed', reason: '' },
    };
    s.halt = { kind: 'cells', reason: '', sinceMs: 0 };
    retried(s, 1, { on: 'other' });
    retried(s, 2, { on: 'bad', reason: 'busy: job-9' });
    retried(s, 3, { on: 'target' });
    resume(s, policyOf({ failureBudget: 1 }), NOW);
    expect(marksOf(s)).toBe('C.XC');
    expect(s.exceptions).toEqual({ 2: { state: 'rollback-failed', reason: 'busy: job-9' } });
    expect(s.halt).toBeNull();
  });

  it('deploys cells under waits that nobody has ended yet', () => {
    const s = { ...standing('CX'), stage: 'grace' as const, overridden: ['bake', 'health', 'grace-period'] };
    retried(s, 1, { on: 'target' });
    resume(s, policyOf({}), NOW);
    expect(s).toMatchObject({ stage: 'grace', overridden: ['bake', 'health', 'grace-period'] });
    setMark(s, 1, 'X');
    retried(s, 1, { on: 'other' });
    resume(s, policyOf({}), NOW);
    expect(s).toMatchObject({ stage: 'deploy', overridden: [] });
  });

  it('stays halted where what is left is beyond the budget, or PDM is not mended', () => {
    const s = standing('CX');
    s.exceptions[1] = { state: 'failed', reason: '' };
    resume(s, policyOf({}), NOW);
    expect(s.halt?.kind).toBe('cells');
    const pdm = { ...standing('MX'), stage: 'migrate' as const };
    pdm.exceptions[1] = { state: 'migration-failed', reason: '' };
    resume(pdm, policyOf({ failureBudget: 5 }), NOW);
    expect(pdm.halt?.kind).toBe('migration');
  });
});

describe('a halt that comes while the cells of a retry are looked at', () => {
  const policy = policyOf();
  const retriedUnder = (halt: Halt, meanwhile: Halt, policyThen = policy): PassState => {
    const s = standing('CX.');
    s.halt = halt;
    s.exceptions[1] = { state: 'failed', reason: '' };
    s.halt = meanwhile;
    retried(s, 1, { on: 'other' });
    resume(s, policyThen, NOW, halt);
    return s;
  };
  const failed: Halt = { kind: 'cells', reason: 'c-1 failed', sinceMs: 0 };

  it('because of the package stays: nobody has answered it', () => {
    const systemic: Halt = { kind: 'systemic', reason: 'the package is unhealthy', sinceMs: 1 };
    const s = retriedUnder(failed, systemic);
    expect(s.halt).toEqual(systemic);
    expect(takeNext(s, policy, FREE)).toEqual([]);
  });

  it('and for which the retry leaves no reason is over with it', () => {
    const s = retriedUnder(failed, { kind: 'none-converged', reason: '', sinceMs: 1 });
    expect(s.halt).toBeNull();
    expect(takeNext(s, policy, FREE)).toEqual([1, 2]);
  });
});

describe('a skip of a cell on which another pass’s run works', () => {
  const policy = policyOf();
  const landed = (mark: Mark): PassState => {
    const s = standing('C.');
    joinRun(s, 1);
    expect(skip(s, 1, 'alice', 'a disk is broken', policy)).toBeNull();
    landAgain(s, 1);
    setMark(s, 1, mark);
    otherLanded(s, 1, { policy, now: NOW });
    skipAfterOther(s, 1, policy);
    return s;
  };

  it('counts when that run is over, before anything is ordered for the cell', () => {
    const s = landed('.');
    expect(takeNext(s, policy, FREE)).toEqual([]);
    expect(s).toMatchObject({ exceptions: { 1: { state: 'skipped' } }, skips: {} });
  });

  it('counts no more where that run has brought it to the package', () => {
    expect(landed('C')).toMatchObject({ marks: ['C', 'C'], exceptions: {}, skips: {} });
  });

  it.each([
    ['leaves it on the package that is taken back', 'C', 's'],
    ['says nothing where that run has taken it off', 'L', 'L'],
  ])('%s', (_, lands, mark) => {
    const s = standing('<', 'rollback');
    Object.assign(s.inFlight[0] ?? {}, { foreign: true });
    skip(s, 0, 'alice', 'being rebuilt', policy);
    expect(marksOf(s)).toBe('<');
    landAgain(s, 0);
    setMark(s, 0, lands as Mark);
    skipAfterOther(s, 0, policy);
    expect(marksOf(s)).toBe(mark);
  });

  it('comes too late for one that is going back', () => {
    const s = standing('<', 'rollback');
    skip(s, 0, 'alice', 'being rebuilt', policy);
    expect(s).toMatchObject({ marks: ['<'], skips: {} });
  });
});

describe('a cell that the ring has no more', () => {
  const policy = policyOf({ failureBudget: 0 });

  it.each(['.', 'd', 's', 'C', 'D', 'M', 'R', 'X'])('marked %s is none of the pass’s, and is named', (mark) => {
    const s = standing(`${mark}C`);
    leave(s, 0, policy);
    expect(marksOf(s)).toBe('LC');
    expect(concerned(s)).toBe(1);
    expect(s.exceptions[0]?.state).toBe('left');
  });

  it('with a run of its own is let come to its end, whatever that is', () => {
    const s = standing('>C');
    leave(s, 0, policy);
    expect(marksOf(s)).toBe('>C');
    const end = { ...{ cell: 'a', version: '', purpose: 'deploy' as const, state: 'failed' as const }, jobId: 'job-1' };
    const more = { reason: 'broken', from: null, to: null, deferred: false, needsDowntime: false, cancelled: false };
    cellEnded(s, 0, { ...end, ...more }, policy, NOW);
    expect(marksOf(s)).toBe('LC');
    expect(s).toMatchObject({ halt: null, exceptions: { 0: { state: 'left', jobId: 'job-1' } } });
  });

  it('halts the ring no longer by its failure', () => {
    const s = standing('XC');
    s.halt = { kind: 'cells', reason: '', sinceMs: 0 };
    leave(s, 0, policy);
    expect(s.halt).toBeNull();
  });
});

describe('a quarantine in a pass', () => {
  const words = ['alice', 'being rebuilt'] as const;
  const result = (state: 'converged' | 'rolled-back') => ({ cell: 'c', state, reason: '', jobId: 'job-1' }) as never;

  it('takes a cell out, whatever stage it is at, and its failure with it', () => {
    const s = standing('.CXd');
    s.halt = { kind: 'cells', reason: '', sinceMs: 0 };
    for (const index of [0, 1, 2, 3]) quarantine(s, index, ...words, policyOf());
    expect(marksOf(s)).toBe('QQQQ');
    expect(s.halt).toBeNull();
    expect(s.exceptions[1]).toEqual({ state: 'quarantined', reason: 'quarantined by alice: being rebuilt' });
    expect(countsOf(s, [])).toMatchObject({ total: 4, quarantined: 4, skipped: 0, failed: 0, pending: 0 });
    expect(retryable(s, [0, 1, 2, 3])).toEqual([]);
  });

  it('waits until the cell’s run has ended', () => {
    const s = standing('>>>');
    for (const index of [0, 1, 2]) quarantine(s, index, ...words, policyOf());
    expect(marksOf(s)).toBe('>>>');
    cellEnded(s, 0, result('rolled-back'), policyOf({ failureBudget: 0 }), NOW);
    cellEnded(s, 1, result('converged'), policyOf(), NOW);
    readmit(s, 2);
    cellEnded(s, 2, result('converged'), policyOf(), NOW);
    expect(marksOf(s)).toBe('QQC');
    expect(s.halt).toBeNull();
  });

  it('holds whatever a look or a lost run makes of the cell', () => {
    const s = standing('>..');
    quarantine(s, 0, ...words, policyOf());
    cellEnded(s, 0, { cell: 'c', state: 'pending', reason: '', closed: true } as never, policyOf(), NOW);
    expect(marksOf(s)).toBe('Q..');
    quarantine(s, 1, ...words, policyOf());
    setMark(s, 1, '.');
    expect(takeNext(s, policyOf(), { braked: false, trouble: false })).toEqual([2]);
    expect(marksOf(s)).toBe('QQ>');
  });

  it('of another cell does not let others follow a first cell that did not pass', () => {
    const s = standing('X.C');
    s.halt = { kind: 'cells', reason: '', sinceMs: 0, first: 0 };
    quarantine(s, 2, ...words, policyOf({ failureBudget: 2 }));
    expect(s.halt).not.toBeNull();
    quarantine(s, 0, ...words, policyOf({ failureBudget: 2 }));
    expect(s.halt).toBeNull();
  });

  it('lets nobody mend a PDM that failed there', () => {
    const s = standing('C');
    s.pdmFailed[0] = true;
    s.mending[0] = true;
    quarantine(s, 0, ...words, policyOf());
    expect([marksOf(s), s.mending, retryable(s, [0])]).toEqual(['X', {}, []]);
    readmit(s, 0);
    expect(retryable(s, [0])).toEqual([0]);
  });

  it('mends no PDM that failed: what that stops stays stopped', () => {
    const s = standing('X');
    s.pdmFailed[0] = true;
    s.halt = { kind: 'migration', reason: '', sinceMs: 0 };
    quarantine(s, 0, ...words, policyOf());
    expect(marksOf(s)).toBe('X');
    expect(s.halt).not.toBeNull();
  });
});
