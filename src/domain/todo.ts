import type {
  BrakeStatus,
  CellException,
  CellState,
  ClusterRing,
  ClusterStatus,
  PackageRolloutStatus,
  WaitingFor,
  WaitKind,
} from '../contract/status.js';
import { COORDINATOR, scopeText } from './brake.js';

/** All that waits for a person, over the cluster and the packages under way. */

export type Team = 'release-managers' | 'ops';

export interface Todo {
  kind: WaitKind | 'cell' | 'changed-by-hand' | 'quarantine' | 'auto-deploy' | 'rejected';
  /** Who looks after it: the owners of the rings up to the perimeter, or of those beyond it. */
  team: Team;
  since: string;
  /** One sentence: what is the matter. */
  detail: string;
  ring?: number;
  version?: string;
  cell?: string;
  /** The commands that would end it. */
  next: string[];
}

/** Waits that the clock, a machine or another package ends. */
const BY_ITSELF: ReadonlySet<WaitKind> = new Set([
  'bake',
  'grace-period',
  'ring-turn',
  'deploy-window',
  'freeze',
  'cell-busy',
  // The pipeline that graduates packages is no person.
  'graduation',
]);

/** Cells that stay as they are until a person, or the next package, comes. */
const STUCK: ReadonlySet<CellState> = new Set([
  'failed',
  'rolled-back',
  'rollback-failed',
  'migration-failed',
  'cancel-unconfirmed',
]);

const REJECTED_FOR_MS = 24 * 3_600_000;

/** Oldest first. `rollouts`: those under way. */
export function todosOf(cluster: ClusterStatus, rollouts: PackageRolloutStatus[], now: number): Todo[] {
  const perimeter = cluster.perimeter ?? -1;
  const teamOf = (ring: number | undefined): Team =>
    ring !== undefined && ring <= perimeter ? 'release-managers' : 'ops';
  const all = [
    ...ofWait(cluster.waitingFor, undefined, teamOf),
    ...ofBrakes(cluster.brakes, null, teamOf),
    ...rollouts.flatMap((rollout) => ofRollout(rollout, teamOf)),
    ...ofQueue(cluster, rollouts, teamOf),
    ...ofAutoDeploy(cluster),
    ...cluster.rings.flatMap((ring) => ofRing(ring, teamOf)),
    ...ofChanges(cluster, teamOf),
    ...ofQuarantines(cluster),
    ...ofRejections(cluster, rollouts, now),
  ];
  return all.sort((a, b) => a.since.localeCompare(b.since));
}

type TeamOf = (ring: number | undefined) => Team;

function ofWait(wait: WaitingFor | null, version: string | undefined, teamOf: TeamOf): Todo[] {
  // A brake stands in the list of brakes, where it is one that nobody but a person ends.
  if (!wait || BY_ITSELF.has(wait.kind) || wait.kind === 'brake') return [];
  const { kind, since, detail, ring, next } = wait;
  const where = { ...(ring === undefined ? {} : { ring }), ...(version === undefined ? {} : { version }) };
  return [{ kind, team: teamOf(ring), since, detail, ...where, next }];
}

function ofBrakes(brakes: BrakeStatus[], version: string | null, teamOf: TeamOf): Todo[] {
  return brakes
    .filter((b) => b.expiresAt === undefined)
    .map(({ brakeId, scope, by, reason, since }): Todo => {
      const ring = typeof scope === 'object' ? scope.ring : undefined;
      const whose = version === null ? '' : ` --version ${version}`;
      const who = by === COORDINATOR ? 'the coordinator' : by;
      return {
        kind: 'brake',
        team: teamOf(ring),
        since,
        detail: `brake ${brakeId} on ${version ?? scopeText(scope)} by ${who}, without an end: ${reason}`,
        ...(ring === undefined ? {} : { ring }),
        ...(version === null ? {} : { version }),
        next: [`cellctl brake off --id ${brakeId}${whose} --reason "…"`],
      };
    });
}

function ofRollout({ version, brakes, waitingFor, rings }: PackageRolloutStatus, teamOf: TeamOf): Todo[] {
  const waits = [...rings.map((ring) => ring.waitingFor), waitingFor];
  const seen = new Set<string>();
  const todos = waits
    .flatMap((wait) => ofWait(wait, version, teamOf))
    .filter(({ kind, ring }) => {
      const key = `${kind} ${ring}`;
      return !seen.has(key) && seen.add(key);
    });
  return [...todos, ...ofBrakes(brakes, version, teamOf)];
}

