import type { CellVerdict, Evidence, HealthPolicy, LooksState, RingVerdict } from '../../contract/health.js';
import type {
  CellPurpose,
  CellResult,
  KnownFault,
  RingHealthMessage,
  RingHealthNote,
  WatchedCells,
} from '../../contract/internal.js';
import type { RingHealth } from '../../contract/status.js';
import { formatDuration } from '../duration.js';
import { pack, unpack } from '../snapshot.js';
import type { PassState } from './pass.js';

/**
 * What health says of a pass: which cells are watched, how they were judged, and the last word on the ring. Only where the
 * ring has signals.
 */

export interface PassHealth {
  /** How many cells were judged how after their deployment. */
  cells: RingHealth['cells'];
  /** The last word on the ring as a whole; null: none yet. */
  ring: RingHealthNote | null;
  /** What looks at the ring have spent of the error allowed, or more; null: no look has. */
  looks: LooksState | null;
  /** In shadow: the first verdict that would have been obeyed. */
  wouldHave: string | null;
  /** What spoke against the ring before it was entered, where that was only told. */
  gate: string | null;
  /** Cells that the package was brought to: when the job began and ended, epoch ms, and whether smoke tests passed. */
  deployed: Record<number, [begunAtMs: number, endedAtMs: number, smokeTested: 0 | 1]>;
  /** Cells that were unhealthy before their deployment, and by what: they must not become worse. */
  before: Record<number, KnownFault[]>;
  /** Why the watch sent a cell back. */
  bad: Record<number, { reason: string; evidence: Evidence[] }>;
  /** Cells of which a person said that nobody needs to know more, in the present stage; absent: none. */
  waived?: string[];
  /** Since when the ring has waited, without a break, for more to be known of it, epoch ms; absent: it does not. */
  doubtSinceMs?: number;
}

export const newHealth = (): PassHealth => ({
  cells: { healthy: 0, quiet: 0, unhealthy: 0, inconclusive: 0 },
  ring: null,
  looks: null,
  wouldHave: null,
  gate: null,
  deployed: {},
  before: {},
  bad: {},
});

/** More are not asked at one look: half of them are the newest cells, and the others take turns. */
const ON_NEW_AT_MOST = 500;
const ON_OLD_AT_MOST = 100;

/** Not while PDM runs on a cell: then nobody can tell what it runs. */
const ON_NEW = new Set(['C', 'D', 'M']);
const ON_OLD = new Set(['.', 'd', 's']);

/** Notes how a cell was judged after its deployment. */
export function noteJudged(s: PassState, index: number, result: CellResult): void {
  const kept = s.health;
  const { deployed, before, health, smokeTests } = result;
  if (!kept || result.purpose === 'rollback') return;
  if (health && result.purpose === 'deploy') {
    kept.cells[health.verdict] += 1;
    if (health.quiet) kept.cells.quiet += 1;
    if (health.verdict === 'unhealthy') noteUnobeyed(s, health.sentence);
    // Enough was known of it after all.
    if (health.verdict === 'healthy') kept.waived = kept.waived?.filter((cell) => cell !== result.cell) ?? [];
  }
  if (!deployed || result.state !== 'converged') return;
  kept.deployed[index] = [deployed.begunAtMs, deployed.endedAtMs, smokeTests === 'passed' ? 1 : 0];
  delete kept.before[index];
  if (before?.verdict !== 'unhealthy') return;
  kept.before[index] = before.evidence.filter(({ verdict }) => verdict === 'unhealthy').map(faultOf);
}

const faultOf = ({ signal, rule }: Evidence): KnownFault => (signal === null ? rule : [rule, signal]);

/** What is kept of each cell travels compressed: of 10,000 it is hundreds of kilobytes. */
export type CarriedHealth = Omit<PassHealth, 'deployed' | 'before'> & { cellsGz: string };

export const carryHealth = ({ deployed, before, ...rest }: PassHealth): CarriedHealth => ({
  ...rest,
  cellsGz: pack({ deployed, before }),
});

/** A pass that was begun by an older worker carried it as it is. */
export const restoreHealth = (carried: CarriedHealth | PassHealth): PassHealth => {
  if (!('cellsGz' in carried)) return carried;
  const { cellsGz, ...rest } = carried;
  return { ...rest, ...(unpack(cellsGz) as Pick<PassHealth, 'deployed' | 'before'>) };
};

/** Work on a cell begins: what was known of it before the last work counts no more, and is asked anew. */
export function judgeAnew({ health: kept }: PassState, index: number, purpose: CellPurpose): void {
  if (!kept || purpose === 'rollback') return;
  delete kept.bad[index];
  if (purpose === 'migrate') return;
  delete kept.before[index];
  delete kept.deployed[index];
}

