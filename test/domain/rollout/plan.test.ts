import { describe, expect, it } from 'vitest';
import { nextOust, nextStep } from '../../../src/domain/rollout/plan.js';
import { newPackageState, noteAbort, type PackageState, type Track } from '../../../src/domain/rollout/state.js';
import { noteNext } from '../../../src/domain/rollout/tracks.js';
import { V1 } from '../../support/fleet.js';

const NOW = 1_000_000;
const VIEW = { exceptions: [] } as unknown as Track['view'];
const CONVERGED: Track['result'] = { outcome: 'converged', code: null, supersededBy: null, reason: '' };

function graduated(more: Partial<PackageState> = {}): PackageState {
  const s = newPackageState(V1, null, NOW);
  return {
    ...s,
    registered: true,
    graduation: { requestId: 'g', by: 'rt', at: '', askedAt: '', accepted: true },
    ...more,
  };
}

function track(ring: number, more: Partial<Track> = {}): Track {
  return {
    ring,
    name: `ring-${ring}`,
    perimeter: ring < 2,
    soft: false,
    purpose: 'deploy',
    requestId: `r${ring}`,
    sinceMs: NOW,
    stage: 'running',
    pass: null,
    held: null,
    view: VIEW,
    result: null,
    baked: false,
    migrationFailed: [],
    migrationFailedAtMs: null,
    mend: false,
    leftBehind: [],
    lost: 0,
    settled: null,
    entered: true,
    stopped: false,
    stoppedAtMs: null,
    again: false,
    ...more,
  };
}

const on = (...tracks: Track[]) => ({ tracks: Object.fromEntries(tracks.map((t) => [t.ring, t])) });
const brake = (expiresAt?: string) => [
  {
    brakeId: 'b',
    scope: 'package' as const,
    mode: 'finish-cells' as const,
    by: 'a',
    reason: 'r',
    since: '',
    ...(expiresAt ? { expiresAt } : {}),
  },
];
const abort = (rollback: boolean) => ({ abort: { by: 'alice', reason: 'bad', rollback } });
const NEXT = { next: { requestId: 'n', after: null, sinceMs: NOW, held: null } };

describe('what a package does next', () => {
  it.each<[string, PackageState, ReturnType<typeof nextStep>]>([
    ['nothing before it is registered', graduated({ registered: false }), { do: 'nothing' }],
    ['nothing before it has graduated', graduated({ graduation: null }), { do: 'nothing' }],
    [
      'nothing while its graduation is judged',
      graduated({ graduation: { requestId: 'g', by: '', at: '', askedAt: '', accepted: null } }),
      { do: 'nothing' },
    ],
    ['asks for the first outer ring', graduated(), { do: 'request-next', after: null }],
    [
      'with rings of the perimeter behind it, too',
      graduated(on(track(0, { stage: 'over' }))),
      { do: 'request-next', after: null },
    ],
    ['waits for the answer', graduated(NEXT), { do: 'nothing' }],
    ['waits while the last ring is not baked', graduated(on(track(2))), { do: 'nothing' }],
    [
      'asks for the next ring when the last has baked',
      graduated(on(track(2, { baked: true }))),
      { do: 'request-next', after: 2 },
    ],
    ['and looks at the outermost only', graduated(on(track(2, { baked: true }), track(3))), { do: 'nothing' }],
    [
      'takes its request back under its own brake',
      graduated({ ...NEXT, brakes: brake() }),
      { do: 'withdraw', requestId: 'n' },
    ],
    [
      'asks for nothing under its own brake',
      graduated({ ...on(track(2, { baked: true })), brakes: brake() }),
      { do: 'nothing' },
    ],
    [
      'one that has expired holds nothing',
      graduated({ brakes: brake(new Date(NOW).toISOString()) }),
      { do: 'request-next', after: null },
    ],
    [
      'a PDM that failed anywhere holds it',
      graduated(on(track(2, { baked: true, migrationFailed: ['c'] }))),
      { do: 'nothing' },
    ],
    [
      'is over when there is no further ring and every one is through',
      graduated({ noMoreRings: true, ...on(track(2, { stage: 'over', baked: true })) }),
      { do: 'end', state: 'converged' },
    ],
    [
      'is not over while one migrates',
      graduated({ noMoreRings: true, ...on(track(2, { baked: true }), track(3, { stage: 'over', baked: true })) }),
      { do: 'nothing' },
    ],
    [
      'is not over where one ended without having baked',
      graduated({ noMoreRings: true, ...on(track(2, { stage: 'over' })) }),
      { do: 'nothing' },
    ],
  ])('%s', (_, state, expected) => {
    expect(nextStep(state, NOW)).toEqual(expected);
  });
});

