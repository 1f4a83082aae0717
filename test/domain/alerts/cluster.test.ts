import { describe, expect, it } from 'vitest';
import type { Alert } from '../../../src/contract/activities.js';
import type { AlertBook } from '../../../src/contract/internal.js';
import type { RingState } from '../../../src/contract/status.js';
import { keyOf } from '../../../src/domain/alerts/book.js';
import { alertsOfCluster, handOverAlerts, newClusterAlerts, tick } from '../../../src/domain/alerts/cluster.js';
import { waitForBlock } from '../../../src/domain/cluster/blocks.js';
import {
  type ClusterState,
  newClusterState,
  newRingRecord,
  type QueuedRequest,
  type Turn,
} from '../../../src/domain/cluster/state.js';
import type { Topology } from '../../../src/domain/topology/index.js';
import { problemOf } from '../../docs/cellctl.js';
import { argumentsOf } from '../../docs/shell.js';

const NOW = Date.parse('2025-03-18T12:00:00Z');
const HOUR = 3_600_000;
const V1 = '17.10.202503180906-6a387d336a7.c1c3e017782';
const V2 = '17.10.202503190906-7b387d336a7.d1c3e017782';

const cell = (id: string) => ({ id, tenant: `t-${id}`, url: `https://${id}.example` });
const TOPOLOGY: Topology = {
  cluster: 'prod',
  perimeter: 1,
  coordination: { graduationExpectedEvery: '36h' },
  rings: [
    { ring: 1, name: 'main', cells: [cell('main')] },
    { ring: 2, name: 'first', policy: { convergeWithin: '2h' }, cells: [cell('a'), cell('b')] },
    { ring: 3, name: 'soft', policy: { convergeWithin: '2h', onFailure: 'soft' }, cells: [cell('c')] },
  ],
};

const request = (version: string, ring: number, more: Partial<QueuedRequest> = {}): QueuedRequest => ({
  ...{ requestId: `${version}/${ring}`, version, chartVersion: null, ring, purpose: 'deploy', lane: null },
  ...{ approved: [], sinceMs: NOW, sender: '', at: ring, told: '', held: null },
  ...more,
});
const turn = (version: string, ring: number, state: RingState = 'rolling', more: Partial<Turn> = {}): Turn => ({
  ...{ request: request(version, ring), grantedAtMs: NOW, pass: 'pass', state, before: null },
  ...{ asked: false, rollbackSinceMs: null, starterGone: false },
  ...more,
});

function state(more: Partial<ClusterState> = {}): ClusterState {
  const rings = Object.fromEntries(TOPOLOGY.rings.map(({ ring, name = '' }) => [ring, newRingRecord(name)]));
  return { ...newClusterState(), cluster: 'prod', perimeter: 1, rings, ...more };
}

const due = (s: ClusterState, now = NOW) => alertsOfCluster(s, s.alerts, TOPOLOGY, now);
const inShort = (s: ClusterState, now = NOW) => due(s, now).alerts.map(({ name, severity }) => `${name} ${severity}`);

describe('a package that is blocked', () => {
  it('is asked about after a day, for as long as it waits', async () => {
    const block = { version: V1, by: 'alice', reason: 'INC-1', since: '2025-03-18T12:00:00Z' };
    const s = state({ queue: [request(V1, 2, { held: waitForBlock(block, 2) })] });
    expect(inShort(s, NOW + 23 * HOUR)).toEqual([]);
    const { alerts } = due(s, NOW + 24 * HOUR);
    expect(alerts).toMatchObject([{ name: 'BlockLasts', severity: 's3', ring: 2, version: V1, team: 'outer' }]);
    expect(alerts[0]?.summary).toContain('blocked by alice');
    for (const line of alerts[0]?.next ?? [])
      expect(await problemOf(argumentsOf('cellctl', line) ?? []), line).toBeNull();
  });
});

describe('a package that waits for a person', () => {
  it('raises an alert for as long as it waits', async () => {
    const held = { kind: 'approval' as const, ring: 2, since: '', detail: 'ring 2 needs a person', next: [] };
    const approve = { ...held, next: [`cellctl approve --ring 2 ${V1}`] };
    const { alerts } = due(state({ queue: [request(V1, 2, { held: approve })] }));
    expect(alerts).toMatchObject([
      { name: 'WaitingForApproval', severity: 's3', cluster: 'prod', ring: 2, version: V1, team: 'outer' },
    ]);
    for (const line of alerts.flatMap(({ next }) => next)) {
      expect(await problemOf(argumentsOf('cellctl', line) ?? []), line).toBeNull();
    }
    expect(inShort(state({ queue: [request(V1, 2)] }))).toEqual([]);
  });
});

