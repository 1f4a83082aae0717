import type { RingAnswer } from '../../contract/internal.js';
import type { Problem } from '../../contract/problem.js';
import type { BrakeStatus, RefusalCode, WaitingFor } from '../../contract/status.js';
import { covers, holding } from '../brake.js';
import { earliest } from '../instant.js';
import { OUST_AFTER_MS } from '../ousting.js';
import { isNewer, newest } from '../package-version.js';
import { waitForBrake } from '../ring/view.js';
import { nextOuterRing, resolvePolicy, ringOf, type Topology } from '../topology/index.js';
import { blockOf, waitForBlock } from './blocks.js';
import { beginTurn } from './holders.js';
import { laneIsGone, waitForLane } from './lanes.js';
import { returnWait } from './rollbacks.js';
import type { ClusterState, QueuedRequest, Turn } from './state.js';

/**
 * Who gets a ring. One rollout holds a ring at a time; first come, first served; rollbacks before everything else.
 * A ring never goes to an older package than it has or is getting.
 */

export type TurnAction =
  | { do: 'answer'; request: QueuedRequest; answer: RingAnswer }
  /** It cannot be decided at all: it leaves the queue, so that what comes after it is. */
  | { do: 'drop'; request: QueuedRequest; problem: Problem }
  /** The pass that holds the ring is to make room for the version named. */
  | { do: 'make-room'; ring: number; turn: Turn; by: string; how: MakeRoom }
  /**
   * It has not made room for the rollback of the version named: its pass is to be terminated. Null: one that was there
   * before this cluster, and has not said whose it is.
   */
  | { do: 'oust'; ring: number; turn: Turn | null; by: string };

/**
 * `supersede`: the rollout that holds the ring ends. Otherwise only its pass does: `hurry` drops what only judges,
 * `settle` and `yield` let cells in flight come to their end, going back included; who yields asks for the ring again.
 */
export type MakeRoom = 'supersede' | 'hurry' | 'settle' | 'yield';

interface Rules {
  topology: Topology;
  now: number;
  oustAfterMs: number;
}

/** Decides every request that can be decided now; changes queue and turns, and answers what is to be said to whom. */
export function decideTurns(
  state: ClusterState,
  topology: Topology | null,
  now: number,
  oustAfterMs = OUST_AFTER_MS,
): TurnAction[] {
  if (!topology) return [];
  const actions: TurnAction[] = [];
  const inOrder = [...state.queue].sort((a, b) => Number(b.purpose === 'rollback') - Number(a.purpose === 'rollback'));
  for (const request of inOrder) {
    const decided = decideOrDrop(state, request, { topology, now, oustAfterMs });
    actions.push(...decided.actions);
    if (decided.over) state.queue = state.queue.filter((q) => q.requestId !== request.requestId);
  }
  return actions;
}

interface Decision {
  actions: TurnAction[];
  /** The request leaves the queue. */
  over: boolean;
}

/** Our own signals can be sent by hand: no request may keep the others, and every brake, from being heard. */
function decideOrDrop(state: ClusterState, request: QueuedRequest, rules: Rules): Decision {
  try {
    return decide(state, request, rules);
  } catch (error) {
    const expected = `a request that can be decided, not one that ends in: ${error}`;
    const problem = { path: 'requestId', value: request.requestId, expected };
    return { actions: [{ do: 'drop', request, problem }], over: true };
  }
}

function decide(state: ClusterState, request: QueuedRequest, rules: Rules): Decision {
  const found = findRing(request, rules.topology);
  if ('answer' in found) return { actions: [{ do: 'answer', request, answer: found.answer }], over: true };
  const ring = found.ring;
  request.at = ring.ring;
  const about = ringFacts(request, rules.topology, ring.ring);
  const refusal = refuse(state, request, about, rules);
  if (refusal) return { actions: [{ do: 'answer', request, answer: refusal }], over: true };
  const stopped = blockedWait(state, request, about.ring) ?? afterSystemicStop(state, request, about);
  // Not even a halted pass makes room before a person has said yes.
  if (stopped) return hold(request, about, stopped, []);
  const wait = mustWait(state, request, about, rules);
  if (wait) return hold(request, about, wait, roomFor(state, request, about, rules));
  beginTurn(state, about.ring, request, null, rules.now);
  const answer: RingAnswer = { requestId: request.requestId, kind: 'granted', ...about };
  return { actions: [{ do: 'answer', request, answer }], over: true };
}

