import type {
  CellVerdict,
  Evidence,
  HealthPolicy,
  HealthRule,
  LooksState,
  RingVerdict,
} from '../../contract/health.js';
import type { CellPurpose, CellResult, RingHealthNote, WatchedCells } from '../../contract/internal.js';
import type { RingHealth } from '../../contract/status.js';
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
  /** Cells that were unhealthy before their deployment, and by which rules: they must not become worse. */
  before: Record<number, HealthRule[]>;
  /** Why the watch sent a cell back. */
  bad: Record<number, { reason: string; evidence: Evidence[] }>;
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

/** More are neither asked at each look nor kept. */
const ON_NEW_AT_MOST = 500;
const ON_OLD_AT_MOST = 100;

/** Twice as many as are asked, so that a pass over thousands of cells carries over in little. */
const DEPLOYED_AT_MOST = 2 * ON_NEW_AT_MOST;

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
  }
  if (!deployed || result.state !== 'converged') return;
  kept.deployed[index] = [deployed.begunAtMs, deployed.endedAtMs, smokeTests === 'passed' ? 1 : 0];
  if (Object.keys(kept.deployed).length > DEPLOYED_AT_MOST) forgetFirst(kept.deployed);
  delete kept.before[index];
  if (before?.verdict !== 'unhealthy') return;
  kept.before[index] = before.evidence.flatMap(({ rule, verdict }) => (verdict === 'unhealthy' ? [rule] : []));
  if (Object.keys(kept.before).length > DEPLOYED_AT_MOST) forgetFirst(kept.before);
}

function forgetFirst(record: Record<number, unknown>): void {
  for (const first in record) {
    delete record[first];
    return;
  }
}

/** Work on a cell begins: what was known of it before the last work counts no more, and is asked anew. */
export function judgeAnew({ health: kept }: PassState, index: number, purpose: CellPurpose): void {
  if (!kept || purpose === 'rollback') return;
  delete kept.bad[index];
  if (purpose === 'migrate') return;
  delete kept.before[index];
  delete kept.deployed[index];
}

/** A verdict of which only the rules are known that found the cell unhealthy: all that it is held to later. */
export function beforeOf(cell: string, rules: HealthRule[] | undefined): CellVerdict | null {
  if (rules === undefined) return null;
  const about = { signal: null, cell, package: null, fromMs: 0, toMs: 0, samples: 0 };
  const none = { value: null, baseline: null, threshold: null, sentence: 'unhealthy before the deployment' };
  const evidence = rules.map((rule): Evidence => ({ ...about, ...none, rule, verdict: 'unhealthy' }));
  return { cell, verdict: 'unhealthy', quiet: false, package: null, atMs: 0, sentence: none.sentence, evidence };
}

/** Notes how the ring as a whole was judged, and what looks at it have spent of the error allowed. */
export function noteRingHealth(s: PassState, note: RingHealthNote, looks?: LooksState): void {
  if (!s.health) return;
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

/** Whether there is anything to watch: a cell on the package, in a pass that goes on or is halted with it. */
export function hasWatched(s: PassState): boolean {
  if (!s.health || s.stop || s.stage === 'rollback' || s.stage === 'done') return false;
  return s.counts.C + s.counts.D + s.counts.M > 0;
}

/** What is to be watched now. */
export function watchedCells(s: PassState): Omit<WatchedCells, 'requestId'> {
  const onNew: WatchedCells['onNew'] = [];
  const onOld: number[] = [];
  // The newest first: what is wrong with a package shows on them, and on those deployed long ago it has shown.
  for (let index = s.marks.length - 1; index >= 0; index -= 1) {
    const mark = s.marks[index] ?? 'L';
    const [begunAtMs = null, endedAtMs = null, smokeTested = 0] = s.health?.deployed[index] ?? [];
    if (ON_NEW.has(mark) && onNew.length < ON_NEW_AT_MOST) onNew.push([index, begunAtMs, endedAtMs, smokeTested]);
    if (ON_OLD.has(mark) && onOld.length < ON_OLD_AT_MOST) onOld.push(index);
  }
  const isSystemic = s.halt?.kind === 'systemic';
  return { over: !hasWatched(s), isSystemic, onNew, onOld, before: s.health?.before ?? {}, tellAfterMs: clockOf(s) };
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
  return ring?.verdict !== 'healthy' || ring.atMs < (clockOf(s) ?? 0);
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
