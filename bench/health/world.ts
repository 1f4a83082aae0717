import {
  COARSE,
  Course,
  DAY_BLOCKS,
  FINE_STEPS,
  STEP_MS,
  type State,
  sharedOf,
  type Traits,
  traitsOf,
} from './course.js';
import { type Deployed, deployedOf, withPackage } from './faults.js';
import { poisson, Random } from './random.js';
import type { Scenario } from './scenario.js';

/**
 * A ring of cells under load, as their monitoring sees it: requests, errors and slow requests are counted in steps of
 * 30 s, and ratios and rates are over the last five minutes, as recording rules have them. Independent of the judge:
 * nothing here is shared with it but the names of the signals.
 */

export const CELLS = 20;
/** The rollout begins at this step. */
export const BEGIN_STEP = 120;

export const SIGNALS = ['apdex', 'errors', 'traffic', 'saturation', 'gitaly'] as const;
export type SignalName = (typeof SIGNALS)[number];
export type Point = [atMs: number, value: number];
export type Series = Record<SignalName, Point[]>;

/** The share of requests that reach the component. */
const GITALY_SHARE = 0.3;

interface Chances {
  requests: Float64Array;
  errors: Float64Array;
  slow: Float64Array;
  gitaly: Float64Array;
  saturation: Float64Array;
}

interface Cell {
  id: string;
  traits: Traits;
  course: Course;
  deployed: Deployed;
  /** Drawn once, so that every judge sees the same noise. */
  chances: Chances;
  bornMs: number | null;
  /** Steps during which what is measured does not arrive, or stands still. */
  trouble: { from: number; to: number; signals: readonly SignalName[] } | null;
  /** The day before, in steps of five minutes. */
  dayBefore: Series;
  /** From an hour before the rollout on, in steps of 30 s, as if nothing were deployed. */
  undisturbed: Series;
}

export class World {
  readonly cells: readonly Cell[];
  private readonly zeroMs: number;

  constructor(readonly scenario: Scenario) {
    const random = new Random(scenario.seed);
    this.zeroMs = Date.UTC(2026, 0, 5) + Math.floor(random.next() * DAY_BLOCKS) * COARSE * STEP_MS;
    const shared = sharedOf(random.fork(), scenario, (this.zeroMs / 3_600_000) % 24);
    this.cells = Array.from({ length: CELLS }, (_, index) => {
      const own = random.fork();
      const traits = traitsOf(own.fork(), scenario, index);
      const cell: Cell = {
        id: `cell-${String(index + 1).padStart(2, '0')}`,
        traits,
        course: new Course(own.fork(), traits, shared),
        deployed: deployedOf(own.fork()),
        chances: chancesOf(own.fork(), FINE_STEPS),
        bornMs: traits.young ? this.timeOf(BEGIN_STEP) - own.between(0.2, 5) * 3_600_000 : null,
        trouble: troubleOf(own.fork(), scenario, index),
        dayBefore: emptySeries(),
        undisturbed: emptySeries(),
      };
      cell.dayBefore = this.dayBefore(cell, own.fork());
      cell.undisturbed = this.measure(cell, 0, Number.POSITIVE_INFINITY, false);
      return cell;
    });
  }

  /** When a step is over, and its sample is there. */
  timeOf(step: number): number {
    return this.zeroMs + (step + 1) * STEP_MS;
  }

  cell(index: number): Cell {
    const cell = this.cells[index];
    if (!cell) throw new RangeError(`no cell ${index}`);
    return cell;
  }

  /** What is measured on a cell from the begin of its deployment on, where that ends with `endStep`. */
  afterDeployment(index: number, endStep: number): Series {
    const cell = this.cell(index);
    return this.measure(cell, endStep - cell.deployed.steps, endStep, this.isHit(index));
  }

  isHit(index: number): boolean {
    const { fault } = this.scenario;
    return fault !== null && (fault.on === 'all' || fault.on === index);
  }

  /**
   * Whether the only cell with the fault is a quiet one, and the fault one of shares of requests: the contract does not
   * ask those of a quiet cell. Known before anything is judged.
   */
  isFaultUnasked(): boolean {
    const { fault } = this.scenario;
    if (fault === null || fault.on === 'all' || fault.kind === 'saturation') return false;
    return this.cell(fault.on).traits.quiet;
  }

