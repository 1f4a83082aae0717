import { describe, expect, it } from 'vitest';
import { beginTurn } from '../../../src/domain/cluster/holders.js';
import {
  judgeGraduation,
  judgeRegistration,
  noteAborting,
  noteChart,
  recordEnd,
  recordGraduation,
} from '../../../src/domain/cluster/packages.js';
import { notePackageBrakes, packageBrake } from '../../../src/domain/cluster/reconcile.js';
import {
  type ClusterState,
  newClusterState,
  newRingRecord,
  type QueuedRequest,
  trim,
} from '../../../src/domain/cluster/state.js';
import { V1, V2 } from '../../support/fleet.js';

const NOW = Date.parse('2026-01-02T03:04:05Z');

function cluster(): ClusterState {
  const state = newClusterState();
  state.rings[2] = newRingRecord('ring-2');
  return state;
}

function registers(
  state: ClusterState,
  version: string,
  chartVersion: string | null = null,
  reopen = false,
  run = 'run',
) {
  const message = { version, run, startedAtMs: NOW, chartVersion, reopen, graduatedAt: null };
  return judgeRegistration(state, message);
}

describe('a rollout that is being aborted', () => {
  const isAborting = (state: ClusterState) => state.rollouts[V1]?.aborting ?? false;

  it('is known by the last run that registered, until that begins anew', () => {
    const state = cluster();
    registers(state, V1);
    noteAborting(state, { version: V1, run: 'an earlier one' });
    expect(isAborting(state)).toBe(false);
    noteAborting(state, { version: V1, run: 'run' });
    expect(isAborting(state)).toBe(true);
    registers(state, V1, null, true, 'the next one');
    expect(isAborting(state)).toBe(false);
  });

  it('says so to a cluster that has lost its state', () => {
    const state = cluster();
    const known = { chartVersion: null, reopen: false, graduatedAt: null };
    judgeRegistration(state, { version: V1, run: 'run', startedAtMs: NOW, ...known, aborting: true });
    expect(isAborting(state)).toBe(true);
  });

  it('of which nothing is known is none', () => {
    const state = cluster();
    noteAborting(state, { version: V1, run: 'run' });
    expect(state).toEqual(cluster());
  });

  it('and was terminated is opened again by a person alone', () => {
    const state = cluster();
    registers(state, V1);
    noteAborting(state, { version: V1, run: 'run' });
    expect(registers(state, V1, null, false, 'another')).toMatchObject({ endedAs: 'aborted', endedRun: null });
    expect(isAborting(state)).toBe(true);
    expect(registers(state, V1, null, true, 'another')).toMatchObject({ endedAs: null });
    expect(isAborting(state)).toBe(false);
  });

  it('that looks at a converged package again is known beside how that ended, until it has ended itself', () => {
    const state = cluster();
    const ended = (run: string) => ({ version: V1, state: 'converged' as const, supersededBy: null, run });
    registers(state, V1);
    recordEnd(state, ended('run'), NOW);
    noteAborting(state, { version: V1, run: 'another' });
    expect(state.ended[V1]?.aborting).toBe(true);
    recordEnd(state, { ...ended('another'), state: 'aborted' }, NOW);
    expect(state.ended[V1]).not.toHaveProperty('aborting');
  });
});

