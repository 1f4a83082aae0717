import type { HealthPolicy, Sample } from '../../contract/health.js';
import { type Finding, shown } from './evidence.js';
import { budgetOf, type Reading, wholeOf, within } from './readings.js';

const MINUTE_MS = 60_000;

/** What burns so many times faster than the objective allows, over both windows, is unhealthy. */
const PAIRS = [
  { factor: 14.4, longMs: 60 * MINUTE_MS, shortMs: 5 * MINUTE_MS, fromMs: 0 },
  { factor: 6, longMs: 360 * MINUTE_MS, shortMs: 30 * MINUTE_MS, fromMs: 60 * MINUTE_MS },
] as const;

/**
 * Multi-window, multi-burn-rate rule: the share of bad events over the long window and over the short one exceeds the
 * objective's budget 14.4 times (1 h and 5 min) or 6 times (6 h and 30 min). The long window says that it matters, the
 * short one that it still goes on.
 *
 * From The Site Reliability Workbook (Beyer et al., 2018), chapter 5, "Alerting on SLOs", as the legacy stages use it for
 * the health of deployments. While a deployment is younger than the long window, that window is as long as what was
 * measured wholly after it; the short one is never shortened below what `minSamples` take, and the second pair waits
 * until there is an hour: shorter windows of a small cell burn by single errors.
 *
 * null: the signal has no objective, or too little was measured.
 */
export function burnRate(reading: Reading, policy: HealthPolicy): Finding | null {
  if (reading.signal.slo === undefined) return null;
  const findings = PAIRS.map((pair) => pairOf(pair, reading, reading.signal.slo ?? 0, policy));
  const present = findings.filter((finding) => finding !== null);
  return present.find(({ verdict }) => verdict === 'unhealthy') ?? present[0] ?? null;
}

function pairOf(
  { factor, longMs, shortMs, fromMs }: (typeof PAIRS)[number],
  reading: Reading,
  slo: number,
  policy: HealthPolicy,
): Finding | null {
  const { name, nowMs, signal, clean } = reading;
  const long = windowOf(clean, reading, longMs);
  const short = windowOf(clean, reading, shortMs);
  if (long.length < policy.minSamples || nowMs - (clean[0]?.[0] ?? nowMs) + reading.rangeMs < fromMs) return null;
  const budget = budgetOf(slo, signal.worse);
  const whole = signal.worse === 'lower' ? wholeOf(slo) : null;
  const burns = [long, short].map((window) => badShare(window, whole) / budget);
  const burn = Math.min(...burns);
  const minutes = Math.ceil((nowMs - (long[0]?.[0] ?? nowMs) + reading.rangeMs) / MINUTE_MS);
  const value = signalAt(burn * budget, whole);
  const threshold = signalAt(factor * budget, whole);
  const sentence =
    burn > factor
      ? `${name} burns the budget of its objective ${shown(slo)} ${shown(burn)} times too fast over ${minutes} min; the line is ${factor}`
      : `${name} burns ${shown(burn)} times the budget of its objective ${shown(slo)} over ${minutes} min; the line is ${factor}`;
  const verdict = burn > factor ? 'unhealthy' : 'healthy';
  return { signal: name, rule: 'burn-rate', verdict, sentence, window: long, value, baseline: slo, threshold };
}

/** A sample looks back by `rangeMs` itself; the newest always counts. */
function windowOf(samples: readonly Sample[], { nowMs, rangeMs }: Reading, lengthMs: number): readonly Sample[] {
  const window = within(samples, nowMs - Math.max(0, lengthMs - rangeMs), nowMs);
  return window.length > 0 ? window : samples.slice(-1);
}

function badShare(window: readonly Sample[], whole: number | null): number {
  let sum = 0;
  for (let i = 0; i < window.length; i++) sum += (window[i] as Sample)[1];
  const average = sum / window.length;
  return whole === null ? average : whole - average;
}

const signalAt = (bad: number, whole: number | null): number => (whole === null ? bad : whole - bad);
