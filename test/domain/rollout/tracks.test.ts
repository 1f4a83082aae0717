import { describe, expect, it } from 'vitest';
import type { PassResult, RingReport } from '../../../src/contract/internal.js';
import { newPackageState, newTrack, type Track } from '../../../src/domain/rollout/state.js';
import { missedRetry, noteReport, noteStarted } from '../../../src/domain/rollout/tracks.js';
import { noteOverride } from '../../../src/domain/rollout/waits.js';
import { V1 } from '../../support/fleet.js';

const NOW = 1_000_000;

interface Left {
  failed: number;
  rolledBack: number;
  pending?: number;
}

function missed(track: Partial<Track>, heard: number | undefined, left: Left = { failed: 0, rolledBack: 1 }): boolean {
  const report = { ended: true, view: { pending: 0, ...left }, ...(heard === undefined ? {} : { retries: heard }) };
  return missedRetry({ ...newTrack({ ring: 2 }, 'deploy', 'r', NOW), ...track }, report as unknown as RingReport);
}

const ended = (outcome: PassResult['outcome']) => ({
  result: { outcome, code: null, supersededBy: null, reason: '' },
});

describe('a retry that reached a pass when all was over for it', () => {
  it.each<[string, boolean, boolean]>([
    ['is done by another pass: a cell went back', missed({ retries: 1 }, 0), true],
    ['a cell failed', missed({ retries: 1 }, 0, { failed: 1, rolledBack: 0 }), true],
    ['it was the second', missed({ retries: 2 }, 1), true],
    ['the ring failed, and is soft', missed({ retries: 1, ...ended('failed') }, 0), true],
    ['it converged within its budget', missed({ retries: 1, ...ended('converged') }, 0), true],
    [
      'its budget bore a busy cell',
      missed({ retries: 1, ...ended('converged') }, 0, { failed: 0, rolledBack: 0, pending: 1 }),
      true,
    ],
    [
      'not where what is left was never begun',
      missed({ retries: 1, ...ended('aborted') }, 0, { failed: 0, rolledBack: 0, pending: 1 }),
      false,
    ],
    ['not where the pass has heard it', missed({ retries: 1 }, 1), false],
    ['nor where nobody asked', missed({}, 0), false],
    ['nor where nothing is left to do', missed({ retries: 1 }, 0, { failed: 0, rolledBack: 0 }), false],
    ['nor where a newer package took the ring', missed({ retries: 1, ...ended('superseded') }, 0), false],
    ['nor where the ring was past the package', missed({ retries: 1, ...ended('refused') }, 0), false],
  ])('%s', (_, is, expected) => {
    expect(is).toBe(expected);
  });

  it('is none of the next pass’s', () => {
    const before = { ...newTrack({ ring: 2 }, 'deploy', 'r', NOW), retries: 3 };
    expect(newTrack(before, 'deploy', 'r2', NOW).retries ?? 0).toBe(0);
  });
});

describe('the word that a pass has been started', () => {
  const heard = (ended: boolean): Track => {
    const track: Track = { ...newTrack({ ring: 2 }, 'rollback', 'r', NOW), stage: 'granted' };
    const view = { ring: 2, exceptions: [] };
    const report = { ended, view, pass: 'p', result: null, migrationFailed: [], baked: false, observed: {} };
    noteReport(newPackageState(V1, null, NOW), track, report as unknown as RingReport, NOW);
    noteStarted(track, 'p');
    return track;
  };

  it('begins it, and whatever was to stop it meanwhile is told to it again', () => {
    const track: Track = { ...newTrack({ ring: 2 }, 'deploy', 'r', NOW), stage: 'granted', stopped: true };
    noteStarted(track, 'p');
    expect(track).toMatchObject({ stage: 'running', pass: 'p', stopped: false });
  });

  it('comes after its reports where a task brings both: one that is over stays so', () => {
    expect(heard(false).stage).toBe('running');
    expect(heard(true)).toMatchObject({ stage: 'over', pass: 'p' });
  });
});

describe('a clock that a person ended', () => {
  const track = newTrack({ ring: 2 }, 'deploy', 'r', NOW);
  const view = { exceptions: [], failed: 0, rolledBack: 0 };
  const reports = (ended: boolean) => {
    const s = newPackageState(V1, null, NOW);
    for (const ring of [2, 3]) noteOverride(s, ring, 'bake');
    const report = { ended, view, pass: 'p', result: null, migrationFailed: [], baked: true, observed: {} };
    noteReport(s, { ...track }, report as unknown as RingReport, NOW);
    return s.overridden;
  };

  it('stays ended for a pass that takes the place of a lost one, and for no pass after it', () => {
    expect(reports(false)).toEqual([
      { ring: 2, wait: 'bake' },
      { ring: 3, wait: 'bake' },
    ]);
    expect(reports(true)).toEqual([{ ring: 3, wait: 'bake' }]);
  });

  it('is a clock: what is not known, or fails, each pass asks about itself', () => {
    const s = newPackageState(V1, null, NOW);
    for (const wait of ['health', 'check', 'grace-period'] as const) noteOverride(s, 2, wait);
    expect(s.overridden).toEqual([{ ring: 2, wait: 'grace-period' }]);
  });
});

describe('a pass after one that did not come to its end', () => {
  const cell = (state: string, id: string) => ({ cell: id, state, reason: 'job-1 failed' });
  const view = { exceptions: [cell('rolled-back', 'a'), cell('failed', 'b'), cell('busy', 'c'), cell('skipped', 'd')] };
  const trackAfter = (before: Partial<Track>) =>
    newTrack({ ...newTrack({ ring: 2 }, 'deploy', 'r1', NOW), view, ...before } as Track, 'deploy', 'r2', NOW);
  const left = (before: Partial<Track>) => trackAfter(before).leftBehind.map((e) => e.cell);

  it('leaves alone what failed in one that was lost, or gave its ring to a rollback', () => {
    expect(left({ lost: 1 })).toEqual(['a', 'b']);
    expect(left(ended('yielded'))).toEqual(['a', 'b']);
  });

  it.each([
    ['is told of it by a pass that has not looked', {}, ['a', 'b']],
    ['and goes by what that pass has seen, once it has looked', { [V1]: 4 }, ['e']],
  ])('%s', (_, observed, expected) => {
    const second = trackAfter({ lost: 1 });
    const exceptions = expected.includes('e') ? [cell('rolled-back', 'e')] : [];
    const result = { outcome: 'yielded', code: null, supersededBy: null, reason: '' };
    const report = {
      ended: true,
      view: { exceptions },
      pass: 'p',
      result,
      migrationFailed: [],
      baked: false,
      observed,
    };
    noteReport(newPackageState(V1, null, NOW), second, report as unknown as RingReport, NOW);
    expect(newTrack(second, 'deploy', 'r3', NOW).leftBehind.map((e) => e.cell)).toEqual(expected);
  });

  it('tries it where a person has asked for that', () => {
    expect(left({ ...ended('yielded'), mend: true })).toEqual([]);
    expect(left(ended('halted'))).toEqual([]);
  });
});
