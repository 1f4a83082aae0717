import { beforeEach, describe, expect, it } from 'vitest';
import type { BrakeStatus } from '../../../src/contract/status.js';
import { alertsOfDrift } from '../../../src/domain/alerts/drift.js';
import { engage } from '../../../src/domain/brake.js';
import {
  isPausedForDrift,
  judgeResume,
  keepDrift,
  nextOverrideExpiry,
  nextToCount,
  overrideDrift,
  ringsBehind,
  viewOfDrift,
} from '../../../src/domain/cluster/drift.js';
import { beginTurn } from '../../../src/domain/cluster/holders.js';
import { type ClusterState, newClusterState, newRingRecord } from '../../../src/domain/cluster/state.js';
import { parseTopology, type Topology } from '../../../src/domain/topology/index.js';
import { fleet, V0, V1, V2, V3 } from '../../support/fleet.js';

const NOW = Date.parse('2026-01-02T03:04:05Z');
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function topology(maxDrift = 1): Topology {
  const parsed = parseTopology(fleet({ 2: 2, 3: 0, 5: 2 }, {}, { coordination: { maxDrift } }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.topology;
}

let state: ClusterState;
beforeEach(() => {
  state = newClusterState();
  for (const ring of [0, 1, 2, 3, 5]) state.rings[ring] = { ...newRingRecord(`r${ring}`), converged: V0 };
});

function graduates(version: string, at = NOW, by = topology()): void {
  const graduatedAt = new Date(at).toISOString();
  state.graduated.push({ version, graduatedAt, by: 'release-tools', blocked: false, convergedAt: null });
  keepDrift(state, by, at);
}
const brake = (at = NOW) => {
  const all = { brakeId: 'b', scope: { ring: 5 } as const, mode: 'finish-cells' as const, by: 'alice', reason: 'x' };
  state.brakes = engage(state.brakes, all, at);
};
const byRing = (at = NOW) => viewOfDrift(state, topology(), at).drift.byRing;
const ownBrake = { brakeId: 'p', scope: 'package' as const, mode: 'finish-cells' as const, by: 'alice', reason: 'x' };
const rolloutOf = (brakes: BrakeStatus[]) => ({
  ...{ run: 'r', startedAtMs: NOW, chartVersion: null, lane: null, graduatedAt: null },
  braked: { epoch: 'e', seq: 1, brakes },
});
function holdBraked(ring: number, version: string): void {
  const asked = { requestId: 'r', version, chartVersion: null, ring, purpose: 'deploy' as const, lane: null };
  const request = { ...asked, approved: [], sinceMs: NOW, sender: '', at: ring, told: '', held: null };
  beginTurn(state, ring, request, 'p', NOW);
  state.rollouts[version] = rolloutOf(engage([], ownBrake, NOW));
}

describe('drift', () => {
  it('is how many graduated packages an outer ring with cells is behind', () => {
    graduates(V1);
    expect(viewOfDrift(state, topology(), NOW).drift).toEqual({ max: 1, byRing: { 2: 1, 5: 1 } });
    graduates(V2);
    if (state.rings[2]) state.rings[2].converged = V1;
    expect(byRing()).toEqual({ 2: 1, 5: 2 });
    if (state.rings[5]) state.rings[5].converged = V2;
    expect(byRing()).toEqual({ 2: 1, 5: 0 });
  });

  it('goes by the oldest package seen in a ring that has never converged', () => {
    state.rings[5] = { ...newRingRecord('r5'), observed: { [V2]: 1, [V1]: 1, unknown: 1 } };
    for (const version of [V1, V2, V3]) graduates(version);
    expect(byRing()[5]).toBe(2);
  });

  it('counts what was taken back from a ring that had converged on it', () => {
    for (const version of [V1, V2]) graduates(version);
    const seen = (observed: Record<string, number>) => Object.assign(state.rings[5] ?? {}, { converged: V2, observed });
    seen({ [V2]: 1, [V0]: 1 });
    expect(byRing()[5]).toBe(0);
    seen({ [V1]: 1, [V0]: 1 });
    expect(byRing()[5]).toBe(2);
  });

  it('does not count what is blocked', () => {
    graduates(V1);
    graduates(V2);
    state.blocked = [{ version: V1, by: 'alice', reason: 'x', since: '2026-01-02T03:04:05Z', fixedIn: V2 }];
    expect(byRing()).toEqual({ 2: 1, 5: 1 });
  });

  it('does not count a package that its own brake has held since it graduated', () => {
    state.rollouts[V1] = rolloutOf(engage([], ownBrake, NOW));
    graduates(V1);
    expect(byRing()).toEqual({ 2: 0, 5: 0 });
    state.rollouts[V1] = rolloutOf([]);
    keepDrift(state, topology(), NOW);
    expect(byRing()).toEqual({ 2: 1, 5: 1 });
  });

  it('does not count what was never the newest while the ring was open', () => {
    brake();
    for (const version of [V1, V2, V3]) graduates(version);
    expect(byRing()).toEqual({ 2: 3, 5: 0 });
    state.brakes = [];
    keepDrift(state, topology(), NOW + HOUR);
    expect(byRing(NOW + 2 * HOUR)).toEqual({ 2: 3, 5: 1 });
  });

  it('gives a ring that was shut the time that it missed, before what graduated meanwhile counts', () => {
    brake();
    graduates(V1);
    state.brakes = [];
    keepDrift(state, topology(), NOW + HOUR);
    expect(byRing(NOW + HOUR)).toEqual({ 2: 1, 5: 0 });
    expect(nextToCount(state, topology(), NOW + HOUR)).toBe(NOW + 2 * HOUR);
    expect(byRing(NOW + 2 * HOUR - 1)).toEqual({ 2: 1, 5: 0 });
    expect(byRing(NOW + 2 * HOUR)).toEqual({ 2: 1, 5: 1 });
    expect(nextToCount(state, topology(), NOW + 2 * HOUR)).toBeNull();
  });

  it('after a long freeze gives each ring what a package needs to come there, and not a day for each day', () => {
    const at = (days: number) => new Date(NOW + days * DAY).toISOString();
    const frozen = { freezes: [{ from: at(0.25), to: at(10.25), reason: 'holidays' }] };
    const policy = { bakeTime: '1h', convergeWithin: '4h', ...frozen };
    const parsed = parseTopology(fleet({ 2: 2, 5: 2 }, { 2: policy, 5: policy }));
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    const keep = (ms: number) => keepDrift(state, parsed.topology, ms);
    const behind = (ms: number) => viewOfDrift(state, parsed.topology, ms).drift.byRing;
    graduates(V1, NOW, parsed.topology);
    keep(NOW + 6 * HOUR);
    graduates(V2, NOW + 2 * DAY, parsed.topology);
    graduates(V3, NOW + 3 * DAY, parsed.topology);
    expect(nextToCount(state, parsed.topology, NOW + 3 * DAY)).toBeNull();
    const over = NOW + 10.25 * DAY;
    expect(keep(over)).toBeNull();
    // The first one had six hours: enough to come to ring 2, too few for ring 5.
    expect(behind(over + 1)).toEqual({ 2: 1, 5: 0 });
    expect(behind(over + 4 * HOUR)).toEqual({ 2: 2, 5: 1 });
    expect(behind(over + 9 * HOUR)).toEqual({ 2: 2, 5: 2 });
    expect(keep(over + 4 * HOUR)).toBe('paused');
    for (const ring of [2, 5]) Object.assign(state.rings[ring] ?? {}, { converged: V3 });
    expect(keep(over + 5 * HOUR)).toBe('resumed');
    expect(state.drift.shut).toEqual({});
  });

  it('adds up the time in which the ring was open', () => {
    graduates(V1);
    for (const hour of [0, 2, 4]) {
      brake();
      keepDrift(state, topology(), NOW + hour * HOUR);
      state.brakes = [];
      keepDrift(state, topology(), NOW + (hour + 1.5) * HOUR);
    }
    // Shut for four and a half hours, and open for one.
    expect(nextToCount(state, topology(), NOW + 5.5 * HOUR)).toBe(NOW + 9 * HOUR);
  });

  it('does not count what graduated while the pass in the ring stood by a brake of its own package', () => {
    graduates(V1);
    holdBraked(5, V1);
    graduates(V2, NOW + HOUR);
    expect(byRing(NOW + HOUR)).toEqual({ 2: 2, 5: 1 });
    // A halted pass gives way to the newer package.
    Object.assign(state.turns[5] ?? {}, { state: 'halted' });
    keepDrift(state, topology(), NOW + HOUR);
    expect(byRing(NOW + HOUR)).toEqual({ 2: 2, 5: 2 });
  });

  it('remembers a bounded number of times in which a ring was shut', () => {
    graduates(V1);
    for (let i = 0; i < 300; i += 1) {
      if (i % 2 === 0) brake();
      else state.brakes = [];
      keepDrift(state, topology(), NOW + i);
    }
    expect(state.drift.shut?.[5]).toHaveLength(100);
  });

  it('does not count what graduated while the ring was frozen, or outside its windows', () => {
    const frozen = { freezes: [{ from: '2026-01-01T00:00:00Z', to: '2026-01-02T04:00:00Z', reason: 'holidays' }] };
    const parsed = parseTopology(fleet({ 2: 2, 5: 2 }, { 5: frozen }));
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    const graduatedAt = new Date(NOW).toISOString();
    state.graduated = [V1, V2].map((version) => ({ version, graduatedAt, by: 'x', blocked: false, convergedAt: null }));
    keepDrift(state, parsed.topology, NOW);
    expect(viewOfDrift(state, parsed.topology, NOW).drift.byRing).toEqual({ 2: 1, 5: 0 });
    expect(ringsBehind(state, parsed.topology, NOW)).toEqual([2, 5]);
    keepDrift(state, parsed.topology, NOW + HOUR);
    expect(viewOfDrift(state, parsed.topology, NOW + 2 * HOUR).drift.byRing).toEqual({ 2: 1, 5: 1 });
  });

  it('does not count what a shut ring before it keeps from the ring', () => {
    const all = { brakeId: 'b', scope: { ring: 2 } as const, mode: 'finish-cells' as const, by: 'alice', reason: 'x' };
    state.brakes = engage(state.brakes, all, NOW);
    for (const version of [V1, V2]) graduates(version);
    expect(byRing()).toEqual({ 2: 0, 5: 0 });
    // What has the package already keeps nobody from it.
    Object.assign(state.rings[2] ?? {}, { converged: V2 });
    keepDrift(state, topology(), NOW);
    expect(byRing()).toEqual({ 2: 0, 5: 1 });
  });

  it('is not of a ring in which no cell can take anything', () => {
    for (const version of [V1, V2]) graduates(version);
    for (const cell of ['c5-1', 'c5-2']) state.quarantined[cell] = { by: 'alice', reason: 'x', sinceMs: NOW };
    expect(byRing()).toEqual({ 2: 2 });
    const parsed = parseTopology(fleet({ 2: 2, 5: 2 }, { 2: { mode: 'observe' } }));
    expect(parsed.ok && viewOfDrift(state, parsed.topology, NOW).drift).toEqual({ max: 0, byRing: {} });
  });

  it('counts a package that the ring could have taken before it was braked', () => {
    graduates(V1);
    brake();
    graduates(V2);
    expect(byRing()[5]).toBe(1);
  });

  it('forgets what no longer counts as graduated', () => {
    graduates(V1);
    state.graduated = [];
    keepDrift(state, topology(), NOW);
    expect(state.drift.openFor).toEqual({});
    expect(byRing()).toEqual({ 2: 0, 5: 0 });
  });
});

describe('auto-deploy', () => {
  it('pauses itself beyond the limit, and resumes by itself when the drift is back', () => {
    graduates(V1);
    expect(isPausedForDrift(state)).toBe(false);
    graduates(V2);
    expect(isPausedForDrift(state)).toBe(true);
    const { autoDeploy } = viewOfDrift(state, topology(), NOW);
    expect(autoDeploy).toMatchObject({ state: 'paused', since: new Date(NOW).toISOString() });
    expect(viewOfDrift(state, topology(), NOW + 60_000).autoDeploy.since).toBe(autoDeploy.since);
    expect(autoDeploy.reason).toContain('ring 5 is 2 graduated packages behind');
    for (const ring of [2, 5]) Object.assign(state.rings[ring] ?? {}, { converged: V1 });
    expect(keepDrift(state, topology(), NOW)).toBe('resumed');
    expect(viewOfDrift(state, topology(), NOW).autoDeploy).toEqual({ state: 'running' });
  });

  it('says once that it has paused', () => {
    graduates(V1);
    state.graduated.push({
      version: V2,
      graduatedAt: new Date(NOW).toISOString(),
      by: 'x',
      blocked: false,
      convergedAt: null,
    });
    expect(keepDrift(state, topology(), NOW)).toBe('paused');
    expect(keepDrift(state, topology(), NOW + 1)).toBeNull();
  });

  it('runs on a person’s word until that expires, or the drift is back', () => {
    graduates(V1);
    expect(judgeResume(state, {}, NOW)).toMatchObject({ value: 'running' });
    graduates(V2);
    expect(judgeResume(state, { expiresAt: '2026-01-01T00:00:00Z' }, NOW)).toMatchObject({ path: 'expiresAt' });
    expect(judgeResume(state, {}, NOW)).toBeNull();
    overrideDrift(state, { by: 'alice', reason: 'seen', expiresAt: '2026-01-02T04:04:05Z' }, NOW);
    expect(isPausedForDrift(state)).toBe(false);
    expect(viewOfDrift(state, topology(), NOW).autoDeploy).toMatchObject({
      state: 'running',
      override: { by: 'alice' },
    });
    expect(nextOverrideExpiry(state)).toBe(NOW + HOUR);
    expect(keepDrift(state, topology(), NOW + HOUR)).toBe('override-over');
    expect(isPausedForDrift(state)).toBe(true);
    overrideDrift(state, { by: 'alice', reason: 'seen' }, NOW);
    for (const ring of [2, 5]) Object.assign(state.rings[ring] ?? {}, { converged: V2 });
    keepDrift(state, topology(), NOW);
    expect(state.drift).toMatchObject({ paused: null, override: null });
  });
});

describe('the alerts of drift', () => {
  it('come ahead of time where the forecast is later than the graduation that would be one too many', () => {
    const late = (cellMs: number) => {
      Object.assign(state.rings[2] ?? {}, { cellTimesMs: [cellMs], total: 2 });
      Object.assign(state.rings[5] ?? {}, { cellTimesMs: [1_000], total: 2 });
      return alertsOfDrift(state, topology(3), NOW + HOUR).alerts;
    };
    const open = { run: 'r', startedAtMs: NOW, chartVersion: null, lane: null, graduatedAt: null };
    state.rollouts[V1] = open;
    graduates(V1);
    expect(late(HOUR)).toEqual([]);
    // Packages are expected every 36 hours at the least: the third one after this would be one too many.
    expect(late(109 * HOUR).map(({ name, ring }) => [name, ring])).toEqual([
      ['DriftNear', 2],
      ['DriftNear', 5],
    ]);
    expect(late(109 * HOUR)[0]?.summary).toContain('more than 3 behind by 2026-01-06');
  });

  it('go to both teams when auto-deploy has paused, with what holds each ring up', () => {
    graduates(V1);
    graduates(V2);
    const alerts = alertsOfDrift(state, topology(), NOW).alerts;
    expect(alerts.map(({ name, team, severity }) => [name, team, severity])).toEqual([
      ['AutoDeployPaused', 'perimeter', 's2'],
      ['AutoDeployPaused', 'outer', 's2'],
    ]);
    expect(alerts[0]?.evidence).toEqual([`ring 2 lacks ${V1}, ${V2}`, `ring 5 lacks ${V1}, ${V2}`]);
  });

  it('say of a ring in which nothing is under way what holds the ring before it, with the cause of a halt', () => {
    holdBraked(2, V1);
    state.rollouts = {};
    const exceptions = ['c2-1', 'c2-2', 'c2-3'].map((id) => ({
      cell: id,
      state: 'failed' as const,
      reason: 'job 7 failed',
    }));
    Object.assign(state.turns[2] ?? {}, { state: 'halted', waits: 'operator' });
    Object.assign(state.rings[2] ?? {}, { exceptions, exceptionsTotal: 9 });
    for (const version of [V1, V2]) graduates(version);
    const causes = `halted with ${V1}: c2-1: job 7 failed, c2-2: job 7 failed, and 7 more`;
    const [alert] = alertsOfDrift(state, topology(), NOW).alerts;
    expect(alert?.summary).toContain(`ring 2 is 2 graduated packages behind (${causes})`);
    expect(alert?.summary).toContain(`ring 5 is 2 graduated packages behind (ring 2 before it: ${causes})`);
  });

  it('say what a pass waits for; and that nothing is under way where nothing is', () => {
    for (const version of [V1, V2]) graduates(version);
    const said = () => alertsOfDrift(state, topology(), NOW).alerts[0]?.summary;
    expect(said()).toContain('ring 5 is 2 graduated packages behind (idle, nothing under way there)');
    holdBraked(5, V1);
    Object.assign(state.turns[5] ?? {}, { state: 'rolling', waits: 'health' });
    expect(said()).toContain(`(rolling with ${V1}, waits for health)`);
  });

  it('come ahead of time for a ring that should have had the package by now', () => {
    graduates(V1);
    expect(alertsOfDrift(state, topology(), NOW + HOUR)).toEqual({ alerts: [], nextMs: NOW + 4 * HOUR });
    const late = alertsOfDrift(state, topology(), NOW + 4 * HOUR).alerts;
    expect(late.map(({ name, ring }) => [name, ring])).toEqual([
      ['DriftNear', 2],
      ['DriftNear', 5],
    ]);
    expect(alertsOfDrift(state, topology(3), NOW + 4 * HOUR).alerts).toEqual([]);
  });

  it('come at once for a ring that is as far behind as it may be, where that is more than the package under way', () => {
    graduates(V1);
    expect(alertsOfDrift(state, topology(2), NOW).alerts).toEqual([]);
    graduates(V2);
    keepDrift(state, topology(2), NOW);
    const near = alertsOfDrift(state, topology(2), NOW).alerts;
    expect(near.map(({ name, ring }) => [name, ring])).toEqual([
      ['DriftNear', 2],
      ['DriftNear', 5],
    ]);
  });
});
