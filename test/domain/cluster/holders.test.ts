import { describe, expect, it } from 'vitest';
import type { ClaimRing, PassSpeaks } from '../../../src/contract/internal.js';
import { claimTurn, endTurn, forgetUnmet, meetPass } from '../../../src/domain/cluster/holders.js';
import { type ClusterState, newClusterState, newRingRecord } from '../../../src/domain/cluster/state.js';
import { V0, V1, V2 } from '../../support/fleet.js';

const NOW = Date.parse('2026-01-02T03:04:05Z');

function began(unmet: number[] | null = [2]): ClusterState {
  const state = newClusterState();
  state.rings[2] = { ...newRingRecord('two'), desired: V0, observed: { [V0]: 3 } };
  return Object.assign(state, { unmet });
}

const claim = (more: Partial<ClaimRing> = {}): ClaimRing => ({
  requestId: 'run/1',
  version: V1,
  chartVersion: '8.10.5',
  ring: 2,
  purpose: 'deploy',
  lane: 'urgent',
  approved: [],
  sinceMs: NOW - 1_000,
  pass: 'pass-1',
  ...more,
});
const speaks = (more: Partial<PassSpeaks> = {}): PassSpeaks => ({
  ring: 2,
  requestId: 'run/1',
  pass: 'pass-1',
  version: V1,
  purpose: 'deploy',
  ...more,
});

describe('a cluster that began without memory', () => {
  it('takes a claim with all that was asked for, and knows the pass', () => {
    const state = began();
    claimTurn(state, claim(), NOW);
    expect(state.turns[2]).toMatchObject({ pass: 'pass-1', before: V0, request: { lane: 'urgent', at: 2 } });
    expect([state.unmet, state.rings[2]?.desired]).toEqual([[], V1]);
  });

  it('still waits for the pass of a claim that does not know it', () => {
    const state = began();
    claimTurn(state, claim({ pass: null }), NOW);
    expect([state.turns[2]?.pass, state.unmet]).toEqual([null, [2]]);
    meetPass(state, speaks(), NOW);
    expect([state.turns[2]?.pass, state.turns[2]?.request.lane, state.unmet]).toEqual(['pass-1', 'urgent', []]);
  });

  it('takes a pass that nobody claims at its word', () => {
    const state = began();
    meetPass(state, speaks(), NOW);
    const request = { requestId: 'run/1', version: V1, purpose: 'deploy', sender: `package-rollout/${V1}` };
    expect(state.turns[2]).toMatchObject({ pass: 'pass-1', state: 'rolling', request });
    expect([state.unmet, state.rings[2]?.desired]).toEqual([[], V1]);
    claimTurn(state, claim({ pass: null }), NOW);
    expect(state.turns[2]).toMatchObject({ pass: 'pass-1', before: V0, request: { lane: 'urgent' } });
  });

  it('gives a ring that one holds to no other', () => {
    const state = began([]);
    claimTurn(state, claim(), NOW);
    claimTurn(state, claim({ requestId: 'other/1', version: V2 }), NOW);
    meetPass(state, speaks({ requestId: 'other/1', pass: 'pass-2', version: V2 }), NOW);
    expect(state.turns[2]).toMatchObject({ pass: 'pass-1', request: { version: V1 } });
  });

  it('does not take a pass that speaks later for one that was there before', () => {
    for (const unmet of [null, []]) {
      const state = began(unmet);
      meetPass(state, speaks(), NOW);
      forgetUnmet(state, 2);
      expect([state.turns, state.unmet]).toEqual([{}, unmet]);
    }
  });
});

describe('a ring that is free again', () => {
  it('is to run what it ran before, where no cell has the package', () => {
    const state = began();
    claimTurn(state, claim(), NOW);
    endTurn(state, 2);
    expect([state.turns, state.rings[2]?.desired, state.rings[2]?.state]).toEqual([{}, V0, 'idle']);
  });

  it('is to run the package that some cell of it has', () => {
    const state = began();
    claimTurn(state, claim(), NOW);
    Object.assign(state.rings[2] ?? {}, { observed: { [V0]: 2, [V1]: 1 }, state: 'halted' });
    endTurn(state, 2);
    expect([state.rings[2]?.desired, state.rings[2]?.state]).toEqual([V1, 'halted']);
  });
});