  private measure(cell: Cell, fromStep: number, endStep: number, hit: boolean): Series {
    const fault = hit ? this.scenario.fault : null;
    const counts = new Counts();
    const series = emptySeries();
    for (let k = fromStep - COARSE; k < FINE_STEPS; k++) {
      const state = withPackage(cell.course.at(k, 1), k - endStep, cell.deployed, fault);
      counts.add(k, state, cell.chances);
      if (k < fromStep) continue;
      const values = counts.values(noisySaturation(state, cell.chances.saturation[k] ?? 0.5));
      this.deliver(series, cell, k, values);
    }
    return series;
  }

  private deliver(series: Series, { trouble }: Cell, step: number, values: Record<SignalName, number>): void {
    const at = this.timeOf(step);
    for (const name of SIGNALS) {
      const troubled = trouble?.signals.includes(name) && step >= trouble.from && step < trouble.to;
      if (!troubled) series[name].push([at, values[name]]);
      else if (this.scenario.data === 'frozen') series[name].push([at, series[name].at(-1)?.[1] ?? values[name]]);
    }
  }

  private dayBefore(cell: Cell, random: Random): Series {
    const series = emptySeries();
    const chances = chancesOf(random, DAY_BLOCKS);
    for (let block = 0; block < DAY_BLOCKS; block++) {
      const step = (block - DAY_BLOCKS) * COARSE;
      const at = this.timeOf(step + COARSE - 1);
      if (cell.bornMs !== null && at < cell.bornMs) continue;
      const state = cell.course.at(step, COARSE);
      const counts = new Counts();
      counts.add(block, { ...state, requests: state.requests * COARSE }, chances);
      const values = counts.values(noisySaturation(state, chances.saturation[block] ?? 0.5));
      for (const name of SIGNALS) series[name].push([at, values[name]]);
    }
    return series;
  }
}

/** Counts of the last five minutes. */
class Counts {
  private readonly steps: [requests: number, errors: number, slow: number, asked: number, gitaly: number][] = [];

  add(k: number, state: State, chances: Chances): void {
    const requests = poisson(state.requests, chances.requests[k] ?? 0.5);
    const asked = requests * GITALY_SHARE;
    const of = (count: number, share: number, chance: number | undefined) =>
      Math.min(count, poisson(count * share, chance ?? 0.5));
    this.steps.push([
      requests,
      of(requests, state.errors, chances.errors[k]),
      of(requests, state.slow, chances.slow[k]),
      asked,
      of(asked, state.gitaly, chances.gitaly[k]),
    ]);
    if (this.steps.length > COARSE) this.steps.shift();
  }

  values(saturation: number): Record<SignalName, number> {
    const sum = (i: 0 | 1 | 2 | 3 | 4) => this.steps.reduce((total, step) => total + step[i], 0);
    const requests = sum(0);
    return {
      apdex: 1 - sum(2) / requests,
      errors: sum(1) / requests,
      traffic: requests / ((COARSE * STEP_MS) / 1000),
      saturation,
      gitaly: sum(4) / sum(3),
    };
  }
}

const emptySeries = (): Series => ({ apdex: [], errors: [], traffic: [], saturation: [], gitaly: [] });

function chancesOf(random: Random, steps: number): Chances {
  const drawn = () => Float64Array.from({ length: steps }, () => random.next());
  return { requests: drawn(), errors: drawn(), slow: drawn(), gitaly: drawn(), saturation: drawn() };
}

const noisySaturation = ({ saturation }: State, chance: number): number =>
  Math.min(1, Math.max(0, saturation + 0.04 * (chance - 0.5)));

/** In a rollout with such trouble, on every fifth cell (the first one always): of one signal, or of all. */
function troubleOf(random: Random, { data }: Scenario, index: number): Cell['trouble'] {
  const signals = random.chance(0.5) ? SIGNALS : [random.pick(SIGNALS)];
  const from = BEGIN_STEP + Math.round(random.between(0, 300));
  const steps = Math.round(random.between(10, 80));
  if (data === 'none' || (index > 0 && !random.chance(0.2))) return null;
  return { from: index === 0 ? BEGIN_STEP + 20 : from, to: (index === 0 ? BEGIN_STEP + 20 : from) + steps, signals };
}
