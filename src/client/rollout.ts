import type { CutOff } from '../contract/closed-run.js';
import { packageRolloutId } from '../contract/ids.js';
import type {
  Abort,
  ApproveRing,
  DeployRing,
  EngageBrake,
  Graduate,
  MigrateRing,
  Override,
  RecordCheck,
  ReleaseBrake,
  Restart,
  RetryRing,
  SkipCell,
} from '../contract/messages.js';
import type {
  BrakeResult,
  GraduateResult,
  PackageRolloutStatus,
  RingResult,
  RolloutState,
} from '../contract/status.js';
import { afterSignal, engageSurely } from './brake.js';
import type { Asked, CallOptions, Calls, Target } from './calls.js';
import { NotFoundError, RejectedError } from './errors.js';

const STOPPED: readonly RolloutState[] = ['aborted', 'rolled-back', 'rolling-back'];

/** The status of a rollout; where somebody terminated its workflow, the last it had. */
export type SeenRollout = PackageRolloutStatus & { cutOff?: CutOff };

/** What can be asked of the rollout of one package. Everything throws a `ClientError`. */
export class RolloutClient {
  readonly #calls: Calls;
  readonly #open: Target;

  constructor(
    calls: Calls,
    readonly version: string,
  ) {
    this.#calls = calls;
    this.#open = { workflowId: packageRolloutId(version) };
  }

  /** Asks for a pass over a ring inside the perimeter, and starts the rollout where there is none. */
  deployRing(payload: DeployRing, options?: StartOptions): Promise<Asked<RingResult>> {
    return this.#calls.ask(this.#orStart(options), 'deployRing', payload, options);
  }

  /** Asks for the PDM of a ring inside the perimeter. */
  migrateRing(payload: MigrateRing, options?: StartOptions): Promise<Asked<RingResult>> {
    return this.#calls.ask(this.#orStart(options), 'migrateRing', payload, options);
  }

  /** Lets the package leave the perimeter. */
  graduate(payload: Graduate, options?: CallOptions): Promise<GraduateResult> {
    return this.#calls.request(this.#orStart(payload), 'graduate', payload, options);
  }

  /** Opens an aborted, rolled-back or expired rollout again. */
  restart(payload: Restart, options?: StartOptions): Promise<PackageRolloutStatus> {
    return this.#calls.request(this.#orStart(options), 'restart', payload, options);
  }

  recordCheck(payload: RecordCheck, options?: CallOptions): Promise<PackageRolloutStatus> {
    return this.#calls.request(this.#open, 'recordCheck', payload, options);
  }

  /** Stops this package; resolves once it is known to hold. */
  engageBrake(payload: EngageBrake, options?: CallOptions): Promise<BrakeResult> {
    return engageSurely(this.#calls, this.#open, payload, options);
  }

  releaseBrake(payload: ReleaseBrake, options?: CallOptions): Promise<PackageRolloutStatus> {
    return this.#calls.request(this.#open, 'releaseBrake', payload, options);
  }

  approveRing(payload: ApproveRing, options?: CallOptions): Promise<PackageRolloutStatus> {
    return this.#calls.request(this.#open, 'approveRing', payload, options);
  }

  override(payload: Override, options?: CallOptions): Promise<PackageRolloutStatus> {
    return this.#calls.request(this.#open, 'override', payload, options);
  }

  retryRing(payload: RetryRing, options?: CallOptions): Promise<PackageRolloutStatus> {
    return this.#calls.request(this.#open, 'retryRing', payload, options);
  }

  skipCell(payload: SkipCell, options?: CallOptions): Promise<PackageRolloutStatus> {
    return this.#calls.request(this.#open, 'skipCell', payload, options);
  }

  /** Starts nothing more: as a signal first, which is kept even when no worker is up, then as an update. */
  async abort(payload: Abort, options?: CallOptions): Promise<PackageRolloutStatus> {
    await this.#calls.signal(this.#open.workflowId, 'abort', payload);
    return afterSignal('the abort', async () => {
      try {
        return await this.#calls.request<PackageRolloutStatus>(this.#open, 'abort', payload, options);
      } catch (error) {
        return await this.#alreadyStopped(error);
      }
    });
  }

  async status(): Promise<SeenRollout> {
    const { status, cutOff } = await this.#calls.status<PackageRolloutStatus>(this.#open.workflowId);
    return cutOff ? { ...status, cutOff } : status;
  }

  /** The signal may have ended the rollout before the update came: then that is the answer. */
  async #alreadyStopped(error: unknown): Promise<PackageRolloutStatus> {
    if (!(error instanceof RejectedError) && !(error instanceof NotFoundError)) throw error;
    const status = await this.status();
    if (!STOPPED.includes(status.state)) throw error;
    return status;
  }

  #orStart({ chartVersion }: StartOptions = {}): Target {
    const { version } = this;
    const argument = chartVersion === undefined ? { version } : { version, chartVersion };
    return { ...this.#open, start: { type: 'PackageRollout', args: [argument], summary: `Package ${version}` } };
  }
}

export interface StartOptions extends CallOptions {
  /** Counts only where this call starts the rollout. */
  chartVersion?: string | undefined;
}
