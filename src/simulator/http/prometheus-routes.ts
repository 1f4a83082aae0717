import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { CellMetrics } from '../cell-metrics.js';
import { instantAnswer, rangeAnswer } from '../promql/answer.js';
import { labelOf, type Source } from '../promql/evaluate.js';
import { rangeOf, timeOf } from '../promql/parameters.js';
import { parseQuery } from '../promql/parse.js';
import { badData, QueryError } from '../promql/query-error.js';
import type { World } from '../world.js';
import { sendJson } from './send.js';

/** So long a value counts in Prometheus where no newer one is there: also into the future. */
const LOOK_BACK_MS = 300_000;

/** The two calls of Prometheus' API that health is asked by, for where there is no Prometheus. */
export function prometheusRoutes(app: FastifyInstance, world: World, metrics: CellMetrics): void {
  const call = (path: string, answer: (params: URLSearchParams, source: Source, nowMs: number) => object): void => {
    app.route({
      method: ['GET', 'POST'],
      url: path,
      handler: (request, reply) => {
        const nowMs = Date.now();
        world.advance(nowMs);
        return respond(reply, () => answer(paramsOf(request), sourceAt(metrics, nowMs), nowMs));
      },
    });
  };
  call('/api/v1/query', (params, source, nowMs) =>
    instantAnswer(expressionOf(params), source, timeOf(params, 'time', nowMs)),
  );
  call('/api/v1/query_range', (params, source) => {
    const range = rangeOf(params);
    return rangeAnswer(expressionOf(params), source, range);
  });
}

/** What stands in a form wins over what stands in the address. */
function paramsOf(request: FastifyRequest): URLSearchParams {
  const params = new URLSearchParams(request.url.split('?')[1] ?? '');
  if (typeof request.body !== 'string') return params;
  const form = new URLSearchParams(request.body);
  for (const name of form.keys()) params.set(name, form.get(name) ?? '');
  return params;
}

function expressionOf(params: URLSearchParams) {
  try {
    return parseQuery(params.get('query') ?? '');
  } catch (error) {
    throw error instanceof QueryError ? badData(`invalid parameter "query": ${error.message}`) : error;
  }
}

function sourceAt(metrics: CellMetrics, nowMs: number): Source {
  return (matchers) => {
    // Most queries are about one cell; series without a cell have '' there.
    const cell = matchers.find(({ label, only }) => label === 'cell' && only)?.only ?? undefined;
    const fitting = metrics
      .of(cell)
      .filter(({ labels }) => matchers.every(({ label, fits }) => fits(labelOf(labels, label))));
    return fitting.map(({ labels, at }) => ({
      labels,
      at: (atMs) => (atMs < 0 || atMs > nowMs + LOOK_BACK_MS ? undefined : at(Math.min(atMs, nowMs))),
    }));
  };
}

function respond(reply: FastifyReply, answer: () => object): FastifyReply {
  try {
    return sendJson(reply, 200, { status: 'success', data: answer() });
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    const status = error.type === 'bad_data' ? 400 : 422;
    return sendJson(reply, status, { status: 'error', errorType: error.type, error: error.message });
  }
}
