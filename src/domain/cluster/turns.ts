import type { RingAnswer } from '../../contract/internal.js';
import type { RingPolicy } from '../../contract/policy.js';
import type { Problem } from '../../contract/problem.js';
import type { BrakeStatus, RefusalCode, WaitingFor } from '../../contract/status.js';
import { covers, holding } from '../brake.js';
import { isCalendarWait } from '../calendar/gate.js';
import { earliest } from '../instant.js';
import { OUST_AFTER_MS } from '../ousting.js';
import { comparePackages, isNewer, newest, sameVersion } from '../package-version.js';
import { waitForBrake } from '../ring/view.js';
import { nextOuterRing, resolveCoordination, resolvePolicy, ringOf, type Topology } from '../topology/index.js';
import { blockOf, waitForBlock } from './blocks.js';
import { calendarWait, closingFor } from './calendars.js';
import { driftInWords, isPausedForDrift } from './drift.js';
import { beginTurn } from './holders.js';
import { isUrgent, laneIsGone, waitForLane } from './lanes.js';
import { needsYesAfterStop } from './packages.js';
import { isReconcile, packageBrake } from './reconcile.js';
import { returnWait } from './rollbacks.js';
import type { ClusterState, QueuedRequest, RingRecord, Turn } from './state.js';

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
  for (const request of inOrder(state.queue, topology)) {
    const decided = decideOrDrop(state, request, { topology, now, oustAfterMs });
    actions.push(...decided.actions);
    if (decided.over) state.queue = state.queue.filter((q) => q.requestId !== request.requestId);
  }
  return actions;
}

/**
 * Rollbacks before everything else, then what is urgent, then who came first; where nothing is superseded, older packages
 * before newer ones, so that none overtakes another. Last what only brings cells back to what their ring runs.
 */
