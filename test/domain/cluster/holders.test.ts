import { describe, expect, it } from 'vitest';
import type { ClaimRing, PassSpeaks, RingReport } from '../../../src/contract/internal.js';
import {
  claimTurn,
  endTurn,
  enterTurn,
  forgetEarlierRun,
  forgetUnmet,
  handOver,
  loseStarter,
  meetPass,
  noteRing,
  noteSystemic,
  takeRequest,
  watchedTurns,
  whoIsGone,
} from '../../../src/domain/cluster/holders.js';
import { isFromEarlierRun } from '../../../src/domain/cluster/packages.js';
import { type ClusterState, newClusterState, newRingRecord } from '../../../src/domain/cluster/state.js';
import { putInForce } from '../../../src/domain/cluster/topology.js';
import { decideTurns } from '../../../src/domain/cluster/turns.js';
import { parseTopology, type Topology } from '../../../src/domain/topology/index.js';
import { cell, fleet, V0, V1, V2 } from '../../support/fleet.js';

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

describe('a package that stopped by its own fault', () => {
  const stopped = (systemicSinceMs: number, version = V1) => ({
    version,
    systemic: true,
    systemicSinceMs,
    baked: false,
  });

  it('is remembered with when it stopped, and not with when that was told again', () => {
    const state = began();
    noteSystemic(state, 2, stopped(NOW), NOW + 5);
    noteSystemic(state, 2, stopped(NOW), NOW + 9);
    expect(state.systemic).toEqual({ version: V1, ring: 2, sinceMs: NOW });
  });

  it('has stopped since then where it stops once more after a retry', () => {
    const state = began();
    noteSystemic(state, 2, stopped(NOW), NOW);
    noteSystemic(state, 2, { version: V1, systemic: false, baked: false }, NOW + 1);
    noteSystemic(state, 2, stopped(NOW + 7), NOW + 8);
    expect(state.systemic).toMatchObject({ sinceMs: NOW + 7 });
  });

  it('is fixed in what a block says that was there before it stopped', () => {
    const block = { by: 'alice', reason: 'INC-4711', since: '2026-01-02T03:04:05Z' };
    const state = Object.assign(began(), { blocked: [{ ...block, version: V1, fixedIn: V2 }] });
    noteSystemic(state, 2, stopped(NOW), NOW);
    expect(state.systemic).toEqual({ version: V1, ring: 2, sinceMs: NOW, fixedIn: V2 });
    noteSystemic(state, 2, { version: V1, systemic: false, baked: false }, NOW + 1);
    noteSystemic(state, 2, stopped(NOW + 7), NOW + 8);
    expect(state.systemic).toMatchObject({ sinceMs: NOW + 7, fixedIn: V2 });
  });

  it('gives way to a newer one that stops, and to none that is older', () => {
    const state = began();
    noteSystemic(state, 2, stopped(NOW, V2), NOW);
    noteSystemic(state, 3, stopped(NOW + 1), NOW + 1);
    expect(state.systemic).toMatchObject({ version: V2, ring: 2 });
  });

  it('is forgotten once a newer one, or itself, has baked where it stopped', () => {
    const state = began();
    noteSystemic(state, 2, stopped(NOW), NOW);
    noteSystemic(state, 3, { version: V2, systemic: false, baked: true }, NOW);
    expect(state.systemic).toMatchObject({ version: V1 });
    noteSystemic(state, 2, { version: V2, systemic: false, baked: true }, NOW);
    expect(state.systemic).toBeNull();
  });

  describe('and whose ring the topology takes away', () => {
    const outer = (...rings: number[]) =>
      fleet(Object.fromEntries(rings.map((ring) => [ring, 1]))) as never as Topology;
    const external = (topology: Topology, ring: number): Topology => ({
      ...topology,
      rings: topology.rings.map((r) => (r.ring === ring ? { ...r, deployedBy: 'external' } : r)),
    });

    it.each<[string, Topology, number]>([
      ['is remembered in it, while it is there', outer(2, 3, 5), 3],
      ['is remembered in the one after it', outer(2, 5, 6), 5],
      ['is remembered in the last one, where none is after it', outer(2), 2],
      ['is remembered in the one after it, too, where others deploy it now', external(outer(2, 3, 5), 3), 5],
      ['and never in one that others deploy', external(outer(2, 5, 6), 5), 6],
      ['stays where it is, where there is no outer ring', outer(), 3],
    ])('%s', (_, topology, ring) => {
      const state = newClusterState();
      putInForce(state, outer(2, 3, 5), [], NOW);
      noteSystemic(state, 3, stopped(NOW), NOW);
      putInForce(state, topology, [], NOW);
      expect(state.systemic).toEqual({ version: V1, ring, sinceMs: NOW });
      noteSystemic(state, ring, { version: V2, systemic: false, baked: true }, NOW);
      expect(state.systemic).toBeNull();
    });

    it('is remembered in the one after it also where it stops only then', () => {
      const state = newClusterState();
      putInForce(state, outer(2, 5), [], NOW);
      for (const sinceMs of [NOW, NOW]) noteSystemic(state, 3, stopped(sinceMs), NOW);
      expect(state.systemic).toMatchObject({ ring: 5 });
    });
  });
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
  it.each([
    ['what its cells run, where no cell has the package', 'looked', 'pass-1', V0],
    ['what it was to run before, where its pass did nothing', 'unused', 'pass-1', V0],
    ['what it was to run before, where its pass never came', 'lost', null, V0],
    ['the package still, where its pass was lost: a cell may have it', 'lost', 'pass-1', V1],
  ] as const)('is to run %s', (_, end, pass, desired) => {
    const state = began([]);
    claimTurn(state, claim({ pass }), NOW);
    endTurn(state, 2, end);
    expect([state.turns, state.rings[2]?.desired, state.rings[2]?.state]).toEqual([{}, desired, 'idle']);
  });

  it('is to run what a lost pass may have brought there, also after one that did nothing', () => {
    const state = began([]);
    claimTurn(state, claim(), NOW);
    endTurn(state, 2, 'lost');
    claimTurn(state, claim({ requestId: 'run/2', pass: 'pass-2' }), NOW);
    endTurn(state, 2, 'unused');
    expect(state.rings[2]?.desired).toBe(V1);
  });

  it('is known by what its pass saw; one that has not looked yet says nothing of it', () => {
    const record = { ...newRingRecord('two'), total: 3, observed: { [V0]: 3 } };
    const report = (observed: Record<string, number>) => {
      const view = { state: 'rolling', exceptions: [], exceptionsTotal: 0, convergedAt: null };
      return { view, observed, version: V1, purpose: 'deploy' } as unknown as RingReport;
    };
    expect([noteRing(record, report({}), NOW), record.observed]).toEqual(['unused', { [V0]: 3 }]);
    expect([noteRing(record, report({ [V1]: 3 }), NOW), record.observed]).toEqual(['looked', { [V1]: 3 }]);
    noteRing(record, { ...report({ [V1]: 3 }), observedOut: { [V1]: 1 } }, NOW);
    expect(record.observedOut).toEqual({ [V1]: 1 });
    noteRing(record, report({ [V1]: 3 }), NOW);
    expect(record).not.toHaveProperty('observedOut');
    record.total = 0;
    expect([noteRing(record, report({}), NOW), record.observed]).toEqual(['looked', {}]);
  });

  it('knows since when a cell stands as its pass says again and again', () => {
    const record = newRingRecord('two');
    const says = (jobId: string, at: number) => {
      const exceptions = [{ cell: 'a', state: 'rolled-back' as const, reason: 'x', jobId }];
      const view = { state: 'rolling', exceptions, exceptionsTotal: 1, convergedAt: null };
      noteRing(record, { view, observed: {}, version: V1, purpose: 'deploy' } as unknown as RingReport, at);
      return record.exceptions.map((e) => e.since);
    };
    expect(says('j1', NOW)).toEqual([new Date(NOW).toISOString()]);
    expect(says('j1', NOW + 5_000)).toEqual([new Date(NOW).toISOString()]);
    expect(says('j2', NOW + 9_000)).toEqual([new Date(NOW + 9_000).toISOString()]);
  });

  it('is to run the package that some cell of it has', () => {
    const state = began();
    claimTurn(state, claim(), NOW);
    Object.assign(state.rings[2] ?? {}, { observed: { [V0]: 2, [V1]: 1 }, state: 'halted' });
    endTurn(state, 2, 'looked');
    expect([state.rings[2]?.desired, state.rings[2]?.state]).toEqual([V1, 'halted']);
  });
});

