import { describe, expect, it } from 'vitest';
import { beginTurn } from '../../../src/domain/cluster/holders.js';
import { judgeRegistration, recordEnd, recordGraduation } from '../../../src/domain/cluster/packages.js';
import {
  type ClusterState,
  newClusterState,
  newRingRecord,
  type QueuedRequest,
} from '../../../src/domain/cluster/state.js';
import { V1, V2 } from '../../support/fleet.js';

const NOW = Date.parse('2026-01-02T03:04:05Z');

function cluster(): ClusterState {
  const state = newClusterState();
  state.rings[2] = newRingRecord('ring-2');
  return state;
}

function registers(state: ClusterState, version: string, chartVersion: string | null = null) {
  const message = { version, run: 'run', startedAtMs: NOW, chartVersion, reopen: false, graduatedAt: null };
  return judgeRegistration(state, message);
}

const graduates = (state: ClusterState, version: string, chartVersion: string | null = null) =>
  recordGraduation(state, { requestId: 'g', version, chartVersion, lane: null, by: 'rt', at: '' });

const asks = (version: string) =>
  ({ requestId: 'run/1', version, purpose: 'deploy', ring: 2, sender: '' }) as unknown as QueuedRequest;

describe('the same package under longer shas', () => {
  const LONGER = V1.replace('6a387d336a7.c1c3e017782', '6a387d336a7abcdef.c1c3e017782abcdef');

  it.each<[string, (state: ClusterState, version: string) => unknown]>([
    ['is open', (state, version) => registers(state, version)],
    ['has graduated', graduates],
    ['waits for a ring', (state, version) => state.queue.push(asks(version))],
    ['holds a ring', (state, version) => beginTurn(state, 2, asks(version), 'pass', NOW)],
    [
      'has been aborted',
      (state, version) => recordEnd(state, { version, state: 'aborted', supersededBy: null, run: 'run' }, NOW),
    ],
  ])('is refused where it %s, and is told how it is known', (_, happened) => {
    for (const [known, other] of [
      [V1, LONGER],
      [LONGER, V1],
    ] as const) {
      const state = cluster();
      happened(state, known);
      expect(registers(state, other).conflict).toEqual({
        path: 'version',
        value: other,
        expected: expect.stringContaining(known),
      });
      expect(state.rollouts[other]).toBeUndefined();
      expect(registers(state, known).conflict).toBeNull();
      expect(registers(state, V2).conflict).toBeNull();
    }
  });

  it('may be what AMP says that a ring runs: its name is nobody’s yet', () => {
    const state = cluster();
    if (state.rings[2]) state.rings[2].desired = LONGER;
    expect(registers(state, V1).conflict).toBeNull();
  });
});