function inOrder(queue: readonly QueuedRequest[], topology: Topology): QueuedRequest[] {
  const keepsAll = resolveCoordination(topology).supersede === 'never';
  const rank = (q: QueuedRequest) => (q.purpose === 'rollback' ? 0 : isReconcile(q) ? 3 : isUrgent(q) ? 1 : 2);
  return [...queue].sort((a, b) => {
    const byRank = rank(a) - rank(b);
    return byRank === 0 && keepsAll ? comparePackages(a.version, b.version) : byRank;
  });
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
  const stopped =
    blockedWait(state, request, about.ring) ??
    afterSystemicStop(state, request, about) ??
    beforeItsCalendar(state, request, about, rules);
  const wait = stopped ?? mustWait(state, request, about, rules);
  if (wait) {
    const newer = newerInLine(state, request, about, rules);
    if (newer) return { actions: [{ do: 'answer', request, answer: newerAnswer(request, about, newer) }], over: true };
    // Not even a halted pass makes room before a person has said yes.
    return hold(request, about, wait, stopped ? [] : roomFor(state, request, about, rules));
  }
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
  const problem =
    (request.purpose === 'rollback' || isReconcile(request)) && isThere ? null : notInside(topology, ring);
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

/** Where nothing is done, nothing blocks. */
export const isSoft = ({ onFailure, mode }: RingPolicy): boolean => onFailure === 'soft' || mode === 'observe';

/** Throws RangeError for a ring that the topology does not have. */
export function ringFacts(request: QueuedRequest, topology: Topology, ring: number): RingFacts {
  const soft = isSoft(resolvePolicy(topology, ring, request.lane));
  const name = ringOf(topology, ring)?.name ?? `ring-${ring}`;
  return { ring, name, soft, perimeter: ring <= topology.perimeter };
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
  const closed = calendarWait(state, request, about.ring, rules);
  if (closed && !isCalendarUnknown(state, request, about, rules)) return refusal(request, about, 'frozen', closed);
  const approval = approvalBefore(request, about, rules);
  if (approval) return refusal(request, about, 'approval', approval);
  return driftRefusal(state, request, about, rules);
}

/** What cannot be brought to the outer rings would only pile up before them; what mends that must be able to enter. */
function driftRefusal(state: ClusterState, request: QueuedRequest, about: RingFacts, rules: Rules): RingAnswer | null {
  if (request.purpose !== 'deploy' || request.fixes !== undefined || !isPausedForDrift(state)) return null;
  // It is in the ring already, whole or half: that is no news that would pile up.
  const { desired = null, observed = {} } = state.rings[about.ring] ?? {};
  const isThere = [desired, ...Object.keys(observed)].some((seen) => sameVersion(seen, request.version));
  if (isThere) return null;
  const detail = `auto-deploy has paused itself: ${driftInWords(state, rules.topology, rules.now)}`;
  const next = [
    'cellctl cluster status',
    'cellctl resume --reason "…"',
    `cellctl deploy --ring ${about.ring} ${request.version} --fixes "…"`,
  ];
  return { ...refusal(request, about, 'drift', null), detail, next };
}

const isCalendarUnknown = (state: ClusterState, request: QueuedRequest, about: RingFacts, rules: Rules): boolean =>
  closingFor(state, request, about.ring, rules) === 'unknown';

/** Inside the perimeter it may have to be sent away for its calendar: before that is known it takes nobody's place. */
function beforeItsCalendar(
  state: ClusterState,
  request: QueuedRequest,
  about: RingFacts,
  rules: Rules,
): WaitingFor | null {
  if (!about.perimeter || !isCalendarUnknown(state, request, about, rules)) return null;
  return calendarWait(state, request, about.ring, rules);
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
    ...(isCalendarWait(wait?.kind) ? { wait: wait.kind } : {}),
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
  return refuseForPeople(state, q, about, rules) === null && !isCalendarUnknown(state, q, about, rules);
}

/**
 * Beyond the perimeter a newer package takes the place of one that waits for the same ring, never of one that runs; what
 * is urgent gives its place to nothing that is not. One that waits for a person takes the place only of those that wait
 * for such a word as well: else each would be left with its own open approval.
 */
function newerInLine(
  state: ClusterState,
  request: QueuedRequest,
  about: RingFacts,
  rules: Rules,
): { version: string; waits: false } | null {
  const { ring, perimeter } = about;
  const keepsAll = resolveCoordination(rules.topology).supersede === 'never';
  if (perimeter || request.purpose !== 'deploy' || keepsAll) return null;
  const inLine = state.queue.filter((q) => {
    const isSame = q.at === ring && q.purpose === 'deploy' && isNewer(q.version, request.version);
    return isSame && (isUrgent(q) || !isUrgent(request)) && !needsMorePeople(state, q, request, about, rules);
  });
  const version = newest(inLine.map((q) => q.version));
  return version === null ? null : { version, waits: false };
}

/** Whether a newer package waits for a person where the older one does not. */
function needsMorePeople(
  state: ClusterState,
  newer: QueuedRequest,
  older: QueuedRequest,
  about: RingFacts,
  rules: Rules,
): boolean {
  if (blockedWait(state, newer, about.ring) !== null || laneIsGone(newer, about.ring, rules.topology)) return true;
  return yesNeeded(state, newer, about, rules) > yesNeeded(state, older, about, rules);
}

/** 0: it waits for nobody's yes; 1: for that of the policy; 2: for one past a stop, which is one for the policy too. */
function yesNeeded(state: ClusterState, request: QueuedRequest, about: RingFacts, rules: Rules): 0 | 1 | 2 {
  if (afterSystemicStop(state, request, about) !== null) return 2;
  return approvalBefore(request, about, rules) === null ? 0 : 1;
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
    const what = isReconcile(turn.request)
      ? `reconciled to ${turn.request.version}`
      : `${turn.state} with ${turn.request.version}`;
    const detail = `ring ${ring} is ${what}`;
    return { kind: 'ring-turn', ring, since, detail, next: [`cellctl status ${turn.request.version}`] };
  }
  if (state.unmet === null || state.unmet.includes(ring)) {
    return { kind: 'topology', ring, since, detail: 'the coordinator finds out who is in the ring', next: [] };
  }
  return waitInFreeRing(state, request, about, rules);
}

/** What it would wait for if nobody held the ring. */
function waitInFreeRing(
  state: ClusterState,
  request: QueuedRequest,
  about: RingFacts,
  rules: Rules,
): WaitingFor | null {
  const since = new Date(request.sinceMs).toISOString();
  const { ring } = about;
  if (request.purpose === 'rollback') return null;
  if (laneIsGone(request, ring, rules.topology)) return waitForLane(request, ring, since);
  if (state.cold) {
    return { kind: 'topology', ring, since, detail: 'the coordinator looks at every cell first', next: [] };
  }
  const brake = brakesOn(state, ring, rules)[0];
  if (brake) return waitForBrake(brake, ring, request.version);
  const own = isReconcile(request) ? packageBrake(state, request.version, rules.now) : null;
  if (own) return waitForBrake(own, ring, request.version);
  const first = isReconcile(request) ? whoGoesFirst(state, ring) : null;
  if (first) return waitBehind(first, ring, since);
  return approvalBefore(request, about, rules) ?? calendarWait(state, request, ring, rules);
}