describe('a ring that does not converge', () => {
  const late = (s: ClusterState, ...steps: number[]) => {
    let found: string[] = [];
    for (const at of steps) found = inShort(s, NOW + at);
    return found;
  };

  it('raises an alert once it was worked on for longer than `convergeWithin`, until it has', () => {
    const s = state({ turns: { 2: turn(V1, 2) } });
    expect(late(s, 0, 2 * HOUR - 1)).toEqual([]);
    expect(late(s, 2 * HOUR)).toEqual(['NotConverged s3']);
    const record = s.rings[2];
    if (record) record.converged = V1;
    expect(late(s, 2 * HOUR + 1)).toEqual([]);
  });

  it('pages nobody where it is soft', () => {
    expect(late(state({ turns: { 3: turn(V1, 3) } }), 0, 2 * HOUR)).toEqual(['NotConverged s4']);
  });

  it.each<RingState>(['halted', 'braked'])('is not worked on while it is %s', (at) => {
    const s = state({ turns: { 2: turn(V1, 2) } });
    expect(late(s, 0, HOUR)).toEqual([]);
    Object.assign(s.turns[2] ?? {}, { state: at });
    expect(late(s, HOUR, 20 * HOUR)).toEqual([]);
    Object.assign(s.turns[2] ?? {}, { state: 'rolling' });
    expect(late(s, 20 * HOUR, 21 * HOUR - 1)).toEqual([]);
    expect(late(s, 21 * HOUR)).toEqual(['NotConverged s3']);
  });

  it('is none that only migrates or goes back', () => {
    const back = turn(V1, 2, 'rolling-back', { request: request(V1, 2, { purpose: 'rollback' }) });
    expect(late(state({ turns: { 2: back } }), 0, 20 * HOUR)).toEqual([]);
  });

  it('has a clock that runs and stands', () => {
    const began = tick({ ranMs: 0, sinceMs: null }, true, 100);
    expect(began).toEqual({ ranMs: 0, sinceMs: 100 });
    expect(tick(began, false, 150)).toEqual({ ranMs: 50, sinceMs: null });
  });
});

describe('a queue that stands', () => {
  const held = { kind: 'ring-turn' as const, ring: 2, since: '', detail: '', next: [] };
  const queue = [request(V2, 2, { held, sinceMs: NOW + HOUR })];

  it('raises an alert for its ring, and names who holds it', () => {
    const s = () => state({ queue, turns: { 2: turn(V1, 2, 'halted') } });
    expect(inShort(s(), NOW + 3 * HOUR - 1)).toEqual([]);
    const { alerts } = due(s(), NOW + 3 * HOUR);
    expect(alerts).toMatchObject([
      {
        name: 'QueueStands',
        severity: 's3',
        ring: 2,
        team: 'outer',
        next: expect.arrayContaining([`cellctl status ${V1}`]),
      },
    ]);
    expect(alerts[0]?.summary).toBe(`${V2} waits for ring 2, which is halted with ${V1}`);
  });

  it('moves where its ring is with somebody who has not had it for long', () => {
    const moved = turn(V1, 2, 'halted', { grantedAtMs: NOW + 10 * HOUR });
    expect(inShort(state({ queue, turns: { 2: moved } }), NOW + 11 * HOUR)).toEqual([]);
  });
});

describe('graduation', () => {
  const graduated = [
    { version: V1, graduatedAt: new Date(NOW).toISOString(), by: 'ci', blocked: false, convergedAt: null },
  ];

  it('that does not come is told of, and looked for in time', () => {
    const s = state({ graduated });
    expect(due(s)).toEqual({ alerts: [], nextMs: NOW + 36 * HOUR });
    expect(inShort(s, NOW + 36 * HOUR)).toEqual(['NoGraduation s3']);
  });

  it('is waited for from when the cluster began, where there never was one', () => {
    const s = state();
    expect(inShort(s)).toEqual([]);
    expect(inShort(s, NOW + 36 * HOUR)).toEqual(['NoGraduation s3']);
  });

  it('needs no clock of its own while the cluster looks every minute', () => {
    expect(due(state({ graduated, turns: { 2: turn(V1, 2) } })).nextMs).toBeNull();
  });
});

describe('what a pass left', () => {
  const left: Alert = {
    name: 'CellRolledBack',
    severity: 's2',
    cluster: 'prod',
    ring: 2,
    cell: 'a',
    summary: '',
    next: [],
  };
  const entry = (saidAtMs: number): AlertBook => ({ [keyOf(left)]: { alert: left, saidAtMs } });
  const withLeft = (turns: ClusterState['turns'] = {}) => {
    const s = state({ turns, alerts: newClusterAlerts(), graduated: [] });
    Object.assign(s.rings[2] ?? {}, { alerts: entry(NOW) });
    return s;
  };

  it('stays up, and is not raised anew, until another pass enters the ring', () => {
    const s = withLeft();
    expect(due(s).alerts).toEqual([left]);
    expect(s.alerts.book).toEqual(entry(NOW));
    expect(due(withLeft({ 2: turn(V2, 2, 'waiting', { pass: null }) })).alerts).toEqual([left]);
    expect(due(withLeft({ 2: turn(V2, 2) })).alerts).toEqual([]);
  });

  it('goes over to that pass with when it was raised last, and the cluster says nothing more of it', () => {
    const s = withLeft();
    due(s);
    s.alerts.book = entry(NOW + HOUR);
    expect(handOverAlerts(s, s.alerts, 2)).toEqual(entry(NOW + HOUR));
    expect(s.alerts.book).toEqual({});
    expect(handOverAlerts(state(), newClusterAlerts(), 3)).toEqual({});
  });
});

describe('a cell that failed under three packages in a row', () => {
  it('asks for a quarantine until it has come through with one', async () => {
    const repeats = { a: { ring: 2, versions: ['v1', 'v2', 'v3'] }, b: { ring: 2, versions: ['v3'] } };
    const { alerts } = due(state({ repeats }));
    expect(alerts).toMatchObject([{ name: 'CellFailsRepeatedly', severity: 's3', ring: 2, cell: 'a', team: 'outer' }]);
    for (const line of alerts[0]?.next ?? [])
      expect(await problemOf(argumentsOf('cellctl', line) ?? []), line).toBeNull();
    expect(inShort(state({ repeats: { b: repeats.b } }))).toEqual([]);
    const quarantined = { a: { by: 'ann', reason: 'disk', sinceMs: NOW } };
    expect(due(state({ repeats, quarantined })).alerts.map(({ name }) => name)).not.toContain('CellFailsRepeatedly');
  });
});
