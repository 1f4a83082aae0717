import type { CellObservation, HealthPolicy, Sample, Signal } from '../../contract/health.js';
import { type Past, pastOf } from './past.js';
import { type Reading, readingOf } from './readings.js';
import { type Direction, type Scale, scaleOf } from './scale.js';

/** One signal of one cell, in one direction, ready to be compared with its own past. */
export interface Subject {
  reading: Reading;
  scale: Scale;
  past: Past;
  /** The cell has no past worth the name, because it did not exist: not because its past is missing. */
  young: boolean;
}

/**
 * Pasts already worked out, for whoever looks again and again at the same observations: a past is kept for as long as
 * its array of samples is the same object. It belongs to the caller; without one nothing is kept.
 */
export type Memo = WeakMap<readonly Sample[], Map<string, Past>>;

export const newMemo = (): Memo => new WeakMap();

/** A cell with less than this share of the baseline is young: judged by objective, limits and the ring alone. */
const YOUNG = 0.25;

export function subjectOf(
  name: string,
  signal: Signal,
  direction: Direction,
  observation: CellObservation,
  policy: HealthPolicy,
  memo: Memo,
): Subject {
  const reading = readingOf(name, signal, observation);
  const scale = scaleOf(reading, direction);
  const endMs = reading.past.at(-1)?.[0] ?? observation.deployedAtMs ?? observation.nowMs;
  const fromMs = Math.max(endMs - policy.baselineMs, beganMs(observation) ?? endMs);
  const past = remembered(memo, reading.past, `${direction} ${fromMs} ${scale.of(4)}`, () =>
    pastOf(reading, scale, policy, fromMs),
  );
  return { reading, scale, past, young: endMs - fromMs < YOUNG * policy.baselineMs };
}

function remembered(memo: Memo, samples: readonly Sample[], key: string, make: () => Past): Past {
  const kept = memo.get(samples) ?? new Map<string, Past>();
  const past = kept.get(key) ?? make();
  memo.set(samples, kept.set(key, past));
  return past;
}

/**
 * Since when the cell has been measured: as it is known, or since its first signal was. One signal that begins later
 * than the others has a gap; a cell all of whose signals begin late is young.
 */
function beganMs({ bornMs, baseline }: CellObservation): number | null {
  if (bornMs !== undefined && bornMs !== null) return bornMs;
  const first = Object.values(baseline).flatMap((samples) => earliest(samples) ?? []);
  return first.length > 0 ? Math.min(...first) : null;
}

function earliest(samples: readonly Sample[]): number | null {
  let first = Number.POSITIVE_INFINITY;
  for (const [at, value] of samples) if (at < first && Number.isFinite(value)) first = at;
  return Number.isFinite(first) ? first : null;
}
