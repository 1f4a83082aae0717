import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { CellMetrics } from '../cell-metrics.js';
import { metadata, readiness } from '../cell-service.js';
import { EXPOSITION_TYPE, exposition } from '../metrics/exposition.js';
import type { CellRecord } from '../model.js';
import { occasionOf } from '../readiness.js';
import type { World } from '../world.js';
import { bearerOf, dropConnection, sendJson } from './send.js';

type CellRequest = FastifyRequest<{ Params: { cell: string }; Querystring: { all?: string } }>;
type Work = (cell: CellRecord, request: CellRequest, reply: FastifyReply, nowMs: number) => FastifyReply;

/** The endpoints that every cell has, each under `/cells/<id>`. */
export function cellRoutes(
  app: FastifyInstance,
  world: World,
  metrics: CellMetrics,
  cellsToken: string | undefined,
): void {
  const route = (path: string, work: Work): void => {
    app.get(`/cells/:cell${path}`, (request, reply) => visit(world, request as CellRequest, reply, work));
  };

  route('/-/health', (_cell, _request, reply) => reply.type('text/plain').send('GitLab OK'));
  route('/-/liveness', (_cell, _request, reply) => sendJson(reply, 200, { status: 'ok' }));
  route('/-/readiness', (cell, request, reply, nowMs) => {
    const answer = readiness(world, cell, request.query.all !== undefined, nowMs);
    return sendJson(reply, answer.status, answer.body);
  });
  route('/metrics', (cell, _request, reply, nowMs) =>
    reply.type(EXPOSITION_TYPE).send(exposition(metrics.ofCell(cell), nowMs)),
  );
  route('/api/v4/metadata', (cell, request, reply) => {
    const token = request.headers['private-token'] ?? bearerOf(request);
    if (cellsToken !== undefined && token !== cellsToken) return sendJson(reply, 401, { message: '401 Unauthorized' });
    const answer = metadata(world, cell);
    return sendJson(reply, answer.status, answer.body);
  });
}

function visit(world: World, request: CellRequest, reply: FastifyReply, work: Work): FastifyReply {
  const nowMs = Date.now();
  world.advance(nowMs);
  const cell = world.cells.get(request.params.cell);
  if (cell === undefined) return sendJson(reply, 404, { message: '404 Not Found' });
  const { faults } = world;
  if (faults.has('unreachable') && faults.strike('unreachable', occasionOf(cell))) {
    return dropConnection(request as FastifyRequest, reply);
  }
  const error = faults.has('error-share')
    ? faults.strike('error-share', occasionOf(cell), (fault) => fault.on === 'cell')
    : undefined;
  if (error === undefined) return work(cell, request, reply, nowMs);
  if (error.fault.retryAfter !== undefined) reply.header('retry-after', String(error.fault.retryAfter));
  return sendJson(reply, error.fault.status, { message: String(error.fault.status) });
}
