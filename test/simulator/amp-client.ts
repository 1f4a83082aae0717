import { expect } from 'vitest';
import type { AmpJob, AmpTenant } from '../../src/contract/amp.js';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/index.js';
import { AMP_OPERATIONS, responseSchema } from '../../src/simulator/openapi.js';

export const OLD = '17.9.202502010900-0a1b2c3d4e5.5e4d3c2b1a0';
export const NEW = '17.10.202503180906-6a387d336a7.c1c3e017782';
export const NEWER = '17.10.202503190906-94b8fd8d152.6fea3031ec9';

export const TOPOLOGY = {
  cluster: 'test',
  perimeter: 1,
  rings: [
    { ring: 0, cells: [{ id: 'qa', tenant: 't-qa', url: 'https://qa.example' }] },
    { ring: 1, cells: [{ id: 'legacy', url: 'https://legacy.example', observe: true }] },
    {
      ring: 2,
      cells: [
        { id: 'cell-1', tenant: 't-1', url: 'https://cell-1.example' },
        { id: 'cell-2', tenant: 't-2', url: 'https://cell-2.example' },
      ],
    },
  ],
};

export interface Answer<T = never> {
  status: number;
  body: T & { error: { code: string; message: string; job_id?: string; version?: string | null } };
  headers: Headers;
}

const operationAt = (method: string, path: string) =>
  AMP_OPERATIONS.find(
    (operation) =>
      operation.method.toUpperCase() === method &&
      new RegExp(`^${operation.path.replace(/\{\w+\}/g, '[^/]+')}$`).test(path),
  );

/** Holds an answer to AMP's description: a status that it has, a body of its shape, and no field more. */
function holdToDescription(method: string, path: string, status: number, body: unknown): void {
  const operation = operationAt(method, path);
  if (operation === undefined) throw new Error(`AMP has no ${method} ${path}`);
  const schema = responseSchema(operation, status);
  if (schema === undefined) throw new Error(`${method} ${path} may not answer ${status}`);
  expect(schema.parse(body)).toEqual(body);
}

/** Speaks to AMP over HTTP; every answer is held to its description. */
export class AmpClient {
  constructor(
    readonly url: string,
    private readonly headers: Record<string, string> = {},
  ) {}

  async call<T>(method: 'GET' | 'POST', path: string, init: RequestInit = {}): Promise<Answer<T>> {
    const headers = { ...this.headers, ...(init.headers as Record<string, string>) };
    const response = await fetch(`${this.url}${path}`, { ...init, method, headers });
    const body = await response.json();
    holdToDescription(method, path.split('?')[0] ?? '', response.status, body);
    return { status: response.status, body: body as Answer<T>['body'], headers: response.headers };
  }

  post(key: string | null, body: unknown): Promise<Answer<AmpJob>> {
    const headers = { 'content-type': 'application/json', ...(key !== null && { 'Idempotency-Key': key }) };
    return this.call('POST', '/v1/jobs', { headers, body: typeof body === 'string' ? body : JSON.stringify(body) });
  }

  async job(id: string): Promise<AmpJob> {
    return (await this.call<AmpJob>('GET', `/v1/jobs/${id}`)).body;
  }

  cancel(id: string): Promise<Answer<AmpJob>> {
    return this.call('POST', `/v1/jobs/${id}/cancel`);
  }

  async jobs(query = ''): Promise<AmpJob[]> {
    return (await this.call<{ jobs: AmpJob[] }>('GET', `/v1/jobs${query}`)).body.jobs;
  }

  async tenant(name: string): Promise<AmpTenant> {
    return (await this.call<AmpTenant>('GET', `/v1/tenants/${name}`)).body;
  }

  /** Waits until a job has ended. */
  async ended(id: string, withinMs?: number): Promise<AmpJob> {
    return until(
      () => this.job(id),
      (job) => job.finished_at !== null,
      withinMs,
    );
  }

  async control<T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }> {
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(`${this.url}${path}`, { method, ...init });
    const text = await response.text();
    return { status: response.status, body: (text === '' ? null : JSON.parse(text)) as T };
  }

  async addFault(fault: object): Promise<string> {
    const { status, body } = await this.control<{ ids: string[] }>('POST', '/faults', fault);
    expect(body).toHaveProperty('ids');
    expect(status).toBe(201);
    return body.ids[0] as string;
  }
}

export const order = (over: object = {}): object => ({
  tenant: 't-1',
  kind: 'configure',
  version: NEW,
  scope: 'application',
  post_deploy_migrations: 'skip',
  ...over,
});

export async function until<T>(look: () => Promise<T>, isEnough: (seen: T) => boolean, withinMs = 5000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (isEnough(seen)) return seen;
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(seen)} after ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const open: Simulator[] = [];

/** A simulator that `closeAll` ends; jobs are instant unless a test says otherwise. */
export async function simulate(options: Partial<SimulatorOptions> = {}): Promise<AmpClient> {
  const simulator = await startSimulator({ topology: TOPOLOGY, durationMs: 0, ...options });
  open.push(simulator);
  return new AmpClient(simulator.url, options.token === undefined ? {} : { authorization: `Bearer ${options.token}` });
}

export async function closeAll(): Promise<void> {
  await Promise.all(open.splice(0).map((simulator) => simulator.close()));
}