describe('a cell that leaves its ring', () => {
  const failed = (cell: string) => ({ cell, state: 'failed' as const, reason: 'no' });
  const [stays, moves, goes] = [cell('c2-1'), cell('c2-2'), cell('c2-3')];
  const rings = (two: object[], three: object[]): Topology => {
    const parsed = parseTopology(fleet({}, {}, { rings: [two, three].map((cells, i) => ({ ring: i + 2, cells })) }));
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    return parsed.topology;
  };

  it('takes with it what is remembered of it there, so that nobody is asked to mend it', () => {
    const state = newClusterState();
    putInForce(state, rings([stays, moves, goes], []), [], NOW);
    const exceptions = [stays, moves, goes].map(({ id }) => failed(id));
    const alerts = { of: { alert: { name: 'CellFailed', cell: goes.id } }, ring: { alert: { name: 'RingHalted' } } };
    Object.assign(state.rings[2] ?? {}, { exceptions, exceptionsTotal: 4, alerts });
    state.repeats = Object.fromEntries([stays, goes].map(({ id }) => [id, { ring: 2, versions: [V0, V1, V2] }]));
    putInForce(state, rings([stays], [moves]), [], NOW);
    expect(state.rings[2]).toMatchObject({ exceptions: [failed('c2-1')], exceptionsTotal: 2 });
    expect([Object.keys(state.repeats), Object.keys(state.rings[2]?.alerts ?? {})]).toEqual([['c2-1'], ['ring']]);
  });
});