type Found = { ring: { ring: number } } | { answer: RingAnswer };

function findRing(request: QueuedRequest, topology: Topology): Found {
  const { requestId, ring } = request;
  if (typeof ring !== 'number') {
    const next = nextOuterRing(topology, ring.after);
    return next ? { ring: next } : { answer: { requestId, kind: 'none' } };
  }
  const isThere = topology.rings.some((r) => r.ring === ring);
  const problem = request.purpose === 'rollback' && isThere ? null : notInside(topology, ring);
  return problem ? { answer: { requestId, kind: 'rejected', ...problem } } : { ring: { ring } };
}

/** Why a ring is none that can be driven on command, or null. */
export function notInside({ rings, perimeter }: Topology, ring: number): Problem | null {
  const inside = rings.map((r) => r.ring).filter((n) => n <= perimeter);
  if (inside.includes(ring)) return null;
  const expected = `a ring inside the perimeter: ${inside.join(', ') || 'there is none'}`;
  return { path: 'ring', value: String(ring), expected };
}

export interface RingFacts {
  ring: number;
  name: string;
  soft: boolean;
  perimeter: boolean;
}

/** Throws RangeError for a ring that the topology does not have. */
export function ringFacts(request: QueuedRequest, topology: Topology, ring: number): RingFacts {
  const { onFailure } = resolvePolicy(topology, ring, request.lane);
  const name = ringOf(topology, ring)?.name ?? `ring-${ring}`;
  return { ring, name, soft: onFailure === 'soft', perimeter: ring <= topology.perimeter };
}

function refuse(state: ClusterState, request: QueuedRequest, about: RingFacts, rules: Rules): RingAnswer | null {
  if (request.purpose === 'rollback') return null;
  const newer = newerThan(state, request, about, rules);
  if (newer && (about.soft || !newer.waits)) return newerAnswer(request, about, newer);
  return refuseForPeople(state, request, about, rules);
}

/** Inside the perimeter a caller waits for machines, not for people: those refuse at once. */
function refuseForPeople(
  state: ClusterState,
  request: QueuedRequest,
  about: RingFacts,
  rules: Rules,
): RingAnswer | null {
  if (!about.perimeter) return null;
  const blocked = blockedWait(state, request, about.ring);
  if (blocked) return refusal(request, about, 'blocked', blocked);
  const brake = brakesOn(state, about.ring, rules)[0];
  if (brake) return refusal(request, about, 'braked', waitForBrake(brake, about.ring, request.version));
  const approval = approvalWait(request, about, rules);
  return approval ? refusal(request, about, 'approval', approval) : null;
}

function newerAnswer(request: QueuedRequest, about: RingFacts, newer: { version: string; waits: boolean }): RingAnswer {
  if (newer.waits) {
    return { requestId: request.requestId, kind: 'replaced', ...named(about), by: newer.version };
  }
  const code: RefusalCode = request.purpose === 'migrate' ? 'newer_running' : 'older_package';
  const detail = `ring ${about.ring} has, or is getting, ${newer.version}`;
  return {
    ...refusal(request, about, code, null),
    kind: 'refused',
    detail,
    supersededBy: newer.version,
    next: [`cellctl status ${newer.version}`],
  };
}

const named = ({ ring, name, soft }: RingFacts) => ({ ring, name, soft });

type Refused = Extract<RingAnswer, { kind: 'refused' }>;

function refusal(request: QueuedRequest, about: RingFacts, code: RefusalCode, wait: WaitingFor | null): Refused {
  return {
    requestId: request.requestId,
    kind: 'refused',
    ...named(about),
    code,
    detail: wait?.detail ?? '',
    until: wait?.until ?? null,
    next: wait?.next ?? [],
    supersededBy: null,
  };
}

