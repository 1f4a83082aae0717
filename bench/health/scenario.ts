import { Random } from './random.js';

/** What is wrong with a package, and how much: the label of one simulated rollout. */
export type FaultKind = 'error-rate' | 'error-burst' | 'apdex' | 'slow-drift' | 'saturation' | 'component';

export interface Fault {
  kind: FaultKind;
  /**
   * In multiples of the objective's budget: size 1 alone spends the budget as fast as the objective allows, so that a
   * cell with it no longer keeps its objective. For saturation: 1 is the limit, 0.5 half of the way to it. A drift has
   * its size an hour after the deployment.
   */
  size: number;
  /** The package is bad everywhere, or on one cell only (its index in the order of deployment). */
  on: 'all' | number;
}

export type DataTrouble = 'none' | 'missing' | 'frozen';

export interface Scenario {
  seed: number;
  /** null: a good package. */
  fault: Fault | null;
  /** What the fleet is like, besides the ordinary. */
  fleet: 'ordinary' | 'quiet-cells' | 'young-cells';
  data: DataTrouble;
  /** What happens meanwhile that no package did: on all cells at once. */
  meanwhile: 'nothing' | 'surge' | 'shared-trouble';
}

const SIZES: Readonly<Record<FaultKind, readonly number[]>> = {
  'error-rate': [0.5, 1, 2, 5, 20],
  'error-burst': [10, 40, 160],
  apdex: [0.5, 1, 2, 5, 20],
  'slow-drift': [1, 2, 5, 10],
  saturation: [0.5, 1],
  component: [0.5, 1, 2, 5, 20],
};

const KINDS = Object.keys(SIZES) as FaultKind[];

/**
 * The rollouts of one set of seeds, in equal shares of good and bad packages; of the bad ones equally many of each kind,
 * and three of ten on one cell only.
 */
export function scenarios(firstSeed: number, count: number): Scenario[] {
  return Array.from({ length: count }, (_, i) => scenario(firstSeed + i, i));
}

function scenario(seed: number, index: number): Scenario {
  const random = new Random(seed ^ 0x5ca1ab1e);
  const fault = index % 2 === 0 ? null : faultOf(random, index >> 1);
  const fleet = random.pick(['ordinary', 'ordinary', 'ordinary', 'quiet-cells', 'young-cells'] as const);
  const data = random.chance(0.85) ? 'none' : random.pick(['missing', 'frozen'] as const);
  const draw = random.next();
  const meanwhile = draw < 0.15 ? 'surge' : draw < 0.2 ? 'shared-trouble' : 'nothing';
  return { seed, fault, fleet, data, meanwhile };
}

function faultOf(random: Random, index: number): Fault {
  const kind = KINDS[index % KINDS.length] ?? 'error-rate';
  const sizes = SIZES[kind];
  const size = sizes[Math.floor(index / KINDS.length) % sizes.length] ?? 1;
  const on = random.chance(0.7) ? 'all' : Math.floor(random.between(0, 20));
  return { kind, size, on };
}
