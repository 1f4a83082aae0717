import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CellRef } from '../../src/contract/activities.js';
import type { AmpJob, AmpJobRequest, AmpJobState, AmpTenant } from '../../src/contract/amp.js';

export const OLD = '17.9.202503170906-aaaaaaaaaaa.1111111111a';
export const NEW = '17.10.202503180906-6a387d336a7.c1c3e017782';

/** What happens to one request instead of, or after, its handling. */
export type Fault =
  /** The connection is cut before anything is done. */
  | 'drop'
  /** It is done, and the connection is cut before the answer. */
  | 'lose-answer'
  | { status: number; headers?: Record<string, string>; body?: unknown };

interface StoredJob extends AmpJob {
  body: string;
  endsAtMs: number;
  ends: AmpJobState;
  cancels: number;
}

/** AMP and its cells on one port, as far as activities need them, with faults by request. */
export class FakeAmp {
  readonly tenants = new Map<string, AmpTenant & { ring?: number }>();
  readonly jobs: StoredJob[] = [];
  /** Cells by id. */
  readonly cells = new Map<
    string,
    { readiness: 'ready' | 'not-ready' | 'silent'; revision: string; metadata: number }
  >();
  /** Every request so far, e.g. `POST /v1/jobs`. */
  readonly requests: string[] = [];
  /** How a job that is ordered goes. */
  next: { takesMs: number; ends: AmpJobState } = { takesMs: 0, ends: 'succeeded' };
  /** AMP says yes to a cancel, and nothing stops. */
  ignoresCancel = false;
  #faults: { request: RegExp; fault: Fault; times: number; after: number }[] = [];
  #base = '';
  readonly #server = createServer((request, response) => void this.#serve(request, response));

  static async start(): Promise<FakeAmp> {
    const fake = new FakeAmp();
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
    fake.#base = `http://127.0.0.1:${(fake.#server.address() as AddressInfo).port}`;
    return fake;
  }

  get url(): string {
    return this.#base;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Adds a ready cell that runs `version`. */
  addCell(id: string, version = OLD): CellRef {
    const tenant = `tenant-${id}`;
    this.tenants.set(tenant, {
      tenant,
      cell_id: id,
      version,
      previous_version: null,
      chart_version: 'chart-old',
      previous_chart_version: null,
      migrated_version: null,
      state: 'ready',
      active_job: null,
    });
    this.cells.set(id, {
      readiness: 'ready',
      revision: version.split('-')[1]?.split('.')[0] ?? '0000000',
      metadata: 200,
    });
    return { id, tenant, url: `${this.#base}/cells/${id}` };
  }

  tenant(cell: CellRef): AmpTenant & { ring?: number } {
    const tenant = this.tenants.get(cell.tenant);
    if (!tenant) throw new Error(`no tenant ${cell.tenant}`);
    return tenant;
  }

  cell(id: string) {
    const cell = this.cells.get(id);
    if (!cell) throw new Error(`no cell ${id}`);
    return cell;
  }

  /** So many requests that match meet this fault, once `after` of them have passed. */
  fault(request: RegExp, fault: Fault, times = 1, after = 0): void {
    this.#faults.push({ request, fault, times, after });
  }

  /** A job that somebody ordered, under way. */
  begin(cell: CellRef, key: string | null, takesMs: number, ends: AmpJobState = 'succeeded', version = NEW): StoredJob {
    const body = { tenant: cell.tenant, kind: 'configure', version, scope: 'application' } as AmpJobRequest;
    return this.#create(body, key, JSON.stringify(body), takesMs, ends);
  }

  count(request: RegExp): number {
    return this.requests.filter((text) => request.test(text)).length;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = `${request.method} ${request.url}`;
    this.requests.push(text);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const met = this.#meet(text);
    if (met?.fault === 'drop') return void request.socket.destroy();
    if (met && typeof met.fault === 'object')
      return send(response, met.fault.status, met.fault.body, met.fault.headers);
    this.#settle();
    const [status, body] = this.#route(request, Buffer.concat(chunks).toString());
    if (status === 0 || met?.fault === 'lose-answer') return void request.socket.destroy();
    send(response, status, body);
  }

  #meet(text: string) {
    const match = this.#faults.find((fault) => fault.times > 0 && fault.request.test(text));
    if (match === undefined) return undefined;
    match.after -= 1;
    if (match.after >= 0) return undefined;
    match.times -= 1;
    return match;
  }

