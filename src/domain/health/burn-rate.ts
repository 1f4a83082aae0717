import type { HealthPolicy, Sample, Verdict } from '../../contract/health.js';
import { type Finding, shown } from './evidence.js';
import { poissonTail } from './numbers.js';
import { baselineStepMs, budgetOf, isWhole, type Reading, wholeOf, within } from './readings.js';
import { stepOf } from './step.js';

const MINUTE_MS = 60_000;

/** What burns so many times faster than the objective allows, over both windows, is unhealthy. */
const PAIRS = [
  { factor: 14.4, longMs: 60 * MINUTE_MS, shortMs: 5 * MINUTE_MS, fromMs: 0 },
  { factor: 6, longMs: 360 * MINUTE_MS, shortMs: 30 * MINUTE_MS, fromMs: 60 * MINUTE_MS },
] as const;

const WINDOWS_UNTIL_FULL = 2;
/** So far from the objective to nothing good at all is far enough, where the factor asks for more than there is. */
const NEARLY_ALL = 0.9;

/** Of a signal that often has no bad event at all. */
export interface FewEvents {
  /** What one of them adds to the share of bad ones in a block of the past; 0 where there are too many to tell. */
  oneEvent: number;
  /** So probable may it be, at most, that a cell which keeps its objective has as many. */
  byChance: number;
}

const MANY_EVENTS: FewEvents = { oneEvent: 0, byChance: 1 };

/**
 * Multi-window, multi-burn-rate rule: the share of bad events over the long window and over the short one exceeds the
 * objective's budget 14.4 times (1 h and 5 min) or 6 times (6 h and 30 min). The long window says that it matters, the
 * short one that it still goes on.
 *
 * From The Site Reliability Workbook (Beyer et al., 2018), chapter 5, "Alerting on SLOs", as the legacy stages use it for
 * the health of deployments. While a deployment is younger than the long window, that window is as long as what was
 * measured wholly after it; the short one is never shortened below what `minSamples` take, and the second pair waits
 * until there is an hour: shorter windows of a small cell burn by single errors. In the first two of the policy's windows (20 minutes with
 * the defaults) the line is further out, so that it takes as much of the budget as after those (the Workbook's lines are shares of the budget
 * spent): one burst of a few minutes fills both windows then. What burns faster than the factor is waited for.
 *
 * An objective below 93 % allows more than a fourteenth of all events: nothing can burn that 14.4 times too fast. There it is
 * the line that next to nothing is good any more.
 *
 * On a cell with little traffic single errors burn fast (the Workbook, same chapter, "Low-Traffic Services and Error Budget
 * Alerting"). Where what one event makes is known, so many must have been seen that they are no chance at the rate that
 * the objective allows, which is a Poisson process; fewer are waited for.
 *
 * Of two windows that must both burn, one that was measured and does not is enough to acquit; where none is, because
 * samples are missing, it is inconclusive.
 *
 * null: the signal has no objective, or too little was measured.
 */
export function burnRate(reading: Reading, policy: HealthPolicy, few: FewEvents = MANY_EVENTS): Finding | null {
  if (reading.signal.slo === undefined) return null;
  const findings = PAIRS.map((pair) => pairOf(pair, reading, reading.signal.slo ?? 0, policy, few));
  const present = findings.filter((finding) => finding !== null);
  const of = (verdict: Verdict) => present.find((finding) => finding.verdict === verdict);
  return of('unhealthy') ?? of('inconclusive') ?? of('healthy') ?? null;
}

