import { type FastifyInstance, fastify } from 'fastify';
import type { CellMetrics } from '../cell-metrics.js';
import type { World } from '../world.js';
import { ampRoutes } from './amp-routes.js';
import { cellRoutes } from './cell-routes.js';
import { controlRoutes } from './control-routes.js';
import { prometheusRoutes } from './prometheus-routes.js';
import { sendJson } from './send.js';

export interface Tokens {
  /** Asked for on AMP's API. */
  token: string | undefined;
  /** Asked for on the cells' own API. */
  cellsToken: string | undefined;
}

/** AMP, the cells, their metrics and the tests' controls on one server, which does not listen yet. */
export function createServer(world: World, metrics: CellMetrics, { token, cellsToken }: Tokens): FastifyInstance {
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 1000 },
  });
  app.removeAllContentTypeParsers();
  // A body that is not JSON is for the route to refuse, in AMP's own words.
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, text, done) => done(null, parseJson(text as string)));
  app.setNotFoundHandler((request, reply) => {
    const message = `there is no ${request.method} ${request.url.split('?')[0]}`;
    return sendJson(reply, 404, { error: { code: 'not_found', message } });
  });
  app.setErrorHandler((error: { statusCode?: number; message: string }, _request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) process.stderr.write(`simulator: ${error.message}\n`);
    const code = status >= 500 ? 'internal_error' : 'invalid_request';
    return sendJson(reply, status, { error: { code, message: error.message } });
  });
  ampRoutes(app, world, token);
  cellRoutes(app, world, metrics, cellsToken);
  controlRoutes(app, world);
  prometheusRoutes(app, world, metrics);
  return app;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text === '' ? undefined : text;
  }
}