  #route(request: IncomingMessage, body: string): [number, unknown?] {
    const url = new URL(request.url ?? '/', this.#base);
    const [, first, second, third, fourth] = url.pathname.split('/');
    if (first === 'cells') return this.#routeCell(second ?? '', third ?? '');
    if (second === 'tenants') return found(this.tenants.get(third ?? ''));
    if (second !== 'jobs') return [404];
    if (third !== undefined) return this.#routeJob(third, fourth === 'cancel');
    if (request.method === 'POST') return this.#submit(String(request.headers['idempotency-key']), body);
    const jobs = this.jobs.filter((job) => job.tenant === url.searchParams.get('tenant')).toReversed();
    return [200, { jobs: jobs.slice(0, Number(url.searchParams.get('limit'))) }];
  }

  #routeCell(id: string, endpoint: string): [number, unknown?] {
    const cell = this.cell(id);
    if (cell.readiness === 'silent') return [0];
    if (endpoint === 'api') return [cell.metadata, { version: '17.10.0-pre', revision: cell.revision }];
    if (cell.readiness === 'ready') return [200, { status: 'ok', master_check: [{ status: 'ok' }] }];
    return [503, { status: 'failed', db_check: [{ status: 'failed', message: 'no connection' }] }];
  }

  #routeJob(id: string, cancel: boolean): [number, unknown?] {
    const job = this.jobs.find((one) => one.id === id);
    if (!job) return [404];
    if (cancel) job.cancels += 1;
    if (cancel && !this.ignoresCancel && job.state === 'running') this.#end(job, 'canceled');
    return [200, job];
  }

  #submit(key: string, text: string): [number, unknown?] {
    const known = this.jobs.find((job) => job.idempotency_key === key);
    if (known) return known.body === text ? [200, known] : [422, { error: { code: 'key_reused' } }];
    const body = JSON.parse(text) as AmpJobRequest;
    const tenant = this.tenants.get(body.tenant);
    if (!tenant) return [404, { error: { code: 'unknown_tenant' } }];
    if (tenant.active_job) return [409, { error: { code: 'tenant_busy', job_id: tenant.active_job } }];
    if (body.expected_version !== undefined && body.expected_version !== tenant.version) {
      return [412, { error: { code: 'version_changed', version: tenant.version } }];
    }
    return [201, this.#create(body, key, text, this.next.takesMs, this.next.ends)];
  }

  #create(body: AmpJobRequest, key: string | null, text: string, takesMs: number, ends: AmpJobState): StoredJob {
    const tenant = this.tenants.get(body.tenant);
    const now = new Date().toISOString();
    const job: StoredJob = {
      id: randomUUID(),
      tenant: body.tenant,
      kind: body.kind,
      version: body.version,
      from_version: tenant?.version ?? null,
      state: 'running',
      created_at: now,
      started_at: now,
      finished_at: null,
      error: null,
      log_url: null,
      idempotency_key: key,
      body: text,
      endsAtMs: Date.now() + takesMs,
      ends,
      cancels: 0,
    };
    this.jobs.push(job);
    if (tenant) Object.assign(tenant, { active_job: job.id, state: 'changing' });
    this.#settle();
    return job;
  }

  #settle(): void {
    for (const job of this.jobs) {
      if (job.state === 'running' && Date.now() >= job.endsAtMs) this.#end(job, job.ends);
    }
  }

  #end(job: StoredJob, state: AmpJobState): void {
    Object.assign(job, { state, finished_at: new Date().toISOString(), error: state === 'failed' ? 'it broke' : null });
    const tenant = this.tenants.get(job.tenant);
    if (tenant?.active_job !== job.id) return;
    Object.assign(tenant, { active_job: null, state: state === 'failed' ? 'failed' : 'ready' });
    if (state !== 'succeeded') return;
    Object.assign(tenant, {
      previous_version: tenant.version,
      previous_chart_version: tenant.chart_version,
      version: job.version,
      chart_version: (JSON.parse(job.body) as AmpJobRequest).chart_version ?? 'chart-inferred',
    });
  }
}

const found = (value: unknown): [number, unknown?] => (value === undefined ? [404] : [200, value]);

function send(response: ServerResponse, status: number, body?: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body ?? {}));
}
