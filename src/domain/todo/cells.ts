import { versionOfPackageRolloutId } from '../../contract/ids.js';
import type {
  CellException,
  CellState,
  ClusterRing,
  ClusterStatus,
  LeftBehind,
  PackageRolloutStatus,
} from '../../contract/status.js';
import { blockOf } from '../cluster/blocks.js';
import { isPackage, newest } from '../package-version.js';
import { rollbackAgain } from '../rollback/again.js';
import type { TeamOf, Todo } from '../todo.js';
import { isTooFarBehind } from '../upgrade-path.js';

/** Cells that wait for a person: each with the commands that do something about it where it stands. */

/** Cells that stay as they are until a person, or the next package, comes. */
const STUCK: ReadonlySet<CellState> = new Set([
  'failed',
  'rolled-back',
  'rollback-failed',
  'migration-failed',
  'cancel-unconfirmed',
]);

/** A ring with all that decides what can be done for a cell of it. */
interface Place {
  ring: ClusterRing;
  cluster: ClusterStatus;
  rollouts: PackageRolloutStatus[];
  isInside: boolean;
  /** Why the ring is kept on no package; undefined: it is kept on one. */
  notKept: string | undefined;
  /** The package whose pass is in the ring, or was there last. */
  version: string | null;
  /** The pass is there. */
  isUnderWay: boolean;
}

export function ofCells(cluster: ClusterStatus, rollouts: PackageRolloutStatus[], teamOf: TeamOf, now: number): Todo[] {
  const left = (cluster.leftBehind ?? []).flatMap(({ cells }) => cells.map(({ cell }) => cell));
  // Of those that went out of automation since, nobody is asked anything before they are back.
  const spokenFor = new Set([...left, ...cluster.quarantined.map(({ cell }) => cell)]);
  return cluster.rings.filter(speaksForItself).flatMap((ring) => {
    const place = placeOf(ring, cluster, rollouts, teamOf(ring.ring) === 'release-managers');
    const stuck = ring.exceptions.filter((e) => STUCK.has(e.state) && !spokenFor.has(e.cell));
    return stuck.map((e): Todo => {
      const { version } = place;
      const since = e.since ?? ring.convergedAt ?? new Date(now).toISOString();
      const about = { ring: ring.ring, cell: e.cell, ...(version === null ? {} : { version }) };
      return {
        kind: 'cell',
        team: teamOf(ring.ring),
        since,
        detail: cellText(e, place),
        ...about,
        next: nextOf(e, place),
      };
    });
  });
}

/** Whether its cells have to be spoken of: a halted pass waits for a person as a whole, and others try them again now. */
const speaksForItself = ({ rollout, state }: ClusterRing): boolean =>
  rollout === undefined || (versionOfPackageRolloutId(rollout) !== null && state !== 'halted');

function placeOf(
  ring: ClusterRing,
  cluster: ClusterStatus,
  rollouts: PackageRolloutStatus[],
  isInside: boolean,
): Place {
  const notKept = cluster.reconcile?.notKept.find((n) => n.ring === ring.ring)?.reason;
  const ofPass = versionOfPackageRolloutId(ring.rollout ?? '');
  return { ring, cluster, rollouts, isInside, notKept, version: ofPass ?? ring.desired, isUnderWay: ofPass !== null };
}

function cellText({ cell, state, reason, jobId }: CellException, { isInside, isUnderWay, notKept }: Place): string {
  const job = jobId === undefined ? '' : ` (${jobId})`;
  const kept = isInside || isUnderWay || notKept === undefined ? '' : `; its ring is kept on nothing: ${notKept}`;
  return `${cell} is ${state}${job}: ${reason}${kept}`;
}

function nextOf(e: CellException, place: Place): string[] {
  const { cell, reason, needsDowntime } = e;
  const { version } = place;
  const health = `cellctl health ${cell}`;
  // Only by hand it comes nearer; until then every package would name it again.
  if (isTooFarBehind(reason)) return [health, `cellctl quarantine ${cell} --reason "…"`];
  const isDown = needsDowntime === true && version !== null;
  // It is the whole package that goes back: nobody types that for one cell without having seen what it does.
  const back = isDown ? [`cellctl rollback ${version} --dry-run --allow-downtime ${cell} --reason "…"`] : [];
  const mends = [...again(e, place), ...back];
  return [health, ...(mends.length > 0 ? mends : ['cellctl cluster status'])];
}

/** What tries the cell again, where anything would. */
function again({ cell, state }: CellException, place: Place): string[] {
  const { ring, isInside, isUnderWay, notKept, version } = place;
  if (isUnderWay || mayRetry(place, state)) return [`cellctl retry --ring ${ring.ring} ${version} --cells ${cell}`];
  if (isInside) return state === 'migration-failed' ? [] : deployment(place);
  return notKept === undefined ? [`cellctl cluster reconcile --cells ${cell} --reason "…"`] : [];
}

/** The package's own rollout goes on, and is not through with the ring. */
function mayRetry({ ring, cluster, rollouts, isInside, version }: Place, state: CellState): boolean {
  const rollout = rollouts.find((r) => r.version === version);
  const known = rollout?.rings.find((r) => r.ring === ring.ring);
  if (!known || (version !== null && blockOf(cluster.blocked, version))) return false;
  return state === 'migration-failed' || (!isInside && known.outcome !== 'converged');
}

/** Inside the perimeter nothing is reconciled: there a ring moves only on command, and never to a blocked package. */
function deployment({ ring, cluster, version }: Place): string[] {
  const packages = [version ?? '', ...cluster.graduated.map((g) => g.version)];
  const to = newest(packages.filter(isPackage));
  return to === null || blockOf(cluster.blocked, to) ? [] : [`cellctl deploy --ring ${ring.ring} ${to}`];
}

/** Cells that stayed on a package which was taken back, a package at a time: one command is for all of them. */
export const ofLeftBehind = ({ leftBehind = [] }: ClusterStatus): Todo[] => leftBehind.map(leftBehindTodo);

function leftBehindTodo(left: LeftBehind): Todo {
  const { version, since, total, cells, needsDowntime } = left;
  const named = cells.map(({ cell, reason }) => `${cell}: ${reason}`).join('; ');
  const more = total > cells.length ? `; and ${total - cells.length} more` : '';
  return {
    kind: 'left-behind',
    team: 'ops',
    since,
    detail: `${total} cells are on ${version} still, which was taken back: ${named}${more}`,
    version,
    next: [`cellctl status ${version}`, rollbackAgain(left, needsDowntime)],
  };
}
