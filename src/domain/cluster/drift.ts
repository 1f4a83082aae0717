import type { Problem } from '../../contract/problem.js';
import type { ClusterStatus } from '../../contract/status.js';
import { covers, holding } from '../brake.js';
import { earliest, expiryOf, judgeExpiry } from '../instant.js';
import { comparePackages, isNewer, isPackage, newest } from '../package-version.js';
import { layeredPolicy, resolveCoordination, resolvePolicy, type Topology } from '../topology/index.js';
import { blockOf } from './blocks.js';
import { isShut } from './calendars.js';
import { cellsInAutomation } from './quarantine.js';
import { isReconcile, packageBrake } from './reconcile.js';
import { standsOn } from './stands.js';
import type { ClusterState, Turn } from './state.js';

/**
 * How many graduated packages an outer ring is behind, and what follows from it: beyond `maxDrift` nothing new enters the
 * perimeter, because what could not be brought to the outer rings would only pile up before them.
 */
export interface DriftState {
  /** By graduated package: outer ones among the rings that were open at some time while it was the newest. */
  openFor: Record<string, number[]>;
  /** By outer ring: from when to when it could take nothing, oldest first; absent: that was never so. */
  shut?: Record<number, Shut[]>;
  /** Auto-deploy has paused itself; null: it runs. */
  paused: { sinceMs: number; rings: number[] } | null;
  /** A person's word that lets it run all the same; it ends when the drift is back. */
  override: { by: string; reason: string; sinceMs: number; expiresAt?: string } | null;
}

/** Epoch ms; null: it is still so. */
type Shut = [fromMs: number, toMs: number | null];

/** Of one ring; the oldest are forgotten. */
const SHUT_AT_MOST = 100;

/** So many cells are named as what halted a ring. */
const CAUSES_AT_MOST = 2;

export const newDrift = (): DriftState => ({ openFor: {}, paused: null, override: null });

/** Outer rings with cells that a package can go to, inner ones first. */
function outerRings(state: ClusterState, topology: Topology, now: number): number[] {
  const outer = topology.rings.filter((ring) => {
    if (ring.ring <= topology.perimeter) return false;
    const { mode } = layeredPolicy(topology, ring.ring, null);
    if (mode === 'observe') return false;
    return cellsInAutomation(state, ring, now, mode).cells.length > 0;
  });
  return outer.map(({ ring }) => ring).sort((a, b) => a - b);
}

/** Whether the ring could take a package at `now`: neither a brake, nor a freeze, nor a closed window is in the way. */
function isOpen(state: ClusterState, ring: number, topology: Topology, now: number): boolean {
  const isBraked = holding(state.brakes, now).some(({ scope }) => covers(scope, ring, topology.perimeter));
  return !isBraked && !isHeldByBraked(state, ring, now) && !isShut(state, ring, { topology, now });
}

/** Its pass stands by a brake of its own package, and gives way to nothing. */
function isHeldByBraked(state: ClusterState, ring: number, now: number): boolean {
  const turn = state.turns[ring];
  if (turn?.request.purpose !== 'deploy' || isReconcile(turn.request) || turn.state === 'halted') return false;
  return packageBrake(state, turn.request.version, now) !== null;
}

/**
 * The newest graduated package could have been taken by every ring that is open now. One that was never the newest while
 * its ring was open, the ring could not have taken: it is not behind by it.
 */
function noteOpen(state: ClusterState, topology: Topology, now: number): void {
  const { drift, graduated } = state;
  const version = newestAllowed(state);
  const known = new Set(graduated.map(({ version }) => version));
  for (const old of Object.keys(drift.openFor)) if (!known.has(old)) delete drift.openFor[old];
  if (version === null) return;
  const open = withinReach(state, topology, version, now);
  const before = drift.openFor[version] ?? [];
  drift.openFor[version] = [...before, ...open.filter((ring) => !before.includes(ring))];
  const shut = outerRings(state, topology, now).flatMap((ring) => {
    const times = shutTimes(state, ring, !open.includes(ring), now);
    return times.length === 0 ? [] : [[ring, times] as const];
  });
  drift.shut = Object.fromEntries(shut);
}

/** When the ring was shut, as far as that matters to a package which it lacks, up to now. */
function shutTimes(state: ClusterState, ring: number, isShutNow: boolean, now: number): Shut[] {
  const times = state.drift.shut?.[ring] ?? [];
  const wasShut = times.at(-1)?.[1] === null;
  const noted = times.map(([from, to]): Shut => [from, to ?? (isShutNow ? null : now)]);
  const all: Shut[] = isShutNow && !wasShut ? [...noted, [now, null]] : noted;
  const lacked = state.graduated.filter(({ version }) => lacks(state, ring, version));
  const oldestMs = Math.min(...lacked.map(({ graduatedAt }) => Date.parse(graduatedAt)));
  return all.filter(([, to]) => to === null || to > oldestMs).slice(-SHUT_AT_MOST);
}

