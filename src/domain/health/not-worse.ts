import type { CellObservation, CellVerdict, Evidence, HealthPolicy, HealthRule } from '../../contract/health.js';
import { NOTHING_COMMON } from './common.js';
import { type Comparisons, USUAL_Z_SCORE } from './error-control.js';
import { type Finding, shown } from './evidence.js';
import { compareWithPast } from './robust.js';
import { directionsOf } from './scale.js';
import type { Memo } from './subject.js';

const OF_SIGNALS: ReadonlySet<HealthRule> = new Set(['z-score', 'burn-rate', 'max', 'min']);
const OF_LINES: ReadonlySet<HealthRule> = new Set(['max', 'min']);
const OF_CELL: ReadonlySet<HealthRule> = new Set(['readiness', 'smoke-tests', 'quiet']);

/**
 * A cell that was unhealthy before its deployment is judged against itself: what was wrong then and is not worse now is
 * no reason to go back, so that a fix is never rolled back for the fault that it came to mend. Worse is what the z-score
 * convicts against the hour before the deployment (held to 3 where the signal has none). Other findings, those on signals
 * that were not bad, or kept the line that is broken now, and all findings on a cell that was not unhealthy, stay as they
 * are.
 */
export function notWorse(
  finding: Finding,
  observation: CellObservation,
  policy: HealthPolicy,
  memo: Memo,
  comparisons: Comparisons,
): Finding {
  if (finding.verdict === 'healthy' || observation.before?.verdict !== 'unhealthy') return finding;
  if (!wasBad(finding, observation.before)) return finding;
  if (OF_CELL.has(finding.rule)) return passed(finding);
  if (!OF_SIGNALS.has(finding.rule) || finding.signal === null) return finding;
  return comparedWithBefore(finding, finding.signal, observation, policy, memo, comparisons);
}

const wasBad = (finding: Finding, { evidence }: CellVerdict): boolean =>
  evidence.some((known) => known.verdict === 'unhealthy' && excuses(known, finding));

/** Of a cell, and of a line, what was broken already; of a signal that was bad, by whichever rule that was seen. */
function excuses(known: Evidence, { signal, rule }: Finding): boolean {
  if (known.rule === rule) return known.signal === null || known.signal === signal;
  if (OF_CELL.has(rule) || OF_LINES.has(rule)) return false;
  // An older worker kept rules alone: then a line of some signal says nothing of the others.
  return known.signal === null ? isOfPast(known.rule) : known.signal === signal;
}

const isOfPast = (rule: HealthRule): boolean => OF_SIGNALS.has(rule) && !OF_LINES.has(rule);

function comparedWithBefore(
  finding: Finding,
  name: string,
  observation: CellObservation,
  policy: HealthPolicy,
  memo: Memo,
  comparisons: Comparisons,
): Finding {
  const signal = policy.signals[name];
  if (!signal) return finding;
  const zScore = signal.zScore ?? USUAL_Z_SCORE;
  const found = directionsOf(signal).flatMap((direction) => {
    const subject = memo.subject(name, signal, direction, observation, policy);
    const compared = compareWithPast(subject, policy, { zScore, comparisons, common: () => NOTHING_COMMON });
    return compared ? [{ ...compared, scale: subject.scale }] : [];
  });
  const [worst] = found.sort((a, b) => b.deviation.z - a.deviation.z);
  if (!worst) return { ...finding, rule: 'not-worse', verdict: 'inconclusive', sentence: unknown(finding) };
  const { level, now, z, window } = worst.deviation;
  const [value, baseline] = [worst.scale.value(now), worst.scale.value(level)];
  const words = { unhealthy: 'has become worse', inconclusive: 'may have become worse', healthy: 'is not worse' };
  const numbers = `${shown(value)} now, ${shown(baseline)} before, ${shown(z)} robust deviations`;
  const sentence = `${name} was bad before and ${words[worst.verdict]}: ${numbers}`;
  return { ...finding, rule: 'not-worse', verdict: worst.verdict, value, baseline, window, sentence };
}

const unknown = ({ sentence }: Finding): string => `${sentence}; whether it was so before is not known`;

const passed = (finding: Finding): Finding => ({
  ...finding,
  rule: 'not-worse',
  verdict: 'healthy',
  sentence: `as before the deployment: ${finding.sentence}`,
});