/** A newer package that the ring has, is getting, or has waiting for it; of those that wait the newest. */
function newerThan(
  state: ClusterState,
  { version }: QueuedRequest,
  about: RingFacts,
  rules: Rules,
): { version: string; waits: boolean } | null {
  const { ring } = about;
  const desired = state.rings[ring]?.desired;
  if (desired && isNewer(desired, version)) return { version: desired, waits: false };
  const turn = state.turns[ring]?.request;
  if (turn && turn.purpose !== 'rollback' && isNewer(turn.version, version)) {
    return { version: turn.version, waits: false };
  }
  const inLine = state.queue.filter((q) => isNewer(q.version, version) && isInLine(state, q, about, rules));
  const next = newest(inLine.map((q) => q.version));
  return next === null ? null : { version: next, waits: true };
}

/** It waits to be deployed to this ring by its number; one that is sent away itself takes nobody's place. */
function isInLine(state: ClusterState, q: QueuedRequest, about: RingFacts, rules: Rules): boolean {
  if (q.at !== about.ring || q.purpose !== 'deploy' || typeof q.ring !== 'number') return false;
  return refuseForPeople(state, q, about, rules) === null;
}

function brakesOn(state: ClusterState, ring: number, { topology, now }: Rules): BrakeStatus[] {
  return holding(state.brakes, now).filter((b) => covers(b.scope, ring, topology.perimeter));
}

/** Why a request stays in the queue, or null: it is its turn. */
function mustWait(state: ClusterState, request: QueuedRequest, about: RingFacts, rules: Rules): WaitingFor | null {
  const since = new Date(request.sinceMs).toISOString();
  const { ring } = about;
  const turn = state.turns[ring];
  if (turn) {
    const detail = `ring ${ring} is ${turn.state} with ${turn.request.version}`;
    return { kind: 'ring-turn', ring, since, detail, next: [`cellctl status ${turn.request.version}`] };
  }
  if (state.unmet === null || state.unmet.includes(ring)) {
    return { kind: 'topology', ring, since, detail: 'the coordinator finds out who is in the ring', next: [] };
  }
  if (request.purpose === 'rollback') return null;
  if (laneIsGone(request, rules.topology)) return waitForLane(request, ring, since);
  if (state.cold) {
    return { kind: 'topology', ring, since, detail: 'the coordinator looks at every cell first', next: [] };
  }
  const brake = brakesOn(state, ring, rules)[0];
  if (brake) return waitForBrake(brake, ring, request.version);
  return approvalWait(request, about, rules);
}

/** A blocked package goes nowhere; that it is taken back nothing holds up. */
function blockedWait(state: ClusterState, request: QueuedRequest, ring: number): WaitingFor | null {
  const block = request.purpose === 'rollback' ? null : blockOf(state.blocked, request.version);
  if (block) return waitForBlock(block, ring);
  return request.purpose === 'rollback' ? null : returnWait(state, request, ring);
}

function approvalWait(request: QueuedRequest, { ring }: RingFacts, rules: Rules): WaitingFor | null {
  const { approval } = resolvePolicy(rules.topology, ring, request.lane);
  // An empty ring has no gates.
  const isEmpty = ringOf(rules.topology, ring)?.cells.length === 0;
  if (approval === 'none' || isEmpty || request.approved.includes(ring)) return null;
  const since = new Date(request.sinceMs).toISOString();
  const next = [`cellctl approve --ring ${ring} ${request.version}`];
  return { kind: 'approval', ring, since, detail: `ring ${ring} needs a person's approval`, next };
}

/**
 * Packages are cumulative: what stopped one as its own fault is in the newer ones too, until a person says that it is not.
 */
