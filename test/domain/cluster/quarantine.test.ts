import { describe, expect, it } from 'vitest';
import {
  expireQuarantines,
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
    expect(viewOfQuarantines(state)).toEqual([
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
    quarantineByTopology(state, topologyWith([{ ...cell('a'), quarantined: { reason: 'lab' } }]), joinedBy([]), NOW);
    expect(judgeReadmission(state, 'a')).toMatchObject({ path: 'cell', value: 'a' });
    expect(judgeQuarantine(state, TWO, { cell: 'a' }, NOW)).toMatchObject({ path: 'cell' });
    expect(judgeReadmission(state, 'b')).toMatchObject({ expected: 'a quarantined cell' });
    quarantineCell(state, { cell: 'b', ...by }, NOW);
    expect(judgeReadmission(state, 'b')).toBeNull();
  });
});

const joinedBy = (joined: string[]) => ({ by: 'bob', joined });

describe('a topology that is put in force', () => {
  it('brings its quarantines, and takes them with it', () => {
    const state = running();
    const lab = topologyWith([{ ...cell('a'), quarantined: { reason: 'lab' } }, cell('b')]);
    expect(quarantineByTopology(state, lab, joinedBy([]), NOW)).toEqual({ out: ['a'], back: [] });
    expect(viewOfQuarantines(state)).toMatchObject([{ cell: 'a', by: 'bob', reason: 'lab', inTopology: true }]);
    expect(quarantineByTopology(state, lab, joinedBy([]), NOW + 9)).toEqual({ out: [], back: [] });
    expect(state.quarantined.a?.sinceMs).toBe(NOW);
    expect(quarantineByTopology(state, TWO, joinedBy([]), NOW)).toEqual({ out: [], back: ['a'] });
  });

  it('keeps a person’s quarantine, and forgets that of a cell that is gone', () => {
    const state = running();
    quarantineCell(state, { cell: 'a', ...by }, NOW);
    expect(quarantineByTopology(state, TWO, joinedBy([]), NOW)).toEqual({ out: [], back: [] });
    expect(quarantineByTopology(state, topologyWith([cell('b')]), joinedBy([]), NOW)).toEqual({ out: [], back: [] });
    expect(state.quarantined).toEqual({});
  });

  it('keeps a cell out that joins a cluster which runs already, unless it says join: auto', () => {
    const state = running();
    const grown = topologyWith([cell('a'), cell('b'), { ...cell('c'), join: 'auto' }]);
    expect(quarantineByTopology(state, grown, joinedBy(['b', 'c']), NOW)).toEqual({ out: ['b'], back: [] });
    expect(state.quarantined.b).toMatchObject({ by: 'coordinator' });
    expect(judgeReadmission(state, 'b')).toBeNull();
  });

  it('keeps nobody out of a cluster in which nothing runs yet', () => {
    const state = newClusterState();
    expect(quarantineByTopology(state, TWO, joinedBy(['a', 'b']), NOW)).toEqual({ out: [], back: [] });
  });
});
