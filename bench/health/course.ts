import { type Random, walk } from './random.js';
import type { Scenario } from './scenario.js';

/**
 * What a cell would do if nothing were deployed. Slow movements have a node each five minutes; what is short (bursts,
 * surges) is a list of events in steps of 30 s. Step 0 is an hour before the rollout begins, and the day before it has
 * negative steps.
 */

export const STEP_MS = 30_000;
/** Steps of 30 s in five minutes. */
export const COARSE = 10;
export const DAY_BLOCKS = 288;
export const FINE_STEPS = 1_200;
const NODES = DAY_BLOCKS + FINE_STEPS / COARSE + 1;
const FIRST_STEP = -DAY_BLOCKS * COARSE;
const MINUTE = 2;

/** Something that is there from one step to another. */
interface Event {
  from: number;
  to: number;
  size: number;
}

/** The state of a cell in one step: requests per 30 s, shares of bad ones, and the saturation. */
export interface State {
  requests: number;
  errors: number;
  slow: number;
  gitaly: number;
  saturation: number;
}

/** What all cells share. */
export interface Shared {
  hourAtZero: number;
  load: Float64Array;
  /** How much of its rhythm the load had until which step: yesterday may have been a Sunday. */
  yesterday: { rhythm: number; until: number };
  surges: Event[];
  troubles: Event[];
}

export interface Traits {
  requestsPerSecond: number;
  /** Less than one request in two seconds on average: below the line of the quiet rule. */
  quiet: boolean;
  young: boolean;
  rhythm: number;
  peakHour: number;
  coupling: number;
  errors: number;
  slow: number;
  gitaly: number;
  saturation: number;
}

export function sharedOf(random: Random, scenario: Scenario, hourAtZero: number): Shared {
  const during = (minutes: number, size: number): Event => {
    const from = Math.round(random.between(120, 120 + 200 * MINUTE));
    return { from, to: from + Math.round(minutes * MINUTE), size };
  };
  const surge = during(random.between(10, 40), random.between(1.4, 2.5));
  const trouble = during(random.between(5, 20), random.between(5, 20));
  return {
    hourAtZero,
    load: walk(random, NODES, 0.08, 18),
    yesterday: { rhythm: random.chance(2 / 7) ? 0.5 : 1, until: -Math.round(random.between(3, 20) * 120) },
    surges: scenario.meanwhile === 'surge' ? [surge] : [],
    troubles: scenario.meanwhile === 'shared-trouble' ? [trouble] : [],
  };
}

export function traitsOf(random: Random, { fleet }: Scenario, index: number): Traits {
  const unusual = {
    quiet: random.chance(fleet === 'quiet-cells' ? 0.25 : 0.03),
    young: random.chance(fleet === 'young-cells' ? 0.25 : 0.05),
  };
  const busy = Math.min(300, Math.max(4, 30 * Math.exp(0.9 * random.normal())));
  const quiet = random.between(0, 0.4);
  return {
    // The first cell is an ordinary one in every other fleet: nobody would begin with a cell that says nothing.
    requestsPerSecond: unusual.quiet && index > 0 ? quiet : busy,
    quiet: unusual.quiet && index > 0,
    young: unusual.young,
    rhythm: random.between(0.3, 0.8),
    peakHour: 14 + random.normal() - (random.chance(1 / 3) ? 6 : 0),
    coupling: random.between(0.6, 1.1),
    errors: random.logBetween(4e-5, 2.5e-4),
    slow: random.logBetween(4e-4, 1.3e-3),
    gitaly: random.logBetween(3e-5, 2e-4),
    saturation: random.between(0.2, 0.45),
  };
}

export class Course {
  private readonly load: Float64Array;
  private readonly logErrors: Float64Array;
  private readonly logSlow: Float64Array;
  private readonly logGitaly: Float64Array;
  private readonly logSaturation: Float64Array;
  private readonly bursts: { load: Event[]; errors: Event[]; slow: Event[]; gitaly: Event[]; saturation: Event[] };

