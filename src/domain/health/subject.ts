import type { CellObservation, HealthPolicy, Sample, Signal } from '../../contract/health.js';
import { rangeOfQuery } from '../promql.js';
import type { Move } from './common.js';
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
  /** Its changes up to an instant, as other cells ask for them. */
  moves: Map<string, Move | null>;
  /** Its levels over windows, for the same reason. */
  levels: Map<string, number>;
}

/** A cell with less than this share of the baseline is young: judged by objective, limits and the ring alone. */
const YOUNG = 0.25;

/**
 * What was worked out of observations already. Whoever looks again and again at the same cells, by one policy, hands the
 * same memo in: pasts are kept for as long as their arrays of samples are the same objects, everything else for as long
 * as the observation is. It belongs to the caller, and changes no verdict.
 */
export class Memo {
  private readonly pasts = new WeakMap<readonly Sample[], Map<string, Past>>();
  private readonly ranges = new Map<string, number>();
  private readonly readings = new WeakMap<CellObservation, Map<string, Reading>>();
  private readonly subjects = new WeakMap<CellObservation, Map<string, Subject>>();

  private rangeOf(query: string): number {
    const rangeMs = this.ranges.get(query) ?? rangeOfQuery(query);
    this.ranges.set(query, rangeMs);
    return rangeMs;
  }

  reading(name: string, signal: Signal, observation: CellObservation): Reading {
    return remembered(this.readings, observation, name, () =>
      readingOf(name, signal, observation, this.rangeOf(signal.query)),
    );
  }

  subject(
    name: string,
    signal: Signal,
    direction: Direction,
    observation: CellObservation,
    policy: HealthPolicy,
  ): Subject {
    return remembered(this.subjects, observation, `${direction} ${name}`, () => {
      const reading = this.reading(name, signal, observation);
      const scale = scaleOf(reading, direction);
      const endMs = reading.past.at(-1)?.[0] ?? observation.deployedAtMs ?? observation.nowMs;
      const fromMs = Math.max(endMs - policy.baselineMs, beganMs(observation) ?? endMs);
      const key = `${name} ${direction} ${fromMs} ${scale.level(4)}`;
      const past = remembered(this.pasts, reading.past, key, () => pastOf(reading, scale, policy, fromMs));
      return {
        reading,
        scale,
        past,
        young: endMs - fromMs < YOUNG * policy.baselineMs,
        moves: new Map(),
        levels: new Map(),
      };
    });
  }
}

function remembered<K extends object, V>(memo: WeakMap<K, Map<string, V>>, owner: K, key: string, make: () => V): V {
  const kept = memo.get(owner) ?? new Map<string, V>();
  const value = kept.get(key) ?? make();
  memo.set(owner, kept.set(key, value));
  return value;
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