describe('the brakes of a package', () => {
  const brake = {
    brakeId: 'stop',
    scope: 'package',
    mode: 'finish-cells',
    by: 'alice',
    reason: 'bad',
    since: '',
  } as const;
  const braked = (state: ClusterState, epoch = 'run') =>
    notePackageBrakes(state, { version: V1, epoch, seq: 1, brakes: [brake] });
  const anew = (state: ClusterState, run = 'anew', reopen = false) => registers(state, V1, null, reopen, run).braked;

  it('hold on for a run that begins in the place of one that has not ended', () => {
    const state = cluster();
    registers(state, V1);
    expect(anew(state)).toBeUndefined();
    braked(state, 'anew');
    expect(anew(state, 'and again')).toEqual([brake]);
  });

  it('are not told to the run whose own they are: what a person took off there stays off', () => {
    const state = cluster();
    registers(state, V1);
    braked(state);
    expect(anew(state, 'run')).toBeUndefined();
  });

  it('hold on where the run in between was one of which nothing was accepted', () => {
    const state = cluster();
    registers(state, V1);
    braked(state);
    anew(state, 'rejected');
    recordEnd(state, { version: V1, state: 'aborted', supersededBy: null, run: 'rejected', forget: true }, NOW);
    expect(anew(state)).toEqual([brake]);
  });

  it('are over with a rollout that has ended, also for a person who opens it again', () => {
    const state = cluster();
    registers(state, V1);
    braked(state);
    recordEnd(state, { version: V1, state: 'aborted', supersededBy: null, run: 'run' }, NOW);
    expect(anew(state)).toBeUndefined();
    expect(anew(state, 'anew', true)).toBeUndefined();
  });

  describe('that only the ledger remembers', () => {
    const lost = (sinceMs: number) => {
      const state = cluster();
      state.lostBrakes = { [V1]: [{ ...brake, since: new Date(sinceMs).toISOString() }] };
      return state;
    };

    it('are the next run’s, which is told them until it has told its own', () => {
      const state = lost(NOW - 1);
      expect(anew(state)).toMatchObject([{ brakeId: 'stop' }]);
      expect(packageBrake(state, V1, NOW)).toMatchObject({ brakeId: 'stop' });
      expect(anew(state)).toMatchObject([{ brakeId: 'stop' }]);
      notePackageBrakes(state, { version: V1, epoch: 'anew', seq: 0, brakes: [] });
      expect(anew(state)).toBeUndefined();
    });

    it('are not told to a run that goes on since before: it knows whether they were released', () => {
      const state = lost(NOW);
      expect(anew(state)).toBeUndefined();
      expect(packageBrake(state, V1, NOW)).toBeNull();
    });
  });
});

const asksToGraduate = (version: string, chartVersion: string | null = null) => ({
  requestId: 'g',
  version,
  chartVersion,
  lane: null,
  by: 'rt',
  at: '',
});
const graduates = (state: ClusterState, version: string, chartVersion: string | null = null) =>
  recordGraduation(state, asksToGraduate(version, chartVersion));

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

describe('the chart of a package', () => {
  const CHART = '8.10.5';
  const conflict = { path: 'chartVersion', expected: expect.stringContaining(`${CHART}, the chart of this package`) };

  function expectOnlyItsOwn(state: ClusterState): void {
    expect(registers(state, V1, '8.10.6').conflict).toMatchObject(conflict);
    expect(judgeGraduation(state, null, asksToGraduate(V1, '8.10.6'))).toMatchObject(conflict);
    for (const chart of [CHART, null]) {
      expect(registers(state, V1, chart).conflict).toBeNull();
      expect(judgeGraduation(state, null, asksToGraduate(V1, chart))).toBeNull();
    }
  }

  it.each<[string, (state: ClusterState) => unknown]>([
    ['it began with', (state) => registers(state, V1, CHART)],
    ['it graduated with', (state) => [registers(state, V1), graduates(state, V1, CHART)]],
    ['its cells run it with', (state) => [registers(state, V1), noteChart(state, V1, CHART)]],
  ])('that %s is its only one, also for a run that begins anew', (_, happened) => {
    const state = cluster();
    happened(state);
    expectOnlyItsOwn(state);
    registers(state, V1);
    expectOnlyItsOwn(state);
  });

  it('is the first that its cells were seen to run it with', () => {
    const state = cluster();
    registers(state, V1);
    for (const chart of [null, CHART, '8.10.6']) noteChart(state, V1, chart);
    expectOnlyItsOwn(state);
  });

  it.each(['aborted', 'rolled-back', 'expired'] as const)('outlives that it was %s and is opened again', (ended) => {
    const state = cluster();
    registers(state, V1, CHART);
    recordEnd(state, { version: V1, state: ended, supersededBy: null, run: 'run' }, NOW);
    expect(registers(state, V1, '8.10.6', true)).toMatchObject({ conflict, endedAs: null });
    expect(registers(state, V1)).toMatchObject({ endedAs: ended, chartVersion: CHART });
    expect(registers(state, V1, null, true)).toMatchObject({ conflict: null, endedAs: null, chartVersion: CHART });
    expectOnlyItsOwn(state);
  });

  it('what was superseded or has converged no one opens', () => {
    const state = cluster();
    registers(state, V1);
    recordEnd(state, { version: V1, state: 'superseded', supersededBy: V2, run: 'run' }, NOW);
    expect(registers(state, V1, null, true)).toMatchObject({ endedAs: 'superseded', supersededBy: V2 });
    expect(state.rollouts[V1]).toBeUndefined();
  });
});

