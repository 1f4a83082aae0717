import type { HealthPolicy } from '../../contract/health.js';
import type { Reading } from './readings.js';

/** No answer has more samples of a series than this. */
const SAMPLES_AT_MOST = 11_000;
/** A range may begin so long before the deployment's end. */
const BEFORE_MS = 3_600_000;

/**
 * How far apart samples lie that nothing is missing of: `interval`, or more where one answer would have too many of them, as
 * of five seconds from half a day on.
 */
export function stepOf({ nowMs, cleanFromMs, rangeMs, since }: Reading, { intervalMs }: HealthPolicy): number {
  const fromMs = Number.isFinite(cleanFromMs) ? cleanFromMs - rangeMs : (since[0]?.[0] ?? nowMs);
  return Math.max(intervalMs, Math.ceil((nowMs - fromMs + BEFORE_MS) / SAMPLES_AT_MOST));
}
