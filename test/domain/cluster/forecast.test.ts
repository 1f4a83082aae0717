import { describe, expect, it, vi } from 'vitest';
import { engage } from '../../../src/domain/brake.js';
import { windowsOf } from '../../../src/domain/calendar/windows.js';
import { nextOpenings, openingsOf, wordOf } from '../../../src/domain/calendar/word.js';
import { calendarsWaitedFor, noteWord } from '../../../src/domain/cluster/calendars.js';
import {
  cellTimeOf,
  forecastOf,
  forecastsOf,
  isLate,
  noteCellTime,
  rollTimeMs,
} from '../../../src/domain/cluster/forecast.js';
import { tooSlow } from '../../../src/domain/cluster/passage.js';
import { type ClusterState, newClusterState, newRingRecord, type Turn } from '../../../src/domain/cluster/state.js';
import { parseTopology, type Topology } from '../../../src/domain/topology/index.js';
import { fleet, type Policy, V0, V1, V2 } from '../../support/fleet.js';
import { policyOf } from '../policies.js';

const NOW = Date.parse('2026-01-02T00:00:00Z');
const MIN = 60_000;

function topologyOf(policies: Record<number, Policy> = {}, sizes: Record<number, number> = { 2: 5, 3: 21 }): Topology {
  const bake = { bakeTime: '1h', maxParallel: 4 };
  const all = Object.fromEntries(Object.keys(sizes).map((ring) => [ring, { ...bake, ...policies[Number(ring)] }]));
  const parsed = parseTopology(fleet(sizes, all));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.topology;
}

function cluster(cellTimesMs: number[] | undefined = [10 * MIN]): ClusterState {
  const state = { ...newClusterState(), perimeter: 1 };
  for (const ring of [0, 1, 2, 3]) {
    const times = cellTimesMs.length > 0 ? { cellTimesMs } : {};
    state.rings[ring] = { ...newRingRecord(`r${ring}`), converged: V0, ...times };
  }
  return state;
}

const hold = (state: ClusterState, more: Partial<Turn> = {}, ring = 2, version = V1) => {
  const request = { requestId: 'r', version, chartVersion: null, ring, purpose: 'deploy' as const, lane: null };
  const rest = { approved: [], sinceMs: NOW, sender: '', at: ring, told: '', held: null };
  state.turns[ring] = {
    ...{ request: { ...request, ...rest }, grantedAtMs: NOW, pass: 'p', state: 'rolling', before: null },
    ...{ asked: false, rollbackSinceMs: null, starterGone: false, ...more },
  };
};
const soon = (state: ClusterState, version = V1) => forecastsOf(state, topologyOf(), version, NOW);
const expected = (state: ClusterState, topology = topologyOf()) =>
  forecastOf(state, topology, V1, null, NOW).map(({ ring, expectedAt, unknown }) => [
    ring,
    expectedAt ? (Date.parse(expectedAt) - NOW) / MIN : unknown,
  ]);

describe('the time of a ring', () => {
  it.each([
    [0, 1, 4, 0],
    [1, 1, 4, 10],
    [5, 1, 4, 20],
    [21, 1, 4, 60],
    [3, 1, 25, 20],
    [10, 10, 5, 20],
  ])('of %i cells, %i of them first, %i at once, is %i minutes', (cells, firstCells, maxParallel, minutes) => {
    expect(rollTimeMs(cells, 10 * MIN, policyOf({ firstCells, maxParallel })) / MIN).toBe(minutes);
  });

  it('goes by the last passes of the ring, or else of the others; of none nothing is known', () => {
    const record = newRingRecord('r');
    for (const ms of [1, 2, 3, 4, 5, 60, null]) noteCellTime(record, ms);
    expect(record.cellTimesMs).toEqual([2, 3, 4, 5, 60]);
    expect(cellTimeOf({ 2: record, 3: {} }, 2)).toBe(4);
    expect(cellTimeOf({ 2: record, 3: {} }, 3)).toBe(4);
    expect(cellTimeOf({ 3: {} }, 3)).toBeNull();
  });
});

