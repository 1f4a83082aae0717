import type { CellObservation, HealthPolicy, Sample, Signal } from '../../../src/contract/health.js';

/** A deployment ended at this instant in all tables; it had taken twenty minutes. */
export const DEPLOYED = Date.parse('2026-11-21T12:00:00Z');
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const STEP = 5 * MINUTE;
export const INTERVAL = 30_000;
export const BEGUN = DEPLOYED - 20 * MINUTE;

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

/** A value at an instant. */
export type Course = (atMs: number) => number;

/** The same pseudo-random number from 0 to 1 for the same instant and salt, unlike its neighbours'. */
export function chance(atMs: number, salt = 1): number {
  let t = (Math.floor(atMs / 1000) ^ Math.imul(salt, 0x9e3779b1)) >>> 0;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
}

/** Around `level`, up or down by at most the share `spread`, anew each five minutes. */
export const around =
  (level: number, spread = 0.2, salt = 1): Course =>
  (at) =>
    level * (1 + spread * (2 * chance(Math.floor(at / STEP) * STEP, salt) - 1) + 1e-4 * chance(at, salt));

export const samples = (course: Course, fromMs: number, toMs: number, stepMs: number): Sample[] => {
  const list: Sample[] = [];
  for (let at = fromMs; at <= toMs; at += stepMs) list.push([at, course(at)]);
  return list;
};

/** As a range query answers before the deployment begins. */
export const before = (course: Course, lengthMs = DAY): Sample[] =>
  samples(course, BEGUN - lengthMs + STEP, BEGUN, STEP);

/** As a range query answers after the deployment's end. */
export const after = (course: Course, ageMs: number): Sample[] =>
  samples(course, DEPLOYED + INTERVAL, DEPLOYED + ageMs, INTERVAL);

export type Courses = Record<string, Course | [before: Course, after: Course]>;

/** A ready cell, so long after its deployment, whose signals run as told before and after it. */
export function cellOf(
  courses: Courses,
  { ageMs = 10 * MINUTE, ...more }: Partial<CellObservation> & { ageMs?: number } = {},
): CellObservation {
  const entries = Object.entries(courses).map(([name, of]): [string, [Course, Course]] => [
    name,
    Array.isArray(of) ? of : [of, of],
  ]);
  return {
    cell: 'cell-1',
    expected: NEW,
    running: NEW,
    deployedAtMs: DEPLOYED,
    nowMs: DEPLOYED + ageMs,
    baseline: Object.fromEntries(entries.map(([name, [course]]) => [name, before(course)])),
    after: Object.fromEntries(entries.map(([name, [, course]]) => [name, after(course, ageMs)])),
    readiness: 'ready',
    smokeTests: null,
    before: null,
    ...more,
  };
}

/** A cell that still runs the old package, over the same time. */
export function oldCellOf(courses: Courses, more: Partial<CellObservation> & { ageMs?: number } = {}): CellObservation {
  return { ...cellOf(courses, more), expected: OLD, running: OLD, deployedAtMs: null };
}
