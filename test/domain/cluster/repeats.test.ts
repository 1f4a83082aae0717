import { describe, expect, it } from 'vitest';
import type { RingReport } from '../../../src/contract/internal.js';
import type { CellState } from '../../../src/contract/status.js';
import { noteRepeats, type Repeats } from '../../../src/domain/cluster/repeats.js';

const report = (version: string, failed: Record<string, CellState>, more: Partial<RingReport> = {}): RingReport => {
  const exceptions = Object.entries(failed).map(([cell, state]) => ({ cell, state, reason: '' }));
  const view = { ring: 2, exceptions, exceptionsTotal: exceptions.length };
  const result = { outcome: 'converged' };
  return { version, purpose: 'deploy', ended: true, view, result, ...more } as RingReport;
};

describe('cells that fail under one package after the other', () => {
  const inARow = (...reports: RingReport[]): { asked: string[][]; repeats: Repeats } => {
    const repeats: Repeats = {};
    return { asked: reports.map((one) => noteRepeats(repeats, one)), repeats };
  };

  it('are asked about once, with the third package in a row', () => {
    const { asked } = inARow(...['v1', 'v2', 'v3', 'v4'].map((v) => report(v, { a: 'rolled-back' })));
    expect(asked).toEqual([[], [], ['a'], []]);
  });

  it('count a package once, however often it was tried', () => {
    const { asked } = inARow(...['v1', 'v1', 'v2', 'v2'].map((v) => report(v, { a: 'failed' })));
    expect(asked.flat()).toEqual([]);
  });

  it('begin anew with a package that they came through with', () => {
    const bad = (v: string) => report(v, { a: 'failed' });
    const { asked, repeats } = inARow(bad('v1'), bad('v2'), report('v3', {}), bad('v4'));
    expect(asked.flat()).toEqual([]);
    expect(repeats).toEqual({ a: { ring: 2, versions: ['v4'] } });
  });

  it.each([
    ['was skipped', report('v3', { a: 'skipped' })],
    ['was not come to, because its ring halted', report('v3', {}, { result: { outcome: 'halted' } as never })],
    ['is still being deployed', report('v3', {}, { ended: false })],
    ['is taken back', report('v3', { a: 'failed' }, { purpose: 'rollback' })],
  ])('stay as they are where the cell %s', (_, third) => {
    const { asked, repeats } = inARow(report('v1', { a: 'failed' }), report('v2', { a: 'failed' }), third);
    expect(asked.flat()).toEqual([]);
    expect(repeats.a?.versions).toEqual(['v1', 'v2']);
  });
});
