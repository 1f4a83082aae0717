import type { BlockedVersion, ClusterRing, ClusterStatus } from '../contract/status.js';
import { bar } from './bar.js';
import { line, padded, type Segment, type View } from './paint.js';
import { ago, clock, until } from './time.js';
import {
  brakeLines,
  exceptionLines,
  nextLines,
  rejectedLines,
  stateSegment,
  waitLines,
  withReason,
} from './tree-parts.js';

const BAR = 16;
const MAX_GRADUATED = 3;
const MAX_QUEUE = 5;

/** A cell cluster as lines no wider than the view: brakes, rings with what they run, queue, graduated packages. */
export function clusterTree(status: ClusterStatus, view: View): string[] {
  return [
    line(view, [[status.cluster ?? 'no cluster yet', 'bold'], '  ', [headline(status), 'dim']]),
    ...(status.waitingFor ? waitLines(status.waitingFor, view) : []),
    ...pauseLines(status, view),
    ...coldStartLines(status, view),
    ...status.brakes.flatMap((brake) => brakeLines(brake, view)),
    ...status.rings.flatMap((ring, i) => ringLines(ring, status, view, i === status.rings.length - 1)),
    ...status.quarantined.map(({ cell, by, reason, since }) =>
      line(view, [['quarantined ', 'yellow'], [cell, 'bold'], ` by ${by} ${ago(since, view.now)}: ${reason}`]),
    ),
    ...status.blocked.flatMap((block) => blockLines(block, view)),
    ...queueLines(status, view),
    ...graduatedLines(status, view),
    ...rejectedLines(status.rejected, view),
  ];
}

/** What `deployRing` is refused for, and the way to let it in all the same. */
function pauseLines({ autoDeploy }: ClusterStatus, view: View): string[] {
  return autoDeploy.state === 'paused' ? nextLines(['cellctl resume --reason "…"'], view, '  ') : [];
}

const COLD_START_SHOWN_MS = 86_400_000;

/** What was found by a cluster that began without memory. While it is held for it, the brake says so. */
function coldStartLines({ coldStart, brakes }: ClusterStatus, view: View): string[] {
  if (!coldStart || view.now - Date.parse(coldStart.at) > COLD_START_SHOWN_MS) return [];
  if (brakes.some(({ reason }) => reason.includes(coldStart.found))) return [];
  return withReason([`began without memory ${ago(coldStart.at, view.now)}; found`], coldStart.found, view);
}

function blockLines(block: BlockedVersion, view: View): string[] {
  const { version, by, reason, since, fixedIn } = block;
  const range = fixedIn === undefined ? ' and later' : `, fixed in ${fixedIn},`;
  const words = `${range} by ${by} ${ago(since, view.now)}:`;
  return [
    ...withReason([['blocked ', 'red'], [version, 'bold'], words], reason, view),
    ...nextLines([`cellctl unblock ${version} --reason "…"`], view, '  '),
  ];
}

function headline({ topologyRevision, perimeter, autoDeploy, notInForce }: ClusterStatus): string {
  return [
    `topology revision ${topologyRevision}`,
    ...(perimeter === null ? [] : [`perimeter ${perimeter}`]),
    `auto-deploy ${autoDeploy.state}${autoDeploy.reason ? ` (${autoDeploy.reason})` : ''}`,
    ...(notInForce.length > 0 ? [`not in force: ${notInForce.length} of its fields`] : []),
  ].join(' · ');
}

