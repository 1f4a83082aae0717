import type { CellLook } from '../../contract/activities.js';
import { CLUSTER_WORKFLOW_ID } from '../../contract/ids.js';
import type { PackageBrakes, RingReport } from '../../contract/internal.js';
import type { BrakeStatus, CellException, CellState, Difference, DifferenceKind } from '../../contract/status.js';
import { holding, isOlderList } from '../brake.js';
import { isNewer, isPackage } from '../package-version.js';
import { shortened } from '../shortened.js';
import { resolvePolicy, ringOf, type Topology } from '../topology/index.js';
import { blockOf } from './blocks.js';
import { type Ask, isForPerson, type Standing } from './differences.js';
import { chartOf } from './packages.js';
import { cellsInAutomation } from './quarantine.js';
import type { ClusterState, QueuedRequest, RingLook, RingRecord } from './state.js';

/** Keeping every ring on the package on which the whole of it last converged: what is asked, found, and done. */

export interface ReconcileState {
  /** When every ring is looked at again, epoch ms; null: that is not set yet. */
  nextAtMs: number | null;
  /** Looks that were asked for and are not over, by ring. */
  asked: Record<number, Ask>;
  /** Cells that came to a ring while the cluster ran, until they stand where it does. */
  welcome: Record<string, Welcome>;
  /** What the last look at a ring found, by ring. */
  found: Record<number, Difference[]>;
  /** Rings that a whole pass of this package is through with, PDM included. */
  through: Record<number, string>;
  /** Packages whose PDM failed, and in which rings: nothing of them goes forward. */
  pdmFailed: Record<string, number[]>;
  /** Passes asked for so far: their requests are numbered. */
  passes: number;
}

export interface Welcome {
  ring: number;
  /** Its ring was looked at since. */
  looked: boolean;
  /** A pass that has it among its cells has said what they run. */
  seen?: true;
  /** When it came, epoch ms; left out by an older worker. */
  atMs?: number;
  /** A pass was there, and did not bring it this package: that is for a person, or for the next package. */
  notBrought?: string;
}

export const newReconcile = (): ReconcileState => ({
  nextAtMs: null,
  asked: {},
  welcome: {},
  found: {},
  through: {},
  pdmFailed: {},
  passes: 0,
});

/** So many cells of a ring that differ are kept, and converged by one pass; the others come with the next look. */
export const FOUND_AT_MOST = 500;
/** So many are kept between two looks, over all rings, with so much of why: they are carried from run to run. */
const KEPT_AT_MOST = 1_500;
const MAX_REASON = 200;
const WELCOME_AT_MOST = 2_000;
const PDM_FAILED_AT_MOST = 50;
const PREFIX = 'reconcile/';

export const reconcileOf = (state: ClusterState): ReconcileState => {
  state.reconcile ??= newReconcile();
  return state.reconcile;
};

/** Whether the cluster itself asks, or asked, for this ring. */
export const isReconcile = ({ requestId }: Pick<QueuedRequest, 'requestId'>): boolean => requestId.startsWith(PREFIX);

/** @param run first run id of the cluster */
export function nextRequestId(reconcile: ReconcileState, run: string): string {
  reconcile.passes += 1;
  return `${PREFIX}${run}/${reconcile.passes}`;
}

/** Cells of a ring that automation takes care of. */
export function deployableIds(state: ClusterState, topology: Topology, ring: number, now: number): Set<string> {
  const found = ringOf(topology, ring);
  return new Set(found ? cellsInAutomation(state, found, now).cells.map(({ id }) => id) : []);
}

/** The ring of every cell that automation takes care of. */
export function whoIsIn(state: ClusterState, topology: Topology, now: number): Map<string, number> {
  return new Map(
    topology.rings.flatMap(({ ring }) =>
      [...deployableIds(state, topology, ring, now)].map((cell) => [cell, ring] as const),
    ),
  );
}

