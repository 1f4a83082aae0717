import type {
  BrakeStatus,
  ClusterStatus,
  PackageRollbackStatus,
  PackageRolloutStatus,
  WaitingFor,
  WaitKind,
} from '../contract/status.js';
import { COORDINATOR, scopeText } from './brake.js';
import { isBlockedBy, rangeText } from './cluster/blocks.js';
import { newest } from './package-version.js';
import { ofCells, ofLeftBehind } from './todo/cells.js';

/** All that waits for a person, over the cluster and the packages under way. */

export type Team = 'release-managers' | 'ops';

export interface Todo {
  kind: WaitKind | 'block' | 'cell' | 'left-behind' | 'changed-by-hand' | 'quarantine' | 'auto-deploy' | 'rejected';
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

const REJECTED_FOR_MS = 24 * 3_600_000;

/** What is under way in packages: their rollouts, and their rollbacks. */
export interface UnderWay {
  rollouts: PackageRolloutStatus[];
  rollbacks?: PackageRollbackStatus[];
}

/** Oldest first. */
export function todosOf(cluster: ClusterStatus, { rollouts, rollbacks = [] }: UnderWay, now: number): Todo[] {
  const perimeter = cluster.perimeter ?? -1;
  const teamOf = (ring: number | undefined): Team =>
    ring !== undefined && ring <= perimeter ? 'release-managers' : 'ops';
  const all = [
    ...ofWait(cluster.waitingFor, undefined, teamOf),
    ...ofBrakes(cluster.brakes, null, teamOf),
    ...ofBlocks(cluster, rollouts),
    ...rollouts.flatMap((rollout) => ofRollout(rollout, teamOf)),
    ...rollbacks.flatMap((rollback) => ofRollback(rollback, teamOf)),
    ...ofQueue(cluster, rollouts, teamOf),
    ...ofAutoDeploy(cluster, now),
    ...ofCells(cluster, rollouts, teamOf, now),
    ...ofLeftBehind(cluster),
    ...ofChanges(cluster, teamOf),
    ...ofQuarantines(cluster),
    ...ofRejections(cluster, rollouts, now),
  ];
  return all.sort((a, b) => a.since.localeCompare(b.since));
}

export type TeamOf = (ring: number | undefined) => Team;

function ofWait(wait: WaitingFor | null, version: string | undefined, teamOf: TeamOf): Todo[] {
  // What stands in the lists of brakes and of blocks stands there; what no command ends, ends by itself.
  if (!wait || BY_ITSELF.has(wait.kind) || wait.kind === 'brake' || wait.next.length === 0) return [];
  const { kind, since, detail, ring, next } = wait;
  const where = { ...(ring === undefined ? {} : { ring }), ...(version === undefined ? {} : { version }) };
  return [{ kind, team: teamOf(ring), since, detail, ...where, next }];
}

/** Nothing but a person ends a block. */
function ofBlocks({ blocked, graduated, queue }: ClusterStatus, rollouts: PackageRolloutStatus[]): Todo[] {
  const last = newest([...graduated, ...queue, ...rollouts].map(({ version }) => version));
  // One whose fix is known, and on its way, is in nobody's way any more.
  const holds = blocked.filter((b) => b.fixedIn === undefined || (last !== null && isBlockedBy(b, last)));
  return holds.map((block): Todo => {
    const { version, by, reason, since } = block;
    const detail = `blocked by ${by}: ${rangeText(block)}: ${reason}`;
    const next = [
      `cellctl block ${version} --fixed-in VERSION --reason "…"`,
      `cellctl unblock ${version} --reason "…"`,
    ];
    return { kind: 'block', team: 'ops', since, detail, version, next };
  });
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

/** Whoever holds it up cannot be seen in its rollout, which it ends. */
function ofRollback(rollback: PackageRollbackStatus, teamOf: TeamOf): Todo[] {
  const { version } = rollback;
  const stop = `cellctl rollback ${version} --stop --reason "…"`;
  return ofRollout(rollback, teamOf).map((todo) => ({
    ...todo,
    detail: `the rollback of ${version}: ${todo.detail}`,
    next: [...todo.next, `cellctl status ${version}`, stop],
  }));
}

/** What a package that was asked a moment ago does not say of itself yet. */
function ofQueue({ queue }: ClusterStatus, rollouts: PackageRolloutStatus[], teamOf: TeamOf): Todo[] {
  const known = new Set(rollouts.map(({ version }) => version));
  const others = queue.filter(({ version, by }) => !known.has(version) && by === undefined);
  return others.flatMap(({ held, version }) => ofWait(held, version, teamOf));
}

function ofAutoDeploy({ autoDeploy }: ClusterStatus, now: number): Todo[] {
  if (autoDeploy.state !== 'paused' || autoDeploy.override) return [];
  const { since = new Date(now).toISOString(), reason = 'the rings are behind' } = autoDeploy;
  const detail = `auto-deploy has paused itself: ${reason}`;
  return [{ kind: 'auto-deploy', team: 'ops', since, detail, next: ['cellctl status', 'cellctl resume --reason "…"'] }];
}

function ofChanges({ reconcile, leftBehind = [] }: ClusterStatus, teamOf: TeamOf): Todo[] {
  const left = new Set(leftBehind.flatMap(({ cells }) => cells.map(({ cell }) => cell)));
  return (reconcile?.found ?? []).flatMap(({ ring, cell, kind, reason, since }): Todo[] => {
    if ((kind !== 'hand' && kind !== 'newer') || left.has(cell)) return [];
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
