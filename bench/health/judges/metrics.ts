import { OBJECTIVES } from '../faults.js';
import type { Point, SignalName } from '../world.js';

/** What each rival is told of a signal: the same that stands in the topology. */
export interface Metric {
  name: SignalName;
  worse: 'lower' | 'higher' | 'both';
  /** The line that a person would draw, if any. */
  limit: number | null;
  /** The share of bad events that the objective allows, if it has one. */
  budget: number | null;
}

export const METRICS: readonly Metric[] = [
  { name: 'apdex', worse: 'lower', limit: OBJECTIVES.apdex, budget: 1 - OBJECTIVES.apdex },
  { name: 'errors', worse: 'higher', limit: OBJECTIVES.errors, budget: OBJECTIVES.errors },
  { name: 'traffic', worse: 'both', limit: null, budget: null },
  { name: 'saturation', worse: 'higher', limit: OBJECTIVES.saturation, budget: null },
  { name: 'gitaly', worse: 'higher', limit: OBJECTIVES.gitaly, budget: OBJECTIVES.gitaly },
];

/** Points that are numbers: a rival takes what is missing for nothing measured. */
export const numbers = (points: readonly Point[]): Point[] => points.filter(([, value]) => Number.isFinite(value));

export const NO_HOLDS: ReadonlySet<string> = new Set();