/** A verdict of which only that is known by which it found the cell unhealthy: all that it is held to later. */
export function beforeOf(cell: string, faults: KnownFault[] | undefined): CellVerdict | null {
  if (faults === undefined) return null;
  const about = { verdict: 'unhealthy', cell, package: null, fromMs: 0, toMs: 0, samples: 0 } as const;
  const none = { value: null, baseline: null, threshold: null, sentence: 'unhealthy before the deployment' };
  const evidence = faults.map((fault): Evidence => {
    const [rule, signal] = typeof fault === 'string' ? [fault, null] : fault;
    return { signal, rule, ...about, ...none };
  });
  return { cell, verdict: 'unhealthy', quiet: false, package: null, atMs: 0, sentence: none.sentence, evidence };
}

/** Beside a word on the ring: what looks at it have spent of the error allowed; in shadow, how its cells were judged. */
type Beside = Pick<RingHealthMessage, 'looks' | 'cells'>;

/** Notes how the ring as a whole was judged. */
export function noteRingHealth(s: PassState, note: RingHealthNote, { looks, cells }: Beside = {}): void {
  if (!s.health) return;
  if (note.verdict !== 'inconclusive') endWaiver(s);
  // Somebody waived what was missing then; now everything is.
  else if (note.unmeasured && !s.health.ring?.unmeasured) endWaiver(s);
  if (cells && s.healthMode === 'shadow') s.health.cells = cells;
  // What stopped the ring stays its word: of the cells that are left, later looks see a part only.
  if (s.halt?.kind !== 'systemic' || note.scope === 'systemic') s.health.ring = note;
  if (looks) s.health.looks = looks;
  if (note.verdict === 'unhealthy') noteUnobeyed(s, note.sentence);
}

function noteUnobeyed(s: PassState, sentence: string): void {
  if (s.health && s.healthMode === 'shadow') s.health.wouldHave ??= sentence;
}

/**
 * The package is at fault, whatever single cells say. Nothing else that halts the ring is worse, and what would end such a
 * halt does not end this one.
 */
export function haltAsSystemic(s: PassState, reason: string, now: number): boolean {
  if (s.halt?.kind === 'systemic') return false;
  s.halt = { kind: 'systemic', reason, sinceMs: now };
  return true;
}

/**
 * Whether a verdict asks for something that the pass has not done yet. One names a hundred unhealthy cells at most: once
 * these have gone back, the next look names others.
 */
export const asksForAct = (
  { scope, cells }: Pick<RingVerdict, 'scope' | 'cells'>,
  { isSystemic }: Pick<WatchedCells, 'isSystemic'>,
): boolean => (scope === 'systemic' && !isSystemic) || cells.some(({ verdict }) => verdict === 'unhealthy');

/** Whether too little is known for another reason, or of more cells, than was told. */
export const isOtherDoubt = (told: RingHealthNote, note: RingHealthNote): boolean =>
  note.verdict === 'inconclusive' &&
  (told.unmeasured !== note.unmeasured ||
    (told.unknown !== undefined && (note.unknown?.some((cell) => !told.unknown?.includes(cell)) ?? true)));

/** Whether there is anything to watch: a cell on the package, in a pass that goes on or is halted with it. */
export function hasWatched(s: PassState): boolean {
  if (!s.health || s.stop || s.stage === 'rollback' || s.stage === 'done') return false;
  return s.counts.C + s.counts.D + s.counts.M > 0;
}

/**
 * What is to be watched at the n-th look. Of a ring that is too large for one look the newest cells are in each: what is
 * wrong with a package shows on them first. All others are in one of every `rounds` looks.
 */
export function watchedCells(s: PassState, look = 0): Omit<WatchedCells, 'requestId'> {
  const { deployed = {}, before: known = {} } = s.health ?? {};
  const { asked, rounds } = inTurn(newestFirst(s, ON_NEW), look);
  const onNew = asked.map((index): WatchedCells['onNew'][number] => {
    const [begunAtMs = null, endedAtMs = null, smokeTested = 0] = deployed[index] ?? [];
    return [index, begunAtMs, endedAtMs, smokeTested];
  });
  const before = Object.fromEntries(asked.flatMap((index) => (known[index] ? [[index, known[index]]] : [])));
  const onOld = newestFirst(s, ON_OLD).slice(0, ON_OLD_AT_MOST);
  const isSystemic = s.halt?.kind === 'systemic';
  return { over: !hasWatched(s), isSystemic, onNew, onOld, before, rounds, tellAfterMs: clockOf(s) };
}

const newestFirst = ({ marks }: PassState, wanted: ReadonlySet<string>): number[] =>
  marks.flatMap((mark, index) => (wanted.has(mark) ? [index] : [])).reverse();

