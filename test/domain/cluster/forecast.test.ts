import { describe, expect, it } from 'vitest';
import { engage } from '../../../src/domain/brake.js';
import {
  cellTimeOf,
  forecastOf,
  forecastsOf,
  isLate,
  noteCellTime,
  rollTimeMs,
  tooSlow,
} from '../../../src/domain/cluster/forecast.js';
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

const hold = (state: ClusterState, more: Partial<Turn> = {}, ring = 2) => {
  const request = { requestId: 'r', version: V1, chartVersion: null, ring, purpose: 'deploy' as const, lane: null };
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

const BRAKE = { brakeId: 'b', scope: 'outer', mode: 'finish-cells', by: 'a', reason: 'x' } as const;

describe('a ring', () => {
  it.each([
    [30, undefined, false],
    [70, undefined, true],
    [30, 20, false],
    [30, 40, true],
  ])('that has been worked on for %i minutes, with %s to come, is late: %s', (worked, toCome, late) => {
    const state = cluster();
    hold(state, { work: { ranMs: worked * MIN, sinceMs: null } });
    const at = toCome === undefined ? undefined : new Date(NOW + toCome * MIN).toISOString();
    expect(isLate(state, topologyOf({ 2: { convergeWithin: '1h' } }), 2, at, NOW)).toBe(late);
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