/** What a package that was asked a moment ago does not say of itself yet. */
function ofQueue({ queue }: ClusterStatus, rollouts: PackageRolloutStatus[], teamOf: TeamOf): Todo[] {
  const known = new Set(rollouts.map(({ version }) => version));
  const others = queue.filter(({ version, by }) => !known.has(version) && by === undefined);
  return others.flatMap(({ held, version }) => ofWait(held, version, teamOf));
}

function ofAutoDeploy({ autoDeploy, rings }: ClusterStatus): Todo[] {
  if (autoDeploy.state !== 'paused' || autoDeploy.override) return [];
  const since = rings.flatMap(({ convergedAt }) => convergedAt ?? []).sort()[0] ?? new Date(0).toISOString();
  const detail = `auto-deploy has paused itself: ${autoDeploy.reason ?? 'the rings are behind'}`;
  return [{ kind: 'auto-deploy', team: 'ops', since, detail, next: ['cellctl status', 'cellctl resume --reason "…"'] }];
}

function ofRing(of: ClusterRing, teamOf: TeamOf): Todo[] {
  const { ring, exceptions, converged, convergedAt, rollout } = of;
  // A pass that is in the ring says itself what it waits for.
  if (rollout !== undefined) return [];
  const since = convergedAt ?? new Date(0).toISOString();
  return exceptions
    .filter((e) => STUCK.has(e.state))
    .map((e): Todo => {
      const version = converged === null ? {} : { version: converged };
      const team = teamOf(ring);
      const next = [`cellctl health ${e.cell}`, ...mends(of, team, e.cell)];
      return { kind: 'cell', team, since, detail: cellText(e), ring, cell: e.cell, ...version, next };
    });
}

/** Inside the perimeter nothing is reconciled: there a ring moves only on command. */
function mends({ ring, desired: version }: ClusterRing, team: Team, cell: string): string[] {
  if (team === 'ops') return [`cellctl cluster reconcile --cells ${cell} --reason "…"`];
  return version === null ? [] : [`cellctl deploy --ring ${ring} ${version}`];
}

const cellText = ({ cell, state, reason, jobId }: CellException): string =>
  `${cell} is ${state}${jobId === undefined ? '' : ` (${jobId})`}: ${reason}`;

function ofChanges({ reconcile }: ClusterStatus, teamOf: TeamOf): Todo[] {
  return (reconcile?.found ?? []).flatMap(({ ring, cell, kind, reason, since }): Todo[] => {
    if (kind !== 'hand' && kind !== 'newer') return [];
    const take = `cellctl cluster reconcile --cells ${cell} --reason "…"`;
    const next = kind === 'hand' ? [take] : ['cellctl cluster status'];
    return [{ kind: 'changed-by-hand', team: teamOf(ring), since, detail: `${cell} ${reason}`, ring, cell, next }];
  });
}

function ofQuarantines({ quarantined }: ClusterStatus): Todo[] {
  const forGood = quarantined.filter(({ expiresAt }) => expiresAt === undefined);
  return forGood.map(({ cell, by, reason, since, inTopology }): Todo => {
    const end = inTopology ? 'cellctl cluster apply FILE' : `cellctl readmit ${cell} --reason "…"`;
    const detail = `${cell} is quarantined by ${by}, without an end: ${reason}`;
    return { kind: 'quarantine', team: 'ops', since, detail, cell, next: [end] };
  });
}

function ofRejections(cluster: ClusterStatus, rollouts: PackageRolloutStatus[], now: number): Todo[] {
  const all = [
    ...cluster.rejected.map((rejection) => ({ ...rejection, version: undefined })),
    ...rollouts.flatMap(({ version, rejected }) => rejected.map((rejection) => ({ ...rejection, version }))),
  ];
  const lately = all.filter(({ at }) => Date.parse(at) > now - REJECTED_FOR_MS);
  return lately.map(({ at, message, by, path, value, expected, version }): Todo => {
    const who = by === undefined ? '' : ` of ${by}`;
    const detail = `${message}${who} was rejected: ${path || 'it'} was ${value}, expected ${expected}`;
    const next = [version === undefined ? 'cellctl cluster status' : `cellctl status ${version}`];
    return { kind: 'rejected', team: 'ops', since: at, detail, ...(version === undefined ? {} : { version }), next };
  });
}
