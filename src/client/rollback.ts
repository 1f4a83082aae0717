import type { CutOff } from '../contract/closed-run.js';
import { packageRollbackId } from '../contract/ids.js';
import type { AbortRollback, PackageRollbackArgument, SkipCell } from '../contract/messages.js';
import type { PackageRollbackStatus } from '../contract/status.js';
import type { CallOptions, Calls, Target } from './calls.js';

/** The status of a rollback; where somebody terminated its workflow, the last it had. */
export type SeenRollback = PackageRollbackStatus & { cutOff?: CutOff };

/** What can be asked of the rollback of one package. Everything throws a `ClientError`. */
export class RollbackClient {
  readonly #calls: Calls;
  readonly #open: Target;

  constructor(
    calls: Calls,
    readonly version: string,
  ) {
    this.#calls = calls;
    this.#open = { workflowId: packageRollbackId(version) };
  }

  /** Takes the package back from the cells that run it; answers false where one is under way already, which goes on. */
  start(order: Omit<PackageRollbackArgument, 'version'>): Promise<boolean> {
    const { version } = this;
    const summary = `${order.dryRun ? 'What a rollback would do: package' : 'Rollback of package'} ${version}`;
    const start = { type: 'PackageRollback' as const, args: [{ version, ...order }], summary };
    return this.#calls.start(this.#open.workflowId, start);
  }

  /** How it ended, once it has; `TimedOutError` after `timeoutMs`. */
  result(timeoutMs?: number): Promise<PackageRollbackStatus> {
    return this.#calls.outcome(this.#open.workflowId, timeoutMs);
  }

  /** Leaves a cell on the package. */
  skipCell(payload: SkipCell, options?: CallOptions): Promise<PackageRollbackStatus> {
    return this.#calls.request(this.#open, 'skipCell', payload, options);
  }

  /** Takes no further cell back. */
  abort(payload: AbortRollback, options?: CallOptions): Promise<PackageRollbackStatus> {
    return this.#calls.request(this.#open, 'abort', payload, options);
  }

  async status(): Promise<SeenRollback> {
    const { status, cutOff } = await this.#calls.status<PackageRollbackStatus>(this.#open.workflowId);
    return cutOff ? { ...status, cutOff } : status;
  }
}
