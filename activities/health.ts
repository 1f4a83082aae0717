import { ApplicationFailure } from '@temporalio/common';
import type { Activities, CellRef } from '../src/contract/activities.js';
import { FAILURE } from '../src/contract/failures.js';
import type { CellObservation, CellVerdict, HealthPolicy, RingVerdict } from '../src/contract/health.js';
import { isCounting, judgeCell, Memo, NotReadyLooks } from '../src/domain/health/index.js';
import { heartbeating } from './heartbeat.js';
import { createObserve, type ObservationProblem, type Observe, type ObserveDependencies } from './observe.js';
import { jittered, pauseFor } from './patience.js';
import type { PrometheusApi } from './ports.js';

export interface HealthDependencies extends Omit<ObserveDependencies, 'prometheus'> {
  /** null: there is none, and no signal can be measured. */
  prometheus?: PrometheusApi | null;
}

/** What is judged of one cell; instants are epoch ms. */
export interface Judged {
  cell: CellRef;
  policy: HealthPolicy;
  /** The package that should run; null: whatever runs is judged. */
  expected: string | null;
  begunAtMs: number | null;
  deployedAtMs: number | null;
  smokeTests: 'passed' | 'failed' | null;
  before: CellVerdict | null;
  onlyTold?: boolean | undefined;
  /** Nobody looks again: what one answer says is all that there is. */
  looksOnce?: boolean;
}

/** `judgeCell`: a cell's health as it is. See `Activities`. */
export function createJudgeCell(dependencies: HealthDependencies): Activities['judgeCell'] {
  return ({ cell, policy, untilMs, onlyTold, once }) =>
    heartbeating(
      () => undefined,
      async ({ signal }) => {
        const none = { expected: null, begunAtMs: null, deployedAtMs: null, smokeTests: null, before: null };
        // An order of an older worker does not say so. For what is only told nobody waits.
        const looksOnce = once ?? (onlyTold === true || Date.now() >= untilMs);
        const health = new CellHealth(dependencies, { cell, policy, onlyTold, looksOnce, ...none });
        const isEnough = ({ verdict, atMs }: CellVerdict) => verdict !== 'inconclusive' || atMs >= untilMs;
        return await health.until((verdict) => looksOnce || isEnough(verdict), signal);
      },
    );
}

/** The health of one cell over several looks: its past is measured once. */
export class CellHealth {
  private readonly observe: Observe | null;
  private readonly memo = new Memo();
  private readonly notReady = new NotReadyLooks();
  private isCounting = false;
  private baseline: CellObservation['baseline'] | undefined;

  constructor(
    { prometheus, ...dependencies }: HealthDependencies,
    private readonly judged: Judged,
  ) {
    this.observe = prometheus ? createObserve({ ...dependencies, prometheus }) : null;
  }

  /**
   * Looks every interval until a verdict is enough; longer, where the next answers will tell whether the cell is ready: two
   * looks at most.
   */
  async until(isEnough: (verdict: CellVerdict) => boolean, signal: AbortSignal): Promise<CellVerdict> {
    for (;;) {
      const verdict = await this.look(signal);
      if (isEnough(verdict) && !this.isCounting) return verdict;
      await pauseFor(jittered(this.judged.policy.intervalMs), signal);
    }
  }

  /** @throws `HealthUnavailable`, where that is to be obeyed; for what is only told nobody waits */
  private async look(signal: AbortSignal): Promise<CellVerdict> {
    const { cell, policy, onlyTold: _, looksOnce, ...known } = this.judged;
    this.isCounting = false;
    if (!this.observe) return unavailable(this.judged, 'there is no Prometheus: PROMETHEUS_URL is not set');
    const { id, tenant, url, labels } = cell;
    const one = { id, tenant, url, labels, ...known, baseline: this.baseline };
    const observed = await this.observe({ cells: [one], policy }, signal);
    if (observed.outcome === 'unavailable') return unavailable(this.judged, observed.reason);
    const [observation] = observed.observations;
    if (!observation) return unavailable(this.judged, 'the cell was not observed');
    const unknown = pastProblem(observed.problems, policy);
    if (unknown === null) this.baseline = observation.baseline;
    const counted = looksOnce ? observation : this.notReady.counted(observation);
    this.isCounting = isCounting(counted);
    const verdict = judgeCell(counted, policy, { memo: this.memo });
    return unlessPastUnknown(verdict, unknown);
  }
}

/**
 * Why the past of some cell could not be measured, or null: a past that is not known is not the same as none. Of a signal
 * that is left out of the verdict it is not missed.
 */
export function pastProblem(problems: readonly ObservationProblem[], policy: HealthPolicy): string | null {
  for (const found of problems) {
    const isPast = found.signal !== null && found.window === 'baseline';
    if (isPast && isObeyed(found.signal, policy)) return `${found.cell}, ${found.signal}: ${found.problem}`;
  }
  return null;
}

/** Where the ring is in shadow, all its signals are judged alike; and by a signal in shadow, too, a cell may be quiet. */
const isObeyed = (name: string, { mode, quiet, signals }: HealthPolicy): boolean =>
  mode === 'shadow' || signals[name]?.mode !== 'shadow' || quiet?.signal === name;

/** Nothing is healthy whose past could not be measured; `unknown`: what `pastProblem` says of it. */
export function unlessPastUnknown<V extends CellVerdict | RingVerdict>(verdict: V, unknown: string | null): V {
  if (unknown === null || verdict.verdict !== 'healthy') return verdict;
  return { ...verdict, verdict: 'inconclusive', sentence: `the past could not be measured: ${unknown}` };
}

function unavailable({ cell, policy, onlyTold = false }: Judged, reason: string): CellVerdict {
  if (policy.mode === 'enforce' && !onlyTold)
    throw ApplicationFailure.nonRetryable(reason, FAILURE.healthUnavailable, {});
  const sentence = `nothing is known of ${cell.id}: ${reason}`;
  return {
    cell: cell.id,
    verdict: 'inconclusive',
    quiet: false,
    package: null,
    atMs: Date.now(),
    sentence,
    evidence: [],
  };
}
