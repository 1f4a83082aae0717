import { describe, expect, it } from 'vitest';
import { cellEnded } from '../../../src/domain/ring/cell-ended.js';
import { newPass, type PassState, takeNext, turnedBad } from '../../../src/domain/ring/pass.js';
import { noteCheck, override } from '../../../src/domain/ring/people.js';
import { advance } from '../../../src/domain/ring/stages.js';
import { policyOf } from '../policies.js';
import { FREE, marksOf, NOW, result, rules, standing, waiting } from './passes.js';

describe('advance: from stage to stage', () => {
  const policy = policyOf({ bakeTimeMs: 1_000, gracePeriodMs: 500 });
  const through = (s: PassState, now: number, more = {}) => {
    while (advance(s, rules(policy, { now, ...more })));
    return s.stage;
  };
  /** Every cell was watched to the stage's end, and answered. */
  const watched = (s: PassState, now: number, more = {}) => {
    s.watched = s.stage;
    return through(s, now, more);
  };

  it('does not leave the deployment while cells are to come or in flight', () => {
    expect(through(standing('C.'), NOW)).toBe('deploy');
    expect(through(standing('C>'), NOW)).toBe('deploy');
  });

  it('bakes from the moment the ring converged, then waits for its grace period, then migrates', () => {
    const s = standing('CC');
    expect(through(s, NOW)).toBe('bake');
    expect(s).toMatchObject({ convergedAtMs: NOW, bakeUntilMs: NOW + 1_000 });
    expect(watched(s, NOW + 999)).toBe('bake');
    expect(watched(s, NOW + 1_000)).toBe('grace');
    expect(s).toMatchObject({ bakedAtMs: NOW + 1_000, graceUntilMs: NOW + 1_500 });
    expect(watched(s, NOW + 1_499)).toBe('grace');
    expect(watched(s, NOW + 1_500)).toBe('migrate');
    expect(takeNext(s, policy, FREE)).toEqual([0]);
  });

  it('no answer, or a watch that is not over, is never taken for healthy', () => {
    const s = standing('CC');
    through(s, NOW);
    expect(through(s, NOW + 5_000)).toBe('bake');
    s.silent = ['c-1'];
    expect(watched(s, NOW + 5_000)).toBe('bake');
    s.overridden.push('health');
    expect(through(s, NOW + 5_000)).toBe('grace');
  });

  it('one that gives way is over once nothing of it is in flight: in its grace period at once, and without PDM', () => {
    const givesWay = (s: PassState) => {
      s.stop = { outcome: 'superseded', by: 'v', reason: 'the rollout is superseded', hurry: false };
      return s;
    };
    const waiting = standing('CC');
    through(waiting, NOW);
    expect(watched(waiting, NOW + 1_000)).toBe('grace');
    expect(through(givesWay(waiting), NOW + 1_000)).toBe('done');
    expect(marksOf(waiting)).toBe('CC');
    const rolling = givesWay(standing('C>..'));
    expect([through(rolling, NOW), takeNext(rolling, policy, FREE)]).toEqual(['deploy', []]);
    cellEnded(rolling, 1, result('converged'), policy, NOW);
    expect([through(rolling, NOW), marksOf(rolling)]).toEqual(['done', 'CC..']);
  });

  it('an override ends one wait and no other', () => {
    const s = standing('CC');
    through(s, NOW);
    s.overridden.push('bake');
    expect(through(s, NOW + 1)).toBe('grace');
    s.overridden.push('grace-period');
    expect(through(s, NOW + 2)).toBe('migrate');
  });

  it('inside the perimeter it ends with the bake: PDM is on command there', () => {
    const s = standing('CC');
    through(s, NOW, { endsBaked: true });
    expect(watched(s, NOW + 1_000, { endsBaked: true })).toBe('done');
  });

  it('needs no PDM where it ran with the deployment', () => {
    const s = standing('MM');
    through(s, NOW);
    expect(watched(s, NOW + 1_000)).toBe('done');
  });

  it('the watch of its bake says nothing of its grace period', () => {
    const s = standing('CC');
    through(s, NOW);
    expect(watched(s, NOW + 1_000)).toBe('grace');
    expect(through(s, NOW + 5_000)).toBe('grace');
  });

  it('an empty ring is over at once; one whose cells are all left out is not empty', () => {
    expect(through(newPass('deploy', 0), NOW)).toBe('done');
    const s = newPass('deploy', 0);
    through(s, NOW, { leftOut: 2 });
    expect(s.halt?.kind).toBe('none-converged');
  });

  it.each(['XX', 'RR', 'ss', 'XR'])('a ring whose cells stand %s is halted: not one converged', (marks) => {
    const s = standing(marks);
    for (const i of [0, 1]) s.again[i] = true;
    through(s, NOW);
    expect(s.halt?.kind).toBe('none-converged');
    expect(s.convergedAtMs).toBeNull();
  });

  it.each<['bake' | 'grace', string]>([
    ['bake', 'RX'],
    ['grace', 'Rs'],
  ])('a ring none of whose cells stays converged in its %s is halted, within its budget or not', (stage, marks) => {
    const s = { ...standing(marks), stage, bakeUntilMs: NOW - 1, graceUntilMs: NOW - 1 };
    advance(s, rules(policyOf({ failureBudget: 9 })));
    expect(s).toMatchObject({ stage, bakedAtMs: null, halt: { kind: 'none-converged' } });
    const soft = { ...standing(marks), stage, bakeUntilMs: NOW - 1, graceUntilMs: NOW - 1 };
    advance(soft, rules(policyOf({ failureBudget: 9, onFailure: 'soft' })));
    expect(soft).toMatchObject({ stage: 'done', halt: { kind: 'none-converged' } });
  });

  it('a health wait that a person ended in the bake is another one in the grace period', () => {
    const s = { ...standing('C'), stage: 'bake' as const, bakeUntilMs: NOW - 1, silent: ['c'] };
    const a = rules(policyOf({ gracePeriodMs: 10 }));
    advance(s, a);
    expect(s.stage).toBe('bake');
    override(s, 'health', waiting());
    advance(s, a);
    expect(s.stage).toBe('grace');
    advance(s, { ...a, now: NOW + 10 });
    expect(s.stage).toBe('grace');
    override(s, 'health', waiting(NOW + 10));
    advance(s, { ...a, now: NOW + 10 });
    expect(s.stage).toBe('migrate');
  });

  it('a check that failed halts until that very check has passed, or a person says so', () => {
    const s = { ...standing('C'), stage: 'bake' as const, bakeUntilMs: NOW - 1 };
    noteCheck(s, { name: 'smoke', outcome: 'failed', by: 'qa' });
    advance(s, rules(policyOf()));
    expect(s.halt).toMatchObject({ kind: 'check', reason: 'check smoke failed, says qa' });
    noteCheck(s, { name: 'e2e', outcome: 'passed', by: 'qa' });
    advance(s, rules(policyOf()));
    expect(s.halt).toMatchObject({ kind: 'check' });
    noteCheck(s, { name: 'smoke', outcome: 'passed', by: 'qa' });
    advance(s, rules(policyOf({ gracePeriodMs: 10 })));
    expect(s).toMatchObject({ halt: null, stage: 'grace' });
    noteCheck(s, { name: 'smoke', outcome: 'failed', by: 'qa' });
    override(s, 'check', waiting());
    advance(s, rules(policyOf({ gracePeriodMs: 10 })));
    expect(s.halt).toBeNull();
    noteCheck(s, { name: 'smoke', outcome: 'failed', by: 'qa' });
    advance(s, rules(policyOf({ gracePeriodMs: 10 })));
    expect(s.halt).toMatchObject({ kind: 'check' });
  });

  it('a check that failed while cells had halted the ring halts it still when they are retried', () => {
    const s = { ...standing('CR'), stage: 'bake' as const, bakeUntilMs: NOW - 1 };
    s.halt = { kind: 'cells', reason: 'two', sinceMs: 0 };
    noteCheck(s, { name: 'smoke', outcome: 'failed', by: 'qa' });
    s.halt = null;
    advance(s, rules(policyOf()));
    expect(s).toMatchObject({ stage: 'bake', halt: { kind: 'check' } });
  });

  it('a check that failed is reported and no more in a soft ring', () => {
    const s = { ...standing('C'), stage: 'bake' as const, bakeUntilMs: NOW - 1 };
    noteCheck(s, { name: 'smoke', outcome: 'failed', by: 'qa' });
    advance(s, rules(policyOf({ onFailure: 'soft' }), { endsBaked: true }));
    expect(s).toMatchObject({ stage: 'done', halt: null });
  });

  it('a cell that turns bad while it is watched goes back, unless the policy says that nothing does', () => {
    const s = standing('CC');
    expect(turnedBad(s, 0, { cell: 'c', reason: 'not ready' }, rules(policyOf()))).toBe(true);
    expect(marksOf(s)).toBe('<C');
    const never = standing('CC');
    expect(turnedBad(never, 0, { cell: 'c', reason: 'not ready' }, rules(policyOf({ autoRollback: 'never' })))).toBe(
      false,
    );
    expect(marksOf(never)).toBe('XC');
    expect(never).toMatchObject({ halt: { kind: 'cells' }, exceptions: { 0: { state: 'failed' } } });
    const borne = standing('CC');
    turnedBad(borne, 0, { cell: 'c', reason: '' }, rules(policyOf({ autoRollback: 'never', failureBudget: 1 })));
    expect(borne.halt).toBeNull();
  });

  it('a soft ring is never left halted', () => {
    const soft = policyOf({ onFailure: 'soft' });
    const s = standing('>');
    cellEnded(s, 0, result('rollback-failed'), soft, NOW);
    while (advance(s, rules(soft)));
    expect(s.stage).toBe('done');
  });

  it('autoRollback: ring sends every converged cell back once nothing is in flight', () => {
    const back = policyOf({ autoRollback: 'ring' });
    const s = standing('CC>>.');
    cellEnded(s, 2, result('rolled-back'), back, NOW);
    while (advance(s, rules(back)));
    expect(s.stage).toBe('deploy');
    cellEnded(s, 3, result('converged'), back, NOW);
    while (advance(s, rules(back)));
    expect(s.stage).toBe('rollback');
    expect(takeNext(s, back, { braked: true, trouble: true })).toEqual([0, 1, 3]);
  });

  it('a stop lets what flies settle, and ends', () => {
    const s = standing('C>.');
    s.stop = { outcome: 'aborted', by: 'alice', reason: '', hurry: false };
    expect(through(s, NOW)).toBe('deploy');
    cellEnded(s, 1, result('converged'), policy, NOW);
    expect(through(s, NOW)).toBe('done');
  });

  it('migrateWhen: everywhere waits for the word that every ring has baked', () => {
    const everywhere = policyOf({ bakeTimeMs: 0, gracePeriodMs: 0, migrateWhen: 'everywhere' });
    const s = standing('CC');
    while (advance(s, rules(everywhere)));
    expect(s.stage).toBe('grace');
    s.bakedEverywhere = true;
    while (advance(s, rules(everywhere)));
    expect(s.stage).toBe('migrate');
  });
});