describe('when rings should converge', () => {
  it('is one after the other, with the bake between them', () => {
    expect(expected(cluster())).toEqual([
      [2, 20],
      [3, 140],
    ]);
  });

  it('counts what is there already, and a bake that runs', () => {
    const state = cluster();
    Object.assign(state.rings[2] ?? {}, { observed: { [V0]: 1, [V1]: 4 } });
    expect(expected(state)[0]).toEqual([2, 10]);
    Object.assign(state.rings[2] ?? {}, { converged: V1, convergedAt: new Date(NOW - 50 * MIN).toISOString() });
    expect(expected(state)).toEqual([[3, 70]]);
  });

  it.each<[string, (state: ClusterState) => void, unknown]>([
    ['a brake without an end', (s) => Object.assign(s, { brakes: engage([], { ...BRAKE }, NOW) }), 'brake b'],
    ['a ring that is halted', (s) => hold(s, { state: 'halted' }), 'ring 2 is halted'],
    ['a block', (s) => s.blocked.push({ version: V1, by: 'a', reason: 'x', since: '' }), `${V1} is blocked`],
  ])('nobody knows behind %s, nor of the rings after it', (_what, change, why) => {
    const state = cluster();
    change(state);
    expect(expected(state)).toEqual([
      [2, why],
      [3, why],
    ]);
  });

  it('nobody knows behind an approval, or before any cell was measured', () => {
    expect(expected(cluster(), topologyOf({ 3: { approval: 'required' } }))).toEqual([
      [2, 20],
      [3, 'ring 3 waits for approval'],
    ]);
    expect(expected(cluster([]))[0]?.[1]).toMatch(/nobody knows what a cell takes/);
  });

  it('waits for a brake that expires', () => {
    const state = cluster();
    state.brakes = engage([], { ...BRAKE, expiresAt: new Date(NOW + 30 * MIN).toISOString() }, NOW);
    expect(expected(state)[0]).toEqual([2, 50]);
  });
});

describe('a package that does not get on by itself', () => {
  const baking = (more: Partial<Turn>) => {
    const state = cluster();
    const convergedAt = new Date(NOW - 50 * MIN).toISOString();
    Object.assign(state.rings[2] ?? {}, { converged: V1, convergedAt, observed: { [V1]: 5 } });
    hold(state, more);
    return state;
  };

  it('is not expected in the next ring while its bake is halted, or waits for what no clock ends', () => {
    expect(expected(baking({ state: 'baking', waits: 'bake' }))).toEqual([[3, 70]]);
    expect(expected(baking({ state: 'halted' }))).toEqual([[3, 'ring 2 is halted']]);
    expect(expected(baking({ state: 'baking', waits: 'health' }))).toEqual([[3, 'ring 2 waits for health']]);
  });

  it('is expected in the next ring where it has baked, whatever holds its PDM', () => {
    const state = baking({ state: 'halted' });
    hold(state, {}, 3);
    expect(expected(state)).toEqual([[3, 60]]);
  });

  it('is not expected in any ring without a yes, where an older one was stopped or taken back', () => {
    const state = cluster();
    state.systemic = { version: V0, ring: 3, sinceMs: NOW - MIN, why: 'rolled-back' };
    expect(expected(state)[0]).toEqual([2, 'ring 2 waits for approval']);
    hold(state, {}, 2);
    Object.assign(state.turns[2]?.request ?? {}, { approvedAtMs: { 2: NOW } });
    expect(expected(state)).toEqual([
      [2, 20],
      [3, 'ring 3 waits for approval'],
    ]);
    Object.assign(state.turns[2]?.request ?? {}, { approvedAtMs: { 2: NOW, 3: NOW } });
    expect(expected(state)[1]).toEqual([3, 140]);
    state.systemic = { ...state.systemic, fixedIn: V1 };
    hold(state, {}, 2);
    expect(expected(state)[1]).toEqual([3, 140]);
  });
});

