import type { State } from './course.js';
import type { Random } from './random.js';
import type { Fault } from './scenario.js';

export const OBJECTIVES = { apdex: 0.998, errors: 0.0005, gitaly: 0.0005, saturation: 0.9 } as const;
const BUDGET = { slow: 1 - OBJECTIVES.apdex, errors: OBJECTIVES.errors, gitaly: OBJECTIVES.gitaly };
/** Of the requests that a broken component spoils, so many are seen as errors of the whole. */
const SEEN_ABOVE = 0.1;
const STEPS_PER_HOUR = 120;

/** How a deployment goes on one cell, and how its package differs from the one before where it is good. */
export interface Deployed {
  /** Steps that the deployment takes. */
  steps: number;
  restart: { steps: number; slow: number; errors: number; saturation: number };
  change: { requests: number; errors: number; slow: number; gitaly: number; saturation: number };
  /** Of a fault in bursts: the first one after so many steps, then one each `every`, of `length`. */
  burst: { delay: number; every: number; length: number };
  /** Whether a drift shows as slow requests (or as errors). */
  driftsSlow: boolean;
}

export function deployedOf(random: Random): Deployed {
  const nearly = (spread: number) => Math.exp(spread * random.normal());
  return {
    steps: Math.round(random.between(8, 16)),
    restart: {
      steps: Math.round(random.between(2, 8)),
      slow: random.between(0.005, 0.05),
      errors: random.between(0, 0.004),
      saturation: random.between(0, 0.1),
    },
    change: {
      requests: nearly(0.02),
      errors: nearly(0.05),
      slow: nearly(0.05),
      gitaly: nearly(0.05),
      saturation: nearly(0.03),
    },
    burst: {
      delay: Math.round(random.between(2, 12)),
      every: Math.round(random.between(40, 60)),
      length: Math.round(random.between(10, 20)),
    },
    driftsSlow: random.chance(0.5),
  };
}

/** The state of a cell `age` steps after the end of its deployment (negative: before). */
export function withPackage(state: State, age: number, deployed: Deployed, fault: Fault | null): State {
  if (age < -1) return state;
  const { change, restart } = deployed;
  const restarting = age < restart.steps ? 1 : 0;
  const changed: State = {
    requests: state.requests * change.requests,
    errors: state.errors * change.errors + restarting * restart.errors,
    slow: state.slow * change.slow + restarting * restart.slow,
    gitaly: state.gitaly * change.gitaly + restarting * restart.errors,
    saturation: state.saturation * change.saturation + restarting * restart.saturation,
  };
  return fault && age >= 0 ? broken(changed, age, deployed, fault) : changed;
}

function broken(state: State, age: number, deployed: Deployed, { kind, size }: Fault): State {
  switch (kind) {
    case 'error-rate':
      return { ...state, errors: state.errors + size * BUDGET.errors };
    case 'error-burst':
      return isBursting(age, deployed) ? { ...state, errors: state.errors + size * BUDGET.errors } : state;
    case 'apdex':
      return { ...state, slow: state.slow + size * BUDGET.slow };
    case 'slow-drift': {
      const grown = (size * age) / STEPS_PER_HOUR;
      if (deployed.driftsSlow) return { ...state, slow: state.slow + grown * BUDGET.slow };
      return { ...state, errors: state.errors + grown * BUDGET.errors };
    }
    case 'saturation': {
      const room = Math.max(0, OBJECTIVES.saturation + 0.03 - state.saturation);
      return { ...state, saturation: state.saturation + size * room };
    }
    case 'component': {
      const extra = size * BUDGET.gitaly;
      return { ...state, gitaly: state.gitaly + extra, errors: state.errors + SEEN_ABOVE * extra };
    }
  }
}

function isBursting(age: number, { burst }: Deployed): boolean {
  const since = age - burst.delay;
  return since >= 0 && since % burst.every < burst.length;
}
