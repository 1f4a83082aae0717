import { describe, expect, it } from 'vitest';
import type { CalendarWord } from '../../../src/contract/calendar.js';
import { calendarsWaitedFor, closingFor, noteWord, openingsFor } from '../../../src/domain/cluster/calendars.js';
import { type ClusterState, newClusterState } from '../../../src/domain/cluster/state.js';
import { parseTopology, type Topology } from '../../../src/domain/topology/index.js';
import { fleet, type Policy } from '../../support/fleet.js';

const NOW = Date.parse('2026-01-02T00:00:00Z');
const HOUR = 3_600_000;
const RINGS = [2, 3, 4];
const DEPLOY = { purpose: 'deploy', lane: null } as const;
const URGENT = { ...DEPLOY, lane: 'urgent' };

const open = (from: string, to = '17:00') => ({
  deployWindows: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri'], from, to, timezone: 'UTC' }],
});

function topologyOf(policy: Policy, policies: Record<number, Policy> = {}, urgent: Policy = {}): Topology {
  const lanes = { urgent: { bakeTime: '1m', ...urgent } };
  const parsed = parseTopology(fleet({ 2: 1, 3: 1, 4: 1 }, policies, { policy, lanes }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.topology;
}

function cluster(): ClusterState {
  const state = { ...newClusterState(), perimeter: 1 };
  state.rollouts.v = { run: 'r', startedAtMs: 0, chartVersion: null, lane: 'urgent', graduatedAt: null };
  return state;
}

/** Open now, and again a day later. */
const word = (untilMs: number): CalendarWord => ({
  ...{ untilMs, freeze: null, window: null, opensMs: null },
  openings: [
    { fromMs: NOW, toMs: untilMs },
    { fromMs: untilMs + 16 * HOUR, toMs: untilMs + 24 * HOUR },
  ],
});

const waitedFor = (state: ClusterState, topology: Topology, now = NOW) =>
  calendarsWaitedFor(state, RINGS, { topology, now });

/** Asks for everything that is to be asked; answers how much that was. */
function askAll(state: ClusterState, topology: Topology, now = NOW): number {
  const { all, ask } = waitedFor(state, topology, now);
  const inUse = new Set(all.map(({ key }) => key));
  for (const { key } of ask) noteWord(state, key, word(now + HOUR), { now, inUse });
  return ask.length;
}

describe('what a calendar says', () => {
  it('is asked once and kept once for all rings and lanes that have the same', () => {
    const [state, topology] = [cluster(), topologyOf(open('09:00'))];
    expect(askAll(state, topology)).toBe(1);
    expect(Object.keys(state.calendars ?? {})).toHaveLength(1);
    for (const ring of RINGS)
      for (const request of [DEPLOY, URGENT])
        expect(closingFor(state, request, ring, { topology, now: NOW })).toBeNull();
  });

  it.each<[string, Topology, number]>([
    ['another ring’s windows', topologyOf(open('09:00'), { 3: open('10:00') }), 2],
    ['windows of its lane beside its own', topologyOf(open('09:00'), {}, open('10:00')), 2],
    ['a freeze of one ring', topologyOf(open('09:00'), { 4: { freezes: [freeze()] } }), 2],
  ])('is asked for each that differs: %s', (_what, topology, count) => {
    const state = cluster();
    expect(askAll(state, topology)).toBe(count);
    expect(askAll(state, topology)).toBe(0);
  });

  it('is still found when a freeze is over, and by a lane that is no longer written', () => {
    const over = freeze(NOW - HOUR, NOW + HOUR / 2);
    const [state, topology] = [cluster(), topologyOf(open('09:00'), { 3: { freezes: [over] } })];
    askAll(state, topology);
    expect(waitedFor(state, topology, NOW + HOUR - 1).ask).toEqual([]);
    expect(closingFor(state, { ...DEPLOY, lane: 'gone' }, 2, { topology, now: NOW })).toBeNull();
  });

  it('is asked anew when it has run out, and what it knew of later times holds until all answers are there', () => {
    const [state, topology] = [cluster(), topologyOf(open('09:00'), { 3: open('10:00') })];
    askAll(state, topology);
    const now = NOW + 2 * HOUR;
    const { all, ask } = waitedFor(state, topology, now);
    expect(ask).toHaveLength(2);
    const inUse = new Set(all.map(({ key }) => key));
    noteWord(state, ask[0]?.key ?? '', word(now + HOUR), { now, inUse });
    expect(closingFor(state, DEPLOY, 3, { topology, now })).toBe('unknown');
    expect(openingsFor(state, DEPLOY, 3, { topology, now })?.(now)).toEqual({
      fromMs: NOW + 17 * HOUR,
      toMs: NOW + 25 * HOUR,
    });
  });

  it('is forgotten when it has run out and nobody goes by it, or with the topology that it was said of', () => {
    const [state, topology] = [cluster(), topologyOf(open('09:00'), { 3: open('10:00') })];
    askAll(state, topology);
    const [first = '', other = ''] = Object.keys(state.calendars ?? {});
    const now = NOW + 2 * HOUR;
    noteWord(state, first, word(now + HOUR), { now, inUse: new Set([first]) });
    expect(Object.keys(state.calendars ?? {})).toEqual([first]);
    state.revision += 1;
    noteWord(state, other, word(now + HOUR), { now, inUse: new Set([first]) });
    expect(Object.keys(state.calendars ?? {})).toEqual([other]);
  });

  it('opens rings, too, where an older run had kept it for each ring and lane', () => {
    const [state, topology] = [
      cluster(),
      topologyOf({}, Object.fromEntries(RINGS.map((ring) => [ring, open('09:00')]))),
    ];
    const names = RINGS.flatMap((ring) => [`0/${ring}/`, `0/${ring}/urgent`]);
    state.calendars = Object.fromEntries(names.map((name) => [name, word(NOW + HOUR)]));
    expect(waitedFor(state, topology).ask).toEqual([]);
    expect(closingFor(state, URGENT, 4, { topology, now: NOW })).toBeNull();
    // They are gone when they have run out: nobody asks for them any more.
    expect(askAll(state, topology, NOW + 2 * HOUR)).toBe(1);
    expect(Object.keys(state.calendars)).toEqual(['0/2/']);
  });
});

function freeze(fromMs = NOW + 48 * HOUR, toMs = NOW + 72 * HOUR) {
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() };
}
