import type { CellObservation, HealthPolicy, QuietRule, Sample } from '../../contract/health.js';
import { formatDuration } from '../duration.js';
import { type Finding, shown } from './evidence.js';
import { median } from './numbers.js';
import { type Reading, sinceWhen, within } from './readings.js';

const DAY_MS = 86_400_000;
/** The traffic before the deployment is looked at over so many times the rule's own window. */
const BEFORE = 3;

/** Whether a cell has no traffic to judge it by; `lost`: it had some until it was deployed to. */
export type Stillness = 'no' | 'quiet' | 'lost';

/**
 * A cell is quiet where the signal that tells of traffic stayed below the rule's line for the rule's time: the QA cell,
 * or a customer's cell on a Sunday. Ratios of next to no requests are noise (The Site Reliability Workbook, chapter 5,
 * "Low-Traffic Services and Error Budget Alerting"), so they are not asked.
 *
 * Silence that a deployment brought is no quiet: where there was traffic just before it, and not at this hour the day
 * before, it is lost.
 */
export function stillnessOf(reading: Reading, rule: QuietRule): Stillness {
  const { nowMs, past, since } = reading;
  const all = [...past, ...since];
  const lately = within(all, nowMs - rule.forMs, nowMs);
  if (lately.length === 0 || lately.some(([, value]) => value >= rule.below)) return 'no';
  return wasBusy(all, reading, rule) ? 'lost' : 'quiet';
}

/** Whether there was no traffic to speak of when it was measured last. */
export function wasQuiet({ past, since }: Reading, { below, forMs }: QuietRule): boolean {
  const all = [...past, ...since];
  const endMs = all.at(-1)?.[0] ?? 0;
  return typical(within(all, endMs - forMs, endMs)) < below;
}

function wasBusy(all: readonly Sample[], { past, nowMs }: Reading, { below, forMs }: QuietRule): boolean {
  const endMs = past.at(-1)?.[0] ?? nowMs;
  const before = typical(within(past, endMs - BEFORE * forMs, endMs));
  const dayBefore = typical(within(all, nowMs - DAY_MS - forMs, nowMs - DAY_MS + forMs));
  return before >= below && !(dayBefore < below);
}

const typical = (samples: readonly Sample[]): number => median(samples.map(([, value]) => value));

/** What decides on a quiet cell. */
export function quietFindings(reading: Reading, rule: QuietRule, observation: CellObservation): Finding[] {
  const window = within(reading.since, reading.nowMs - rule.forMs, reading.nowMs);
  const traffic = shown(window.at(-1)?.[1] ?? 0);
  const about = `${rule.signal} is ${traffic}, below ${shown(rule.below)} for ${formatDuration(rule.forMs)}`;
  const { verdict, words } = rule.then === 'hold' ? HOLD : bySmokeTests(observation);
  const value = window.at(-1)?.[1];
  const seen = value === undefined ? {} : { value };
  const sentence = `quiet: ${about}; ${words}`;
  return [{ signal: rule.signal, rule: 'quiet', verdict, sentence, window, threshold: rule.below, ...seen }];
}

const HOLD = { verdict: 'inconclusive', words: 'the topology says that a person decides' } as const;

function bySmokeTests({ smokeTests, readiness, deployedAtMs }: CellObservation) {
  if (smokeTests === 'failed') return { verdict: 'unhealthy', words: 'the smoke tests failed' } as const;
  if (readiness !== 'ready') return { verdict: 'inconclusive', words: 'it is not known to be ready' } as const;
  if (smokeTests === 'passed') return { verdict: 'healthy', words: 'ready, and the smoke tests passed' } as const;
  if (deployedAtMs === null) return { verdict: 'healthy', words: 'ready, and nothing was deployed' } as const;
  return { verdict: 'inconclusive', words: 'no smoke tests have passed since the deployment' } as const;
}

/** A cell whose traffic went away with the deployment. */
export function lostFinding(reading: Reading, rule: QuietRule, policy: HealthPolicy): Finding {
  const window = within(reading.since, reading.nowMs - policy.windowMs, reading.nowMs);
  const sentence = `${rule.signal} is below ${shown(rule.below)} ${sinceWhen(reading)}, and was not before: lost, not quiet`;
  return { signal: rule.signal, rule: 'quiet', verdict: 'inconclusive', sentence, window, threshold: rule.below };
}
