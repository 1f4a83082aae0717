import type { CellVerdict, Evidence, HealthPolicy, Verdict } from '../../contract/health.js';
import { formatDuration } from '../../domain/duration.js';
import { shown } from '../../domain/health/evidence.js';
import { baselineStepMs } from '../../domain/health/index.js';
import { clamp, median } from '../../domain/health/numbers.js';
import { sameVersion } from '../../domain/package-version.js';
import { line, type Paint, type Segment, type View, wrapped } from '../paint.js';
import { type Stretch, sparklines } from '../sparkline.js';
import { table } from '../table.js';
import { ago, clock, roughly } from '../time.js';
import type { CellHealth, JudgedCell, RingHealth } from './judge.js';

const PAINT: Record<Verdict, Paint> = { healthy: 'green', unhealthy: 'red', inconclusive: 'yellow' };
const BEFORE_COLUMNS = 24;
const SINCE_COLUMNS = 12;
/** Of a ring: as many as a person reads; all are in the JSON document. */
const MAX_CELLS = 20;
const MAX_ACCUSED = 5;
const MAX_PROBLEMS = 5;

export const verdictText = ({ verdict, quiet }: Pick<CellVerdict, 'verdict' | 'quiet'>): string =>
  verdict === 'healthy' && quiet ? 'healthy (quiet)' : verdict;

/** The health of a cell as lines no wider than the view: verdict, why, the evidence, and every signal drawn. */
export function cellText({ ring, policy, judged }: CellHealth, view: View): string[] {
  const { verdict, problems } = judged;
  return [
    head(view, verdict.cell, [verdictText(verdict), PAINT[verdict.verdict]], `ring ${ring.ring} ${ring.name}`),
    line(view, [[factsOf(judged, policy, view).join(' · '), 'dim']]),
    ...wrapped(view, '', verdict.sentence),
    ...evidenceLines(verdict.evidence, false, view),
    ...drawnLines(
      signalsOf(policy).map((signal) => ({ signal, of: [judged] })),
      { policy, isOfRing: false, view },
    ),
    ...withoutSignals(policy, ring.ring),
    ...problemLines(problems, view),
  ];
}

/** The health of a ring: the verdict on all of its cells together, those that are not plainly healthy, and why. */
export function ringText({ ring, policy, verdict, package: judged, cells, quarantined }: RingHealth, view: View) {
  const notPlain = cells.filter((cell) => verdictText(cell.verdict) !== 'healthy');
  const accused = accusedOf(verdict.evidence, notPlain);
  const problems = cells.flatMap((cell) => cell.problems.map((problem) => `${cell.verdict.cell}: ${problem}`));
  return [
    head(view, `ring ${ring.ring} ${ring.name}`, [ringVerdict(verdict), PAINT[verdict.verdict]], ''),
    line(view, [
      [[...countsOf(cells), ...aboutOf(judged, cells), measuredAt(verdict.atMs, policy, view)].join(' · '), 'dim'],
    ]),
    ...wrapped(view, '', cells.length === 0 ? 'it has no cells to judge' : verdict.sentence),
    ...cellLines(notPlain, view),
    ...evidenceLines(accused, true, view),
    ...drawnLines(drawnOfRing(cells, policy, accused), { policy, isOfRing: true, view }),
    ...withoutSignals(policy, ring.ring),
    ...(quarantined.length > 0 ? [line(view, [`left out, quarantined: ${quarantined.join(' ')}`])] : []),
    ...problemLines(problems, view),
  ];
}

const head = (view: View, what: string, verdict: Segment, where: string): string =>
  line(view, [[what, 'bold'], '  ', verdict, '  ', [where, 'dim']]);

const ringVerdict = ({ verdict, scope }: RingHealth['verdict']): string =>
  scope === 'none' ? verdict : `${verdict} (${scope})`;

function factsOf({ observation, verdict }: JudgedCell, policy: HealthPolicy, view: View): string[] {
  const { running, deployedAtMs } = observation;
  const at = deployedAtMs === null ? null : new Date(deployedAtMs).toISOString();
  return [
    running === null ? 'what it runs is not known' : `runs ${running}`,
    ...(at === null ? [] : [`deployed ${clock(at, view.now)} (${ago(at, view.now)})`]),
    measuredAt(verdict.atMs, policy, view),
  ];
}

