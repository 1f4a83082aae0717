import type { CellObservation, HealthPolicy, HealthRule } from '../../contract/health.js';
import { type Finding, shown } from './evidence.js';
import { deviationOf, USUAL_Z_SCORE } from './robust.js';
import { directionsOf } from './scale.js';
import { type Memo, subjectOf } from './subject.js';

const OF_SIGNALS: ReadonlySet<HealthRule> = new Set(['z-score', 'burn-rate', 'max', 'min']);
const OF_CELL: ReadonlySet<HealthRule> = new Set(['readiness', 'smoke-tests', 'quiet']);

/**
 * A cell that was unhealthy before its deployment is judged against itself: what was wrong then and is not worse now is
 * no reason to go back, so that a fix is never rolled back for the fault that it came to mend. Worse is what deviates
 * from the last half hour before the deployment by the signal's z-score (3 where it has none). Other findings, and all
 * findings on a cell that was not unhealthy, stay as they are.
 */
export function notWorse(finding: Finding, observation: CellObservation, policy: HealthPolicy, memo: Memo): Finding {
  if (finding.verdict === 'healthy' || observation.before?.verdict !== 'unhealthy') return finding;
  if (OF_CELL.has(finding.rule)) return wasSo(finding, observation) ? passed(finding, finding.sentence) : finding;
  if (!OF_SIGNALS.has(finding.rule) || finding.signal === null) return finding;
  return comparedWithBefore(finding, finding.signal, observation, policy, memo);
}

const wasSo = ({ rule }: Finding, { before }: CellObservation): boolean =>
  before?.evidence.some((e) => e.rule === rule && e.verdict === 'unhealthy') ?? false;

function comparedWithBefore(
  finding: Finding,
  name: string,
  observation: CellObservation,
  policy: HealthPolicy,
  memo: Memo,
): Finding {
  const signal = policy.signals[name];
  if (!signal) return finding;
  const found = directionsOf(signal).flatMap((direction) => {
    const subject = subjectOf(name, signal, direction, observation, policy, memo);
    const deviation = deviationOf(subject, policy);
    return deviation ? [{ ...deviation, scale: subject.scale }] : [];
  });
  const [worst] = found.sort((a, b) => b.z - a.z);
  if (!worst) return { ...finding, rule: 'not-worse', verdict: 'inconclusive', sentence: unknown(finding) };
  const [value, baseline] = [worst.scale.back(worst.now), worst.scale.back(worst.level)];
  const line = signal.zScore ?? USUAL_Z_SCORE;
  const compared = { ...finding, rule: 'not-worse' as const, value, baseline, window: worst.window };
  const numbers = `${shown(value)} now, ${shown(baseline)} before, ${shown(worst.z)} robust deviations; the line is ${line}`;
  if (worst.z >= line) {
    return { ...compared, verdict: 'unhealthy', sentence: `${name} was bad before and has become worse: ${numbers}` };
  }
  return passed(compared, `${name} was bad before and is not worse: ${numbers}`);
}

const unknown = ({ sentence }: Finding): string => `${sentence}; whether it was so before is not known`;

const passed = (finding: Finding, sentence: string): Finding => ({
  ...finding,
  rule: 'not-worse',
  verdict: 'healthy',
  sentence: finding.rule === 'not-worse' ? sentence : `as before the deployment: ${sentence}`,
});
