import {
  CLUSTER_WORKFLOW_ID,
  packageRolloutId,
  ringRolloutId,
  versionOfPackageRollbackId,
} from '../../contract/ids.js';
import type { ClaimRing, PassSpeaks, RegisterRollout, RequestRing, RingReport } from '../../contract/internal.js';
import { isNewer, isPackage, newest } from '../package-version.js';
import { fixOf } from './blocks.js';
import { isReconcile, withSince } from './reconcile.js';
import type { ClusterState, QueuedRequest, RingRecord, Turn } from './state.js';
import { keepSystemicInRing, topologyOf } from './topology.js';

/** Who holds which ring: how a turn begins and ends, and how a cluster without memory learns of the turns there are. */

/** From here on the ring is this request's; `pass` is null until its pass has entered. */
export function beginTurn(
  state: ClusterState,
  ring: number,
  request: QueuedRequest,
  pass: string | null,
  now: number,
): void {
  const record = state.rings[ring];
  state.turns[ring] = {
    request,
    grantedAtMs: now,
    pass,
    state: pass === null ? 'waiting' : 'rolling',
    before: record?.desired ?? null,
    asked: false,
    rollbackSinceMs: null,
    starterGone: false,
  };
  if (record && request.purpose === 'deploy') record.desired = request.version;
}

/**
 * The pass of a turn is there. What was said to it, or to whoever it makes room for, before it was there to hear has
 * reached nobody: it is said again.
 */
export function enterTurn(turn: Turn, pass: string): void {
  if (turn.pass !== pass) turn.asked = false;
  turn.pass = pass;
}

/** Nobody is left who could end the pass, whatever its starter was told. */
export function loseStarter(turn: Turn): void {
  turn.starterGone = true;
  turn.asked = false;
}

/** A turn as it stood when Temporal was asked who is still there. */
export interface WatchedTurn {
  ring: number;
  turn: Turn;
  pass: string | null;
  /** The run of its rollout that registered last. */
  run: string | null;
}

export const watchedTurns = (state: ClusterState): WatchedTurn[] =>
  Object.entries(state.turns).map(([ring, turn]) => ({
    ring: Number(ring),
    turn,
    pass: turn.pass,
    run: registeredRun(state, turn),
  }));

const registeredRun = (state: ClusterState, { request }: Turn): string | null =>
  state.rollouts[request.version]?.run ?? null;

/**
 * Who of a turn is gone, by the ids of the workflows that were open when Temporal was asked; null: nobody, or that is not
 * known. A pass that has entered since, or a rollout that has begun anew, the answer does not speak of.
 */
export function whoIsGone(
  state: ClusterState,
  { ring, turn, pass, run }: WatchedTurn,
  open: ReadonlySet<string>,
): 'pass' | 'starter' | null {
  if (state.turns[ring] !== turn || turn.pass !== pass || registeredRun(state, turn) !== run) return null;
  const isStarterOpen = open.has(turn.request.sender);
  if (open.has(ringRolloutId(ring))) return isStarterOpen || turn.starterGone ? null : 'starter';
  // A pass that was never entered may be about to start, while its starter is there.
  return pass === null && isStarterOpen ? null : 'pass';
}

/**
 * How a turn ended: `looked` by the word of a pass that knows its cells, `unused` where nothing was done in it, `lost`
 * without a word.
 */
export type TurnEnd = 'looked' | 'unused' | 'lost';

/** What the pass that holds a ring says of it; answers what its end would be. Before it has looked it does nothing. */
export function noteRing(record: RingRecord, report: RingReport, now: number): TurnEnd {
  const { view, observed, version, purpose, alerts = {} } = report;
  const hasLooked = Object.keys(observed).length > 0 || record.total === 0;
  record.state = view.state;
  if (hasLooked) noteObserved(record, report);
  record.exceptions = withSince(view.exceptions, record.exceptions, now);
  record.exceptionsTotal = view.exceptionsTotal;
  record.alerts = alerts;
  if (view.convergedAt && purpose === 'deploy') noteConverged(record, version, view.convergedAt);
  return hasLooked ? 'looked' : 'unused';
}

/** What the cells of a ring run, as a pass or a look saw it last. */
export function noteObserved(
  record: RingRecord,
  { observed, observedOut = {} }: Pick<RingReport, 'observed' | 'observedOut'>,
): void {
  record.observed = observed;
  record.observedOut = observedOut;
  if (Object.keys(observedOut).length === 0) delete record.observedOut;
}

