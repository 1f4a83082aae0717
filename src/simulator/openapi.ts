import {
  ampError,
  ampJob,
  ampJobList,
  ampJobRequest,
  ampJobState,
  ampTenant,
  ampTenantBusy,
  ampVersionChanged,
  DEFAULT_JOB_LIMIT,
  MAX_IDEMPOTENCY_KEY_LENGTH,
  MAX_JOB_LIMIT,
} from '../contract/amp.js';
import { z } from '../contract/zod.js';

const components = {
  Job: ampJob,
  JobList: ampJobList,
  JobRequest: ampJobRequest,
  Tenant: ampTenant,
  Error: ampError,
  TenantBusy: ampTenantBusy,
  VersionChanged: ampVersionChanged,
} as const;
type Component = keyof typeof components;

interface Operation {
  method: 'get' | 'post';
  path: string;
  operationId: string;
  summary: string;
  parameters?: object[];
  body?: Component;
  responses: Record<number, [Component, string]>;
}

const inPath = (name: string, description: string): object => ({
  name,
  in: 'path',
  required: true,
  description,
  schema: { type: 'string' },
});

const common: Operation['responses'] = {
  401: ['Error', 'No token, or one that AMP does not know'],
  403: ['Error', 'The token does not allow this'],
  429: ['Error', 'Too many requests; can be tried again'],
  500: ['Error', 'Can be tried again'],
  502: ['Error', 'Can be tried again'],
  503: ['Error', 'Can be tried again'],
  504: ['Error', 'Can be tried again'],
};

/** AMP's calls, as contract and tests know them. */
export const AMP_OPERATIONS: readonly Operation[] = [
  {
    method: 'post',
    path: '/v1/jobs',
    operationId: 'createJob',
    summary: 'Starts a job on a tenant. The key is looked up before any other check',
    parameters: [
      {
        name: 'Idempotency-Key',
        in: 'header',
        required: true,
        description: 'Made from what the job is for; kept for at least 30 days',
        schema: { type: 'string', minLength: 1, maxLength: MAX_IDEMPOTENCY_KEY_LENGTH },
      },
    ],
    body: 'JobRequest',
    responses: {
      200: ['Job', 'The job that this key stands for already'],
      201: ['Job', 'The new job'],
      404: ['Error', 'No such tenant'],
      409: ['TenantBusy', 'Another job is under way on the tenant'],
      412: ['VersionChanged', 'The tenant does not run expected_version'],
      422: ['Error', 'A bad body, no key, or a key that stands for another body'],
      ...common,
    },
  },
  {
    method: 'get',
    path: '/v1/jobs',
    operationId: 'listJobs',
    summary: 'Jobs, newest first',
    parameters: [
      { name: 'tenant', in: 'query', required: false, schema: { type: 'string' } },
      { name: 'state', in: 'query', required: false, schema: { enum: ampJobState.options, type: 'string' } },
      {
        name: 'limit',
        in: 'query',
        required: false,
        schema: { type: 'integer', minimum: 1, maximum: MAX_JOB_LIMIT, default: DEFAULT_JOB_LIMIT },
      },
    ],
    responses: { 200: ['JobList', 'Jobs, newest first'], 422: ['Error', 'A bad filter'], ...common },
  },
  {
    method: 'get',
    path: '/v1/jobs/{id}',
    operationId: 'getJob',
    summary: 'One job',
    parameters: [inPath('id', 'Id of a job')],
    responses: { 200: ['Job', 'The job'], 404: ['Error', 'No such job'], ...common },
  },
  {
    method: 'post',
    path: '/v1/jobs/{id}/cancel',
    operationId: 'cancelJob',
    summary: 'Asks a job to stop. A queued one has then changed nothing; a finished one stays as it is',
    parameters: [inPath('id', 'Id of a job')],
    responses: { 200: ['Job', 'The job as it is now'], 404: ['Error', 'No such job'], ...common },
  },
  {
    method: 'get',
    path: '/v1/tenants/{tenant}',
    operationId: 'getTenant',
    summary: 'What a tenant runs',
    parameters: [inPath('tenant', 'Name of a tenant')],
    responses: { 200: ['Tenant', 'The tenant'], 404: ['Error', 'No such tenant'], ...common },
  },
];

/** The schema of an answer, or undefined where an operation does not have this status. */
export function responseSchema(operation: Operation, status: number): z.ZodType | undefined {
  const response = operation.responses[status];
  return response && components[response[0]];
}

const content = (component: Component): object => ({
  'application/json': { schema: { $ref: `#/components/schemas/${component}` } },
});

/** The OpenAPI 3.1 description of AMP's API. */
export function ampOpenApi(): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'AMP',
      version: '1.0.0',
      description: 'What the Cell Cluster Coordinator asks of AMP. One job runs at a time on a tenant.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    paths: paths(),
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } }, schemas: schemas() },
  };
}

function paths(): object {
  const byPath: Record<string, Record<string, object>> = {};
  for (const { method, path, body, responses, ...rest } of AMP_OPERATIONS) {
    byPath[path] = {
      ...byPath[path],
      [method]: {
        ...rest,
        ...(body && { requestBody: { required: true, content: content(body) } }),
        responses: Object.fromEntries(
          Object.entries(responses).map(([status, [component, description]]) => [
            status,
            { description, content: content(component) },
          ]),
        ),
      },
    };
  }
  return byPath;
}

function schemas(): object {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(components)) registry.add(schema, { id });
  const generated = z.toJSONSchema(registry, { io: 'input', uri: (id) => `#/components/schemas/${id}` });
  return Object.fromEntries(
    Object.entries(generated.schemas).map(([id, { $schema: _schema, $id: _id, ...schema }]) => [id, schema]),
  );
}