  constructor(
    random: Random,
    private readonly traits: Traits,
    private readonly shared: Shared,
  ) {
    this.load = walk(random, NODES, 0.12, 8);
    this.logErrors = walk(random, NODES, 0.25, 6);
    this.logSlow = walk(random, NODES, 0.2, 6);
    this.logGitaly = walk(random, NODES, 0.3, 6);
    this.logSaturation = walk(random, NODES, 0.06, 12);
    const { errors, slow, gitaly } = traits;
    this.bursts = {
      load: events(random, 0.5, () => [random.between(3, 15), Math.min(4, random.pareto(0.3, 2))]),
      errors: events(random, 1, () => [random.between(1, 4), Math.min(0.02, errors * random.pareto(2, 1.3))]),
      slow: events(random, 1, () => [random.between(1, 5), Math.min(0.1, slow * random.pareto(2, 1.5))]),
      gitaly: events(random, 1, () => [random.between(1, 4), Math.min(0.02, gitaly * random.pareto(2, 1.3))]),
      saturation: events(random, 0.5, () => [random.between(1, 3), random.between(0.1, 0.3)]),
    };
  }

  /** The mean state over `steps` steps from `step` on. */
  at(step: number, steps: number): State {
    const at = (step + steps / 2 - FIRST_STEP) / COARSE;
    const over = (list: readonly Event[]) => sizeOver(list, step, steps);
    const { traits, shared } = this;
    const surge = Math.max(0, over(shared.surges) - surgeShare(shared.surges, step, steps)) * traits.coupling;
    const load =
      Math.exp(this.rhythmAt(step) + between(shared.load, at) + between(this.load, at)) *
      (1 + surge + over(this.bursts.load));
    const trouble = 1 + over(shared.troubles) * traits.coupling;
    return {
      requests: traits.requestsPerSecond * (STEP_MS / 1000) * load,
      errors: traits.errors * Math.exp(between(this.logErrors, at)) * load ** 0.4 * trouble + over(this.bursts.errors),
      slow: traits.slow * Math.exp(between(this.logSlow, at)) * load ** 0.8 * trouble ** 0.5 + over(this.bursts.slow),
      gitaly: traits.gitaly * Math.exp(between(this.logGitaly, at)) * load ** 0.4 * trouble + over(this.bursts.gitaly),
      saturation:
        traits.saturation * load ** 0.35 * Math.exp(between(this.logSaturation, at)) + over(this.bursts.saturation),
    };
  }

  /** On a logarithmic scale, around 0: a long day and a dip at noon. */
  private rhythmAt(step: number): number {
    const { traits, shared } = this;
    const hour = shared.hourAtZero + step / 120 - traits.peakHour;
    const angle = (2 * Math.PI * hour) / 24;
    const { rhythm, until } = shared.yesterday;
    const today = Math.min(1, Math.max(0, (step - until) / 240));
    return traits.rhythm * (rhythm + (1 - rhythm) * today) * (Math.cos(angle) + 0.35 * Math.cos(2 * angle + 0.6));
  }
}

function events(random: Random, perDay: number, make: () => [minutes: number, size: number]): Event[] {
  const list: Event[] = [];
  for (let at = FIRST_STEP; at < FINE_STEPS; ) {
    at += Math.ceil(random.stepsUntilNext(perDay, STEP_MS));
    const [minutes, size] = make();
    list.push({ from: at, to: at + Math.max(1, Math.round(minutes * MINUTE)), size });
  }
  return list;
}

function sizeOver(list: readonly Event[], step: number, steps: number): number {
  let size = 0;
  for (const event of list) {
    const overlap = Math.min(event.to, step + steps) - Math.max(event.from, step);
    if (overlap > 0) size += (event.size * overlap) / steps;
  }
  return size;
}

/** A surge is a factor: what it adds is its size less one, for as long as it lasts. */
const surgeShare = (list: readonly Event[], step: number, steps: number): number =>
  sizeOver(
    list.map((event) => ({ ...event, size: 1 })),
    step,
    steps,
  );

function between(nodes: Float64Array, at: number): number {
  const below = Math.floor(at);
  const low = nodes[below] ?? 0;
  return low + ((nodes[below + 1] ?? low) - low) * (at - below);
}