/** A package that waits for the ring, and not for a person or the calendar, goes before the cluster's own work there. */
const whoGoesFirst = (state: ClusterState, ring: number): QueuedRequest | undefined =>
  state.queue.find((q) => q.at === ring && !isReconcile(q) && (q.held === null || q.held.kind === 'ring-turn'));

function waitBehind({ version }: QueuedRequest, ring: number, since: string): WaitingFor {
  const detail = `${version} is to come to ring ${ring} first`;
  return { kind: 'ring-turn', ring, since, detail, next: [`cellctl status ${version}`] };
}

/** A blocked package goes nowhere; that it is taken back nothing holds up. */
function blockedWait(state: ClusterState, request: QueuedRequest, ring: number): WaitingFor | null {
  const block = request.purpose === 'rollback' ? null : blockOf(state.blocked, request.version);
  if (block) return waitForBlock(block, ring);
  return request.purpose === 'rollback' ? null : returnWait(state, request, ring);
}

/** A ring that is only observed is entered without a yes: nothing is done there. */
const approvalBefore = (request: QueuedRequest, { ring }: RingFacts, { topology }: Rules): WaitingFor | null =>
  resolvePolicy(topology, ring, request.lane).mode === 'observe' ? null : approvalWait(request, ring, topology);

/** The wait for a person's yes to this package in a ring; null: it has it, or needs none. */
export function approvalWait(request: QueuedRequest, ring: number, topology: Topology): WaitingFor | null {
  const { approval } = resolvePolicy(topology, ring, request.lane);
  // An empty ring has no gates.
  const isEmpty = ringOf(topology, ring)?.cells.length === 0;
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
  if (!systemic || perimeter || request.purpose !== 'deploy' || !needsYesAfterStop(state, request, ring)) return null;
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
  const how = howToMakeRoom(state, turn, request, about, rules);
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

function howToMakeRoom(
  state: ClusterState,
  turn: Turn,
  request: QueuedRequest,
  about: RingFacts,
  rules: Rules,
): MakeRoom | null {
  if (turn.request.purpose === 'rollback' || isReconcile(request)) return null;
  // What only brings cells back to what their ring runs is in nobody's way.
  if (request.purpose === 'rollback' || isReconcile(turn.request)) return 'yield';
  const isStill = turn.state === 'halted' || turn.state === 'braked';
  // Nobody is left who could retry or end it.
  if (turn.starterGone && isStill && !isNewer(turn.request.version, request.version)) return 'yield';
  if (request.purpose !== 'deploy' || !isNewer(request.version, turn.request.version)) return null;
  if (about.soft && about.perimeter) return 'hurry';
  // Nobody is left to be superseded: its pass is braked by now, or will be.
  if (turn.starterGone && !about.perimeter) return null;
  // What runs ends its cells in flight, and gives way; but to nothing that would only wait in its place.
  if (request.preempt && !about.perimeter)
    return waitInFreeRing(state, request, about, rules) === null ? 'supersede' : null;
  if (turn.state !== 'halted' && !waitsAsHalted(state, turn, about, rules)) return null;
  if (about.perimeter) return 'settle';
  return resolveCoordination(rules.topology).supersede === 'never' ? null : 'supersede';
}

/** One that is blocked gets no further by itself; nor does one that waits here for what has halted it in another ring. */
function waitsAsHalted(state: ClusterState, turn: Turn, { ring, perimeter }: RingFacts, { topology }: Rules): boolean {
  const { version, lane } = turn.request;
  if (blockOf(state.blocked, version) !== null) return true;
  const halted = Object.entries(state.turns).flatMap(([of, { request, state: stands }]) => {
    const isIt = stands === 'halted' && request.version === version && !isReconcile(request);
    return isIt && Number(of) > topology.perimeter ? [state.rings[Number(of)]] : [];
  });
  if (perimeter || halted.length === 0) return false;
  const waitsForAll = turn.state === 'grace' && resolvePolicy(topology, ring, lane).migrateWhen === 'everywhere';
  return waitsForAll || (turn.waits === 'operator' && halted.some(hasFailedPdm));
}

const hasFailedPdm = (record: RingRecord | undefined): boolean =>
  record?.exceptions.some(({ state }) => state === 'migration-failed') ?? false;
