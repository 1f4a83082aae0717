import { describe, expect, it } from 'vitest';
import type { CellLook } from '../../../src/contract/activities.js';
import { observe } from '../../../src/domain/ring/observe.js';
import { room } from '../../../src/domain/ring/pass.js';
import { resultOf, viewOf } from '../../../src/domain/ring/view.js';
import { policyOf } from '../policies.js';
import { FREE, marksOf, NOW, standing } from './passes.js';

const look = (version: string | null) => ({ facts: { version } }) as CellLook;
const looks = (s: { marks: unknown[] }) => s.marks.map((_, i) => look(`v${i}`));

describe('a pass that only observes', () => {
  it('says on which cells it would work, starts nothing, and is over', () => {
    const s = standing('.C.M');
    const observed = observe(s, looks(s), 0, [], NOW);
    expect(observed).toEqual({
      sentence: 'only observed: would deploy 2 of 4 cells',
      would: 2,
      waits: [],
      isDone: false,
    });
    expect([marksOf(s), s.stage]).toEqual(['sMsM', 'done']);
    expect(s.exceptions[2]).toEqual({ state: 'skipped', reason: 'only observed: it runs v2; would deploy it' });
    expect(room(s, policyOf(), FREE)).toBe(0);
    expect(resultOf(s, true)).toMatchObject({ outcome: 'failed', reason: observed.sentence });
    expect([s.convergedAtMs, s.bakedAtMs]).toEqual([null, null]);
  });

  it('says what it would have to wait for, where there is something to do', () => {
    const s = standing('.');
    const { sentence, waits } = observe(s, looks(s), 0, ['a person approves it', 'frozen: x'], NOW);
    expect(sentence).toMatch(/, once this is over: a person approves it; frozen: x$/);
    expect(waits).toHaveLength(2);
    const done = standing('C');
    expect(observe(done, looks(done), 0, ['frozen: x'], NOW)).toMatchObject({ waits: [], isDone: true });
  });

  it('has converged where every cell runs the package', () => {
    const s = standing('CM');
    observe(s, looks(s), 0, [], NOW);
    expect(resultOf(s, true)).toMatchObject({ outcome: 'converged' });
    expect([s.convergedAtMs, s.bakedAtMs]).toEqual([NOW, NOW]);
  });

  it('names what could not be deployed as skipped: it is nobody’s failure', () => {
    const s = standing('X');
    s.exceptions[0] = { state: 'failed', reason: 'not deployed: AMP knows no such tenant' };
    const observed = observe(s, [look(null)], 0, [], NOW);
    expect(observed).toMatchObject({ would: 0, isDone: false });
    expect(s.exceptions[0]).toEqual({
      state: 'skipped',
      reason: 'only observed: not deployed: AMP knows no such tenant',
    });
  });

  it('says of PDM and of going back the same', () => {
    const pdm = standing('CM', 'migrate');
    expect(observe(pdm, looks(pdm), 0, [], NOW).sentence).toBe('only observed: would run PDM on 1 of 2 cells');
    const back = standing('CL', 'rollback');
    expect(observe(back, looks(back), 0, [], NOW).sentence).toBe('only observed: would take back 1 of 1 cells');
    const nothing = standing('LL', 'rollback');
    observe(nothing, looks(nothing), 0, [], NOW);
    expect(resultOf(nothing, true)?.outcome).toBe('converged');
  });

  it('is empty where the ring is', () => {
    const s = standing('');
    observe(s, [], 0, [], NOW);
    const context = { ring: 2, name: 'r', version: 'v', perimeter: false, soft: true, leftOut: [], brakes: [] };
    const view = viewOf(s, { ...context, idOf: () => '', trouble: null, startedAtMs: NOW, nowMs: NOW });
    expect(view).toMatchObject({ empty: true, state: 'converged', total: 0 });
    expect(view).not.toHaveProperty('observed');
  });
});