function afterSystemicStop(
  state: ClusterState,
  request: QueuedRequest,
  { ring, perimeter }: RingFacts,
): WaitingFor | null {
  const { systemic } = state;
  if (!systemic || perimeter || request.purpose !== 'deploy') return null;
  if (!isNewer(request.version, systemic.version) || request.approved.includes(ring)) return null;
  const { fixedIn } = systemic;
  if (fixedIn !== undefined && !isNewer(fixedIn, request.version)) return null;
  const since = new Date(Math.max(request.sinceMs, systemic.sinceMs)).toISOString();
  const what =
    systemic.why === 'rolled-back'
      ? `was taken back from ring ${systemic.ring}: its fault`
      : `stopped in ring ${systemic.ring} by its own fault, which`;
  const detail = `${systemic.version} ${what} a newer package may have too`;
  const next = [`cellctl status ${systemic.version}`, `cellctl approve --ring ${ring} ${request.version}`];
  return { kind: 'approval', ring, since, detail, next };
}

function hold(request: QueuedRequest, about: RingFacts, waiting: WaitingFor, room: TurnAction[]): Decision {
  request.held = waiting;
  const told = JSON.stringify([waiting.kind, waiting.detail, waiting.until]);
  if (told === request.told) return { actions: room, over: false };
  request.told = told;
  const answer: RingAnswer = { requestId: request.requestId, kind: 'held', ...named(about), waiting };
  return { actions: [{ do: 'answer', request, answer }, ...room], over: false };
}

/**
 * Whether the holder of the ring is to make room. A rollback takes the ring from any pass. In a soft ring the newest
 * wins. A halted pass counts as waiting: a newer package takes its place. One that runs is never taken off.
 */
function roomFor(state: ClusterState, request: QueuedRequest, about: RingFacts, rules: Rules): TurnAction[] {
  const turn = state.turns[about.ring];
  if (!turn) return oustUnmet(state, request, about.ring, rules);
  const how = howToMakeRoom(state, turn, request, about);
  if (how === null) return [];
  const { ring } = about;
  const by = request.version;
  const sinceMs = turn.rollbackSinceMs ?? null;
  if (request.purpose === 'rollback' && sinceMs !== null) {
    return rules.now < sinceMs + rules.oustAfterMs ? [] : [{ do: 'oust', ring, turn, by }];
  }
  // What it was told before, for a newer package, may not have reached anybody: a rollback tells the pass itself.
  if (request.purpose === 'rollback') turn.rollbackSinceMs = rules.now;
  else if (turn.asked) return [];
  turn.asked = true;
  return [{ do: 'make-room', ring, turn, by, how }];
}

/** A pass that has not answered its brakes would not hear that it is to make room either: it gets the time for that. */
function oustUnmet(state: ClusterState, request: QueuedRequest, ring: number, rules: Rules): TurnAction[] {
  if (request.purpose !== 'rollback' || !state.unmet?.includes(ring)) return [];
  request.unmetSinceMs ??= rules.now;
  if (rules.now < request.unmetSinceMs + rules.oustAfterMs) return [];
  return [{ do: 'oust', ring, turn: null, by: request.version }];
}

/** When the next pass is to be terminated that has not made room for a rollback; null: none is waited for. */
export function nextOust(state: ClusterState, now: number, oustAfterMs: number): number | null {
  const turns = Object.values(state.turns).map((turn) => turn.rollbackSinceMs);
  const unmet = state.queue.map((request) => request.unmetSinceMs);
  const since = [...turns, ...unmet].flatMap((ms) => ms ?? []);
  return earliest(since.map((ms) => ms + oustAfterMs).filter((ms) => ms > now));
}

function howToMakeRoom(state: ClusterState, turn: Turn, request: QueuedRequest, about: RingFacts): MakeRoom | null {
  if (turn.request.purpose === 'rollback') return null;
  if (request.purpose === 'rollback') return 'yield';
  const isStill = turn.state === 'halted' || turn.state === 'braked';
  // Nobody is left who could retry or end it.
  if (turn.starterGone && isStill && !isNewer(turn.request.version, request.version)) return 'yield';
  if (request.purpose !== 'deploy' || !isNewer(request.version, turn.request.version)) return null;
  if (about.soft && about.perimeter) return 'hurry';
  // One that is blocked gets no further by itself: it waits as a halted one does.
  if (turn.state !== 'halted' && blockOf(state.blocked, turn.request.version) === null) return null;
  return about.perimeter ? 'settle' : 'supersede';
}