/** So many packages that a ring converged on before its last one: what it may come back to is one of the newest. */
const CONVERGED_BEFORE_AT_MOST = 3;

/** What was taken back is not what the ring would come back to; nor is what is newer than its package now. */
function noteConverged(record: RingRecord, version: string, convergedAt: string): void {
  const { converged, takenBack, convergedBefore = [] } = record;
  const last = converged === null || takenBack ? [] : [{ version: converged, convergedAt: record.convergedAt }];
  const before = [...last, ...convergedBefore].filter((b) => isPast(version, b.version));
  delete record.convergedBefore;
  delete record.takenBack;
  Object.assign(record, { converged: version, convergedAt });
  if (before.length > 0) record.convergedBefore = before.slice(0, CONVERGED_BEFORE_AT_MOST);
}

const isPast = (version: string, other: string): boolean =>
  isPackage(version) && isPackage(other) && isNewer(version, other);

/** A package that stopped by its own fault is remembered until a newer one has converged where it stopped. */
export function noteSystemic(
  state: ClusterState,
  ring: number,
  report: Pick<RingReport, 'version' | 'systemic' | 'systemicSinceMs' | 'baked'>,
  now: number,
): void {
  const { systemic: known } = state;
  const { version, systemic, baked, systemicSinceMs } = report;
  // Stopped once more after a retry, it has stopped since then.
  const isAgain = version === known?.version && (systemicSinceMs ?? 0) > known.sinceMs;
  const isNews = !known || isNewer(version, known.version) || isAgain;
  if (systemic && isNews)
    state.systemic = { version, ring, sinceMs: systemicSinceMs ?? now, ...fixOf(state.blocked, version) };
  // It may have left the topology while its pass was under way.
  if (systemic && isNews) keepSystemicInRing(state);
  // A newer one, or itself, once a person had it go on.
  if (known && baked && !systemic && ring === known.ring && !isNewer(known.version, version)) state.systemic = null;
}

/**
 * The ring is free again; where the package is on no cell of it, the ring is no longer to run it. Of a pass that was lost
 * that is not known: its cells may have come to the package since it last spoke.
 */
export function endTurn(state: ClusterState, ring: number, end: TurnEnd = 'lost'): void {
  const turn = state.turns[ring];
  const record = state.rings[ring];
  delete state.turns[ring];
  if (!turn || !record) return;
  if (!hasRing(state, ring)) return forgetRing(state, ring);
  if (record.state !== 'halted' && record.state !== 'converged') record.state = 'idle';
  const { version, purpose } = turn.request;
  const isUnused = end === 'unused' || turn.pass === null;
  // A pass over some of its cells says nothing of the others.
  if (isReconcile(turn.request) && !isUnused) return;
  if (record.desired !== version || record.observed[version] || (end === 'lost' && !isUnused)) return;
  const seen = newest(Object.keys(record.observed).filter(isPackage));
  record.desired = isUnused ? (turn.before ?? seen) : (seen ?? turn.before);
  const isOff = !isUnused && purpose !== 'migrate' && record.converged === version;
  if (isOff && record.desired !== null && isPast(version, record.desired)) record.takenBack = true;
}

const hasRing = (state: ClusterState, ring: number): boolean =>
  topologyOf(state)?.rings.some((r) => r.ring === ring) ?? true;

/** It left the topology while somebody held it. */
function forgetRing(state: ClusterState, ring: number): void {
  delete state.rings[ring];
}

/** A rollout says that it holds a ring, with all that it asked for; whoever holds it by another request keeps it. */
export function claimTurn(state: ClusterState, claim: ClaimRing, now: number): void {
  const { ring, pass, ...asked } = claim;
  const turn = state.turns[ring];
  if (turn && turn.request.requestId !== claim.requestId) return;
  const request = queued({ ...asked, ring });
  if (pass !== null) forgetUnmet(state, ring);
  if (turn) Object.assign(turn, { request, pass: pass ?? turn.pass });
  else beginTurn(state, ring, request, pass, now);
}

