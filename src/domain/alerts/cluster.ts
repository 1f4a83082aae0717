import type { Alert } from '../../contract/activities.js';
import type { AlertBook } from '../../contract/internal.js';
import type { RingState } from '../../contract/status.js';
import { isCalendarWait } from '../calendar/gate.js';
import { outOfAutomation } from '../cluster/quarantine.js';
import { IN_A_ROW } from '../cluster/repeats.js';
import { keepLeft } from '../cluster/rollbacks.js';
import { standsOn } from '../cluster/stands.js';
import type { ClusterState, QueuedRequest, Turn, WorkClock } from '../cluster/state.js';
import { earliest } from '../instant.js';
import { resolveCoordination, resolvePolicy, ringOf, type Topology } from '../topology/index.js';
import type { Due } from './book.js';
import { ofRing } from './cell.js';
import { changedByHand } from './differences.js';
import { alertsOfDrift } from './drift.js';
import { alertsOfQuarantines } from './quarantine.js';
import { alertOfLeft } from './rollback.js';

/** The alerts of what only the cluster knows: the queue, graduation, and what passes left behind. */

export interface ClusterAlertState {
  book: AlertBook;
  /** Since when graduation is waited for, epoch ms; null: nobody has looked yet. */
  watchedSinceMs: number | null;
}

export const newClusterAlerts = (): ClusterAlertState => ({ book: {}, watchedSinceMs: null });

/** @param topology the one in force */
export function alertsOfCluster(state: ClusterState, kept: ClusterAlertState, topology: Topology, now: number): Due {
  kept.watchedSinceMs ??= now;
  const drift = alertsOfDrift(state, topology, now);
  const quarantines = alertsOfQuarantines(state, topology, now);
  const missing = graduation(state, kept.watchedSinceMs, topology, now);
  const alerts = [
    ...approvals(state, topology),
    ...blocked(state, topology, now),
    ...leftByPasses(state, kept.book),
    ...late(state, topology, now),
    ...standingQueues(state, topology, now),
    ...repeated(state, topology),
    ...changedByHand(state, topology),
    ...keepLeft(state).map(([version, left]) => alertOfLeft(state.cluster ?? '', version, left, left.sinceMs)),
    ...drift.alerts,
    ...quarantines.alerts,
    ...missing.alerts,
  ];
  // While somebody holds a ring, or waits for one, the cluster looks every minute anyhow.
  const isBusy = Object.keys(state.turns).length + state.queue.length > 0;
  const clocks = [missing.nextMs, quarantines.nextMs, drift.nextMs].flatMap((ms) => ms ?? []);
  return { alerts, nextMs: isBusy ? null : earliest(clocks) };
}

const cluster = (state: ClusterState): string => state.cluster ?? '';
const teamOf = (ring: number, { perimeter }: Topology) =>
  ring <= perimeter ? ('perimeter' as const) : ('outer' as const);

function approvals(state: ClusterState, topology: Topology): Alert[] {
  return state.queue.flatMap(({ at, version, held, sinceMs }): Alert[] => {
    if (at === null || held?.kind !== 'approval') return [];
    const next = [`cellctl status ${version}`, ...held.next];
    const summary = `${version} waits: ${held.detail}`;
    const about = { cluster: cluster(state), ring: at, version, team: teamOf(at, topology) };
    return [{ name: 'WaitingForApproval', severity: 's3', ...about, summary, next, startedAtMs: sinceMs }];
  });
}

const BLOCK_LASTS_MS = 86_400_000;

/** A block has no end of its own: after a day somebody is asked whether it is still meant. */
function blocked(state: ClusterState, topology: Topology, now: number): Alert[] {
  return state.queue.flatMap(({ at, version, held, sinceMs }): Alert[] => {
    const lastsSinceMs = sinceMs + BLOCK_LASTS_MS;
    if (at === null || held?.blocked === undefined || now < lastsSinceMs) return [];
    const about = { cluster: cluster(state), ring: at, version, team: teamOf(at, topology) };
    const summary = `${version} has waited for a day: ${held.detail}`;
    const next = [`cellctl status ${version}`, ...held.next];
    return [{ name: 'BlockLasts', severity: 's3', ...about, summary, next, startedAtMs: lastsSinceMs }];
  });
}

/** While a pass is in the ring, what was left there is the pass's to keep up and to end. */
function leftByPasses({ rings, turns }: ClusterState, book: AlertBook): Alert[] {
  const free = Object.entries(rings).filter(([ring]) => !turns[Number(ring)]?.pass);
  const left = free.flatMap(([, record]) => Object.entries(record.alerts ?? {}));
  for (const [key, entry] of left) book[key] ??= entry;
  return left.map(([, { alert }]) => alert);
}

/** A pass enters the ring: what was left there is no more the cluster's. */
export function handOverAlerts({ rings }: ClusterState, { book }: ClusterAlertState, ring: number): AlertBook {
  const left = rings[ring]?.alerts ?? {};
  const entries = Object.entries(left).map(([key, entry]) => [key, book[key] ?? entry] as const);
  for (const [key] of entries) delete book[key];
  return Object.fromEntries(entries);
}