describe('a rollout that begins anew', () => {
  const twoRings = (): ClusterState => {
    const state = began([]);
    state.rings[5] = newRingRecord('five');
    claimTurn(state, claim(), NOW);
    claimTurn(state, claim({ ring: 5, requestId: 'run/2', pass: null }), NOW);
    return state;
  };
  const passesOf = ({ passes }: ReturnType<typeof handOver>) => passes.map(({ ring, pass }) => [ring, pass]);

  it('is handed the passes of its earlier run; a ring whose pass never came is free', () => {
    const state = twoRings();
    Object.assign(state.turns[2] ?? {}, { starterGone: true });
    const over = handOver(state, { version: V1, run: 'anew' });
    expect([passesOf(over), over.free]).toEqual([[[2, 'pass-1']], [5]]);
    expect(Object.keys(state.turns)).toEqual(['2']);
    expect(state.turns[2]?.starterGone).toBe(false);
  });

  it('waits for nothing that its earlier run asked for', () => {
    const state = began([]);
    for (const [version, requestId] of [
      [V1, 'run/3'],
      [V1, 'anew/1'],
      [V2, 'other/1'],
    ] as const) {
      state.queue.push({ ...claim({ version, requestId }), sender: '', at: null, told: '', held: null });
    }
    handOver(state, { version: V1, run: 'anew' });
    expect(state.queue.map((q) => q.requestId)).toEqual(['anew/1', 'other/1']);
  });

  it('keeps what is its own, and leaves alone what is another package’s', () => {
    for (const who of [
      { version: V1, run: 'run' },
      { version: V2, run: 'anew' },
    ]) {
      const state = twoRings();
      const over = handOver(state, who);
      expect([passesOf(over), over.free, Object.keys(state.turns)]).toEqual([[], [], ['2', '5']]);
    }
  });

  it('is not undone by a late word of its earlier run', () => {
    const state = began([]);
    state.rollouts[V1] = { run: 'anew', startedAtMs: NOW, chartVersion: null, lane: null, graduatedAt: null };
    const heard = (run: string, startedAtMs: number) => isFromEarlierRun(state, { version: V1, run, startedAtMs });
    expect([heard('run', NOW - 1), heard('anew', NOW), heard('later', NOW + 1)]).toEqual([true, false, false]);
  });
});