/** Rings that are open, with no shut one before them that lacks the package, too; none while it is braked itself. */
function withinReach(state: ClusterState, topology: Topology, version: string, now: number): number[] {
  if (packageBrake(state, version, now)) return [];
  const rings = outerRings(state, topology, now);
  const lacksIt = rings.filter((ring) => lacks(state, ring, version));
  const shut = lacksIt.find((ring) => !isOpen(state, ring, topology, now)) ?? Number.POSITIVE_INFINITY;
  return rings.filter((ring) => ring < shut && isOpen(state, ring, topology, now));
}

function lacks(state: ClusterState, ring: number, version: string): boolean {
  const record = state.rings[ring];
  const has = record ? versionOf(record) : null;
  return has === null || isNewer(version, has);
}

/** What the whole ring has: what it converged on last, or else the oldest package that was seen there. */
function versionOf(record: ClusterState['rings'][number]): string | null {
  return standsOn(record) ?? Object.keys(record.observed).filter(isPackage).sort(comparePackages)[0] ?? null;
}

/** Outer rings that lack the newest package that may go there. */
export function ringsBehind(state: ClusterState, topology: Topology, now: number): number[] {
  const newest = newestAllowed(state);
  return outerRings(state, topology, now).filter((ring) => newest !== null && lacks(state, ring, newest));
}

/** The newest graduated package that is not blocked, or null. */
export const newestAllowed = ({ graduated, blocked }: ClusterState): string | null =>
  newest(graduated.map(({ version }) => version).filter((version) => blockOf(blocked, version) === null));

/** By outer ring with cells: the graduated packages newer than what it has, that it could have taken; oldest first. */
export function missedPackages(state: ClusterState, topology: Topology, now: number): Map<number, string[]> {
  const rings = outerRings(state, topology, now).map((ring): [number, string[]] => {
    const missed = lackedPackages(state, topology, ring, now).filter(({ countsInMs }) => countsInMs <= 0);
    return [ring, missed.map(({ version }) => version).sort(comparePackages)];
  });
  return new Map(rings);
}

/**
 * Packages that the ring lacks, and was open for at some time, with the time in ms that it has still to be open before
 * they count. A ring that was never shut could have taken a package since that graduated. One that was shut gets as much
 * time as it missed, but no more than a package needs to come there: so what graduated during a long freeze is no drift in
 * the moment in which that ends, and a brake of a second hides nothing.
 */
function lackedPackages(
  state: ClusterState,
  topology: Topology,
  ring: number,
  now: number,
): { version: string; countsInMs: number }[] {
  const lacked = state.graduated.filter(({ version }) => {
    const could = state.drift.openFor[version]?.includes(ring) === true;
    return could && lacks(state, ring, version) && blockOf(state.blocked, version) === null;
  });
  return lacked.map(({ version, graduatedAt }) => {
    const sinceMs = Date.parse(graduatedAt);
    const shutMs = shutSince(state, ring, sinceMs, now);
    const grantedMs = shutMs === 0 ? 0 : Math.min(shutMs, timeToReach(topology, ring));
    return { version, countsInMs: grantedMs - Math.max(0, now - sinceMs - shutMs) };
  });
}

function shutSince({ drift }: ClusterState, ring: number, sinceMs: number, now: number): number {
  const times = drift.shut?.[ring] ?? [];
  return times.reduce((sum, [from, to]) => sum + Math.max(0, (to ?? now) - Math.max(from, sinceMs)), 0);
}

/** What a package may take to converge in the ring, and in the outer ones before it, bakes between them included. */
function timeToReach(topology: Topology, ring: number): number {
  const onTheWay = topology.rings.filter((r) => r.ring > topology.perimeter && r.ring < ring && r.cells.length > 0);
  const before = onTheWay.map((r) => resolvePolicy(topology, r.ring, null));
  const inMs = before.reduce((sum, { convergeWithinMs, bakeTimeMs }) => sum + convergeWithinMs + bakeTimeMs, 0);
  return inMs + resolvePolicy(topology, ring, null).convergeWithinMs;
}

/** When the next package begins to count, if all stays as it is; null: none is about to. */
export function nextToCount(state: ClusterState, topology: Topology, now: number): number | null {
  const open = outerRings(state, topology, now).filter((ring) => state.drift.shut?.[ring]?.at(-1)?.[1] !== null);
  const lacked = open.flatMap((ring) => lackedPackages(state, topology, ring, now));
  return earliest(lacked.flatMap(({ countsInMs }) => (countsInMs > 0 ? [now + countsInMs] : [])));
}

/** What has changed of the pause. */
export type DriftChange = 'paused' | 'resumed' | 'override-over' | null;

