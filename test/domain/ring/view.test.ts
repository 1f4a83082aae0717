import { describe, expect, it } from 'vitest';
import type { Halt, PassState } from '../../../src/domain/ring/pass.js';
import { type ViewContext, viewOf } from '../../../src/domain/ring/view.js';
import { V0, V1 } from '../../support/fleet.js';
import { NOW, standing } from './passes.js';

const context = { ring: 2, name: 'r', version: 'v', perimeter: false, soft: false, leftOut: [], brakes: [] };
const shown = (s: ReturnType<typeof standing>, more: Partial<ViewContext> = {}) =>
  viewOf(s, { ...context, idOf: (i) => `c-${i}`, trouble: null, startedAtMs: NOW, nowMs: NOW, ...more });

describe('what people see of a pass', () => {
  it('that takes a package back counts all cells that would go down for it, and names a hundred', () => {
    const s = standing('X'.repeat(130), 'rollback');
    s.isReturn = true;
    for (let i = 0; i < 130; i += 1) {
      const why = i < 129 ? { needsDowntime: true } : {};
      s.exceptions[i] = { state: 'failed', reason: 'stays', ...why };
    }
    const view = shown(s);
    expect(view).toMatchObject({ failed: 130, exceptionsTotal: 130, needDowntime: 129 });
    expect(view.exceptions).toHaveLength(100);
  });

  it.each<[string, number | undefined, string]>([
    ['is mended where that is known', 4, 'cellctl retry --ring 4 v'],
    ['by an older worker is looked into', undefined, 'cellctl status v'],
  ])('that is held for a failure elsewhere %s', (_what, failedIn, next) => {
    const s = standing('.');
    s.holdForward = { reason: 'PDM failed', sinceMs: NOW, ...(failedIn === undefined ? {} : { ring: failedIn }) };
    expect(shown(s).waitingFor).toMatchObject({
      kind: 'operator',
      ring: 2,
      next: [next, 'cellctl abort v --reason "…"'],
    });
  });

  describe('that has halted names a cell to skip', () => {
    const skips = (marks: string, more: Partial<Halt> = {}, mend: (s: PassState) => void = () => {}) => {
      const s = standing(marks);
      for (const [i, mark] of [...marks].entries())
        if ('XRQs'.includes(mark)) s.exceptions[i] = { state: mark === 'Q' ? 'quarantined' : 'failed', reason: '' };
      s.halt = { kind: 'cells', reason: 'x', sinceMs: NOW, ...more };
      mend(s);
      return shown(s).waitingFor?.next.filter((line) => line.includes(' skip '));
    };
    const skip = (i: number) => [`cellctl skip c-${i} --version v --reason "…"`];

    it('that failed, not one that is out of the way already', () => {
      expect(skips('QsCXR.')).toEqual(skip(3));
      expect(skips('QsCR')).toEqual(skip(3));
    });

    it('that everybody waits for, where there is such a cell and it is still there', () => {
      expect(skips('XXX', { first: 1 })).toEqual(skip(1));
      expect(skips('XsX', { first: 1 })).toEqual(skip(0));
    });

    it('of which too little is known, where that is why', () => {
      const unknown = { state: 'failed' as const, reason: '', isUnknown: true as const };
      expect(skips('XX', { kind: 'inconclusive' }, (s) => (s.exceptions[1] = unknown))).toEqual(skip(1));
    });

    it('none where no failed cell may be skipped', () => {
      expect(skips('Qs')).toEqual([]);
      expect(skips('X', {}, (s) => (s.pdmFailed[0] = true))).toEqual([]);
    });
  });

  it('that goes forward counts nothing of it, and names the cell that would go down', () => {
    const s = standing('X');
    s.exceptions[0] = { state: 'failed', reason: 'stays', needsDowntime: true };
    expect(shown(s)).not.toHaveProperty('needDowntime');
    expect(shown(s).exceptions).toMatchObject([{ cell: 'c-0', needsDowntime: true }]);
  });

  it('says what a cell runs instead of the package, where that is known', () => {
    const s = standing('RXXXR');
    const seen = [V0, V1, V0, V0, null];
    const states = ['rolled-back', 'failed', 'rollback-failed', 'failed', 'rolled-back'] as const;
    states.forEach((state, index) => {
      s.exceptions[index] = { state, reason: '' };
    });
    const view = shown(s, { version: V1, versionOf: (index) => seen[index] ?? null });
    expect(view.exceptions.map(({ runs }) => runs)).toEqual([V0, undefined, undefined, V0, undefined]);
  });
});
