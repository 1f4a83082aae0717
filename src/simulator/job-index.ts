import { type AmpJobQuery, type AmpJobState, DEFAULT_JOB_LIMIT, isFinishedJobState } from '../contract/amp.js';
import type { JobRecord } from './model.js';

/** All jobs, found by id, by key, by tenant, and, where they are under way, by cell. */
export class JobIndex {
  readonly all: JobRecord[] = [];
  #byId = new Map<string, JobRecord>();
  #byKey = new Map<string, JobRecord>();
  #byTenant = new Map<string, JobRecord[]>();
  #active = new Map<string, JobRecord>();

  insert(record: JobRecord): void {
    const { job } = record;
    this.all.push(record);
    this.#byId.set(job.id, record);
    if (job.idempotency_key !== null) this.#byKey.set(job.idempotency_key, record);
    const ofTenant = this.#byTenant.get(job.tenant);
    if (ofTenant) ofTenant.push(record);
    else this.#byTenant.set(job.tenant, [record]);
    if (!isFinishedJobState(job.state)) this.#active.set(record.cell, record);
  }

  /** Takes a job that has ended off its cell. */
  release(record: JobRecord): void {
    this.#active.delete(record.cell);
  }

  get nextOrder(): number {
    return (this.all.at(-1)?.order ?? 0) + 1;
  }

  byId(id: string): JobRecord | undefined {
    return this.#byId.get(id);
  }

  byKey(key: string): JobRecord | undefined {
    return this.#byKey.get(key);
  }

  activeOn(cell: string): JobRecord | undefined {
    return this.#active.get(cell);
  }

  /** Newest first. */
  list({ tenant, state, limit = DEFAULT_JOB_LIMIT }: AmpJobQuery): JobRecord[] {
    const oldestFirst = this.#candidates(tenant, state);
    const found: JobRecord[] = [];
    for (let i = oldestFirst.length - 1; i >= 0 && found.length < limit; i -= 1) {
      const record = oldestFirst[i] as JobRecord;
      if (state === undefined || record.job.state === state) found.push(record);
    }
    return found;
  }

  #candidates(tenant: string | undefined, state: AmpJobState | undefined): JobRecord[] {
    if (tenant !== undefined) return this.#byTenant.get(tenant) ?? [];
    if (state === undefined || isFinishedJobState(state)) return this.all;
    return [...this.#active.values()].sort((a, b) => a.order - b.order);
  }
}
