import type { HealthPolicy, Sample, Signal } from '../../contract/health.js';
import type { Finding } from './evidence.js';
import { baselineStepMs, filledIntervals, type Reading, sinceWhen, wholeOf } from './readings.js';
import { stepOf } from './step.js';

/** After a deployment every interval of so many blocks must have been measured: 20 minutes with the defaults. */
const WHOLE_BLOCKS = 4;

/**
 * Whether a signal was measured well enough to acquit: there are `minSamples` that were measured wholly after the
 * deployment, one in each interval, over as long as the longest window that convicts; and the signal still moves. A hole
 * is waited out; it is never taken for good. null: it was.
 *
 * Fails closed, as the consumer of deployment health on the legacy stages does (no series is unhealthy there; here it is
 * inconclusive, so that an outage of the monitoring rolls nothing back).
 */
export function gapOf(reading: Reading, policy: HealthPolicy, allStill: boolean): Finding | null {
  const { clean } = reading;
  const sentence =
    whyNotEnough(reading, clean, policy) ?? (isFrozen(reading, policy, allStill) ? frozen(reading) : null);
  if (sentence === null) return null;
  return { signal: reading.name, rule: 'data', verdict: 'inconclusive', sentence, window: clean, toMs: reading.nowMs };
}

function whyNotEnough(reading: Reading, clean: readonly Sample[], policy: HealthPolicy): string | null {
  const { name, nowMs } = reading;
  const when = sinceWhen(reading);
  const { minSamples } = policy;
  const stepMs = stepOf(reading, policy);
  const newest = clean.at(-1)?.[0];
  if (newest === undefined) return `${name} has no sample ${when}`;
  const needed = intervalsNeeded(reading, policy);
  const { filled } = filledIntervals(clean, nowMs - needed * stepMs, nowMs, stepMs);
  if (filled >= needed) return null;
  const ageS = Math.round((nowMs - newest) / 1000);
  if (nowMs - newest >= stepMs) return `${name} was measured last ${ageS} s ago`;
  const few = clean.length < minSamples;
  if (few) return `${name} has ${clean.length} samples ${when}, of ${minSamples} needed`;
  return `${name} has holes: ${filled} of the last ${needed} samples`;
}

function intervalsNeeded(reading: Reading, policy: HealthPolicy): number {
  const { cleanFromMs, nowMs } = reading;
  const { minSamples } = policy;
  if (!Number.isFinite(cleanFromMs)) return minSamples;
  const lengthMs = Math.min(nowMs - cleanFromMs, WHOLE_BLOCKS * baselineStepMs(policy));
  return Math.max(minSamples, Math.floor(lengthMs / stepOf(reading, policy)));
}

const frozen = ({ name, since }: Reading): string =>
  `${name} stands still at ${since.at(-1)?.[1]}: is it measured at all?`;

/** Whether the values stand still although they never did, or all signals of the cell do. */
const isFrozen = (reading: Reading, policy: HealthPolicy, allStill: boolean): boolean =>
  allStill ? isStill(reading, policy) : hasStopped(reading, policy) && !isBest(reading);

/** The longest window that a comparison convicts by, in blocks: two hours with the defaults. */
const CONVICTING_BLOCKS = 24;

/**
 * What a signal with an objective showed while it stood still was repeated and not measured, and convicts nobody: neither
 * then nor for as long as it is in a window. null: it moved all the while. Nothing good at all is believed, though: then
 * there is nothing left to move.
 */
export function stoodStill(reading: Reading, policy: HealthPolicy): Finding | null {
  const { name, signal, since, past, nowMs } = reading;
  if (signal.slo === undefined || past.length === 0) return null;
  const fromMs = nowMs - CONVICTING_BLOCKS * baselineStepMs(policy);
  const least = Math.max(stillMs(policy), longestStillness(reading) + 1);
  const still = runsOf(since).find(
    (run) => run.toMs > fromMs && run.toMs - run.fromMs >= least && !isEnd(run.value, signal),
  );
  if (!still) return null;
  const sentence = `${name} stood still at ${still.value}: that was repeated, and not measured`;
  return { signal: name, rule: 'data', verdict: 'inconclusive', sentence, window: since, toMs: nowMs };
}

/** Stretches of one value. */
function runsOf(samples: readonly Sample[]): { fromMs: number; toMs: number; value: number }[] {
  const runs: { fromMs: number; toMs: number; value: number }[] = [];
  for (const [at, value] of samples) {
    const last = runs.at(-1);
    if (last?.value === value) last.toMs = at;
    else runs.push({ fromMs: at, toMs: at, value });
  }
  return runs;
}

/** Unchanged for longer than ever in the past, in which it moved: what never did is constant, however short its past. */
const hasStopped = (reading: Reading, policy: HealthPolicy): boolean =>
  isStill(reading, policy) && hasMoved(reading) && stillFor(reading) > longestStillness(reading);

const hasMoved = ({ past, since }: Reading): boolean => past.some(([, value]) => value !== since.at(-1)?.[1]);

/** The best that a ratio can be is no sign by itself: no errors at all. */
const isBest = ({ signal, since }: Reading): boolean => since.length > 0 && since.at(-1)?.[1] === bestOf(signal);

const bestOf = ({ slo, worse }: Signal): number | null =>
  slo === undefined ? null : worse === 'lower' ? wholeOf(slo) : 0;

/** The best that a ratio can be, or the worst. */
const isEnd = (value: number, signal: Signal): boolean =>
  value === bestOf(signal) || (signal.worse === 'lower' ? value === 0 : value >= wholeOf(signal.slo ?? 0));

/** Fewer equal values in a row than five are chance, however few samples are enough. */
const FEWEST_REPEATS = 4;

/** How long a value must stay the same to stand still. */
const stillMs = ({ minSamples, intervalMs }: HealthPolicy): number =>
  Math.max(minSamples - 1, FEWEST_REPEATS) * intervalMs;

/** Whether the newest values have been the same for as long as counts. */
export const isStill = (reading: Reading, policy: HealthPolicy): boolean =>
  stillFor(reading) >= stillMs(policy) && reading.nowMs - (reading.since.at(-1)?.[0] ?? 0) < stepOf(reading, policy);

/** For how long the newest values have been the same, in ms: since there was another one, or since the deployment. */
function stillFor({ since, cleanFromMs, rangeMs }: Reading): number {
  const [newest, value] = since.at(-1) ?? [0, 0];
  for (let i = since.length - 1; i >= 0; i--) {
    const sample = since[i];
    if (sample !== undefined && sample[1] !== value) return newest - sample[0];
  }
  const deployedAtMs = cleanFromMs - rangeMs;
  return newest - (Number.isFinite(deployedAtMs) ? deployedAtMs : (since[0]?.[0] ?? newest));
}

/** Leaving out the best that there can be: a small cell has no errors for hours. */
function longestStillness({ past, signal }: Reading): number {
  const best = bestOf(signal);
  let [longest, since] = [0, past[0]?.[0] ?? 0];
  for (let i = 1; i < past.length; i++) {
    const [at, value] = past[i] as Sample;
    if (value !== past[i - 1]?.[1] || value === best) since = at;
    longest = Math.max(longest, at - since);
  }
  return longest;
}
