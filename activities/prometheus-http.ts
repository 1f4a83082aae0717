import { addressOf, type Endpoint } from './endpoint.js';
import { causeOf, clockOf, type HttpAnswer, NoAnswerInTime, request, retryAfterMs, TooLarge } from './http.js';
import { type PrometheusApi, PrometheusError, type PrometheusTrouble, type QueryAnswer } from './ports.js';
import { readAnswer, readFailure } from './prometheus-answer.js';
import { createTurnstile } from './turnstile.js';

export interface PrometheusHttpOptions extends Endpoint {
  /** Bounds each request; Prometheus is told to give a query up by then, too. Default: 10 s. */
  timeoutMs?: number | undefined;
}

/** Prometheus refuses a range with more points than this in a series. */
export const MAX_POINTS = 11_000;
/** Several times what fifty cells answer for a day; a query that forgot its cell is not read to its end. */
const MAX_BYTES = 32 * 1024 * 1024;
/** Of one process. After an outage hundreds of activities resume at once, and Prometheus itself works on 20 at a time. */
const AT_ONCE = 8;

/** Prometheus over HTTP: POST, since a query about fifty cells is longer than a URL may be. */
export function prometheusOverHttp(options: PrometheusHttpOptions): PrometheusApi {
  const { base, headers } = addressOf(options);
  const timeoutMs = options.timeoutMs ?? 10_000;
  const takeTurn = createTurnstile(AT_ONCE);

  const ask = (path: string, parameters: Record<string, string>, signal?: AbortSignal): Promise<QueryAnswer> =>
    takeTurn(signal, async () => {
      const form = new URLSearchParams({ ...parameters, timeout: `${timeoutMs}ms` });
      const url = `${base}/api/v1/${path}`;
      const answer = await request({
        url,
        method: 'POST',
        headers,
        form,
        maxBytes: MAX_BYTES,
        // Later than Prometheus' own limit, so that it is Prometheus that says why.
        timeoutMs: timeoutMs + 500,
        signal,
      }).catch((error: unknown) => {
        if (signal?.aborted) throw signal.reason;
        throw unanswered(error);
      });
      if (answer.status !== 200) throw errorOf(answer);
      const read = readAnswer(answer.json);
      if ('problem' in read) throw unreadable(answer, read.problem);
      return { ...read, asOfMs: clockOf(answer) };
    });

  return {
    async range({ query, ...range }, signal) {
      const grid = gridOf(range);
      // Nothing to evaluate in so short a range.
      if (grid.startMs > grid.endMs) return { series: [], warnings: [], asOfMs: Date.now() };
      const { startMs: start, endMs: end, stepMs: step } = grid;
      return ask('query_range', { query, start: seconds(start), end: seconds(end), step: seconds(step) }, signal);
    },
    instant: ({ query, atMs }, signal) => ask('query', { query, time: seconds(atMs) }, signal),
  };
}

const seconds = (ms: number): string => (ms / 1000).toFixed(3);

/** The evaluations in (from, to]: at whole multiples of the step, not more than `MAX_POINTS` of them. */
export function gridOf(range: { fromMs: number; toMs: number; stepMs: number }): {
  startMs: number;
  endMs: number;
  stepMs: number;
} {
  const { fromMs, toMs } = range;
  const stepMs = Math.max(1, range.stepMs, Math.ceil((toMs - fromMs) / MAX_POINTS));
  return {
    startMs: (Math.floor(fromMs / stepMs) + 1) * stepMs,
    endMs: Math.floor(toMs / stepMs) * stepMs,
    stepMs,
  };
}

function unanswered(error: unknown): PrometheusError {
  if (error instanceof TooLarge) return new PrometheusError(error.message, { kind: 'too-large' }, { cause: error });
  const kind = error instanceof NoAnswerInTime ? 'timeout' : 'unreachable';
  return new PrometheusError(`Prometheus does not answer: ${causeOf(error)}`, { kind }, { cause: error });
}

function errorOf(answer: HttpAnswer): PrometheusError {
  const { errorType, error } = readFailure(answer.json);
  const words = [`Prometheus answers ${answer.status}`, errorType, error.slice(0, 500)].filter(Boolean).join(': ');
  return new PrometheusError(words, troubleOf(answer, errorType));
}

function troubleOf({ status, headers }: HttpAnswer, errorType: string): PrometheusTrouble {
  // Answered with 503, as if Prometheus itself were away.
  if (status === 503 && errorType === 'timeout') return { kind: 'too-slow' };
  if (status >= 500) return { kind: 'server', status, retryAfterMs: retryAfterMs(headers) };
  switch (status) {
    case 400:
      return { kind: 'bad-query' };
    case 401:
    case 403:
      return { kind: 'denied', status };
    case 422:
      return { kind: 'execution' };
    case 429:
      return { kind: 'throttled', retryAfterMs: retryAfterMs(headers) };
    default:
      return { kind: 'protocol', status };
  }
}

const unreadable = ({ status }: HttpAnswer, problem: string) =>
  new PrometheusError(`Prometheus' answer cannot be read: ${problem}`, { kind: 'protocol', status });
