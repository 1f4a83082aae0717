import type { FastifyInstance, FastifyReply } from 'fastify';
import type { HeldFault } from '../faults/fault-box.js';
import { isMeasured } from '../faults/measured.js';
import { readFaults } from '../faults/schema.js';
import { jobLog, worldState } from '../log-view.js';
import { ampOpenApi } from '../openapi.js';
import { describeProblem, render } from '../problems.js';
import type { World } from '../world.js';
import { sendJson } from './send.js';

/** What only tests and demonstrations ask for. */
export function controlRoutes(app: FastifyInstance, world: World): void {
  const openApi = ampOpenApi();
  app.get('/healthz', (_request, reply) => sendJson(reply, 200, { status: 'ok' }));
  app.get('/openapi.json', (_request, reply) => sendJson(reply, 200, openApi));
  app.get('/state', (_request, reply) => {
    const nowMs = Date.now();
    world.advance(nowMs);
    return sendJson(reply, 200, worldState(world, nowMs));
  });
  app.get<{ Querystring: { since?: string } }>('/log', (request, reply) => {
    world.advance();
    const since = sinceMs(request.query.since);
    if (Number.isNaN(since)) {
      const message = `since: ${render(request.query.since)}; expected a time in RFC 3339 or epoch milliseconds`;
      return sendJson(reply, 422, { error: { code: 'invalid_request', message } });
    }
    return sendJson(reply, 200, jobLog(world, since));
  });
  faultRoutes(app, world);
}

function faultRoutes(app: FastifyInstance, world: World): void {
  app.get('/faults', (_request, reply) => sendJson(reply, 200, { faults: world.faults.list().map(faultView) }));
  app.post('/faults', (request, reply) => addFaults(world, request.body, reply));
  app.delete<{ Params: { id: string } }>('/faults/:id', (request, reply) => {
    if (world.faults.remove(request.params.id)) return reply.code(204).send();
    const message = `id: no fault is called ${render(request.params.id)}`;
    return sendJson(reply, 404, { error: { code: 'unknown_fault', message } });
  });
  app.delete('/faults', (_request, reply) => {
    for (const { id } of world.faults.list()) world.faults.remove(id);
    return reply.code(204).send();
  });
}

function addFaults(world: World, body: unknown, reply: FastifyReply): FastifyReply {
  const nowMs = Date.now();
  world.advance(nowMs);
  const read = readFaults(Array.isArray(body) ? body : [body], (which, name) =>
    which === 'cell' ? world.cells.has(name) : world.tenants.has(name),
  );
  if (!read.ok) {
    const message = read.problems.map(describeProblem).join('; ');
    return sendJson(reply, 422, { error: { code: 'invalid_fault', message, problems: read.problems } });
  }
  const ids = read.faults.map((fault) => world.addFault(fault, nowMs).id);
  world.advance(nowMs);
  return sendJson(reply, 201, { ids });
}

/** What strikes metrics lasts, and has no hits to count. */
const faultView = ({ id, fault, hits }: HeldFault): object =>
  isMeasured(fault) ? { id, ...fault } : { id, ...fault, hits };

function sinceMs(text: string | undefined): number {
  if (text === undefined) return 0;
  return /^\d+$/.test(text) ? Number(text) : Date.parse(text);
}