/** Rings that have been worked on for too long without having converged on the package of their turn. */
function late(state: ClusterState, topology: Topology, now: number): Alert[] {
  return Object.entries(state.turns).flatMap(([of, turn]): Alert[] => {
    const ring = Number(of);
    const record = state.rings[ring];
    const { version, purpose, lane } = turn.request;
    turn.work = tick(turn.work ?? { ranMs: 0, sinceMs: null }, isAtWork(turn), now);
    if (!record || purpose !== 'deploy' || standsOn(record) === version || !ringOf(topology, ring)) return [];
    const { convergeWithinMs, onFailure } = resolvePolicy(topology, ring, lane);
    if (turn.work.ranMs < convergeWithinMs) return [];
    const { state: at, total, observed } = record;
    const summary = `ring ${ring} has not converged on ${version} in time: ${at}, ${observed[version] ?? 0} of ${total} cells run it`;
    const facts = {
      cluster: cluster(state),
      ring,
      version,
      soft: onFailure === 'soft',
      perimeter: ring <= topology.perimeter,
    };
    return [{ ...ofRing(facts, 'NotConverged', 's3'), summary, next: [`cellctl status ${version}`] }];
  });
}

/** What a person, or the calendar, has to end stops the clock; and what has converged is not late. */
const WORKS: RingState[] = ['waiting', 'rolling', 'rolling-back', 'migrating'];

/** A pass that waits for the calendar has cells in flight, or none. */
const isAtWork = ({ state, waits }: Turn): boolean => WORKS.includes(state) && !isCalendarWait(waits);

/** A clock that has run, or stood, until now. */
export const tick = ({ ranMs, sinceMs }: WorkClock, runs: boolean, now: number): WorkClock => ({
  ranMs: ranMs + (sinceMs === null ? 0 : now - sinceMs),
  sinceMs: runs ? now : null,
});

/** A ring for which packages wait, and whose holder has had it for longer than it should take. */
function standingQueues(state: ClusterState, topology: Topology, now: number): Alert[] {
  const waiting = new Map<number, QueuedRequest>();
  for (const request of state.queue) {
    const { at, held } = request;
    if (at !== null && held?.kind === 'ring-turn' && !waiting.has(at)) waiting.set(at, request);
  }
  return [...waiting].flatMap(([ring, request]) => standing(state, topology, { ring, request, now }) ?? []);
}

function standing(
  state: ClusterState,
  topology: Topology,
  { ring, request, now }: { ring: number; request: QueuedRequest; now: number },
): Alert | null {
  const turn = state.turns[ring];
  if (!turn || !ringOf(topology, ring) || isCalendarWait(turn.waits)) return null;
  const { convergeWithinMs } = resolvePolicy(topology, ring, null);
  const sinceMs = Math.max(request.sinceMs, turn.grantedAtMs) + convergeWithinMs;
  if (now < sinceMs) return null;
  const { version } = turn.request;
  return {
    name: 'QueueStands',
    severity: 's3',
    cluster: cluster(state),
    ring,
    team: teamOf(ring, topology),
    summary: `${request.version} waits for ring ${ring}, which is ${turn.state} with ${version}`,
    next: ['cellctl rollouts --open', `cellctl status ${version}`],
    startedAtMs: sinceMs,
  };
}

const REPEATED_AT_MOST = 20;

/** Nothing takes such a cell out by itself: a person is asked to. */
function repeated(state: ClusterState, topology: Topology): Alert[] {
  const isOut = outOfAutomation(state, topology);
  const often = Object.entries(state.repeats).filter(([cell, r]) => r.versions.length >= IN_A_ROW && !isOut.has(cell));
  return often.slice(0, REPEATED_AT_MOST).map(([cell, { ring, versions }]): Alert => {
    const about = { cluster: cluster(state), ring, cell, team: teamOf(ring, topology) };
    return {
      ...about,
      name: 'CellFailsRepeatedly',
      severity: 's3',
      summary: `${cell} has failed under ${versions.length} packages in a row: is it to be quarantined?`,
      evidence: [`the packages: ${versions.join(', ')}`],
      next: [`cellctl health ${cell}`, `cellctl quarantine ${cell} --reason "…"`],
    };
  });
}

function graduation(state: ClusterState, sinceMs: number, topology: Topology, now: number): Due {
  const hasOuter = topology.rings.some(({ ring, cells }) => ring > topology.perimeter && cells.length > 0);
  if (!hasOuter) return { alerts: [], nextMs: null };
  const lastMs = Math.max(sinceMs, ...state.graduated.map(({ graduatedAt }) => Date.parse(graduatedAt)));
  const dueMs = lastMs + resolveCoordination(topology).graduationExpectedEveryMs;
  if (now < dueMs) return { alerts: [], nextMs: dueMs };
  const last = state.graduated.at(-1);
  const alert: Alert = {
    name: 'NoGraduation',
    severity: 's3',
    cluster: cluster(state),
    team: 'perimeter',
    summary: `no package has graduated since ${new Date(lastMs).toISOString()}`,
    ...(last ? { evidence: [`the last one was ${last.version}, at ${last.graduatedAt}`] } : {}),
    next: ['cellctl rollouts --open'],
    startedAtMs: dueMs,
  };
  return { alerts: [alert], nextMs: null };
}
