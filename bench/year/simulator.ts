import type { LoggedJob } from '../../test/invariants/index.js';

export interface Tenant {
  cell_id: string;
  version: string | null;
  migrated_version: string | null;
  active_job: string | null;
}

/** What only the simulator's own calls tell: what really happened, and what is to go wrong. */
export class SimulatorClient {
  constructor(private readonly url: string) {}

  /** Jobs created from an instant on, epoch ms, oldest first. */
  async jobsSince(sinceMs: number): Promise<LoggedJob[]> {
    return ((await this.#call(`/log?since=${Math.max(0, Math.floor(sinceMs))}`)) as { jobs: LoggedJob[] }).jobs;
  }

  async tenants(): Promise<Tenant[]> {
    return ((await this.#call('/state')) as { tenants: Tenant[] }).tenants;
  }

  /** Adds a fault; answers its id. */
  async addFault(fault: object): Promise<string> {
    const headers = { 'content-type': 'application/json' };
    const added = await this.#call('/faults', { method: 'POST', headers, body: JSON.stringify(fault) });
    return (added as { ids: string[] }).ids[0] ?? '';
  }

  async removeFault(id: string): Promise<void> {
    await this.#call(`/faults/${id}`, { method: 'DELETE' });
  }

  async clearFaults(): Promise<void> {
    await this.#call('/faults', { method: 'DELETE' });
  }

  async #call(path: string, init?: RequestInit): Promise<unknown> {
    const response = await fetch(`${this.url}${path}`, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answers ${response.status}: ${text}`);
    return text === '' ? null : JSON.parse(text);
  }
}
