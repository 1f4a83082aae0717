import { describe, expect, it } from 'vitest';
import {
  expireQuarantines,
  judgeJoining,
  judgeQuarantine,
  judgeReadmission,
  nextQuarantineExpiry,
  quarantineByTopology,
  quarantineCell,
  viewOfQuarantines,
} from '../../../src/domain/cluster/quarantine.js';
import { newClusterState, newRingRecord } from '../../../src/domain/cluster/state.js';
import { parseTopology, type Topology } from '../../../src/domain/topology/index.js';
import { cell, fleet, V0 } from '../../support/fleet.js';

const NOW = Date.parse('2026-01-02T03:04:05Z');
const SOON = '2026-01-02T04:04:05.000Z';

function topologyWith(cells: object[]): Topology {
  const parsed = parseTopology(fleet({}, {}, { rings: [{ ring: 2, name: 'a', cells }] }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.topology;
}

const TWO = topologyWith([cell('a'), cell('b')]);
const by = { by: 'alice', reason: 'being rebuilt' };

function running() {
  const state = newClusterState();
  state.rings[2] = { ...newRingRecord('a'), observed: { [V0]: 2 } };
  return state;
}

describe('a quarantine', () => {
  it('is of a cell of the topology, and ends in the future', () => {
    const state = running();
    expect(judgeQuarantine(state, TWO, { cell: 'a' }, NOW)).toBeNull();
    expect(judgeQuarantine(state, TWO, { cell: 'x' }, NOW)).toMatchObject({ path: 'cell', value: 'x' });
    expect(judgeQuarantine(state, null, { cell: 'a' }, NOW)).toMatchObject({ path: 'cell' });
    const past = '2026-01-02T03:04:05Z';
    expect(judgeQuarantine(state, TWO, { cell: 'a', expiresAt: past }, NOW)).toMatchObject({ path: 'expiresAt' });
  });

  it('is kept with who, why and until when; the same again is no news', () => {
    const state = running();
    expect(quarantineCell(state, { cell: 'a', ...by, expiresAt: '2026-01-02T05:04:05+01:00' }, NOW)).toBe(true);
    expect(quarantineCell(state, { cell: 'a', ...by, expiresAt: SOON }, NOW + 5)).toBe(false);
    expect(viewOfQuarantines(state, TWO)).toEqual([
      { cell: 'a', ...by, since: '2026-01-02T03:04:05.000Z', expiresAt: SOON },
    ]);
    expect(quarantineCell(state, { cell: 'a', ...by }, NOW)).toBe(true);
    expect(nextQuarantineExpiry(state)).toBeNull();
  });

  it('ends by itself when its time is up, and not before', () => {
    const state = running();
    quarantineCell(state, { cell: 'a', ...by, expiresAt: SOON }, NOW);
    quarantineCell(state, { cell: 'b', ...by }, NOW);
    expect(nextQuarantineExpiry(state)).toBe(Date.parse(SOON));
    expect(expireQuarantines(state, Date.parse(SOON) - 1)).toEqual([]);
    expect(expireQuarantines(state, Date.parse(SOON))).toEqual(['a']);
    expect(Object.keys(state.quarantined)).toEqual(['b']);
  });

  it('is ended by a person where a person made it, and by the topology where that has it', () => {
    const state = running();
    const lab = topologyWith([{ ...cell('a'), quarantined: { reason: 'lab' } }, cell('b')]);
    expect(judgeReadmission(state, lab, 'a')?.expected).toContain('this one is in the topology');
    expect(judgeReadmission(state, lab, 'b')).toMatchObject({ expected: 'a quarantined cell' });
    quarantineCell(state, { cell: 'b', ...by }, NOW);
    expect(judgeReadmission(state, lab, 'b')).toBeNull();
  });
});

describe('a topology that is put in force', () => {
  const lab = topologyWith([{ ...cell('a'), quarantined: { reason: 'lab' } }, cell('b')]);
  const follow = (state: ReturnType<typeof running>, before: Topology | null, after: Topology, joined: string[] = []) =>
    quarantineByTopology(state, { before, after }, joined, NOW);

  it('brings its quarantines, and takes them with it', () => {
    const state = { ...running(), appliedAt: '2026-01-02T03:04:05.000Z' };
    expect(follow(state, TWO, lab)).toEqual({ out: ['a'], back: [] });
    const since = '2026-01-02T03:04:05.000Z';
    expect(viewOfQuarantines(state, lab)).toEqual([
      { cell: 'a', by: 'topology', reason: 'lab', since, inTopology: true },
    ]);
    expect(follow(state, lab, lab)).toEqual({ out: [], back: [] });
    expect(follow(state, lab, TWO)).toEqual({ out: [], back: ['a'] });
  });

  it('keeps a person’s quarantine, whatever it says itself, and forgets that of a cell that is gone', () => {
    const state = running();
    quarantineCell(state, { cell: 'a', ...by }, NOW);
    expect(follow(state, TWO, lab)).toEqual({ out: [], back: [] });
    expect(follow(state, lab, TWO)).toEqual({ out: [], back: [] });
    expect(state.quarantined.a).toMatchObject(by);
    expect(follow(state, TWO, topologyWith([cell('b')]))).toEqual({ out: [], back: [] });
    expect(state.quarantined).toEqual({});
  });

  it('keeps a cell out that joins a cluster which runs already, unless it says join: auto, then or later', () => {
    const state = running();
    const grown = topologyWith([cell('a'), cell('b'), { ...cell('c'), join: 'auto' }]);
    expect(follow(state, topologyWith([cell('a')]), grown, ['b', 'c'])).toEqual({ out: ['b'], back: [] });
    expect(state.quarantined.b).toMatchObject({ by: 'coordinator' });
    expect(judgeReadmission(state, grown, 'b')).toBeNull();
    const auto = topologyWith([cell('a'), { ...cell('b'), join: 'auto' }, { ...cell('c'), join: 'auto' }]);
    expect(follow(state, grown, auto)).toEqual({ out: [], back: ['b'] });
  });

  it('keeps nobody out of a cluster in which nothing runs yet', () => {
    expect(follow(newClusterState() as never, topologyWith([]), TWO, ['a', 'b'])).toEqual({ out: [], back: [] });
  });

  it('is refused where more cells would wait for somebody than can be kept in mind', () => {
    const many = Array.from({ length: 1_001 }, (_, i) => cell(`n-${i}`));
    const joined = many.map(({ id }) => id);
    expect(judgeJoining(running(), topologyWith(many), joined)).toMatchObject({ path: 'rings' });
    expect(judgeJoining(running(), topologyWith(many.slice(1)), joined.slice(1))).toBeNull();
    const auto = many.map((c) => ({ ...c, join: 'auto' }));
    expect(judgeJoining(running(), topologyWith(auto), joined)).toBeNull();
  });
});
