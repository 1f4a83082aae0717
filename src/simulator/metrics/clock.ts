/** The curves are made of steps, so many a day: 15 s each where a day is a day. */
export const STEPS_A_DAY = 5760;
export const SECONDS_A_STEP = 86_400 / STEPS_A_DAY;

const minutes = (count: number): number => (count * 60) / SECONDS_A_STEP;

/** The windows of recording rules, in steps. */
export const WINDOW = { '5m': minutes(5), '30m': minutes(30), '1h': minutes(60), '6h': minutes(360) } as const;

/** A step is then not much longer than a millisecond. */
export const SHORTEST_DAY_MS = 10_000;
export const REAL_DAY_MS = 86_400_000;

/** Where a moment lies among the steps: 2.5 is the middle of step 2. */
export const positionAt = (dayMs: number, atMs: number): number => (atMs * STEPS_A_DAY) / dayMs;

/** The step that a moment lies in. What is measured then is made of the steps before it, which are over. */
export const stepAt = (dayMs: number, atMs: number): number => Math.floor(positionAt(dayMs, atMs));

/** A function of steps that is worked out once a step. */
export function once<T>(valueAt: (step: number) => T): (step: number) => T {
  const known = new Map<number, T>();
  return (step) => {
    let value = known.get(step);
    if (value === undefined) {
      value = valueAt(step);
      known.set(step, value);
    }
    return value;
  };
}
