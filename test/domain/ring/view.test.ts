import { describe, expect, it } from 'vitest';
import { viewOf } from '../../../src/domain/ring/view.js';
import { NOW, standing } from './passes.js';

const context = { ring: 2, name: 'r', version: 'v', perimeter: false, soft: false, leftOut: [], brakes: [] };
const shown = (s: ReturnType<typeof standing>) =>
  viewOf(s, { ...context, idOf: (i) => `c-${i}`, trouble: null, startedAtMs: NOW, nowMs: NOW });

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

  it('that goes forward speaks of no downtime', () => {
    expect(shown(standing('.'))).not.toHaveProperty('needDowntime');
  });
});
