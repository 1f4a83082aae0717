import { describe, expect, it } from 'vitest';
import type { HeldRing } from '../../../src/contract/internal.js';
import { adopt } from '../../../src/domain/rollout/adopt.js';
import { newPackageState, newTrack, type Track } from '../../../src/domain/rollout/state.js';
import { V1 } from '../../support/fleet.js';

const NOW = Date.parse('2026-01-02T03:04:05Z');
const HELD: HeldRing = {
  ring: 2,
  name: 'first-customers',
  soft: false,
  perimeter: false,
  requestId: 'earlier/3',
  purpose: 'deploy',
  pass: 'pass-1',
};

const with2 = (stage: Track['stage'] | null) => {
  const s = newPackageState(V1, null, NOW);
  if (stage) s.tracks[2] = { ...newTrack({ ring: 2 }, 'deploy', 'mine/1', NOW), stage, lost: 1 };
  return s;
};

describe('a pass that an earlier run of the rollout started', () => {
  it('is a ring of this run, which has been entered and has not reported yet', () => {
    const s = with2(null);
    const adopted = adopt(s, HELD, NOW);
    expect(adopted).toMatchObject({ unwanted: null, track: { ...HELD, stage: 'granted', entered: true } });
    expect(s.tracks[2]).toBe(adopted?.track);
  });

  it('takes the place of what this run asked for, which is wanted no more', () => {
    const s = with2('asked');
    expect(adopt(s, HELD, NOW)?.unwanted).toBe('mine/1');
    expect(s.tracks[2]?.requestId).toBe('earlier/3');
  });

  it('is taken over where the ring is over for this run, and what is known of it stays known', () => {
    const s = with2('over');
    expect(adopt(s, HELD, NOW)).toMatchObject({ unwanted: null, track: { lost: 1 } });
  });

  it.each(['granted', 'running'] as const)('is nobody else’s where this run has one itself (%s)', (stage) => {
    const s = with2(stage);
    expect(adopt(s, HELD, NOW)).toBeNull();
    expect(s.tracks[2]?.requestId).toBe('mine/1');
  });

  it('is taken over once', () => {
    const s = with2(null);
    adopt(s, HELD, NOW);
    expect(adopt(s, HELD, NOW)).toBeNull();
  });
});
