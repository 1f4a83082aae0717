import type { MeasuredCell } from './cell.js';
import { once, SECONDS_A_STEP, WINDOW } from './clock.js';
import { paretoExcessAt, poissonAt, type Stream, smoothAt, streamOf, unitAt } from './draws.js';
import { SERVICES, type ServiceType } from './services.js';

export interface RequestMeasures {
  /** Requests a second. */
  ops: number;
  /** Shares of the requests; NaN where there were none, as 0/0 is. */
  apdex: number;
  errors: number;
}

/** Right after a restart some more requests are slow, and some stay away. */
const COLD = { slow: 0.0015, away: 0.04 };
/** Now and then something is slow, or fails, for three minutes: by this much of the budget at least, seldom by far more. */
const SPIKE = {
  everySteps: 12,
  alpha: 1.8,
  slow: { probability: 0.01, least: 0.2, most: 20 },
  failed: { probability: 0.006, least: 0.3, most: 30 },
};

/**
 * What the 5 minutes before a step come to for one type of requests, as a recording rule that is evaluated there would
 * say: sums of whole requests, so that a small cell's ratios are as coarse as they are in life.
 */
export function requestMeasures(cell: MeasuredCell, type: ServiceType): (step: number) => RequestMeasures {
  const counts = once(countsOf(cell, type));
  return once((step) => {
    const sum = { requests: 0, slow: 0, failed: 0 };
    for (let at = Math.max(0, step - WINDOW['5m']); at < step; at += 1) {
      const { requests, slow, failed } = counts(at);
      sum.requests += requests;
      sum.slow += slow;
      sum.failed += failed;
    }
    return {
      ops: sum.requests / (WINDOW['5m'] * SECONDS_A_STEP),
      apdex: (sum.requests - sum.slow) / sum.requests,
      errors: sum.failed / sum.requests,
    };
  });
}

interface Counts {
  requests: number;
  slow: number;
  failed: number;
}

function countsOf(cell: MeasuredCell, type: ServiceType): (step: number) => Counts {
  const stream = (what: string): Stream => streamOf(cell.seed, `${what}/${type}/${cell.id}`);
  const streams = { requests: stream('requests'), slow: stream('slow'), failed: stream('failed') };
  const moods = { drift: stream('drift'), slow: stream('slow-spikes'), failed: stream('failed-spikes') };
  const usual = usualShares(cell, type);
  const budget = budgetOf(type);
  const perStep = cell.rate * SERVICES[type].share * SECONDS_A_STEP;
  return (step) => {
    const load = cell.loadAt(step);
    const coldness = cell.coldnessAt(step);
    const worse = (signal: 'traffic' | 'apdex' | 'errors'): number => cell.worsening({ signal, type }, step, step + 1);
    const present = Math.max(0, 1 - worse('traffic')) * (1 - COLD.away * coldness);
    const requests = poissonAt(streams.requests, step, perStep * load * present);
    const mood = load ** 0.6 * Math.exp(0.15 * smoothAt(moods.drift, step / 80));
    const slow = usual.slow * mood + budget.slow * spikeIn(moods.slow, step, SPIKE.slow) + COLD.slow * coldness;
    const failed = usual.failed + budget.failed * spikeIn(moods.failed, step, SPIKE.failed);
    const of = (draws: Stream, share: number): number =>
      share >= 1 ? requests : Math.min(requests, poissonAt(draws, step, requests * share));
    return {
      requests,
      slow: of(streams.slow, slow + worse('apdex')),
      failed: of(streams.failed, failed + worse('errors')),
    };
  };
}

/** The shares of requests that may be slow, and may fail, by the objectives. */
export function budgetOf(type: ServiceType): { slow: number; failed: number } {
  const { objective } = SERVICES[type];
  return { slow: 1 - objective.apdex, failed: 1 - objective.success };
}

/** The shares of slow and of failed requests that are usual on a cell. */
export function usualShares(cell: MeasuredCell, type: ServiceType): { slow: number; failed: number } {
  const [budget, { spends }] = [budgetOf(type), SERVICES[type]];
  return {
    slow: budget.slow * spends.apdex * cell.slowness,
    failed: budget.failed * spends.success * cell.frailty,
  };
}

function spikeIn(stream: Stream, step: number, kind: { probability: number; least: number; most: number }): number {
  const slot = Math.floor(step / SPIKE.everySteps);
  if (unitAt(stream, slot) >= kind.probability) return 0;
  return kind.least * (1 + paretoExcessAt(stream, slot, SPIKE.alpha, kind.most));
}