describe('a rollback that begins anew', () => {
  const sender = `package-rollback/${V1}`;
  const asks = (more: Partial<ClaimRing>) => claim({ purpose: 'rollback', sender, ...more });

  it('frees the ring that its earlier run was granted and did not come to enter', () => {
    const state = began([]);
    claimTurn(state, asks({ pass: null }), NOW);
    const open = new Set([sender]);
    expect(watchedTurns(state).map((watched) => whoIsGone(state, watched, open))).toEqual([null]);
    expect(forgetEarlierRun(state, { sender, run: 'run' })).toEqual([]);
    expect(forgetEarlierRun(state, { sender, run: 'anew' })).toEqual([2]);
    expect(state.turns).toEqual({});
  });

  it('waits for nothing that its earlier run asked for', () => {
    const state = began([]);
    for (const [from, requestId] of [
      [sender, 'run/3'],
      [sender, 'anew/1'],
      [`package-rollout/${V1}`, 'other/1'],
    ] as const) {
      state.queue.push({ ...asks({ requestId }), sender: from, at: null, told: '', held: null });
    }
    forgetEarlierRun(state, { sender, run: 'anew' });
    expect(state.queue.map((q) => q.requestId)).toEqual(['anew/1', 'other/1']);
  });

  it('leaves alone a pass of its earlier run that is in its ring, and what is not its own', () => {
    for (const held of [asks({}), claim({ pass: null })]) {
      const state = began([]);
      claimTurn(state, held, NOW);
      expect([forgetEarlierRun(state, { sender, run: 'anew' }), Object.keys(state.turns)]).toEqual([[], ['2']]);
    }
  });
});

describe('a look at who is still there', () => {
  const ROLLOUT = `package-rollout/${V1}`;
  const PASS = 'ring-rollout/2';
  const look = (pass: string | null, open: string[], meanwhile: (state: ClusterState) => void = () => undefined) => {
    const state = began([]);
    state.rollouts[V1] = { run: 'run', startedAtMs: NOW, chartVersion: null, lane: null, graduatedAt: null };
    claimTurn(state, claim({ pass }), NOW);
    const [watched] = watchedTurns(state);
    meanwhile(state);
    return watched && whoIsGone(state, watched, new Set(open));
  };

  it.each([
    ['both', 'pass-1', [ROLLOUT, PASS], null],
    ['the rollout alone: its pass is gone', 'pass-1', [ROLLOUT], 'pass'],
    ['the pass alone: its starter is gone', 'pass-1', [PASS], 'starter'],
    ['nobody', 'pass-1', [], 'pass'],
    ['the rollout, which is about to start its pass', null, [ROLLOUT], null],
    ['nobody, and the pass never came', null, [], 'pass'],
  ] as const)('finds %s', (_, pass, open, expected) => {
    expect(look(pass, [...open])).toBe(expected);
  });

  it('says nothing of a pass that entered while Temporal was asked', () => {
    const enters = (state: ClusterState) => void (state.turns[2] && enterTurn(state.turns[2], 'pass-1'));
    expect(look(null, [ROLLOUT], enters)).toBeNull();
    expect(look(null, [], enters)).toBeNull();
  });

  it('says nothing of a rollout that began anew meanwhile, nor of a turn that is over', () => {
    const anew = (state: ClusterState) =>
      void (state.rollouts[V1] && Object.assign(state.rollouts[V1], { run: 'anew' }));
    expect(look('pass-1', [PASS], anew)).toBeNull();
    expect(look('pass-1', [], (state) => endTurn(state, 2))).toBeNull();
  });

  it('brakes a ring without its starter once', () => {
    expect(look('pass-1', [PASS], (state) => state.turns[2] && loseStarter(state.turns[2]))).toBeNull();
  });
});

describe('a rollback that waits for a pass which does not say whose it is', () => {
  it('gets the ring when its time is up, however often it asks again meanwhile', () => {
    const parsed = parseTopology(fleet({ 2: 3 }));
    if (!parsed.ok) throw new Error('no topology');
    const state = began();
    const sender = `package-rollback/${V1}`;
    const request = { ...claim({ purpose: 'rollback', requestId: 'back/1', sender }), ring: 2 };
    const seconds = [0, 15, 30, 45, 60];
    const done = seconds.map((second) => {
      takeRequest(state, request);
      const actions = decideTurns(state, parsed.topology, NOW + second * 1_000, 60_000);
      return actions.map((action) => action.do);
    });
    expect(done.slice(0, -1)).toEqual([['answer'], ['answer'], ['answer'], ['answer']]);
    expect(done.at(-1)).toContain('oust');
  });
});