describe('a ring that is to be entered again', () => {
  const OVER = { stage: 'over', baked: true } as const;
  const again = (...others: Track[]) => graduated(on(track(2, { stage: 'over', again: true }), ...others));

  it('and is none of the outer rings any more holds nothing up: the package goes on after the ring that it got instead', () => {
    const state = again();
    expect(nextStep(state, NOW)).toEqual({ do: 'request-next', after: null });
    noteNext(state, null, 3);
    state.tracks[3] = track(3, OVER);
    expect(nextStep(state, NOW)).toEqual({ do: 'request-next', after: 3 });
    state.noMoreRings = true;
    expect(nextStep(state, NOW)).toEqual({ do: 'end', state: 'converged' });
  });

  it('is still to be entered where the ring that was granted is another one before it', () => {
    const state = again();
    noteNext(state, null, 1);
    expect(state.tracks[2]).toMatchObject({ again: true, baked: false });
  });

  it('is still to be entered where a ring after it had been asked for, or the next one where there was none', () => {
    for (const granted of [4, null]) {
      const state = again(track(3, OVER));
      noteNext(state, 3, granted);
      expect(nextStep(state, NOW)).toEqual({ do: 'request-next', after: null });
    }
  });
});

describe('an abort', () => {
  it.each<[string, PackageState, ReturnType<typeof nextStep>]>([
    [
      'takes back what it asked for first',
      graduated({ ...abort(false), ...NEXT, ...on(track(2)) }),
      { do: 'withdraw', requestId: 'n' },
    ],
    [
      'takes back a ring of the perimeter that it waits for',
      graduated({ ...abort(false), ...on(track(0, { stage: 'asked', view: null })) }),
      { do: 'withdraw', requestId: 'r0' },
    ],
    ['stops its passes', graduated({ ...abort(false), ...on(track(2)) }), { do: 'stop-passes', outcome: 'aborted' }],
    [
      'also one that is just granted',
      graduated({ ...abort(true), ...on(track(2, { stage: 'granted', view: null })) }),
      { do: 'stop-passes', outcome: 'aborted' },
    ],
    ['waits for them to settle', graduated({ ...abort(false), ...on(track(2, { stopped: true })) }), { do: 'nothing' }],
    [
      'then ends aborted',
      graduated({ ...abort(false), ...on(track(2, { stage: 'over' })) }),
      { do: 'end', state: 'aborted' },
    ],
    ['before anything was done ends at once', graduated(abort(false)), { do: 'end', state: 'aborted' }],
    [
      'works before the package is registered',
      graduated({ ...abort(false), registered: false }),
      { do: 'end', state: 'aborted' },
    ],
    [
      'wins over a brake',
      graduated({ ...abort(false), brakes: brake(), ...on(track(2)) }),
      { do: 'stop-passes', outcome: 'aborted' },
    ],
    [
      'with rollback goes to the outermost ring first',
      graduated({
        ...abort(true),
        ...on(track(0, { stage: 'over' }), track(2, { stage: 'over' }), track(3, { stage: 'over' })),
      }),
      { do: 'roll-back', ring: 3 },
    ],
    [
      'one ring after the other',
      graduated({ ...abort(true), ...on(track(2, { stage: 'over' }), track(3, { purpose: 'rollback' })) }),
      { do: 'nothing' },
    ],
    [
      'then the next',
      graduated({
        ...abort(true),
        ...on(track(2, { stage: 'over' }), track(3, { purpose: 'rollback', stage: 'over', result: CONVERGED })),
      }),
      { do: 'roll-back', ring: 2 },
    ],
    [
      'asks again for a ring that its pass was not let into',
      graduated({
        ...abort(true),
        ...on(
          track(2, { stage: 'over' }),
          track(3, { purpose: 'rollback', stage: 'over', result: { ...CONVERGED, outcome: 'yielded' } }),
        ),
      }),
      { do: 'roll-back', ring: 3 },
    ],
    [
      'leaves out a ring that it never entered',
      graduated({ ...abort(true), ...on(track(2, { stage: 'over', view: null, entered: false })) }),
      { do: 'end', state: 'rolled-back' },
    ],
    [
      'ends rolled-back when all that could went back',
      graduated({ ...abort(true), ...on(track(2, { purpose: 'rollback', stage: 'over', result: CONVERGED })) }),
      { do: 'end', state: 'rolled-back' },
    ],
    [
      'ends aborted where a cell could not',
      graduated({
        ...abort(true),
        ...on(
          track(2, {
            purpose: 'rollback',
            stage: 'over',
            result: { ...CONVERGED, outcome: 'failed' } as Track['result'],
          }),
        ),
      }),
      { do: 'end', state: 'aborted' },
    ],
  ])('%s', (_, state, expected) => {
    expect(nextStep(state, NOW)).toEqual(expected);
  });
});