/** Notes cells that their ring did not have to take care of before: added, moved there, or let back in. */
export function welcomeCells(
  state: ClusterState,
  before: ReadonlyMap<string, number>,
  after: Topology,
  now: number,
): void {
  const { welcome } = reconcileOf(state);
  const isIn = whoIsIn(state, after, now);
  for (const [cell, ring] of isIn) if (before.get(cell) !== ring) welcomeCell(state, cell, ring, now);
  for (const [cell, { ring }] of Object.entries(welcome)) if (isIn.get(cell) !== ring) delete welcome[cell];
}

export function welcomeCell(state: ClusterState, cell: string, ring: number, now: number): void {
  const { welcome } = reconcileOf(state);
  if (Object.keys(welcome).length < WELCOME_AT_MOST) welcome[cell] = { ring, looked: false, atMs: now };
}

export const cameTo = (state: ClusterState, ring: number): string[] =>
  Object.entries(reconcileOf(state).welcome).flatMap(([cell, welcome]) => (welcome.ring === ring ? [cell] : []));

/** Cells that a ring had and has no more, by ring. */
export function cellsGone(before: Topology, after: Topology): Record<number, string[]> {
  const gone: Record<number, string[]> = {};
  for (const { ring, cells } of before.rings) {
    const now = new Set(ringOf(after, ring)?.cells.map(({ id }) => id));
    const left = cells.filter(({ id }) => !now.has(id)).map(({ id }) => id);
    if (left.length > 0) gone[ring] = left;
  }
  return gone;
}

/**
 * The package that a ring is kept on, or why it is kept on none: what it last converged on, or, where that is stopped and was
 * taken back from its cells, what they went back to, if the ring had converged on that before.
 */
export function keptOn(
  state: ClusterState,
  topology: Topology,
  ring: number,
): { version: string; chartVersion: string | null } | { not: string } {
  const record = state.rings[ring];
  const version = record?.converged;
  const found = ringOf(topology, ring);
  if (!found || found.deployedBy === 'external') return { not: 'other tools deploy it' };
  if (ring <= topology.perimeter) return { not: 'inside the perimeter a ring moves only on command' };
  if (!record || !version) return { not: 'no package has converged in it yet' };
  const { desired, takenBack } = record;
  if (desired && isPackage(desired) && isNewer(desired, version)) return { not: whyPast(state, record, desired) };
  const leaving = whyLeaving(state, version);
  if (leaving) return { not: leaving };
  const stopped = takenBack ? `${version} was taken back from it` : whyStopped(state, version);
  if (!stopped) return withChart(state, version);
  const back = wentBackTo(record);
  return back && !whyLeaving(state, back) && !whyStopped(state, back) ? withChart(state, back) : { not: stopped };
}

/** A package never enters a ring that has, or is getting, a newer one: not even for a cell that came, or that differs. */
function whyPast({ rollouts, ended }: ClusterState, { observed }: RingRecord, newer: string): string {
  const how = ended[newer]?.state;
  if (rollouts[newer] !== undefined || how === undefined || how === 'converged') return `it is to run ${newer}`;
  return observed[newer] ? `cells of it were left on ${newer}` : `${newer} was on its way to it, and was given up`;
}

/** Why cells may be about to be taken off the package, or null: before that is over nothing is brought anywhere. */
function whyLeaving(state: ClusterState, version: string): string | null {
  if (state.rollbacks[version]) return `${version} is being rolled back`;
  const { aborting } = state.rollouts[version] ?? state.ended[version] ?? {};
  return aborting ? `${version} is being aborted` : null;
}

/** Why the package is brought to no cell any more, or null. */
function whyStopped(state: ClusterState, version: string): string | null {
  if (!state.graduated.some((g) => g.version === version)) return `${version} is not graduated any more`;
  if (blockOf(state.blocked, version)) return `${version} is blocked`;
  return state.reconcile?.pdmFailed[version]?.length ? `PDM of ${version} has failed` : null;
}

/**
 * What a ring went back to, if it had converged on that before. While a cell was left on what it last converged on, that is
 * still what the ring is to run.
 */
const wentBackTo = ({ desired, convergedBefore = [] }: RingRecord): string | null =>
  convergedBefore.find(({ version }) => version === desired)?.version ?? null;

