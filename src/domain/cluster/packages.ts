import type {
  AskGraduation,
  Registered,
  RegisterRollout,
  RolloutAborting,
  RolloutEnded,
} from '../../contract/internal.js';
import type { Problem } from '../../contract/problem.js';
import { conflictsWith, isNewer, sameVersion } from '../package-version.js';
import { hasLane, resolveCoordination, ringOf, type Topology } from '../topology/index.js';
import { blockOf, rangeText } from './blocks.js';
import type { ClusterState, EndedRollout, OpenRollout, QueuedRequest } from './state.js';

/** What the cluster remembers of packages: which are open, which graduated, and how the others ended. */

/** Answers a rollout that says it is open: how an earlier run ended, and what is wrong with its name or its chart. */
export function judgeRegistration(
  state: ClusterState,
  message: RegisterRollout,
): Omit<Registered, 'graduationTimeoutMs' | 'softRings' | 'alsoOn' | 'perimeter' | 'holds'> {
  const { version, run, startedAtMs, chartVersion, graduatedAt } = message;
  const before = state.ended[version] ?? abortedAndLost(state, message);
  const ended = before && message.reopen && mayReopen(before) ? undefined : before;
  const known = state.rollouts[version] ?? before;
  const conflict = conflictOf(state, version) ?? chartConflict(chartOf(known), chartVersion);
  const chart = chartVersion ?? known?.chartVersion ?? null;
  const runsWith = known?.runsWith ?? null;
  const lane = state.rollouts[version]?.lane ?? null;
  const isOpen = !conflict && !ended;
  const braked = isOpen ? (state.rollouts[version]?.braked ?? lostBrakes(state, message)) : undefined;
  if (isOpen) {
    delete state.ended[version];
    const earlier = earlierThan(run, state.rollouts[version]);
    const known = { run, startedAtMs, chartVersion: chart, runsWith, lane, graduatedAt, earlier };
    const aborting = message.aborting ? { aborting: true as const } : {};
    state.rollouts[version] = { ...known, ...(braked ? { braked } : {}), ...aborting };
  }
  const at = state.graduated.find((g) => g.version === version)?.graduatedAt ?? null;
  const block = blockOf(state.blocked, version);
  return {
    graduatedAt: at,
    endedAs: ended?.state ?? null,
    supersededBy: ended?.supersededBy ?? null,
    endedRun: ended?.run || null,
    blocked: block && { version: block.version },
    conflict,
    chartVersion: chart,
    runsWith,
    // What it has told itself it knows.
    ...(braked && braked.epoch !== run ? { braked: braked.brakes } : {}),
  };
}

/**
 * Brakes that the ledger remembers of a run before this one, of which nobody else knows any more. A run that goes on since
 * before they were engaged has engaged them itself, and knows which of them were released.
 */
function lostBrakes(state: ClusterState, { version, startedAtMs }: RegisterRollout): OpenRollout['braked'] {
  const brakes = (state.lostBrakes?.[version] ?? []).filter(({ since }) => Date.parse(since) < startedAtMs);
  delete state.lostBrakes?.[version];
  return brakes.length === 0 ? undefined : { epoch: '', seq: 0, brakes };
}

/** An aborted run that somebody terminated before it could say how it ended: only a person opens the package again. */
function abortedAndLost(state: ClusterState, { version, run }: RegisterRollout): EndedRollout | undefined {
  const known = state.rollouts[version];
  if (!known?.aborting || known.run === run) return undefined;
  const { chartVersion, runsWith = null } = known;
  return { state: 'aborted', supersededBy: null, chartVersion, runsWith, at: '', run: '' };
}

function earlierThan(run: string, known: OpenRollout | undefined): NonNullable<OpenRollout['earlier']> | null {
  if (!known || known.run === run) return known?.earlier ?? null;
  const { earlier: _, ...rest } = known;
  return rest;
}

/** A person may open it again: not what was superseded, nor what has converged. */
const mayReopen = ({ state }: EndedRollout): boolean => state !== 'superseded' && state !== 'converged';

/** A package has one chart: the one given with it, or else the one with which its cells run it. */
export const chartOf = (known: Pick<OpenRollout, 'chartVersion' | 'runsWith'> | undefined): string | null =>
  known?.chartVersion ?? known?.runsWith ?? null;

/** A pass saw with which chart cells run the package. */
export function noteChart(state: ClusterState, version: string, runsWith: string | null): void {
  const rollout = state.rollouts[version];
  if (rollout) rollout.runsWith ??= runsWith;
}

/** An earlier run of this rollout, heard after a later one has registered: what it says is old. */
export function isFromEarlierRun(
  state: ClusterState,
  { version, run, startedAtMs }: Pick<RegisterRollout, 'version' | 'run' | 'startedAtMs'>,
): boolean {
  const known = state.rollouts[version];
  return known !== undefined && known.run !== run && known.startedAtMs > startedAtMs;
}

/** Rings where at least one cell was last seen to run this package, or that are to run it. */
export function ringsRunning(state: ClusterState, version: string): number[] {
  const runsIt = ({ desired, observed }: ClusterState['rings'][number]) =>
    sameVersion(desired, version) || Object.keys(observed).some((seen) => sameVersion(seen, version));
  return Object.keys(state.rings)
    .map(Number)
    .filter((ring) => state.rings[ring] !== undefined && runsIt(state.rings[ring]));
}