describe('a pass that does not end for the rollback of its package', () => {
  const MINUTE = 60_000;
  const stopped = (more: Partial<Track> = {}) =>
    on(track(2, { stopped: true, stoppedAtMs: NOW, pass: 'first-run', ...more }));

  it('has a minute, and is then to be terminated', () => {
    const s = graduated({ ...abort(true), ...stopped() });
    expect(nextStep(s, NOW + MINUTE - 1)).toEqual({ do: 'nothing' });
    expect(nextOust(s, NOW, MINUTE)).toBe(NOW + MINUTE);
    expect(nextStep(s, NOW + MINUTE)).toEqual({ do: 'oust', ring: 2 });
    expect(nextOust(s, NOW + MINUTE, MINUTE)).toBeNull();
  });

  it('has its minute from the rollback, and not from an abort before it', () => {
    const s = graduated({ ...abort(false), ...stopped() });
    noteAbort(s, { by: 'bob', reason: 'worse', rollback: true }, NOW + MINUTE);
    expect(nextOust(s, NOW + MINUTE, MINUTE)).toBe(NOW + 2 * MINUTE);
    noteAbort(s, { by: 'bob', reason: 'again', rollback: false }, NOW + 2 * MINUTE);
    expect(s.abort).toMatchObject({ reason: 'again', rollback: true });
    expect(nextStep(s, NOW + 2 * MINUTE)).toEqual({ do: 'oust', ring: 2 });
  });

  it.each<[string, PackageState]>([
    ['an abort that takes nothing back lets it settle', graduated({ ...abort(false), ...stopped() })],
    ['one that Temporal has not started cannot be', graduated({ ...abort(true), ...stopped({ pass: null }) })],
    ['a rollback is not', graduated({ ...abort(true), ...stopped({ purpose: 'rollback' }) })],
  ])('%s', (_, s) => {
    expect(nextStep(s, NOW + 10 * MINUTE)).toEqual({ do: 'nothing' });
    expect(nextOust(s, NOW, MINUTE)).toBeNull();
  });
});

describe('an end', () => {
  const end = { end: { state: 'superseded' as const, supersededBy: 'v' } };
  it.each<[string, PackageState, ReturnType<typeof nextStep>]>([
    ['takes back what was asked for', graduated({ ...end, ...NEXT }), { do: 'withdraw', requestId: 'n' }],
    ['stops its passes once', graduated({ ...end, ...on(track(2)) }), { do: 'stop-passes', outcome: 'superseded' }],
    ['and lets them settle', graduated({ ...end, ...on(track(2, { stopped: true })) }), { do: 'nothing' }],
    [
      'stops them in every ring: also the one that rolls, beside one in its grace period that was told',
      graduated({ ...end, ...on(track(2, { baked: true, stopped: true }), track(3)) }),
      { do: 'stop-passes', outcome: 'superseded' },
    ],
    [
      'asks for no further ring, baked or not',
      graduated({ ...end, ...on(track(2, { baked: true, stopped: true }), track(3, { baked: true, stage: 'over' })) }),
      { do: 'nothing' },
    ],
    [
      'wins over an abort',
      graduated({ ...end, ...abort(true), ...on(track(2, { stage: 'over' })) }),
      { do: 'nothing' },
    ],
  ])('%s', (_, state, expected) => {
    expect(nextStep(state, NOW)).toEqual(expected);
  });
});