const withChart = (state: ClusterState, version: string): { version: string; chartVersion: string | null } => ({
  version,
  chartVersion: chartOf(state.rollouts[version] ?? state.ended[version]),
});

export function notePackageBrakes(state: ClusterState, { version, epoch, seq, brakes }: PackageBrakes): void {
  const rollout = state.rollouts[version];
  if (!rollout || (rollout.braked && isOlderList({ epoch, seq }, rollout.braked))) return;
  rollout.braked = { epoch, seq, brakes };
}

/** The cluster's own passes of a package that have entered their ring. */
export function ownPasses(state: ClusterState, version: string): { ring: number; pass: string; requestId: string }[] {
  return Object.entries(state.turns).flatMap(([ring, { request, pass }]) => {
    const isOwn = isReconcile(request) && request.version === version && pass !== null;
    return isOwn ? [{ ring: Number(ring), pass, requestId: request.requestId }] : [];
  });
}

/** A brake of the package itself that holds what the cluster would bring cells to; null: none does. */
export const packageBrake = (state: ClusterState, version: string, now: number): BrakeStatus | null =>
  holding(state.rollouts[version]?.braked?.brakes ?? [], now)[0] ?? null;

/** What the cells of a ring are compared with; null: only what they run is noted. */
export function standingOf(state: ClusterState, topology: Topology, ring: number): Standing | null {
  const kept = keptOn(state, topology, ring);
  const record = state.rings[ring];
  if ('not' in kept || !record) return null;
  const { postDeployMigrations } = resolvePolicy(topology, ring, null);
  const { version } = kept;
  const before = record.convergedBefore?.find((b) => b.version === version);
  return {
    ...kept,
    convergedAt: version === record.converged ? record.convergedAt : (before?.convergedAt ?? null),
    migrated: postDeployMigrations === 'separate' && reconcileOf(state).through[ring] === version,
    exceptions: record.exceptions,
    more: record.exceptionsTotal > record.exceptions.length,
  };
}

const STATES: Record<DifferenceKind, CellState> = {
  behind: 'pending',
  failed: 'failed',
  hand: 'pending',
  newer: 'skipped',
  restored: 'pending',
  joined: 'pending',
  'no-pdm': 'pending',
  busy: 'busy',
  unwell: 'unreachable',
  unknown: 'unreachable',
};

/** What people see of cells that differ: a pass's own word on a cell that failed says more than a look. */
export function exceptionsWith(exceptions: CellException[], found: Difference[]): CellException[] {
  const known = new Set(found.filter(({ kind }) => kind !== 'failed').map(({ cell }) => cell));
  const kept = exceptions.filter(({ cell }) => !known.has(cell));
  const said = new Set(kept.map(({ cell }) => cell));
  const more = found.filter(({ cell }) => !said.has(cell));
  return [...kept, ...more.map(exceptionOf)];
}

/** A cell that was said to stand so before has stood so since then. */
export function withSince(
  exceptions: readonly CellException[],
  before: readonly CellException[],
  now: number,
): CellException[] {
  const known = new Map(before.map((e) => [`${e.cell} ${e.state} ${e.jobId}`, e.since]));
  const at = new Date(now).toISOString();
  return exceptions.map((e) => ({ ...e, since: known.get(`${e.cell} ${e.state} ${e.jobId}`) ?? at }));
}

const exceptionOf = ({ cell, kind, reason, since, runs }: Difference): CellException => ({
  cell,
  state: STATES[kind],
  reason,
  since,
  ...(runs === undefined ? {} : { runs }),
});

/** Counts what some cells of a ring run, those that are out of automation apart as well. */
export function noteLooks(looking: RingLook, looks: readonly CellLook[], isIn: (cell: string) => boolean): void {
  looking.cells += looks.length;
  for (const { cell, facts } of looks) {
    const version = facts.version ?? 'unknown';
    looking.observed[version] = (looking.observed[version] ?? 0) + 1;
    if (isIn(cell)) continue;
    looking.observedOut ??= {};
    looking.observedOut[version] = (looking.observedOut[version] ?? 0) + 1;
  }
}

