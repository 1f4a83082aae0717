import type { CellObservation, HealthPolicy, Sample, Signal } from '../../../src/contract/health.js';

/** A deployment ended at this instant in all tables. */
export const DEPLOYED = Date.parse('2026-11-21T12:00:00Z');
export const MINUTE = 60_000;
export const DAY = 1_440 * MINUTE;
export const STEP = 5 * MINUTE;
export const INTERVAL = 30_000;

export const OLD = '17.10.202503180906-6a387d336a7.c1c3e017782';
export const NEW = '17.10.202503190906-7b387d336a7.d1c3e017782';

export const APDEX: Signal = { query: 'apdex:ratio_5m', worse: 'lower', slo: 0.998, zScore: 3 };
export const ERRORS: Signal = { query: 'errors:ratio_5m', worse: 'higher', slo: 0.0005, zScore: 3 };
export const TRAFFIC: Signal = { query: 'ops:rate_5m', worse: 'both', zScore: 4 };
export const SATURATION: Signal = { query: 'max(saturation:ratio)', worse: 'higher', max: 0.9, zScore: 4 };

export const policyOf = (more: Partial<HealthPolicy> = {}): HealthPolicy => ({
  windowMs: 10 * MINUTE,
  baselineMs: DAY,
  intervalMs: INTERVAL,
  minSamples: 10,
  onInconclusive: 'hold',
  inconclusiveTimeoutMs: 120 * MINUTE,
  mode: 'enforce',
  quiet: null,
  signals: { errors: ERRORS },
  ...more,
});

/** A value at an instant; the instants are on the grid of a range query. */
export type Course = (atMs: number) => number;

/** The same pseudo-random numbers from -1 to 1 for the same instant, and none like its neighbours. */
export const noise = (atMs: number, salt = 1): number => {
  const x = Math.sin(atMs / 1000 + salt * 12.9898) * 43758.5453;
  return 2 * (x - Math.floor(x)) - 1;
};

export const samples = (course: Course, fromMs: number, toMs: number, stepMs: number): Sample[] => {
  const list: Sample[] = [];
  for (let at = fromMs; at <= toMs; at += stepMs) list.push([at, course(at)]);
  return list;
};

/** Before the deployment, which took 20 minutes. */
export const before = (course: Course, lengthMs = DAY): Sample[] =>
  samples(course, DEPLOYED - 20 * MINUTE - lengthMs + STEP, DEPLOYED - 20 * MINUTE, STEP);

export const after = (course: Course, ageMs: number): Sample[] =>
  samples(course, DEPLOYED + INTERVAL, DEPLOYED + ageMs, INTERVAL);

/** A cell `ageMs` after its deployment, whose signals run as told: one course before, one after (without: the same). */
export function cellOf(
  courses: Record<string, [before: Course, after?: Course]>,
  { ageMs = 10 * MINUTE, ...more }: Partial<CellObservation> & { ageMs?: number } = {},
): CellObservation {
  const entries = Object.entries(courses);
  return {
    cell: 'cell-1',
    expected: NEW,
    running: NEW,
    deployedAtMs: DEPLOYED,
    nowMs: DEPLOYED + ageMs,
    baseline: Object.fromEntries(entries.map(([name, [course]]) => [name, before(course)])),
    after: Object.fromEntries(entries.map(([name, [course, then = course]]) => [name, after(then, ageMs)])),
    readiness: 'ready',
    smokeTests: null,
    before: null,
    ...more,
  };
}

/** An error ratio around `level`, as a busy cell has it. */
export const around =
  (level: number, spread = 0.1, salt = 1): Course =>
  (at) =>
    level * (1 + spread * noise(at, salt));