describe('a run of which nothing was accepted', () => {
  const ends = (state: ClusterState, run: string) =>
    recordEnd(state, { version: V1, state: 'aborted', supersededBy: null, run, forget: true }, NOW);

  it('leaves nothing behind, not even its chart', () => {
    const state = cluster();
    registers(state, V1, '8.10.6');
    ends(state, 'run');
    expect(state).toEqual(cluster());
  });

  it('leaves what an earlier run of the package was as it was', () => {
    const state = cluster();
    registers(state, V1, '8.10.5');
    graduates(state, V1);
    const before = structuredClone(state);
    // Asked again while its cluster is away, it registers again.
    for (let i = 0; i < 2; i += 1) registers(state, V1, null, false, 'anew');
    expect(state.rollouts[V1]).toMatchObject({ run: 'anew', chartVersion: '8.10.5' });
    ends(state, 'anew');
    expect(state.graduated).toEqual(before.graduated);
    expect(state.ended).toEqual({});
    expect(state.rollouts[V1]).toMatchObject({ run: 'run', chartVersion: '8.10.5' });
  });
});

describe('rollouts that nobody ended', () => {
  const version = (i: number) => `17.${i}.202503180906-6a387d336a7.c1c3e017782`;
  const began = (state: ClusterState, i: number) => {
    const message = { version: version(i), run: `run-${i}`, startedAtMs: NOW + i, chartVersion: null };
    judgeRegistration(state, { ...message, reopen: false, graduatedAt: null });
  };

  it('are forgotten, the oldest first, once they are too many; those that have or want a ring never', () => {
    const state = cluster();
    for (let i = 204; i > 0; i -= 1) began(state, i);
    state.queue.push(asks(version(1)));
    beginTurn(state, 2, asks(version(3)), 'pass', NOW);
    trim(state);
    const known = Object.keys(state.rollouts);
    expect(known).toHaveLength(200);
    expect([1, 2, 3, 4, 5, 6, 7].filter((i) => !known.includes(version(i)))).toEqual([2, 4, 5, 6]);
    trim(state);
    expect(Object.keys(state.rollouts)).toEqual(known);
  });

  it('are heard all the same when they turn out to be open', () => {
    const state = cluster();
    for (let i = 201; i > 0; i -= 1) began(state, i);
    trim(state);
    expect(state.rollouts[version(1)]).toBeUndefined();
    graduates(state, version(1));
    recordEnd(state, { version: version(1), state: 'aborted', supersededBy: null, run: 'run-1' }, NOW);
    expect(state.graduated).toEqual([]);
    expect(registers(state, version(1))).toMatchObject({ endedAs: 'aborted' });
  });
});

describe('packages that ended', () => {
  const version = (i: number) => `17.${i}.202503180906-6a387d336a7.c1c3e017782`;
  const ends = (state: ClusterState, i: number) =>
    recordEnd(state, { version: version(i), state: 'converged', supersededBy: null, run: `run-${i}` }, NOW + i);

  it('are forgotten, the oldest first, once they are too many; those that a ring has or is to have never', () => {
    const state = cluster();
    for (let i = 104; i > 0; i -= 1) ends(state, i);
    const [ring] = Object.values(state.rings);
    if (!ring) throw new Error('no ring');
    Object.assign(ring, { desired: version(2), observed: { [version(1)]: 1 } });
    trim(state);
    const known = Object.keys(state.ended);
    expect([1, 2, 3, 4, 5, 6].filter((i) => !known.includes(version(i)))).toEqual([3, 4]);
    expect(known).toHaveLength(102);
  });
});
