import type { ClusterRing, ClusterStatus } from '../contract/status.js';
import { bar } from './bar.js';
import { line, padded, type Segment, type View } from './paint.js';
import { ago, clock, until } from './time.js';
import { brakeLine, exceptionLines, rejectedLines, stateSegment, waitLines } from './tree-parts.js';

const BAR = 16;
const MAX_GRADUATED = 3;
const MAX_QUEUE = 5;

/** A cell cluster as lines no wider than the view: brakes, rings with what they run, queue, graduated packages. */
export function clusterTree(status: ClusterStatus, view: View): string[] {
  return [
    line(view, [[status.cluster ?? 'no cluster yet', 'bold'], '  ', [headline(status), 'dim']]),
    ...(status.waitingFor ? waitLines(status.waitingFor, view) : []),
    ...status.brakes.map((brake) => brakeLine(brake, view)),
    ...status.rings.flatMap((ring, i) => ringLines(ring, status.rings, view, i === status.rings.length - 1)),
    ...status.quarantined.map(({ cell, by, reason, since }) =>
      line(view, [['quarantined ', 'yellow'], [cell, 'bold'], ` by ${by} ${ago(since, view.now)}: ${reason}`]),
    ),
    ...status.blocked.map((block) => {
      const { version, by, reason, since, fixedIn } = block;
      const range = fixedIn === undefined ? ' and later' : `, fixed in ${fixedIn},`;
      return line(view, [
        ['blocked ', 'red'],
        [version, 'bold'],
        `${range} by ${by} ${ago(since, view.now)}: ${reason}`,
      ]);
    }),
    ...queueLines(status, view),
    ...graduatedLines(status, view),
    ...rejectedLines(status.rejected, view),
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

function ringLines(ring: ClusterRing, rings: readonly ClusterRing[], view: View, isLast: boolean): string[] {
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
    ...forecastLines(ring, view, indent),
    ...exceptionLines(ring.exceptions, ring.exceptionsTotal, view, indent, 'cellctl cluster status --json'),
  ];
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
    ...queue.slice(0, MAX_QUEUE).map(({ ring, version, purpose, since, held }) => {
      const when = held?.until === undefined ? '' : ` ${until(held.until, view.now)}`;
      const why = held ? `: ${held.kind}${when}, ${held.detail}` : '';
      return line(view, [['queued ', 'dim'], `ring ${ring} ${purpose} ${version} ${ago(since, view.now)}${why}`]);
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