describe('a ring in which something stands in the way', () => {
  const own = (more = {}) => ({
    ...{ run: 'r', startedAtMs: NOW, chartVersion: null, lane: null, graduatedAt: null },
    braked: { epoch: 'e', seq: 1, brakes: engage([], { ...BRAKE, scope: 'package', ...more }, NOW) },
  });
  const grace = { 2: { gracePeriod: '30m' }, 3: { gracePeriod: '30m' } };

  it('is entered once an older package has left it: after its cells, its bake, and its grace period', () => {
    const state = cluster();
    hold(state, {}, 2, V0);
    for (const ring of [2, 3]) Object.assign(state.rings[ring] ?? {}, { converged: null });
    // Twenty minutes for its cells, an hour, and half an hour; and in ring 3 the same package goes first, too.
    expect(expected(state, topologyOf(grace))).toEqual([
      [2, 20 + 60 + 30 + 20],
      [3, 80 + 60 + 60 + 30 + 60],
    ]);
  });

  it('is entered once the bake of an older package there is over', () => {
    const state = cluster();
    hold(state, { state: 'baking', waits: 'bake' }, 2, V0);
    Object.assign(state.rings[2] ?? {}, { convergedAt: new Date(NOW - 50 * MIN).toISOString() });
    expect(expected(state, topologyOf(grace))[0]).toEqual([2, 10 + 30 + 20]);
  });

  it('is held until everywhere has baked what waits for that with its PDM', () => {
    const state = cluster();
    hold(state, { state: 'grace', waits: 'grace-period' }, 2, V0);
    Object.assign(state.rings[2] ?? {}, { convergedAt: new Date(NOW - 300 * MIN).toISOString() });
    Object.assign(state.rings[3] ?? {}, { converged: null });
    expect(expected(state, topologyOf({ 2: { migrateWhen: 'everywhere' } }))[0]).toEqual([2, 60 + 60 + 20]);
  });

  it.each(['approval', 'operator', 'health', 'check', 'cell-busy'] as const)(
    'for %s, its own pass says nothing of when',
    (waits) => {
      const state = cluster();
      hold(state, { waits });
      expect(expected(state)[0]).toEqual([2, `ring 2 waits for ${waits}`]);
    },
  );

  it('is unknown while an older package there waits for a person, is braked, or another goes back there', () => {
    const state = cluster();
    hold(state, { waits: 'health' }, 2, V0);
    Object.assign(state.rings[2] ?? {}, { converged: null });
    expect(expected(state)[0]).toEqual([2, 'ring 2 waits for health']);
    hold(state, {}, 2, V0);
    state.rollouts[V0] = own();
    expect(expected(state)[0]).toEqual([2, 'brake b']);
    state.rollouts = {};
    hold(state, { state: 'rolling-back' }, 2, V0);
    Object.assign(state.turns[2]?.request ?? {}, { purpose: 'rollback' });
    expect(expected(state)[0]).toEqual([2, `ring 2 is rolling-back with ${V0}`]);
  });

  it('waits for a brake of the package itself', () => {
    const state = cluster();
    state.rollouts[V1] = own();
    expect(expected(state)[0]).toEqual([2, 'brake b']);
    state.rollouts[V1] = own({ expiresAt: new Date(NOW + 30 * MIN).toISOString() });
    expect(expected(state)[0]).toEqual([2, 50]);
  });

  it('is done within the times in which it is open, with a freeze of another ring that is to come', () => {
    const freeze = { from: new Date(NOW + 100 * MIN).toISOString(), to: new Date(NOW + 1000 * MIN).toISOString() };
    // Ring 3 would begin after 80 minutes and take 60: what is in flight when it is frozen comes to its end.
    expect(expected(cluster(), topologyOf({ 3: { freezes: [freeze] } }))).toEqual([
      [2, 20],
      [3, 1000 + 30],
    ]);
  });

  it('goes by the deploy windows that were worked out; before they are, nobody knows', () => {
    const mondays = [{ days: ['mon'], from: '09:00', to: '10:00', timezone: 'UTC' }];
    const topology = topologyOf({ 2: { deployWindows: mondays }, 3: { deployWindows: mondays } });
    const state = cluster();
    expect(expected(state, topology)[0]?.[1]).toContain('windows of ring 2 are worked out');
    for (const { key, calendar } of calendarsWaitedFor(state, [2, 3], { topology, now: NOW }).ask) {
      const [windows, freezes] = [windowsOf(calendar.windows), calendar.freezes];
      const openings = nextOpenings(openingsOf(windows, freezes), NOW);
      noteWord(state, key, { ...wordOf(windows, freezes, NOW), openings }, { now: NOW, inUse: new Set() });
    }
    // 2026-01-05 is a Monday; ring 2 has baked at 10:20, so ring 3 begins a week later.
    const opens = (3 * 24 + 9) * 60;
    expect(expected(state, topology)).toEqual([
      [2, opens + 20],
      [3, opens + 7 * 24 * 60 + 60],
    ]);
  });

  it('of a lane has that lane’s windows worked out, too', () => {
    const windows = [{ days: ['mon'], from: '09:00', to: '10:00', timezone: 'UTC' }];
    const parsed = parseTopology(fleet({ 2: 1 }, {}, { lanes: { cautious: { deployWindows: windows } } }));
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    const state = cluster();
    state.rollouts[V1] = { ...own(), lane: 'cautious' };
    const { ask } = calendarsWaitedFor(state, [2], { topology: parsed.topology, now: NOW });
    expect(ask.map(({ calendar }) => calendar.windows)).toEqual([windows]);
  });

  it('does not have what was taken back from it, although it had converged on it', () => {
    const state = cluster();
    Object.assign(state.rings[2] ?? {}, { converged: V1, observed: { [V1]: 4, [V0]: 1 } });
    expect(expected(state).map(([ring]) => ring)).toEqual([3]);
    Object.assign(state.rings[2] ?? {}, { observed: { [V0]: 5 } });
    expect(expected(state).map(([ring]) => ring)).toEqual([2, 3]);
  });
});

