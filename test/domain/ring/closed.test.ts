import { describe, expect, it } from 'vitest';
import type { WaitingFor } from '../../../src/contract/status.js';
import { cellEnded } from '../../../src/domain/ring/cell-ended.js';
import { room, takeNext } from '../../../src/domain/ring/pass.js';
import { skip } from '../../../src/domain/ring/people.js';
import { stateOf, waitOf } from '../../../src/domain/ring/view.js';
import { policyOf } from '../policies.js';
import { FREE, marksOf, NOW, result, standing } from './passes.js';

const CLOSED = { ...FREE, closed: true };
const wide = policyOf({ maxParallel: 3 });
const calendar: WaitingFor = {
  kind: 'freeze',
  ring: 2,
  since: '2026-12-24T00:00:00.000Z',
  detail: 'frozen: holidays',
  next: ['cellctl override --wait freeze'],
};
const context = {
  ring: 2,
  name: 'r2',
  version: 'v',
  perimeter: false,
  soft: false,
  idOf: (index: number) => `c${index}`,
  leftOut: [],
  brakes: [],
  trouble: null,
  calendar,
  startedAtMs: NOW,
  nowMs: NOW,
};

describe('a ring that is closed', () => {
  it('starts no cell and no PDM, and takes cells back all the same', () => {
    expect(room(standing('C>...'), wide, CLOSED)).toBe(0);
    expect(takeNext(standing('CC...', 'migrate'), wide, CLOSED)).toEqual([]);
    expect(takeNext(standing('CCC', 'rollback'), wide, CLOSED)).toEqual([0, 1, 2]);
  });

  it('is waiting once nothing is in flight, and says for what from the first', () => {
    expect(stateOf(standing('C>..'), context)).toBe('rolling');
    expect(waitOf(standing('C>..'), context)).toBe(calendar);
    expect(stateOf(standing('C...'), context)).toBe('waiting');
    expect(stateOf(standing('C<..'), context)).toBe('rolling-back');
  });

  it('a cell for which it closed too soon can start again, under the same order, and spends nothing', () => {
    const s = standing('C...');
    expect(takeNext(s, wide, FREE)).toEqual([1, 2, 3]);
    cellEnded(s, 2, result('pending', { closed: true, jobId: null }), wide, NOW);
    expect(marksOf(s)).toBe('C>.>');
    expect([s.halt, s.exceptions, s.orders[2]]).toEqual([null, {}, 0]);
    expect(takeNext(s, wide, CLOSED)).toEqual([]);
    expect(takeNext(s, wide, FREE)).toEqual([2]);
    expect(s.orders[2]).toBe(1);
  });

  it('a PDM for which it closed too soon starts again, one that failed before as well', () => {
    const s = standing('MC', 'migrate');
    Object.assign(s, { mending: { 1: true }, pdmFailed: { 1: true } });
    expect(takeNext(s, wide, FREE)).toEqual([1]);
    cellEnded(s, 1, result('pending', { purpose: 'migrate', closed: true, jobId: null }), wide, NOW);
    expect([marksOf(s), s.halt, s.mending]).toEqual(['MC', null, { 1: true }]);
    expect(takeNext(s, wide, FREE)).toEqual([1]);
  });

  it('a cell that was skipped meanwhile is skipped', () => {
    const s = standing('C>..');
    skip(s, 1, 'alice', 'disk', wide);
    cellEnded(s, 1, result('pending', { closed: true, jobId: null }), wide, NOW);
    expect(marksOf(s)).toBe('Cs..');
    expect(s.exceptions[1]).toMatchObject({ state: 'skipped', reason: 'skipped by alice: disk' });
  });
});