function ringLines(ring: ClusterRing, status: ClusterStatus, view: View, isLast: boolean): string[] {
  const { rings } = status;
  const indent = isLast ? '     ' : '│    ';
  const name = Math.max(...rings.map((r) => r.name.length));
  const number = Math.max(...rings.map((r) => String(r.ring).length));
  const done = Math.max(...rings.map((r) => `${r.onDesired}/${r.total}`.length));
  const state = Math.max(...rings.map((r) => r.state.length));
  const counts = { total: ring.total, converged: ring.onDesired, pending: ring.total - ring.onDesired };
  const others = { inFlight: 0, failed: 0, rolledBack: 0, quarantined: 0, skipped: 0 };
  return [
    line(view, [
      [isLast ? '└─ ' : '├─ ', 'dim'],
      `${padded(String(ring.ring), number)} ${padded(ring.name, name)} `,
      ...bar({ ...counts, ...others }, BAR),
      ` ${padded(`${ring.onDesired}/${ring.total}`, done)} `,
      stateSegment(ring.state),
      `${' '.repeat(state - ring.state.length)} ${ring.desired ?? ''}`,
    ]),
    ...observedLines(ring, view, indent),
    ...(ring.watched ? [line(view, [indent, [ring.watched.sentence, 'yellow']])] : []),
    ...notKeptLines(ring, status, view, indent),
    ...forecastLines(ring, view, indent),
    ...exceptionLines(ring.exceptions, ring.exceptionsTotal, view, indent, 'cellctl cluster status --json'),
  ];
}

/** Inside the perimeter nothing is ever reconciled; a ring that nothing has come to yet has nothing to be kept on. */
function notKeptLines(
  { ring, converged, exceptionsTotal, rollout }: ClusterRing,
  { perimeter, reconcile }: ClusterStatus,
  view: View,
  indent: string,
): string[] {
  const reason = reconcile?.notKept.find((not) => not.ring === ring)?.reason;
  const isNews = ring > (perimeter ?? -1) && rollout === undefined && (converged !== null || exceptionsTotal > 0);
  return reason !== undefined && isNews ? [line(view, [indent, [`kept on no package: ${reason}`, 'yellow']])] : [];
}

function forecastLines({ expectedAt, expectedAfter, late }: ClusterRing, view: View, indent: string): string[] {
  const when = expectedAt ? `expected to converge ${clock(expectedAt, view.now)}` : '';
  const after = expectedAfter ? `nobody knows when it converges: ${expectedAfter}` : '';
  const words = when || after;
  const isLate: Segment[] = late ? [[words ? ', late' : 'late', 'red']] : [];
  return words || late ? [line(view, [indent, [words, 'dim'], ...isLate])] : [];
}

/** Only where the cells do not all run what is desired. */
function observedLines({ observed, desired }: ClusterRing, view: View, indent: string): string[] {
  const others = Object.entries(observed).filter(([version]) => version !== desired);
  return others.map(([version, cells]) => line(view, [indent, [`${cells} on ${version}`, 'dim']]));
}

function queueLines({ queue }: ClusterStatus, view: View): string[] {
  const more = queue.length - MAX_QUEUE;
  return [
    ...queue.slice(0, MAX_QUEUE).flatMap(({ ring, version, purpose, since, held }) => {
      const when = held?.until === undefined ? '' : ` ${until(held.until, view.now)}`;
      const why = held ? `: ${held.kind}${when}, ${held.detail}` : '';
      const what = `ring ${ring} ${purpose} ${version} ${ago(since, view.now)}${why}`;
      // Every other wait ends by itself, or with what stands above.
      const next = held?.kind === 'approval' ? held.next : [];
      return [line(view, [['queued ', 'dim'], what]), ...nextLines(next, view, '  ')];
    }),
    ...(more > 0 ? [line(view, [[`… and ${more} more queued`, 'dim']])] : []),
  ];
}

function graduatedLines({ graduated }: ClusterStatus, view: View): string[] {
  return graduated.slice(-MAX_GRADUATED).map(({ version, graduatedAt, by, blocked, convergedAt }) => {
    const end = convergedAt ? `, converged ${clock(convergedAt, view.now)}` : '';
    const flag = blocked ? ', blocked' : '';
    return line(view, [['graduated ', 'dim'], `${version} ${ago(graduatedAt, view.now)} by ${by}${end}${flag}`]);
  });
}