/** Notes how far the rings are behind now, and pauses or resumes what enters the perimeter. */
export function keepDrift(state: ClusterState, topology: Topology, now: number): DriftChange {
  noteOpen(state, topology, now);
  const { maxDrift } = resolveCoordination(topology);
  const missed = missedPackages(state, topology, now);
  const late = [...missed].filter(([, versions]) => versions.length > maxDrift).map(([ring]) => ring);
  const { drift } = state;
  if (late.length === 0) {
    const was = drift.paused;
    Object.assign(drift, { paused: null, override: null });
    return was ? 'resumed' : null;
  }
  const isOver = drift.override !== null && expiryOf(drift.override) <= now;
  if (isOver) drift.override = null;
  const since = drift.paused?.sinceMs;
  drift.paused = { sinceMs: since ?? now, rings: late };
  if (since === undefined) return 'paused';
  return isOver ? 'override-over' : null;
}

/** When a person's word is over; null: it has no end of its own, or there is none. */
export const nextOverrideExpiry = (state: ClusterState): number | null =>
  earliest([expiryOf(state.drift.override ?? {})].filter((ms) => ms !== Number.POSITIVE_INFINITY));

/** Whether `deployRing` is refused for drift. */
export const isPausedForDrift = ({ drift }: ClusterState): boolean => drift.paused !== null && drift.override === null;

/** Why auto-deploy cannot be resumed by a person, or null. */
export function judgeResume(
  state: ClusterState,
  { expiresAt }: { expiresAt?: string | undefined },
  now: number,
): Problem | null {
  const isOver = judgeExpiry(expiresAt, now);
  if (isOver) return isOver;
  if (state.drift.paused) return null;
  return { path: '', value: 'running', expected: 'an auto-deploy that is paused' };
}

export function overrideDrift(
  state: ClusterState,
  { by, reason, expiresAt }: { by: string; reason: string; expiresAt?: string | undefined },
  now: number,
): void {
  const until = expiresAt === undefined ? {} : { expiresAt: new Date(Date.parse(expiresAt)).toISOString() };
  state.drift.override = { by, reason, sinceMs: now, ...until };
}

/** In one sentence, with what holds each ring up. */
export function driftInWords(state: ClusterState, topology: Topology, now: number): string {
  const missed = missedPackages(state, topology, now);
  const { maxDrift } = resolveCoordination(topology);
  const rings = (state.drift.paused?.rings ?? []).map((ring) => {
    const versions = missed.get(ring) ?? [];
    return `ring ${ring} is ${versions.length} graduated packages behind (${whatHolds(state, topology, ring, now)})`;
  });
  return `${rings.join('; ')}; the limit is ${maxDrift}`;
}

/** What the ring waits for; where nothing is under way there, what the ring before it does that a package has to pass. */
function whatHolds(state: ClusterState, topology: Topology, ring: number, now: number): string {
  const { turns, rings, queue } = state;
  const turn = turns[ring];
  if (turn) return whatHoldsTurn(state, ring, turn);
  const waiting = queue.find(({ at, held }) => at === ring && held !== null);
  if (waiting?.held) return `${waiting.version} waits: ${waiting.held.detail}`;
  const inner = ringsBehind(state, topology, now).filter((r) => r < ring && (turns[r] || isWaitedFor(state, r)));
  const before = inner.at(-1);
  if (before === undefined) return `${rings[ring]?.state ?? 'idle'}, nothing under way there`;
  return `ring ${before} before it: ${whatHolds(state, topology, before, now)}`;
}

const isWaitedFor = ({ queue }: ClusterState, ring: number): boolean =>
  queue.some(({ at, held }) => at === ring && held !== null);

/** With what its pass named as the cause: the first cells that are not fine. */
function whatHoldsTurn({ rings }: ClusterState, ring: number, { state, request, waits }: Turn): string {
  const { exceptions = [], exceptionsTotal = 0 } = rings[ring] ?? {};
  const named = state === 'halted' ? exceptions.slice(0, CAUSES_AT_MOST) : [];
  const more = exceptionsTotal - named.length;
  const causes = named.map(({ cell, reason }) => `${cell}: ${reason}`).join(', ');
  const why =
    causes === '' ? (waits ? `, waits for ${waits}` : '') : `: ${causes}${more > 0 ? `, and ${more} more` : ''}`;
  return `${state} with ${request.version}${why}`;
}

export function viewOfDrift(
  state: ClusterState,
  topology: Topology | null,
  now: number,
): Pick<ClusterStatus, 'drift' | 'autoDeploy'> {
  if (!topology) return { drift: { max: 0, byRing: {} }, autoDeploy: { state: 'running' } };
  const byRing = Object.fromEntries(
    [...missedPackages(state, topology, now)].map(([ring, missed]) => [ring, missed.length]),
  );
  const drift = { max: Math.max(0, ...Object.values(byRing)), byRing };
  const { paused, override } = state.drift;
  if (!paused) return { drift, autoDeploy: { state: 'running' } };
  const reason = driftInWords(state, topology, now);
  if (!override)
    return { drift, autoDeploy: { state: 'paused', reason, since: new Date(paused.sinceMs).toISOString() } };
  const { by, reason: why, sinceMs, expiresAt } = override;
  const since = new Date(sinceMs).toISOString();
  const told = { by, reason: why, since, ...(expiresAt === undefined ? {} : { expiresAt }) };
  return { drift, autoDeploy: { state: 'running', reason, override: told } };
}
