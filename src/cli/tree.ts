import type { SeenRollout } from '../client/index.js';
import type { CheckRecord, PackageRolloutStatus, RingForecast, RolloutRing } from '../contract/status.js';
import { bar, countsText } from './bar.js';
import { line, padded, type Segment, type View } from './paint.js';
import { ago, clock, roughly } from './time.js';
import {
  brakeLines,
  cutOffText,
  exceptionLines,
  nextLines,
  rejectedLines,
  stateSegment,
  waitLines,
} from './tree-parts.js';

const WIDE_BAR = 24;
const NARROW_BAR = 10;
const NARROW = 80;

/** A rollout with what the cluster expects of it. */
export type SeenPackage = SeenRollout & { expected?: RingForecast[] };

/** The rollout of one package as lines no wider than the view: what, how far, what it waits for, and what to type. */
export function rolloutTree(status: SeenPackage, view: View): string[] {
  const { version, state, waitingFor, brakes, rings, rejected } = status;
  return [
    line(view, [[version, 'bold'], '  ', stateSegment(state)]),
    line(view, [[facts(status, view).join(' · '), 'dim']]),
    ...cutOffLines(status, view),
    ...abortLines(status, view),
    ...(waitingFor && !status.cutOff ? waitLines(waitingFor, view) : []),
    ...brakes.flatMap((brake) => brakeLines(brake, view, version)),
    ...rings.flatMap((ring, i) => ringLines(ring, { status, view, isLast: i === rings.length - 1 })),
    ...expectedLines(status, view),
    ...exceptionLines(status.needsDowntime ?? [], status.needsDowntime?.length ?? 0, view, '', `${jsonOf(version)}`),
    ...rejectedLines(rejected, view),
  ];
}

function facts(
  { chartVersion, lane, graduatedAt, startedAt, finishedAt, supersededBy }: PackageRolloutStatus,
  view: View,
) {
  const { now } = view;
  const took = finishedAt && roughly(Date.parse(finishedAt) - Date.parse(startedAt));
  return [
    ...(chartVersion ? [`chart ${chartVersion}`] : []),
    ...(lane ? [`lane ${lane}`] : []),
    finishedAt ? `ended ${ago(finishedAt, now)}, took ${took}` : `started ${ago(startedAt, now)}`,
    graduatedAt ? `graduated ${ago(graduatedAt, now)}` : 'not graduated',
    ...(supersededBy ? [`superseded by ${supersededBy}`] : []),
  ];
}

/** A new rollout of the package takes over what the one that is gone has begun. */
function cutOffLines({ version, cutOff, graduatedAt }: SeenRollout, view: View): string[] {
  if (!cutOff) return [];
  const anew = graduatedAt ? `cellctl graduate ${version}` : `cellctl deploy --ring 0 ${version}`;
  return [line(view, [[cutOffText(cutOff), 'red']]), ...nextLines([anew], view, '  ')];
}

/** Who gave the package up, and why; not where it was opened again since. */
function abortLines({ acts }: SeenRollout, view: View): string[] {
  const last = acts.filter(({ act }) => act === 'abort' || act === 'restart').at(-1);
  if (last?.act !== 'abort') return [];
  const why = last.reason === undefined ? '' : `: ${last.reason}`;
  return [line(view, [['aborted ', 'red'], `by ${last.by} ${ago(last.at, view.now)}${why}`])];
}

/** When its rings should converge; those of which nobody knows wait for the same thing, one after the other. */
function expectedLines({ expected = [] }: SeenPackage, view: View): string[] {
  const known = expected.flatMap(({ ring, expectedAt }) =>
    expectedAt ? [`ring ${ring} is expected to converge ${clock(expectedAt, view.now)}`] : [],
  );
  const unknown = expected.filter((forecast) => forecast.unknown !== undefined);
  const why = [...new Set(unknown.map((forecast) => forecast.unknown))].map((reason) => {
    const rings = unknown.filter((forecast) => forecast.unknown === reason).map(({ ring }) => ring);
    return `ring ${rings.join(', ')}: nobody knows when: ${reason}`;
  });
  return [...known, ...why].map((text) => line(view, [[text, 'dim']]));
}

interface Place {
  status: PackageRolloutStatus;
  view: View;
  isLast: boolean;
}

function ringLines(ring: RolloutRing, { status, view, isLast }: Place): string[] {
  const indent = isLast ? '     ' : '│    ';
  const own = ring.waitingFor && !isSaidAbove(ring, status) ? ring.waitingFor : null;
  return [
    line(view, [[isLast ? '└─ ' : '├─ ', 'dim'], ...ringSegments(ring, status.rings, view.width)]),
    ...(ring.cellsInFlight.length > 0 ? [inFlightLine(ring, view, indent)] : []),
    ...(ring.observed ? [line(view, [indent, [ring.observed.sentence, 'yellow']])] : []),
    ...(own ? waitLines(own, view, indent) : []),
    ...failedChecks(ring, status).map(({ name, by, at }) =>
      line(view, [
        indent,
        ['! ', 'red'],
        ['check ', 'dim'],
        [name, 'bold'],
        ` failed, said ${by} ${ago(at, view.now)}`,
      ]),
    ),
    ...exceptionLines(ring.exceptions, ring.exceptionsTotal, view, indent, jsonOf(status.version)),
  ];
}

function ringSegments(ring: RolloutRing, rings: readonly RolloutRing[], width: number): Segment[] {
  const name = Math.max(...rings.map((r) => r.name.length));
  const number = Math.max(...rings.map((r) => String(r.ring).length));
  const done = Math.max(...rings.map((r) => `${r.converged}/${r.total}`.length));
  const label = `${padded(String(ring.ring), number)} ${padded(ring.name, name)} `;
  const progress = ring.empty ? 'empty' : `${ring.converged}/${ring.total}`;
  const rest = countsText(ring);
  return [
    label,
    ...bar(ring, width < NARROW ? NARROW_BAR : WIDE_BAR),
    ` ${padded(progress, done)} `,
    stateSegment(ring.state),
    ...(rest ? [[`  ${rest}`, 'dim'] as const] : []),
  ];
}

/** What counts of a check is what was said of it last. */
function failedChecks({ ring }: RolloutRing, { checks }: PackageRolloutStatus): CheckRecord[] {
  const last = new Map(checks.filter((check) => check.ring === ring).map((check) => [check.name, check]));
  return [...last.values()].filter(({ outcome, overriddenBy }) => outcome === 'failed' && overriddenBy === undefined);
}

function inFlightLine({ cellsInFlight, inFlight }: RolloutRing, view: View, indent: string): string {
  const more = Math.max(0, inFlight - cellsInFlight.length);
  const names = cellsInFlight.join(' ') + (more > 0 ? ` and ${more} more` : '');
  return line(view, [indent, ['in flight: ', 'dim'], names]);
}

const isSaidAbove = ({ waitingFor }: RolloutRing, { waitingFor: above }: PackageRolloutStatus): boolean =>
  above !== null && waitingFor?.kind === above.kind && waitingFor.ring === above.ring;

const jsonOf = (version: string): string => `cellctl status ${version} --json`;