function inTurn(all: number[], look: number): { asked: number[]; rounds: number } {
  if (all.length <= ON_NEW_AT_MOST) return { asked: all, rounds: 1 };
  const half = ON_NEW_AT_MOST / 2;
  // The oldest first: whoever joins has its turn behind them, and takes nobody else's.
  const others = all.slice(half).reverse();
  const rounds = Math.ceil(others.length / half);
  const isInTurn = (_: number, place: number) => place % rounds === look % rounds;
  return { asked: [...all.slice(0, half), ...others.filter(isInTurn)], rounds };
}

/** When the present wait should be over: by then the ring must be known to be healthy. */
function clockOf(s: PassState): number | null {
  if (s.stage === 'bake') return s.bakeUntilMs;
  return s.stage === 'grace' ? s.graceUntilMs : null;
}

/** Whether the ring is not known to be healthy although its clock has run out. */
export function healthUnknown(s: PassState): boolean {
  if (!s.health || s.healthMode !== 'enforce' || !hasWatched(s) || s.overridden.includes('health')) return false;
  const { ring } = s.health;
  if (ring === null || ring.atMs < (clockOf(s) ?? 0)) return true;
  return ring.verdict !== 'healthy' && !isWaived(s.health);
}

/** No answer, or none yet, is never taken for healthy; a stage that takes no time is not watched. */
export const unwatched = (s: PassState, forMs: number): boolean =>
  healthUnknown(s) ||
  (!s.overridden.includes('health') && (s.silent.length > 0 || (forMs > 0 && s.watched !== s.stage)));

/** The word on the ring for which it is held: too little is known of it. A ring that is halted waits for a person anyway. */
export function doubtOf(s: PassState): RingHealthNote | null {
  const ring = s.health?.ring;
  if (!s.health || ring?.verdict !== 'inconclusive' || s.healthMode !== 'enforce') return null;
  if (s.halt || !hasWatched(s) || s.overridden.includes('health') || isWaived(s.health)) return null;
  return ring;
}

/** Whether a person has taken on every cell of which too little is known. */
const isWaived = ({ ring, waived = [] }: PassHealth): boolean =>
  ring?.verdict === 'inconclusive' && ring.unknown !== undefined && ring.unknown.every((cell) => waived.includes(cell));

/** What a person who waits for health no longer can mean. */
export interface Waiting {
  /** Cells in flight whose health cannot be told. */
  inDoubt: string[];
  /** The rings before it are waited for, or whoever watches it. */
  isForOthers: boolean;
  now: number;
}

/**
 * A person ends the wait for health that there is now, and no other: a cell of which too little is known only later, and a
 * later stage, are waited for anew. Where nothing is waited for it changes nothing.
 */
export function waiveHealth(s: PassState, { inDoubt, isForOthers, now }: Waiting): void {
  const doubt = doubtOf(s);
  if (s.health) s.health.waived = [...new Set([...(s.health.waived ?? []), ...inDoubt, ...(doubt?.unknown ?? [])])];
  const clock = clockOf(s);
  const isLate = clock !== null && now >= clock && unwatched(s, 1);
  if (isForOthers || isLate || doubtOf(s) !== null) s.overridden.push('health');
}

/** What a person waived is over. */
export function endWaiver(s: PassState): void {
  s.overridden = s.overridden.filter((wait) => wait !== 'health');
  delete s.health?.waived;
}

/**
 * A ring of which too little is known waits for so long, and then for a person. While nothing can be measured at all that
 * is nobody's to mend in the ring: it is waited out. Answers when the time is over, epoch ms; null: none runs.
 */
export function boundDoubt(s: PassState, timeoutMs: number, now: number): number | null {
  const doubt = doubtOf(s);
  if (!s.health || !doubt || doubt.unmeasured) {
    delete s.health?.doubtSinceMs;
    return null;
  }
  s.health.doubtSinceMs ??= now;
  const dueMs = s.health.doubtSinceMs + timeoutMs;
  if (now < dueMs) return dueMs;
  const reason = `not known to be healthy for ${formatDuration(timeoutMs)}: ${doubt.sentence}`;
  s.halt = { kind: 'in-doubt', reason, sinceMs: now };
  return null;
}

/** What people see of it. */
export function ringHealthOf(s: PassState): RingHealth | undefined {
  if (!s.health || s.healthMode === null) return undefined;
  const { cells, ring, gate, wouldHave } = s.health;
  return {
    mode: s.healthMode,
    cells,
    ...(ring ? { ring } : {}),
    ...(wouldHave ? { wouldHave } : {}),
    ...(gate ? { before: gate } : {}),
  };
}

const FINDINGS = 3;

/** What is kept of a verdict on the ring. */
export const noteOf = ({ verdict, scope, sentence, atMs, evidence }: RingVerdict): RingHealthNote => ({
  verdict,
  scope,
  sentence,
  atMs,
  evidence: evidence.filter((e) => e.verdict !== 'healthy').slice(0, FINDINGS),
});

export const modeOf = (health: HealthPolicy | null): HealthPolicy['mode'] | null => health?.mode ?? null;
