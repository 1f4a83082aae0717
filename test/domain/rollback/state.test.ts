import { describe, expect, it } from 'vitest';
import type { RingReturn } from '../../../src/contract/activities.js';
import type { CellException, RolloutRing } from '../../../src/contract/status.js';
import {
  endOf,
  leftOf,
  MAX_SURVEYS,
  newRollbackState,
  nextRollbackStep,
  noteAnswer,
  noteSurvey,
  type RollbackState,
} from '../../../src/domain/rollback/state.js';
import { viewOfRollback } from '../../../src/domain/rollback/view.js';
import { newTrack } from '../../../src/domain/rollout/state.js';
import { V0, V1 } from '../../support/fleet.js';

const NOW = Date.parse('2026-01-02T03:04:05Z');
const OUST = 60_000;

const begin = (more: Record<string, unknown> = {}): RollbackState =>
  newRollbackState({ version: V1, by: 'alice', reason: 'INC-4711', ...more }, NOW);

const ring = (number: number, cells: number, underWay = 0, on?: string[]): RingReturn => ({
  ring: number,
  name: `ring-${number}`,
  cells,
  on: on ?? Array.from({ length: cells }, (_, i) => `c${number}-${i + 1}`),
  targets: { [V0]: cells },
  stays: [],
  staysTotal: 0,
  underWay,
  unknown: 0,
});

const isLeftByPerson = ({ state }: CellException) => state === 'skipped' || state === 'quarantined';

const view = (number: number, rolledBack: number, exceptions: CellException[] = []): RolloutRing => ({
  ring: number,
  name: `ring-${number}`,
  state: 'mixed',
  total: rolledBack + exceptions.length,
  converged: 0,
  inFlight: 0,
  failed: exceptions.filter((e) => !isLeftByPerson(e)).length,
  rolledBack,
  quarantined: 0,
  skipped: 0,
  pending: 0,
  startedAt: null,
  convergedAt: null,
  finishedAt: null,
  exceptions,
  exceptionsTotal: exceptions.length,
  cellsInFlight: [],
  waitingFor: null,
});

/** A pass over the ring has come to its end. */
function wentBack(s: RollbackState, number: number, rolledBack: number, exceptions: CellException[] = []): void {
  const track = newTrack({ ring: number, entered: true }, 'rollback', `r/${number}`, NOW);
  const outcome = exceptions.length === 0 ? ('converged' as const) : ('failed' as const);
  const result = { outcome, code: null, supersededBy: null, reason: '' };
  s.package.tracks[number] = { ...track, stage: 'over', view: view(number, rolledBack, exceptions), result };
}

const REFUSED = { path: 'version', value: V1, expected: 'a package that no cell is coming back to' };

const next = (s: RollbackState) => nextRollbackStep(s, NOW, OUST).do;
const stays = (cell: string, more: Partial<CellException> = {}): CellException => ({
  cell,
  state: 'failed',
  reason: 'rollback needs downtime',
  ...more,
});