/** Whether what stopped a package as its own fault may be in this one as well, which nobody has said yes to since. */
export function needsYesAfterStop(
  { systemic }: ClusterState,
  { version, approvedAtMs }: Pick<QueuedRequest, 'version' | 'approvedAtMs'>,
  ring: number,
): boolean {
  if (!systemic || !isNewer(version, systemic.version)) return false;
  // Who approved it before knew nothing of the stop.
  const isApproved = (approvedAtMs?.[ring] ?? Number.NEGATIVE_INFINITY) > systemic.sinceMs;
  const { fixedIn } = systemic;
  return !isApproved && (fixedIn === undefined || isNewer(fixedIn, version));
}

export function conflictOf(state: ClusterState, version: string): Problem | null {
  const underWay = [
    ...Object.keys(state.rollouts),
    ...state.graduated.map((g) => g.version),
    ...state.queue.map((q) => q.version),
    ...Object.values(state.turns).map((t) => t.request.version),
    ...Object.keys(state.rollbacks),
  ];
  const same = [...underWay, ...Object.keys(state.ended)].find((v) => v !== version && sameVersion(v, version));
  // Brakes, aborts and the locks go by the name: under a second one the package would be past all of them.
  if (same !== undefined) {
    return { path: 'version', value: version, expected: `${same}: the same package, as it is known already` };
  }
  // One of the two is not what it says, so neither is guessed to be.
  const desired = Object.values(state.rings).flatMap((r) => (r.desired === null ? [] : [r.desired]));
  const other = [...underWay, ...desired].find((v) => conflictsWith(v, version));
  if (other === undefined) return null;
  return { path: 'version', value: version, expected: `${other}: another package has the same timestamp` };
}

export function chartConflict(known: string | null, asked: string | null): Problem | null {
  if (known === null || asked === null || known === asked) return null;
  return { path: 'chartVersion', value: asked, expected: `${known}, the chart of this package (chart_conflict)` };
}

export function judgeGraduation(
  state: ClusterState,
  topology: Topology | null,
  message: AskGraduation,
): Problem | null {
  const { version, lane, chartVersion, ring0 = 'never' } = message;
  const newer = state.graduated.find((g) => isNewer(g.version, version));
  if (newer) {
    return { path: 'version', value: version, expected: `a package newer than ${newer.version}, which has graduated` };
  }
  const isAgain = state.graduated.some((g) => g.version === version);
  const block = isAgain ? null : blockOf(state.blocked, version);
  if (block) {
    const unblock = `cellctl unblock ${block.version} --reason "…"`;
    const expected = `a package that is not blocked; ${block.by} has blocked ${rangeText(block)}: ${block.reason}; ${unblock}`;
    return { path: 'version', value: version, expected };
  }
  const conflict = chartConflict(chartOf(state.rollouts[version]), chartVersion);
  if (conflict) return conflict;
  if (topology && asksForRing0(topology) && ring0 !== 'converged') {
    return { path: 'ring0', value: ring0, expected: 'converged: this cluster takes no package that ring 0 did not' };
  }
  if (lane === null || (topology && hasLane(topology, lane))) return null;
  const lanes = Object.keys(topology?.lanes ?? {}).join(', ');
  return { path: 'lane', value: lane, expected: `a lane: ${lanes || 'the topology has none'}` };
}

const asksForRing0 = (topology: Topology): boolean =>
  resolveCoordination(topology).requireRing0 && (ringOf(topology, 0)?.cells.length ?? 0) > 0;

/** Notes a graduation; answers the older open rollouts that still await theirs. The same again changes nothing. */
export function recordGraduation(state: ClusterState, message: AskGraduation): string[] {
  const { version, lane, by, at, chartVersion } = message;
  const rollout = state.rollouts[version];
  if (rollout) Object.assign(rollout, { graduatedAt: at, lane, chartVersion: chartVersion ?? rollout.chartVersion });
  if (!state.graduated.some((g) => g.version === version)) {
    state.graduated.push({ version, graduatedAt: at, by, blocked: false, convergedAt: null });
  }
  return Object.entries(state.rollouts)
    .filter(([v, r]) => r.graduatedAt === null && isNewer(version, v))
    .map(([v]) => v);
}

/**
 * From here on the cluster brings no cell to the package either. A run that is not the last one says nothing; one that looks
 * at a converged package again has not registered as open.
 */
export function noteAborting(state: ClusterState, { version, run }: RolloutAborting): void {
  const rollout = state.rollouts[version];
  const ended = state.ended[version];
  if (rollout?.run === run) rollout.aborting = true;
  else if (!rollout && ended) ended.aborting = true;
}

export function recordEnd(state: ClusterState, message: RolloutEnded, now: number): void {
  const { version, supersededBy, run } = message;
  if (message.forget) return forgetRun(state, version);
  const at = new Date(now).toISOString();
  const { chartVersion = null, runsWith = null } = state.rollouts[version] ?? state.ended[version] ?? {};
  delete state.rollouts[version];
  state.ended[version] = { state: message.state, supersededBy, chartVersion, runsWith, at, run };
  const noLonger = message.state === 'aborted' || message.state === 'rolled-back';
  if (noLonger) state.graduated = state.graduated.filter((g) => g.version !== version);
  const graduated = state.graduated.find((g) => g.version === version);
  if (graduated && message.state === 'converged') graduated.convergedAt ??= at;
}

/** A call that was rejected starts a run all the same: what was known before it is what is known. */
function forgetRun(state: ClusterState, version: string): void {
  const earlier = state.rollouts[version]?.earlier;
  delete state.rollouts[version];
  if (earlier) state.rollouts[version] = earlier;
}
