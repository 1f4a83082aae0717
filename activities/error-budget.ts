import { backoffMs, notBefore, type Patience, pauseFor } from './patience.js';
import { PrometheusError, type PrometheusTrouble } from './ports.js';

/** 20 s: longer than a restart of Prometheus takes to answer again, short enough that a held ring says so soon. */
export const DEFAULT_PROMETHEUS_PATIENCE: Patience = { totalMs: 20_000, firstPauseMs: 500, maxPauseMs: 5_000 };

const MAX_RETRY_AFTER_MS = 60_000;
const MAX_DENIED_IN_A_ROW = 2;

const TROUBLE: PrometheusTrouble['kind'][] = ['unreachable', 'timeout', 'server', 'throttled', 'denied', 'protocol'];

/** Trouble of Prometheus' own, as opposed to an answer about the query. */
export const isPrometheusTrouble = (error: PrometheusError): boolean => TROUBLE.includes(error.trouble.kind);

/**
 * What one measuring bears of Prometheus' troubles, shared by all its queries: so long without one usable answer. It
 * is a budget of its own: what is spent here is no cell's failure, and a query that is wrong spends nothing.
 */
export class ErrorBudget {
  #answeredMs = Date.now();
  readonly #patience: Patience;

  constructor(patience: Patience) {
    this.#patience = patience;
  }

  /** Prometheus is there. */
  answered(): void {
    this.#answeredMs = Date.now();
  }

  get #leftMs(): number {
    return this.#answeredMs + this.#patience.totalMs - Date.now();
  }

  /**
   * Notes an error, and how long the next try would have to wait.
   * @throws the error, where the budget does not last until then
   */
  spend(error: PrometheusError, pauseMs: number): void {
    if (pauseMs > this.#leftMs) throw error;
  }

  /**
   * Asks Prometheus, again and again while it is in trouble: with pauses that grow and are spread by chance, so that
   * many do not come back at one moment, and never before the `Retry-After` that it asked for.
   * @throws PrometheusError of a query that cannot be answered, or once the budget is spent; the reason of `signal`
   */
  async ask<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        const answer = await ask();
        this.answered();
        return answer;
      } catch (error) {
        if (!(error instanceof PrometheusError) || !isPrometheusTrouble(error)) throw error;
        if (error.trouble.kind === 'denied' && tries >= MAX_DENIED_IN_A_ROW) throw error;
        const asked = retryAfterOf(error);
        // What spreads the tries is not to use up what is left.
        const pause = Math.min(notBefore(asked, backoffMs(this.#patience, tries)), Math.max(asked, this.#leftMs));
        this.spend(error, pause);
        await pauseFor(pause, signal);
      }
    }
  }
}

function retryAfterOf({ trouble }: PrometheusError): number {
  if (trouble.kind !== 'throttled' && trouble.kind !== 'server') return 0;
  return Math.min(MAX_RETRY_AFTER_MS, trouble.retryAfterMs ?? 0);
}