const measuredAt = (atMs: number, { mode }: HealthPolicy, { now }: View): string =>
  `measured ${time(atMs, now)}${mode === 'shadow' ? ' · shadow: judged, and not obeyed' : ''}`;

/** What the ring was judged by, and then the worst of each cell that is not yet among it. */
function accusedOf(evidence: readonly Evidence[], notPlain: readonly JudgedCell[]): Evidence[] {
  const more = notPlain.flatMap(({ verdict }) => {
    const isNamed = evidence.some(({ cell }) => cell === verdict.cell);
    const worst = verdict.evidence.find((e) => e.verdict === verdict.verdict && e.verdict !== 'healthy');
    return isNamed || !worst ? [] : [worst];
  });
  return [...evidence, ...more.slice(0, MAX_ACCUSED)];
}

/** The package that the verdict is about, and with how many cells on another one it was compared. */
function aboutOf(judged: string | null, cells: readonly JudgedCell[]): string[] {
  if (judged === null) return [];
  const others = cells.filter(({ observation }) => !sameVersion(observation.running, judged)).length;
  return [`on ${judged}${others > 0 ? `, compared with ${others} on another` : ''}`];
}

function countsOf(cells: readonly JudgedCell[]): string[] {
  const words = cells.map(({ verdict }) => verdictText(verdict));
  return [...new Set(words)].map((word) => `${words.filter((other) => other === word).length} ${word}`);
}

function cellLines(cells: readonly JudgedCell[], view: View): string[] {
  if (cells.length === 0) return [];
  const more = cells.length - MAX_CELLS;
  const rows = cells.slice(0, MAX_CELLS).map(({ verdict }) => {
    const why = verdict.sentence.replace(/^\S+ is [^:]+: /, '');
    return [verdict.cell, verdictText(verdict), verdict.package ?? 'not known', why];
  });
  return [
    ...cutTable(['CELL', 'VERDICT', 'RUNS', 'WHY'], rows, view),
    ...(more > 0 ? [line(view, [[`… and ${more} more: --json`, 'dim']])] : []),
  ];
}

function evidenceLines(evidence: readonly Evidence[], isOfRing: boolean, view: View): string[] {
  if (evidence.length === 0) return [];
  const number = (value: number | null): string => (value === null ? '' : shown(value));
  const rows = evidence.map((e) => [
    ...(isOfRing ? [e.cell ?? 'all'] : []),
    e.signal ?? '',
    e.rule,
    e.shadow ? `${e.verdict} (shadow)` : e.verdict,
    ...[number(e.value), number(e.baseline), number(e.threshold)],
    e.samples > 0 ? `${time(e.fromMs, view.now)} – ${time(e.toMs, view.now)}` : '',
    e.samples > 0 ? String(e.samples) : '',
  ]);
  const titles = ['SIGNAL', 'RULE', 'VERDICT', 'VALUE', 'BASELINE', 'THRESHOLD', 'WINDOW', 'SAMPLES'];
  return cutTable(isOfRing ? ['CELL', ...titles] : titles, rows, view);
}

/** One line of the drawing: a signal of one cell, or of several pooled. */
interface Drawn {
  signal: string;
  of: readonly JudgedCell[];
}

function drawnOfRing(cells: readonly JudgedCell[], policy: HealthPolicy, evidence: readonly Evidence[]): Drawn[] {
  if (cells.length === 0) return [];
  const accused = evidence.flatMap(({ cell, signal, verdict }): Drawn[] => {
    const of = cells.filter((one) => one.verdict.cell === cell);
    return signal !== null && of.length > 0 && verdict !== 'healthy' ? [{ signal, of }] : [];
  });
  return [...signalsOf(policy).map((signal) => ({ signal, of: cells })), ...accused];
}

interface Drawing {
  policy: HealthPolicy;
  isOfRing: boolean;
  view: View;
}