describe('a rollback', () => {
  it('announces itself, looks at every cell, takes the rings, and looks again', () => {
    const s = begin();
    expect(next(s)).toBe('announce');
    s.stage = 'survey';
    expect(next(s)).toBe('survey');
    noteSurvey(s, { rings: [ring(2, 2), ring(3, 3)] });
    expect(next(s)).toBe('return');
    expect(s.package.alsoOn).toEqual([2, 3]);
    wentBack(s, 3, 3);
    wentBack(s, 2, 2);
    expect(next(s)).toBe('survey');
    noteSurvey(s, { rings: [] });
    expect(nextRollbackStep(s, NOW, OUST)).toEqual({ do: 'end', state: 'rolled-back' });
  });

  it('goes to rings that only the cluster names, and to no other than the one asked for', () => {
    const all = begin();
    all.named = [0, 3];
    noteSurvey(all, { rings: [ring(2, 1)] });
    expect(all.package.alsoOn).toEqual([2, 0, 3]);
    const one = begin({ ring: 0 });
    one.named = [0, 3];
    noteSurvey(one, { rings: [] });
    expect(one.package.alsoOn).toEqual([0]);
  });

  it('ends at once where no cell runs the package', () => {
    const s = begin();
    noteSurvey(s, { rings: [] });
    expect(nextRollbackStep(s, NOW, OUST)).toEqual({ do: 'end', state: 'rolled-back' });
  });

  it('takes a ring again to which a job in flight brought the package; what went back before stays counted', () => {
    const s = begin();
    noteSurvey(s, { rings: [ring(2, 3)] });
    wentBack(s, 2, 3);
    noteSurvey(s, { rings: [ring(2, 1)] });
    expect(next(s)).toBe('return');
    wentBack(s, 2, 1);
    expect(viewOfRollback(s, NOW).rings).toMatchObject([{ ring: 2, rolledBack: 4, total: 4 }]);
  });

  it('leaves cells alone that a pass has named with the reason', () => {
    const s = begin();
    noteSurvey(s, { rings: [ring(2, 3)] });
    wentBack(s, 2, 2, [stays('c2-1', { needsDowntime: true })]);
    noteSurvey(s, { rings: [ring(2, 1)] });
    expect(nextRollbackStep(s, NOW, OUST)).toEqual({ do: 'end', state: 'rolled-back' });
  });

  it('takes a ring again where a cell is on the package that nobody named, however many others were', () => {
    const s = begin();
    s.package.skips = [{ cell: 'c3-1', by: 'bob', reason: 'later' }];
    noteSurvey(s, { rings: [ring(2, 3), ring(3, 1)] });
    wentBack(s, 3, 0, [stays('c3-1', { state: 'skipped' })]);
    wentBack(s, 2, 2, [stays('c2-1', { reason: 'what it runs is unknown' })]);
    noteSurvey(s, { rings: [ring(2, 1, 0, ['c2-3']), ring(3, 1)] });
    expect(s.package.alsoOn).toEqual([2]);
    expect(next(s)).toBe('return');
  });

  it('of more cells than are named goes by their number', () => {
    const s = begin();
    noteSurvey(s, { rings: [ring(2, 300)] });
    const left = Array.from({ length: 100 }, (_, i) => stays(`c2-${i + 1}`, { needsDowntime: true }));
    wentBack(s, 2, 100, left);
    Object.assign(s.package.tracks[2]?.view ?? {}, { failed: 200, exceptionsTotal: 200 });
    noteSurvey(s, { rings: [ring(2, 200)] });
    expect(next(s)).toBe('end');
  });

  it('ends, whatever comes to the package again and again', () => {
    const s = begin();
    for (let i = 0; i < MAX_SURVEYS; i += 1) {
      expect(['announce', 'survey', 'return']).toContain(next(s));
      noteSurvey(s, { rings: [ring(2, 1)] });
      wentBack(s, 2, 1);
    }
    expect(next(s)).toBe('end');
  });

  it('that a person gives up ends once nothing is under way', () => {
    const s = begin();
    noteSurvey(s, { rings: [ring(2, 1)] });
    const track = newTrack({ ring: 2 }, 'rollback', 'r/1', NOW);
    s.package.tracks[2] = { ...track, stage: 'running', pass: 'p' };
    s.givenUp = { by: 'bob', reason: 'it was the network' };
    expect(next(s)).toBe('wait');
    wentBack(s, 2, 1);
    expect(nextRollbackStep(s, NOW, OUST)).toEqual({ do: 'end', state: 'aborted' });
  });

  it('that the cluster refuses late ends once nothing is under way, and takes no further ring', () => {
    const s = begin();
    noteSurvey(s, { rings: [ring(2, 1), ring(3, 1)] });
    const track = newTrack({ ring: 3 }, 'rollback', 'r/1', NOW);
    s.package.tracks[3] = { ...track, stage: 'running', pass: 'p' };
    expect(noteAnswer(s, { refused: REFUSED, rings: [2, 3] })).toEqual(REFUSED);
    expect(next(s)).toBe('wait');
    wentBack(s, 3, 1);
    expect(nextRollbackStep(s, NOW, OUST)).toEqual({ do: 'end', state: 'aborted' });
    expect(s.givenUp).toEqual({ by: 'coordinator', reason: `refused: expected ${REFUSED.expected}` });
  });

  it('that was accepted is refused by nobody later, and one that is over hears nothing', () => {
    const s = begin();
    expect(noteAnswer(s, { refused: null, rings: [3] })).toBeNull();
    expect(noteAnswer(s, { refused: REFUSED, rings: [] })).toBeNull();
    expect([s.word, s.named, s.givenUp]).toEqual(['accepted', [3], null]);
    const over = begin();
    over.package.end = { state: 'rolled-back', supersededBy: null };
    expect(noteAnswer(over, { refused: REFUSED, rings: [] })).toBeNull();
    expect(over.givenUp).toBeNull();
  });

  it('of which only the plan is asked for takes no ring', () => {
    const s = begin({ dryRun: true });
    noteSurvey(s, { rings: [ring(2, 1)] });
    expect([s.stage, s.package.alsoOn]).toEqual(['announce', []]);
    expect(viewOfRollback(s, NOW)).toMatchObject({ dryRun: true, plan: [{ ring: 2 }] });
  });

  it('names the cells that it left on the package, but for those that a person left there', () => {
    const s = begin();
    wentBack(s, 2, 1, [
      stays('a', { needsDowntime: true }),
      stays('b', { state: 'rollback-failed' }),
      stays('c', { state: 'skipped' }),
      stays('d', { state: 'quarantined' }),
      stays('e', { state: 'left' }),
    ]);
    expect(leftOf(s)).toMatchObject({ total: 2, named: [{ cell: 'a' }, { cell: 'b' }], needDowntime: ['a'] });
    expect(leftOf(s)).not.toHaveProperty('ring');
    const only = { ...s, order: { ...s.order, ring: 3, block: false } };
    expect(leftOf(only)).toMatchObject({ ring: 3, block: false });
    expect(viewOfRollback(only, NOW)).toMatchObject({ ring: 3, block: false });
  });

  it.each([
    ['rolled-back', 'all went back', []],
    ['rolled-back', 'one would go down for it', [stays('a', { needsDowntime: true })]],
    ['rolled-back', 'one was left by a person', [stays('a', { state: 'skipped' })]],
    ['rolled-back', 'one is no cell of the ring any more', [stays('a', { state: 'left' })]],
    ['aborted', 'one could not', [stays('a', { state: 'rollback-failed' })]],
    ['aborted', 'one has nothing to go back to', [stays('a', { reason: 'unknown' })]],
  ])('ends as %s where %s', (state, _what, exceptions) => {
    const s = begin();
    wentBack(s, 2, 1, exceptions);
    expect(endOf(s)).toBe(state);
  });

  it.each([
    ['rolled-back', 'would all go down for it', { failed: 130, needDowntime: 130 }],
    ['rolled-back', 'were partly left by a person', { failed: 110, needDowntime: 110, skipped: 20 }],
    ['aborted', 'were partly not to be taken back', { failed: 130, needDowntime: 129 }],
    ['aborted', 'are not known to need downtime', { failed: 130 }],
  ])('ends as %s where the cells that stay, more than are named, %s', (state, _what, counts) => {
    const s = begin();
    const named = Array.from({ length: 100 }, (_, i) => stays(`c2-${i + 1}`, { needsDowntime: true }));
    wentBack(s, 2, 1, named);
    Object.assign(s.package.tracks[2]?.view ?? {}, { exceptionsTotal: 130, ...counts });
    expect(endOf(s)).toBe(state);
  });
});