/** A pass that nobody has claimed says whose it is: its ring is taken. Answers whether that was news. */
export function meetPass(state: ClusterState, speaks: PassSpeaks, now: number): boolean {
  const { ring, requestId, pass, version, purpose, starter } = speaks;
  if (!state.unmet?.includes(ring)) return false;
  forgetUnmet(state, ring);
  const turn = state.turns[ring];
  if (turn?.request.requestId === requestId) enterTurn(turn, pass);
  if (turn) return false;
  const sender = starter === undefined ? {} : { sender: starter };
  const nothing = { chartVersion: null, lane: null, approved: [] };
  const request = { requestId, version, purpose, ring, ...nothing, sinceMs: now, ...sender };
  beginTurn(state, ring, queued(request), pass, now);
  return true;
}

/** First run id of the rollout that made a request: ids of requests begin with it. */
export const runOf = (requestId: string): string => requestId.split('/')[0] ?? '';

/**
 * A rollout begins anew under another run: what an earlier run of it asked for nobody waits for any more. Answers the
 * passes of that run, which go on under this one, and the rings whose pass never came.
 */
export function handOver(
  state: ClusterState,
  { version, run }: Pick<RegisterRollout, 'version' | 'run'>,
): { passes: { ring: number; turn: Turn; pass: string }[]; free: number[] } {
  const isOrphan = (request: QueuedRequest) =>
    request.version === version && isOfRollout(request) && runOf(request.requestId) !== run;
  state.queue = state.queue.filter((request) => !isOrphan(request));
  const turns = Object.entries(state.turns).map(([ring, turn]) => ({ ring: Number(ring), turn, pass: turn.pass }));
  const orphans = turns.filter(({ turn }) => isOrphan(turn.request));
  const free = orphans.filter(({ pass }) => pass === null).map(({ ring }) => ring);
  for (const ring of free) endTurn(state, ring);
  const passes = orphans.flatMap(({ ring, turn, pass }) => (pass === null ? [] : [{ ring, turn, pass }]));
  // Whoever was told to make room is gone: the new run is told anew.
  for (const { turn } of passes) Object.assign(turn, { starterGone: false, asked: false });
  return { passes, free };
}

/**
 * A rollback begins anew under another run: what an earlier run of it asked for nobody waits for any more, and it would
 * look as if its sender were there. Answers the rings that are free; a pass that has entered goes on to its end.
 */
export function forgetEarlierRun(state: ClusterState, { sender, run }: { sender: string; run: string }): number[] {
  const isOrphan = (request: QueuedRequest) => request.sender === sender && runOf(request.requestId) !== run;
  state.queue = state.queue.filter((request) => !isOrphan(request));
  const free = Object.keys(state.turns)
    .map(Number)
    .filter((ring) => state.turns[ring]?.pass === null && isOrphan(state.turns[ring].request));
  for (const ring of free) endTurn(state, ring);
  return free;
}

/** For one package its rollout asks, its rollback, and the cluster itself. */
export const isOfRollout = (request: QueuedRequest): boolean =>
  versionOfPackageRollbackId(request.sender) === null && !isReconcile(request);

/** Its pass is no longer there, or has said whose it is. */
export function forgetUnmet(state: ClusterState, ring: number): void {
  state.unmet = state.unmet?.filter((r) => r !== ring) ?? null;
}

/**
 * Puts a request in the queue. Asked again it keeps its place there, and a rollback the time for which it has waited for a
 * pass that does not say whose it is. Answers false for what has been granted already.
 */
export function takeRequest(state: ClusterState, message: RequestRing): boolean {
  const { requestId } = message;
  if (Object.values(state.turns).some(({ request }) => request.requestId === requestId)) return false;
  const before = state.queue.find((q) => q.requestId === requestId);
  const { at = null, unmetSinceMs } = before ?? {};
  const sender = message.sender ?? packageRolloutId(message.version);
  const waits = unmetSinceMs === undefined ? {} : { unmetSinceMs };
  const entry = { ...message, sender, at, told: '', held: null, ...waits };
  if (before) state.queue = state.queue.map((q) => (q === before ? entry : q));
  else state.queue.push(entry);
  return true;
}

const queued = (request: RequestRing & { ring: number }): QueuedRequest => ({
  ...request,
  sender: isReconcile(request) ? CLUSTER_WORKFLOW_ID : (request.sender ?? packageRolloutId(request.version)),
  at: request.ring,
  told: '',
  held: null,
});