function pairOf(
  { factor: usualFactor, longMs, shortMs: usualMs, fromMs }: (typeof PAIRS)[number],
  reading: Reading,
  slo: number,
  policy: HealthPolicy,
  few: FewEvents,
): Finding | null {
  const { name, signal, clean } = reading;
  // Whoever observes a cell for less than ten minutes has no five to wait for.
  const shortMs = usualMs * Math.min(1, policy.windowMs / (10 * MINUTE_MS));
  const [long, short] = [windowOf(clean, reading, longMs), windowOf(clean, reading, shortMs)];
  if (long.length < policy.minSamples || ageOf(reading) < fromMs) return null;
  const budget = budgetOf(slo, signal.worse);
  const whole = signal.worse === 'lower' ? wholeOf(slo) : null;
  const burns = [long, short].map((window) => badShare(window, whole) / budget);
  const burn = Math.min(...burns);
  const factor = Math.min(usualFactor, mostOf(reading, slo, budget));
  const line = factor * Math.max(1, (WINDOWS_UNTIL_FULL * policy.windowMs) / ageOf(reading));
  const innocent = [longMs, shortMs].some((ms, i) => (burns[i] ?? 0) <= factor && isMeasured(reading, ms, policy));
  const isChance = mayBeChance(burns[0] ?? 0, budget, lengthOf(long, reading) / baselineStepMs(policy), few);
  const verdict = burn > line && !isChance ? 'unhealthy' : innocent ? 'healthy' : 'inconclusive';
  const minutes = Math.ceil(lengthOf(long, reading) / MINUTE_MS);
  const value = signalAt(burn * budget, whole);
  const threshold = signalAt(line * budget, whole);
  const sentence = inWords(verdict, `the budget of its objective ${shown(slo)}`, shown(burn), minutes);
  return {
    signal: name,
    rule: 'burn-rate',
    verdict,
    sentence: `${name} ${sentence}; the line is ${shown(line)}`,
    window: long,
    value,
    baseline: slo,
    threshold,
  };
}

/** How many times too fast it burns where next to everything is bad. */
function mostOf({ signal, since }: Reading, slo: number, budget: number): number {
  const all = wholeOf(slo);
  // Bad events that were seen above all there is are in percent, or no share, whatever their objective looks like.
  const isShare = signal.worse === 'lower' || (slo < all && since.every(([, value]) => value <= all));
  return isShare ? 1 + (NEARLY_ALL * (all - budget)) / budget : Number.POSITIVE_INFINITY;
}

function inWords(verdict: Verdict, budget: string, burn: string, minutes: number): string {
  if (verdict === 'unhealthy') return `burns ${budget} ${burn} times too fast over ${minutes} min`;
  const doubt = verdict === 'inconclusive' ? ', as far as it was measured' : '';
  return `burns ${burn} times ${budget} over ${minutes} min${doubt}`;
}

/** How long it is that the samples of a window tell of, in ms. */
const lengthOf = (window: readonly Sample[], { nowMs, rangeMs }: Reading): number =>
  nowMs - (window[0]?.[0] ?? nowMs) + rangeMs;

/** Whether as many events in so many blocks are not too many for a cell that spends its budget just as fast as it may. */
function mayBeChance(burn: number, budget: number, blocks: number, { oneEvent, byChance }: FewEvents): boolean {
  if (oneEvent <= 0) return false;
  const events = (budget * blocks) / oneEvent;
  return poissonTail(Math.round(burn * events), events) > byChance;
}

/** For how long there are samples at most: since the deployment, or since the first one. */
const ageOf = ({ nowMs, rangeMs, cleanFromMs, clean }: Reading): number =>
  nowMs - (Number.isFinite(cleanFromMs) ? cleanFromMs : (clean[0]?.[0] ?? nowMs)) + rangeMs;

/** Whether there is a sample in each interval of the window. */
function isMeasured(reading: Reading, lengthMs: number, policy: HealthPolicy): boolean {
  const { clean, nowMs, rangeMs, cleanFromMs } = reading;
  const beganMs = Number.isFinite(cleanFromMs) ? cleanFromMs : (clean[0]?.[0] ?? nowMs);
  return isWhole(clean, Math.max(beganMs, nowMs - Math.max(0, lengthMs - rangeMs)), nowMs, stepOf(reading, policy));
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