function drawnLines(drawn: readonly Drawn[], { policy, isOfRing, view }: Drawing): string[] {
  if (drawn.length === 0) return [];
  const rows = drawn.map(({ signal, of }) => {
    const [before, since] = stretchesOf(signal, of, policy);
    const [left = '', right = ''] = sparklines([before, since]);
    const who = of.length === 1 ? (of[0]?.verdict.cell ?? '') : `${of.length} cells`;
    const typical = median(before.samples.map(([, value]) => value).filter(Number.isFinite));
    return [...(isOfRing ? [who] : []), signal, left, right, known(typical), known(newestOf(since))];
  });
  const deployed = drawn.some(({ of }) => of.some(({ observation }) => observation.deployedAtMs !== null));
  const { fromMs, toMs } = sinceOf(drawn[0]?.of ?? [], policy);
  const since = deployed ? 'SINCE DEPLOYED' : `LAST ${roughly(toMs - fromMs)}`;
  const titles = ['SIGNAL', `${formatDuration(policy.baselineMs)} BEFORE`, since, 'USUAL', 'NOW'];
  return cutTable(isOfRing ? ['CELL', ...titles] : titles, rows, view);
}

const known = (value: number): string => (Number.isFinite(value) ? shown(value) : 'none');

/** The median over the cells of the newest sample that is a number. */
const newestOf = ({ samples, toMs }: Stretch): number => {
  const newest = samples.reduce(
    (last, [at, value]) => (Number.isFinite(value) && at <= toMs ? Math.max(last, at) : last),
    0,
  );
  return median(samples.filter(([at]) => at === newest).map(([, value]) => value));
};

/** The time that cells are judged by: since the first was deployed to, or as far back as was measured. */
function sinceOf(of: readonly JudgedCell[], policy: HealthPolicy): Pick<Stretch, 'fromMs' | 'toMs'> {
  const all = of.map(({ observation }) => observation);
  const from = all.map(({ deployedAtMs, nowMs, after }) => {
    const first = Object.values(after).flatMap(([sample]) => (sample ? [sample[0] - policy.intervalMs] : []));
    return deployedAtMs ?? Math.min(nowMs - policy.windowMs, ...first);
  });
  return { fromMs: Math.min(...from), toMs: Math.max(...all.map(({ nowMs }) => nowMs)) };
}

/** What was measured before that, and since. */
function stretchesOf(signal: string, of: readonly JudgedCell[], policy: HealthPolicy): [Stretch, Stretch] {
  const all = of.map(({ observation }) => observation);
  const { fromMs, toMs } = sinceOf(of, policy);
  const columns = (ms: number, stepMs: number, most: number) => clamp(Math.floor(ms / stepMs), 1, most);
  return [
    {
      samples: all.flatMap(({ baseline }) => baseline[signal] ?? []),
      fromMs: fromMs - policy.baselineMs,
      toMs: fromMs,
      columns: columns(policy.baselineMs, baselineStepMs(policy), BEFORE_COLUMNS),
    },
    {
      samples: all.flatMap(({ after }) => after[signal] ?? []),
      fromMs,
      toMs,
      columns: columns(toMs - fromMs, policy.intervalMs, SINCE_COLUMNS),
    },
  ];
}

const signalsOf = ({ signals }: HealthPolicy): string[] => Object.keys(signals);

const withoutSignals = (policy: HealthPolicy, ring: number): string[] =>
  signalsOf(policy).length > 0 ? [] : [`ring ${ring} has no health signals in the topology: nothing is measured`];

function problemLines(problems: readonly string[], view: View): string[] {
  const more = problems.length - MAX_PROBLEMS;
  return [
    ...problems.slice(0, MAX_PROBLEMS).map((problem) => line(view, [['! ', 'yellow'], problem])),
    ...(more > 0 ? [line(view, [[`… and ${more} more: --json`, 'dim']])] : []),
  ];
}

const cutTable = (titles: string[], rows: string[][], view: View): string[] =>
  table(titles, rows).map((row) => line(view, [row]));

const time = (ms: number, now: number): string => clock(new Date(ms).toISOString(), now);
