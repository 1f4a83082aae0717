import type { Client } from '@temporalio/client';
import { Calls, type Limits } from './calls.js';
import { ClusterClient } from './cluster.js';
import { LedgerClient } from './ledger.js';
import { RollbackClient } from './rollback.js';
import { RolloutClient } from './rollout.js';
import { type ListOptions, listRollouts, type RolloutSummary } from './rollouts.js';

export type { CutOff } from '../contract/closed-run.js';
export { brakeIdFor } from './brake-id.js';
export type { Asked, CallOptions, Limits } from './calls.js';
export * from './errors.js';
export type { SeenRollback } from './rollback.js';
export type { SeenRollout, StartOptions } from './rollout.js';
export type { ListOptions, RolloutSummary } from './rollouts.js';
export { toClientError } from './translate.js';
export { pipelineUpdateId } from './update-id.js';
export type { ClusterClient, LedgerClient, RollbackClient, RolloutClient };

export interface CellsClientOptions {
  client: Client;
  /** Where workflows that a call has to start run. */
  taskQueue: string;
  limits?: Partial<Limits>;
}

/** The coordinator, as release-tools, `cellctl` and a dashboard see it. */
export class CellsClient {
  readonly #calls: Calls;

  constructor({ client, taskQueue, limits }: CellsClientOptions) {
    this.#calls = new Calls(client, taskQueue, limits);
  }

  cluster(): ClusterClient {
    return new ClusterClient(this.#calls);
  }

  /** `version` exactly as AMP knows it; `fromTag` reads a pasted tag. */
  rollout(version: string): RolloutClient {
    return new RolloutClient(this.#calls, version);
  }

  /** What was done, decided and failed, beyond Temporal's retention. */
  ledger(): LedgerClient {
    return new LedgerClient(this.#calls);
  }

  /** Of the same package. */
  rollback(version: string): RollbackClient {
    return new RollbackClient(this.#calls, version);
  }

  listRollouts(options?: ListOptions): Promise<RolloutSummary[]> {
    return listRollouts(this.#calls.client, options);
  }
}