const BRAKE = { brakeId: 'b', scope: 'outer', mode: 'finish-cells', by: 'a', reason: 'x' } as const;

describe('a ring', () => {
  it.each([
    [30, undefined, false],
    [70, undefined, true],
    [30, 20, false],
    [30, 40, true],
  ])('that has been worked on for %i minutes, with %s to come, is late: %s', (worked, toCome, late) => {
    const state = cluster(toCome === undefined ? [] : [(toCome / 2) * MIN]);
    hold(state, { work: { ranMs: worked * MIN, sinceMs: null } });
    expect(isLate(state, topologyOf({ 2: { convergeWithin: '1h' } }), 2, NOW)).toBe(late);
  });
});

describe('a topology that needs more than a day for one package', () => {
  it('is warned of by what cells took, or for its bakes alone', () => {
    const slow = () => 10 * 60 * MIN;
    expect(tooSlow(topologyOf(), () => 10 * MIN, null, NOW)).toBeNull();
    expect(tooSlow(topologyOf(), slow, null, NOW)).toMatch(/82 hours .* what cells took/);
    expect(tooSlow(topologyOf({ 2: { bakeTime: '2d' } }), () => null, null, NOW)).toMatch(/49 hours .* bakes alone/);
    expect(tooSlow(topologyOf(), () => null, null, NOW)).toBeNull();
  });

  it('is warned of where its rings are open too rarely, and not for its weekends', () => {
    const open = (days: string[], hours: [string, string]) => ({
      deployWindows: [{ days, from: hours[0], to: hours[1], timezone: 'UTC' }],
    });
    const rarely = open(['mon'], ['09:00', '10:00']);
    const warned = tooSlow(topologyOf({ 2: rarely, 3: rarely }), () => null, null, NOW);
    expect(warned).toMatch(/hours to pass all outer rings, for bakes and deploy windows alone/);
    expect(tooSlow(topologyOf({ 2: rarely }), () => 10 * MIN, null, NOW)).toMatch(/and deploy windows/);
    const office = open(['mon', 'tue', 'wed', 'thu', 'fri'], ['09:00', '17:00']);
    expect(tooSlow(topologyOf({ 2: office, 3: office }), () => 10 * MIN, null, NOW)).toBeNull();
  });

  it('is told by looking once at windows that are written alike, for all rings and days', () => {
    const open = (from: string) => ({ deployWindows: [{ days: ['mon'], from, to: '20:00', timezone: 'UTC' }] });
    const policies = { 2: open('09:00'), 3: open('09:00'), 4: open('10:00') };
    const read = vi.fn(windowsOf);
    tooSlow(topologyOf(policies, { 2: 1, 3: 1, 4: 1 }), () => 10 * MIN, null, NOW, read);
    expect(read.mock.calls.map(([windows]) => windows?.[0]?.from)).toEqual(['09:00', '10:00']);
  });
});

describe('the forecast of one package', () => {
  const underWay = { run: 'r', chartVersion: null, lane: null } as unknown as ClusterState['rollouts'][string];
  const graduated = (version: string) => ({ version, graduatedAt: '2026-01-01T00:00:00Z', by: 'b' }) as never;

  it('is made for each package that is on its way, and not for the newest alone', () => {
    const state = cluster();
    for (const version of [V1, V2]) {
      state.rollouts[version] = underWay;
      state.graduated.push(graduated(version));
    }
    expect(soon(state).map(({ ring, version }) => [ring, version])).toEqual([
      [2, V1],
      [3, V1],
    ]);
    expect(soon(state, V2)[0]).toMatchObject({ ring: 2, version: V2, expectedAt: expect.any(String) });
  });

  it('is none of a package that has not graduated, or whose rollout is over', () => {
    const before = cluster();
    before.rollouts[V1] = underWay;
    expect(soon(before)).toEqual([]);
    const over = cluster();
    over.graduated.push(graduated(V1));
    expect(soon(over)).toEqual([]);
  });
});