/** A look at a ring that is kept on nothing says only what runs there. */
export function noteUncompared(state: ClusterState, ring: number): void {
  const reconcile = reconcileOf(state);
  delete reconcile.found[ring];
  for (const welcome of Object.values(reconcile.welcome)) if (welcome.ring === ring) welcome.looked = true;
}

/** Notes what a whole look at a ring found. What the last pass said of cells that stand right by now is over. */
export function noteFound(
  state: ClusterState,
  ring: number,
  found: Difference[],
  isKept: (cell: string) => boolean,
): void {
  const reconcile = reconcileOf(state);
  const record = state.rings[ring];
  const before = new Map((reconcile.found[ring] ?? []).map((d) => [`${d.cell} ${d.kind}`, d]));
  const named = new Set(found.map(({ cell }) => cell));
  // Since when: as long as it is the same that is different.
  const since = (d: Difference) => before.get(`${d.cell} ${d.kind}`)?.since ?? d.since;
  const most = Math.floor(KEPT_AT_MOST / Math.max(1, Object.keys(state.rings).length));
  reconcile.found[ring] = firstOf(found, most).map((d) => ({ ...d, reason: cut(d.reason), since: since(d) }));
  if (found.length === 0) delete reconcile.found[ring];
  // Of cells that are not named nothing is known where there was no room for more names.
  const areAllNamed = found.length < FOUND_AT_MOST;
  for (const [cell, welcome] of Object.entries(reconcile.welcome)) {
    if (welcome.ring !== ring) continue;
    if (named.has(cell) || !areAllNamed) welcome.looked = true;
    else delete reconcile.welcome[cell];
  }
  if (!record || !areAllNamed) return;
  const over = record.exceptions.filter(({ cell }) => isKept(cell) && !named.has(cell));
  record.exceptions = record.exceptions.filter((e) => !over.includes(e));
  record.exceptionsTotal = Math.max(record.exceptions.length, record.exceptionsTotal - over.length);
}

/** Those that a person is to be told of before all others. */
function firstOf(found: Difference[], most: number): Difference[] {
  if (found.length <= most) return found;
  const isFirst = ({ kind }: Difference) => kind === 'hand' || kind === 'newer';
  return [...found.filter(isFirst), ...found.filter((d) => !isFirst(d))].slice(0, most);
}

const cut = (reason: string): string => shortened(reason, MAX_REASON);

/**
 * The cells that a pass of the cluster's own is about; null: it is about the whole ring. Of one that was there before this
 * cluster began only those are known that it names.
 */
export const cellsOfPass = (request: QueuedRequest, { view }: RingReport): string[] | null =>
  request.cells ?? (isReconcile(request) ? view.exceptions.map(({ cell }) => cell) : null);

/** Whether a pass has ended with cells of which it cannot know what they run: going back has failed half way. */
export const leavesUnsure = ({ ended, purpose, view }: RingReport): boolean =>
  ended && view.failed > 0 && (purpose === 'rollback' || view.exceptions.some(({ state }) => UNSURE.has(state)));

const UNSURE: ReadonlySet<CellState> = new Set(['rollback-failed', 'cancel-unconfirmed']);

/** What a pass over some cells of a ring says of them; of the others it knows nothing. */
export function noteReconciled(record: RingRecord, cells: string[], { view }: RingReport, now: number): void {
  const among = new Set(cells);
  const others = record.exceptions.filter(({ cell }) => !among.has(cell));
  const unnamed = record.exceptionsTotal - record.exceptions.length;
  record.exceptions = [...others, ...withSince(view.exceptions, record.exceptions, now)];
  record.exceptionsTotal = record.exceptions.length + unnamed;
}

/** Of cells that came to the ring: a pass that has ended did not bring its package to those that it names. */
export function noteNotBrought(state: ClusterState, ring: number, { version, purpose, ended, view }: RingReport): void {
  if (!ended || purpose !== 'deploy') return;
  for (const { cell, state: at } of view.exceptions) {
    const welcome = reconcileOf(state).welcome[cell];
    if (welcome?.ring === ring && isForPerson(at)) welcome.notBrought = version;
  }
}

