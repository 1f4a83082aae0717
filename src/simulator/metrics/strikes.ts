import type { Component, ServiceType } from './services.js';

/** What a fault can hide or freeze. */
export const SIGNALS = ['apdex', 'errors', 'traffic', 'saturation', 'deployment-health', 'version'] as const;
export type Signal = (typeof SIGNALS)[number];

/** What a fault can make worse. */
export const WORSENED = ['apdex', 'errors', 'traffic', 'saturation'] as const;
export type Worsened = (typeof WORSENED)[number];

interface Lasting {
  fromMs: number;
  /** Infinity while nobody has ended it. */
  toMs: number;
}

/**
 * A signal of one cell that is worse for a while. `size` is what is lost of apdex, added to the error ratio or to a
 * saturation, or the share of the traffic that stays away; reached at once, or along a line over `rampMs`.
 */
export interface Regression extends Lasting {
  does: 'worsens';
  signal: Worsened;
  size: number;
  rampMs: number;
  /** Only this type; otherwise all. */
  type?: ServiceType | undefined;
  component?: Component | undefined;
}

/** Signals of one cell that are not there, or do not move, for a while. */
export interface Silence extends Lasting {
  does: 'hides' | 'freezes';
  signals: readonly Signal[];
}

export type Strike = Regression | Silence;

/** What of a regression is there between two moments, on average: 0 to 1. */
export function strengthIn({ fromMs, toMs, rampMs }: Regression, startMs: number, endMs: number): number {
  const start = Math.max(startMs, fromMs);
  const end = Math.min(endMs, toMs);
  if (end <= start || endMs <= startMs) return 0;
  const area = areaOfRamp(end - fromMs, rampMs) - areaOfRamp(start - fromMs, rampMs);
  return area / (endMs - startMs);
}

/** The integral of a line that rises to 1 over `rampMs` and stays there. */
const areaOfRamp = (ms: number, rampMs: number): number => (ms < rampMs ? (ms * ms) / (2 * rampMs) : ms - rampMs / 2);

/** How much worse a signal is between two moments, all regressions taken together. */
export function worseningIn(
  regressions: readonly Regression[],
  about: { signal: Worsened; type?: ServiceType; component?: Component },
  startMs: number,
  endMs: number,
): number {
  let total = 0;
  for (const regression of regressions) {
    if (regression.signal !== about.signal) continue;
    if (regression.type !== undefined && regression.type !== about.type) continue;
    if (regression.component !== undefined && regression.component !== about.component) continue;
    total += regression.size * strengthIn(regression, startMs, endMs);
  }
  return total;
}
