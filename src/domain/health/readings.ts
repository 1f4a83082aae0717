import type { CellObservation, HealthPolicy, Sample, Signal } from '../../contract/health.js';
import { rangeOfQuery } from '../promql.js';

/** Samples of one signal of one cell that may count at all: finite, in order, none from the future. */
export interface Reading {
  name: string;
  signal: Signal;
  /** How far back one sample looks: a rate over five minutes is still about what was before, for five minutes. */
  rangeMs: number;
  /** Before the deployment. */
  past: readonly Sample[];
  /** After the deployment's end; the first ones, up to `cleanFromMs`, look back beyond it. */
  since: readonly Sample[];
  /** From here on a sample was measured wholly after the deployment's end. */
  cleanFromMs: number;
  /** Those that were. */
  clean: readonly Sample[];
  nowMs: number;
}

/** What counts of one signal: never what was measured before the deployment ended, is no number, or lies in the future. */
export function readingOf(
  name: string,
  signal: Signal,
  observation: CellObservation,
  rangeMs: number = rangeOfQuery(signal.query),
): Reading {
  const { deployedAtMs, nowMs } = observation;
  const since = usable(observation.after[name] ?? [], signal, deployedAtMs ?? Number.NEGATIVE_INFINITY, nowMs);
  const endMs = deployedAtMs ?? since[0]?.[0] ?? nowMs;
  const past = usable(observation.baseline[name] ?? [], signal, Number.NEGATIVE_INFINITY, endMs - 1);
  const cleanFromMs = deployedAtMs === null ? Number.NEGATIVE_INFINITY : deployedAtMs + rangeMs;
  const clean = within(since, cleanFromMs - 1, nowMs);
  return { name, signal, rangeMs, past, since, cleanFromMs, clean, nowMs };
}

/** Samples after `afterMs` and up to `untilMs`, ascending. What is already so is returned as it is: the usual case. */
function usable(samples: readonly Sample[], signal: Signal, afterMs: number, untilMs: number): readonly Sample[] {
  const [least, most] = possibleValues(signal);
  const counts = (at: number, value: number) => at > afterMs && at <= untilMs && value >= least && value <= most;
  let before = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < samples.length; i++) {
    const sample = samples[i] as Sample;
    const at = sample[0];
    if (!(at > before) || !counts(at, sample[1])) return inOrder(samples.filter((s) => counts(s[0], s[1])));
    before = at;
  }
  return samples;
}

/** Of two samples of one instant the higher one stays. */
function inOrder(samples: Sample[]): readonly Sample[] {
  const sorted = samples.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  return sorted.filter(([at], i) => at !== sorted[i + 1]?.[0]);
}

/** What a share can be; without an objective, every finite number. A good share above all there is, is no measurement. */
function possibleValues({ slo, worse }: Signal): [least: number, most: number] {
  if (slo === undefined) return [-Number.MAX_VALUE, Number.MAX_VALUE];
  return worse === 'lower' ? [0, wholeOf(slo)] : [0, Number.MAX_VALUE];
}

/** All there is, in the unit of an objective of good events: a fraction, or percent. */
export const wholeOf = (slo: number): number => (slo < 1 ? 1 : 100);

/** The share of bad events that an objective allows, in the objective's unit. */
export const budgetOf = (slo: number, worse: Signal['worse']): number => (worse === 'lower' ? wholeOf(slo) - slo : slo);

/** Samples after `afterMs` and up to `untilMs`, of samples in order. */
export function within(samples: readonly Sample[], afterMs: number, untilMs: number): readonly Sample[] {
  const from = indexAfter(samples, afterMs);
  const to = indexAfter(samples, untilMs);
  return from === 0 && to === samples.length ? samples : samples.slice(from, to);
}

/** The sum of amounts of samples after `afterMs` and up to `untilMs`, and how many there are. */
export function amountBetween(
  samples: readonly Sample[],
  amount: (value: number) => number,
  afterMs: number,
  untilMs: number,
): { sum: number; count: number } {
  const [from, to] = [indexAfter(samples, afterMs), indexAfter(samples, untilMs)];
  let sum = 0;
  for (let i = from; i < to; i++) sum += amount((samples[i] as Sample)[1]);
  return { sum, count: Math.max(0, to - from) };
}

/** In how many of the intervals that end with `untilMs`, and begin after `afterMs`, there is a sample. */
export function filledIntervals(
  samples: readonly Sample[],
  afterMs: number,
  untilMs: number,
  intervalMs: number,
): { filled: number; of: number } {
  const of = Math.max(0, Math.floor((untilMs - afterMs) / intervalMs));
  let [filled, last] = [0, -1];
  for (let i = indexAfter(samples, untilMs) - 1; i >= 0; i--) {
    const interval = Math.floor((untilMs - (samples[i] as Sample)[0]) / intervalMs);
    if (interval >= of) break;
    if (interval !== last) filled += 1;
    last = interval;
  }
  return { filled, of };
}

/** Whether each of these intervals has a sample. */
export function isWhole(samples: readonly Sample[], afterMs: number, untilMs: number, intervalMs: number): boolean {
  const { filled, of } = filledIntervals(samples, afterMs, untilMs, intervalMs);
  return filled === of;
}

/** How many samples lie at or before `ms`. */
function indexAfter(samples: readonly Sample[], ms: number): number {
  let [low, high] = [0, samples.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((samples[middle]?.[0] ?? 0) <= ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * How long something must last to count, in ms: as long as the fewest samples that are enough take. With the defaults
 * (10 samples, one each 30 s) these are the five minutes of the z-score alerts in use.
 */
export const sustainedMs = (policy: HealthPolicy): number => policy.minSamples * policy.intervalMs;

/** Finer steps of the past are not looked at; a range query for it needs none finer. */
export const BLOCKS_AT_MOST = 288;

/** The step in ms in which the past before a deployment is looked at: five minutes with the defaults. */
export const baselineStepMs = (policy: HealthPolicy): number =>
  Math.max(sustainedMs(policy), Math.ceil(policy.baselineMs / BLOCKS_AT_MOST));

/** Since when a reading tells of its cell, in words: of one that nothing was deployed to, of late. */
export const sinceWhen = ({ cleanFromMs }: Reading): string =>
  Number.isFinite(cleanFromMs) ? 'since the deployment' : 'of late';