/** What reports of packages say that matters for keeping rings as they are. */
export function noteForReconcile(state: ClusterState, ring: number, report: RingReport): void {
  const reconcile = reconcileOf(state);
  const { version, purpose, ended, result } = report;
  if (ended && purpose === 'deploy' && result?.outcome === 'converged') reconcile.through[ring] = version;
  noteFailedPdm(state, ring, report);
  noteSeen(state, ring, report);
}

/** A pass has the cells that its ring had when it was let in; what came later it knows nothing of. */
function noteSeen(state: ClusterState, ring: number, { observed }: RingReport): void {
  const grantedAtMs = state.turns[ring]?.grantedAtMs;
  if (grantedAtMs === undefined || Object.keys(observed).length === 0) return;
  for (const welcome of Object.values(reconcileOf(state).welcome)) {
    const { atMs = Number.POSITIVE_INFINITY } = welcome;
    if (welcome.ring === ring && atMs <= grantedAtMs) welcome.seen = true;
  }
}

/** Whether the package is known to have baked in every ring: its PDM has been through this one, or its rollout to its end. */
export const hasBakedEverywhere = (state: ClusterState, ring: number, version: string): boolean =>
  reconcileOf(state).through[ring] === version || state.ended[version]?.state === 'converged';

/** A failed PDM of a package stops everything of it that goes forward, until it has succeeded in that ring. */
export function noteFailedPdm(state: ClusterState, ring: number, { version, migrationFailed }: RingReport): void {
  const reconcile = reconcileOf(state);
  const elsewhere = (reconcile.pdmFailed[version] ?? []).filter((r) => r !== ring);
  const failed = migrationFailed.length > 0 ? [...elsewhere, ring] : elsewhere;
  delete reconcile.pdmFailed[version];
  if (failed.length > 0) reconcile.pdmFailed[version] = failed;
  const all = Object.entries(reconcile.pdmFailed);
  if (all.length > PDM_FAILED_AT_MOST) reconcile.pdmFailed = Object.fromEntries(all.slice(-PDM_FAILED_AT_MOST));
}

/**
 * The rings that are to be looked at now because somebody is owed it: a person asked, or a cell came, and nobody holds
 * the ring any more.
 */
export function ringsOwed(state: ClusterState, by: string): number[] {
  const { asked, welcome } = reconcileOf(state);
  for (const { ring, looked } of Object.values(welcome)) {
    // Cells that came to a ring are converged at once.
    if (!looked) asked[ring] ??= { by, person: false, cells: null, converge: true };
  }
  const rings = Object.keys(asked).map(Number);
  return rings.filter((ring) => state.rings[ring] && !state.turns[ring] && !state.toLook.includes(ring));
}

/** An ask beside one that is not over: a person's goes before the loop's, and all of the ring before some cells. */
export function joinAsks(known: Ask | undefined, ask: Ask): Ask {
  if (!known || ask.person !== known.person) return known?.person ? known : ask;
  const cells = known.cells && ask.cells ? [...new Set([...known.cells, ...ask.cells])] : null;
  return { ...ask, cells, converge: known.converge || ask.converge };
}

/** Puts a request for some cells in the queue, in the place of an earlier one for the ring. */
export function enqueue(
  state: ClusterState,
  wanted: {
    requestId: string;
    ring: number;
    version: string;
    chartVersion: string | null;
    cells: string[];
    by: string;
    askedFor: boolean;
  },
  now: number,
): void {
  const before = state.queue.find((q) => isReconcile(q) && q.ring === wanted.ring);
  state.queue = state.queue.filter((q) => q !== before);
  state.queue.push({
    ...wanted,
    purpose: 'deploy',
    lane: null,
    // It has converged there before: whoever had to approve it has.
    approved: [wanted.ring],
    sinceMs: before?.sinceMs ?? now,
    sender: CLUSTER_WORKFLOW_ID,
    at: wanted.ring,
    told: '',
    held: null,
  });
}
