import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { IDEMPOTENCY_KEY_HEADER } from '../../contract/amp.js';
import {
  type Answer,
  cancelJob,
  getJob,
  getTenant,
  listJobs,
  occasionOfJob,
  occasionOfSubmission,
  occasionOfTenant,
  submitJob,
} from '../amp-service.js';
import type { Occasion } from '../faults/fault-box.js';
import type { FaultOf } from '../faults/schema.js';
import type { World } from '../world.js';
import { bearerOf, dropConnection, sendJson } from './send.js';

interface Exchange {
  world: World;
  request: FastifyRequest;
  reply: FastifyReply;
  token: string | undefined;
  about: () => Occasion;
  work: (nowMs: number) => Answer;
}

/** AMP's own API. */
export function ampRoutes(app: FastifyInstance, world: World, token: string | undefined): void {
  const base = { world, token };

  app.post('/v1/jobs', (request, reply) => {
    const header = request.headers[IDEMPOTENCY_KEY_HEADER];
    const key = Array.isArray(header) ? header[0] : header;
    return exchange({
      ...base,
      request,
      reply,
      about: () => occasionOfSubmission(world, request.body),
      work: (nowMs) => submitJob(world, key, request.body, nowMs),
    });
  });

  app.get<{ Querystring: Record<string, string> }>('/v1/jobs', (request, reply) =>
    exchange({
      ...base,
      request: request as FastifyRequest,
      reply,
      about: () => occasionOfTenant(world, request.query.tenant),
      work: () => listJobs(world, request.query),
    }),
  );

  app.get<{ Params: { id: string } }>('/v1/jobs/:id', (request, reply) =>
    exchange({
      ...base,
      request: request as FastifyRequest,
      reply,
      about: () => occasionOfJob(world, request.params.id),
      work: () => getJob(world, request.params.id),
    }),
  );

  app.post<{ Params: { id: string } }>('/v1/jobs/:id/cancel', (request, reply) =>
    exchange({
      ...base,
      request: request as FastifyRequest,
      reply,
      about: () => occasionOfJob(world, request.params.id),
      work: (nowMs) => cancelJob(world, request.params.id, nowMs),
    }),
  );

  app.get<{ Params: { tenant: string } }>('/v1/tenants/:tenant', (request, reply) =>
    exchange({
      ...base,
      request: request as FastifyRequest,
      reply,
      about: () => occasionOfTenant(world, request.params.tenant),
      work: () => getTenant(world, request.params.tenant),
    }),
  );
}

function exchange({ world, request, reply, token, about, work }: Exchange): FastifyReply {
  const nowMs = Date.now();
  world.advance(nowMs);
  if (token !== undefined && bearerOf(request) !== token) {
    const message = 'authorization: expected the bearer token of this AMP';
    return sendJson(reply, 401, { error: { code: 'unauthorized', message } });
  }
  const { faults } = world;
  if (!faults.has('error-share') && !faults.has('answer-lost')) return sendAnswer(reply, work(nowMs));

  const occasion = about();
  const isHere = (fault: { method?: string | undefined }): boolean =>
    fault.method === undefined || fault.method === request.method;
  const strikesHere = (processed: boolean) => (fault: FaultOf<'error-share'>) =>
    fault.on !== 'cell' && (fault.processed ?? false) === processed && isHere(fault);

  const before = faults.strike('error-share', occasion, strikesHere(false));
  if (before) return sendFault(reply, before.fault);
  const answer = work(nowMs);
  if (faults.strike('answer-lost', occasion, isHere)) return dropConnection(request, reply);
  const after = faults.strike('error-share', occasion, strikesHere(true));
  return after ? sendFault(reply, after.fault) : sendAnswer(reply, answer);
}

const sendAnswer = (reply: FastifyReply, answer: Answer): FastifyReply => sendJson(reply, answer.status, answer.body);

const FAULT_CODES: Record<FaultOf<'error-share'>['status'], string> = {
  401: 'unauthorized',
  403: 'forbidden',
  429: 'too_many_requests',
  500: 'internal_error',
  502: 'bad_gateway',
  503: 'unavailable',
  504: 'timeout',
};

function sendFault(reply: FastifyReply, fault: FaultOf<'error-share'>): FastifyReply {
  if (fault.retryAfter !== undefined) reply.header('retry-after', String(fault.retryAfter));
  const error = { code: FAULT_CODES[fault.status], message: 'a simulated fault' };
  return sendJson(reply, fault.status, { error });
}
