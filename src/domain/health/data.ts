import type { HealthPolicy, Sample } from '../../contract/health.js';
import type { Finding } from './evidence.js';
import { type Reading, sustainedMs, wholeOf } from './readings.js';

/**
 * Whether a signal was measured well enough to acquit: in each of the last `minSamples` intervals there is a sample that
 * was measured wholly after the deployment, and the signal still moves. A hole is waited out; it is never taken for
 * good. null: it was.
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
  const { minSamples, intervalMs } = policy;
  const newest = clean.at(-1)?.[0];
  if (newest === undefined) return `${name} has no sample since the deployment`;
  const filled = filledSlots(clean, nowMs, policy);
  if (filled >= minSamples) return null;
  const ageS = Math.round((nowMs - newest) / 1000);
  if (nowMs - newest >= intervalMs) return `${name} was measured last ${ageS} s ago`;
  const few = clean.length < minSamples;
  if (few) return `${name} has ${clean.length} samples since the deployment, of ${minSamples} needed`;
  return `${name} has holes: ${filled} of the last ${minSamples} samples`;
}

/** In how many of the last `minSamples` intervals there is a sample. */
function filledSlots(samples: readonly Sample[], nowMs: number, { minSamples, intervalMs }: HealthPolicy): number {
  let [filled, last] = [0, -1];
  for (let i = samples.length - 1; i >= 0; i--) {
    const slot = Math.floor((nowMs - (samples[i]?.[0] ?? 0)) / intervalMs);
    if (slot >= minSamples) break;
    if (slot !== last) filled += 1;
    last = slot;
  }
  return filled;
}

const frozen = ({ name, since }: Reading): string =>
  `${name} stands still at ${since.at(-1)?.[1]}: is it measured at all?`;

/**
 * Whether the values stand still although they never did: unchanged for twice as long as ever in the past. The best that
 * a ratio can be is no sign of that by itself (no errors at all), unless all signals of the cell stand still.
 */
function isFrozen({ since, past, signal, nowMs }: Reading, policy: HealthPolicy, allStill: boolean): boolean {
  if (!isStill(since, nowMs, policy)) return false;
  if (allStill) return true;
  const value = since.at(-1)?.[1];
  const best = signal.slo === undefined ? null : signal.worse === 'lower' ? wholeOf(signal.slo) : 0;
  if (value === best || past.length === 0) return false;
  return stillFor(since) >= 2 * longestStillness(past);
}

/** Whether the newest values have been the same for as long as counts. */
export const isStill = (samples: readonly Sample[], nowMs: number, policy: HealthPolicy): boolean =>
  stillFor(samples) >= sustainedMs(policy) - policy.intervalMs &&
  nowMs - (samples.at(-1)?.[0] ?? 0) < policy.intervalMs;

/** For how long the newest values have been the same, in ms. */
function stillFor(samples: readonly Sample[]): number {
  const [newest, value] = samples.at(-1) ?? [0, 0];
  let since = newest;
  for (let i = samples.length - 1; i >= 0; i--) {
    const sample = samples[i];
    if (sample === undefined || sample[1] !== value) break;
    since = sample[0];
  }
  return newest - since;
}

function longestStillness(samples: readonly Sample[]): number {
  let [longest, since] = [0, samples[0]?.[0] ?? 0];
  for (let i = 1; i < samples.length; i++) {
    const [at, value] = samples[i] ?? [0, 0];
    if (value !== samples[i - 1]?.[1]) since = at;
    longest = Math.max(longest, at - since);
  }
  return longest;
}
