import { STEPS_A_DAY } from './clock.js';
import { paretoExcessAt, type Stream, smoothAt, streamOf, unitAt } from './draws.js';

/** What moves a cell's traffic: itself, its region, and everybody's. */
export interface LoadStreams {
  everywhere: Stream;
  region: Stream;
  cell: Stream;
  bursts: Stream;
  /** How much later than elsewhere the region is busiest, in days. */
  lateness: number;
}

export function loadStreams(seed: number, cell: string, region: string): LoadStreams {
  return {
    everywhere: streamOf(seed, 'load'),
    region: streamOf(seed, `load/region/${region}`),
    cell: streamOf(seed, `load/cell/${cell}`),
    bursts: streamOf(seed, `bursts/cell/${cell}`),
    lateness: (unitAt(streamOf(seed, `lateness/${region}`), 0) - 0.5) * 0.2,
  };
}

/** The busiest time of a day, as a share of it: early afternoon. */
const PEAK = 0.58;
const SWING = { daily: 0.45, halfDaily: 0.08 };

/** How busy a time of day is: 1 on average over a day. */
export function rhythmAt(days: number, lateness: number): number {
  const angle = 2 * Math.PI * (days - PEAK - lateness);
  return 1 + SWING.daily * Math.cos(angle) + SWING.halfDaily * Math.cos(2 * angle);
}

/** Bursts: seldom, short, and with a heavy tail. */
const BURST = { everySteps: 40, probability: 0.02, alpha: 2.2, most: 2 };

function burstAt(bursts: Stream, step: number): number {
  const slot = Math.floor(step / BURST.everySteps);
  if (unitAt(bursts, slot) >= BURST.probability) return 1;
  const part = (step - slot * BURST.everySteps) / BURST.everySteps;
  return 1 + paretoExcessAt(bursts, slot, BURST.alpha, BURST.most) * Math.sin(Math.PI * part);
}

/** A cell's traffic in a step, where 1 is its usual one. Most of what moves it moves all cells at once. */
export function loadAt(streams: LoadStreams, step: number): number {
  const swing =
    0.1 * smoothAt(streams.everywhere, step / 240) +
    0.07 * smoothAt(streams.everywhere, step / 40 + 0.5) +
    0.05 * smoothAt(streams.region, step / 120) +
    0.05 * smoothAt(streams.cell, step / 60);
  return rhythmAt(step / STEPS_A_DAY, streams.lateness) * Math.exp(swing) * burstAt(streams.bursts, step);
}
