/** Numbers by chance, the same for the same seed on every machine. Shares nothing with the judge. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** From 0 to, not including, 1. (Mulberry32.) */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A generator of its own, so that one part may draw more without changing another. */
  fork(): Random {
    return new Random(Math.floor(this.next() * 4_294_967_296));
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** Evenly on a logarithmic scale. */
  logBetween(low: number, high: number): number {
    return Math.exp(this.between(Math.log(low), Math.log(high)));
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<T>(list: readonly T[]): T {
    const item = list[Math.floor(this.next() * list.length)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }

  /** Standard normal (Box & Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }

  /** Heavy-tailed, at least `least`. */
  pareto(least: number, shape: number): number {
    return least / (1 - this.next()) ** (1 / shape);
  }

  /** Steps until the next of events that come `perDay` times a day on average. */
  stepsUntilNext(perDay: number, stepMs: number): number {
    return (-Math.log(1 - this.next()) * 86_400_000) / perDay / stepMs;
  }
}

/** Walks around 0 with standard deviation `spread` and a memory of `memorySteps`: an Ornstein–Uhlenbeck process. */
export function walk(random: Random, steps: number, spread: number, memorySteps: number): Float64Array {
  const keep = Math.exp(-1 / memorySteps);
  const push = spread * Math.sqrt(1 - keep * keep);
  const values = new Float64Array(steps);
  let value = spread * random.normal();
  for (let i = 0; i < steps; i++) {
    values[i] = value;
    value = keep * value + push * random.normal();
  }
  return values;
}

/** The count that a Poisson variable of this mean does not exceed with probability `u`. */
export function poisson(mean: number, u: number): number {
  if (mean > 60) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normalQuantile(u)));
  let [count, probability] = [0, Math.exp(-mean)];
  let below = probability;
  while (u > below && count < 400) {
    count += 1;
    probability *= mean / count;
    below += probability;
  }
  return count;
}

/** Inverse of the standard normal distribution (Acklam's rational approximation, without refinement). */
function normalQuantile(u: number): number {
  const p = Math.min(1 - 1e-12, Math.max(1e-12, u));
  if (p < 0.02425) return tail(Math.sqrt(-2 * Math.log(p)));
  if (p > 1 - 0.02425) return -tail(Math.sqrt(-2 * Math.log(1 - p)));
  const q = p - 0.5;
  const r = q * q;
  const above =
    ((((-39.69683028665376 * r + 220.9460984245205) * r - 275.9285104469687) * r + 138.357751867269) * r -
      30.66479806614716) *
      r +
    2.506628277459239;
  const below =
    ((((-54.47609879822406 * r + 161.5858368580409) * r - 155.6989798598866) * r + 66.80131188771972) * r -
      13.28068155288572) *
      r +
    1;
  return (above * q) / below;
}

function tail(q: number): number {
  const above =
    ((((-0.007784894002430293 * q - 0.3223964580411365) * q - 2.400758277161838) * q - 2.549732539343734) * q +
      4.374664141464968) *
      q +
    2.938163982698783;
  const below =
    (((0.007784695709041462 * q + 0.3224671290700398) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1;
  return above / below;
}
