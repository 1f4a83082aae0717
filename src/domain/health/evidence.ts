import type { CellObservation, Evidence, HealthRule, Sample, Verdict } from '../../contract/health.js';

/** What a rule found, without what every finding says of its cell. */
export interface Finding {
  signal: string | null;
  rule: HealthRule;
  verdict: Verdict;
  sentence: string;
  window?: readonly Sample[];
  fromMs?: number;
  toMs?: number;
  value?: number;
  baseline?: number;
  threshold?: number;
}

/** A verdict says at most so much; with 4 KB for all of it. */
const ENTRIES_AT_MOST = 8;
const SENTENCE_AT_MOST = 160;

const WORST_FIRST: Readonly<Record<Verdict, number>> = { unhealthy: 0, inconclusive: 1, healthy: 2 };

export function evidenceOf(finding: Finding, observation: CellObservation, shadow: boolean): Evidence {
  const { window = [] } = finding;
  return {
    signal: finding.signal,
    rule: finding.rule,
    verdict: finding.verdict,
    cell: observation.cell,
    package: observation.running,
    fromMs: finding.fromMs ?? window[0]?.[0] ?? observation.deployedAtMs ?? observation.nowMs,
    toMs: finding.toMs ?? window.at(-1)?.[0] ?? observation.nowMs,
    samples: window.length,
    value: orNull(finding.value),
    baseline: orNull(finding.baseline),
    threshold: orNull(finding.threshold),
    sentence: shortened(finding.sentence),
    ...(shadow ? { shadow: true as const } : {}),
  };
}

/** The worst of those that count. Nothing at all is not healthy. */
export function worstOf(evidence: readonly Evidence[]): Verdict {
  const counting = evidence.filter(({ shadow }) => !shadow).map(({ verdict }) => verdict);
  if (counting.includes('unhealthy')) return 'unhealthy';
  return counting.length === 0 || counting.includes('inconclusive') ? 'inconclusive' : 'healthy';
}

/** The worst first, what counts before what is in shadow, then by name; as many as fit. */
export function bounded(evidence: readonly Evidence[]): Evidence[] {
  return [...evidence].sort(inOrder).slice(0, ENTRIES_AT_MOST);
}

function inOrder(a: Evidence, b: Evidence): number {
  const rank = (e: Evidence) => WORST_FIRST[e.verdict] + (e.shadow ? 3 : 0);
  return rank(a) - rank(b) || compare(a.signal ?? '', b.signal ?? '') || compare(a.rule, b.rule);
}

/** Order of code units: the same on every machine, which an order of a language is not. */
export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** A number as people read it: four digits that mean something. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? 'beyond measure' : 'none';
  return String(Number(value.toPrecision(4)));
}

export const orNull = (value: number | undefined): number | null =>
  value === undefined || !Number.isFinite(value) ? null : Number(value.toPrecision(6));

export const shortened = (sentence: string): string =>
  sentence.length <= SENTENCE_AT_MOST ? sentence : `${sentence.slice(0, SENTENCE_AT_MOST - 1)}…`;
