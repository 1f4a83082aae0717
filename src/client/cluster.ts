import { CLUSTER_WORKFLOW_ID } from '../contract/ids.js';
import type { PackedTopology } from '../contract/internal.js';
import type { ApplyTopology, EngageClusterBrake, Reconcile, ReleaseBrake } from '../contract/messages.js';
import type { ApplyTopologyResult, BrakeResult, ClusterStatus } from '../contract/status.js';
import type { Topology } from '../domain/topology/index.js';
import { engageSurely } from './brake.js';
import type { CallOptions, Calls, Target } from './calls.js';
import { NotFoundError } from './errors.js';
import { packTopology, unpackTopology } from './pack.js';

const HERE: Target = { workflowId: CLUSTER_WORKFLOW_ID };

/** What can be asked of the one `CellCluster` of a namespace. Everything throws a `ClientError`. */
export class ClusterClient {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** Applies a topology, and starts the cluster where there is none yet. A large one travels compressed. */
  applyTopology(
    { topology, ...rest }: Omit<ApplyTopology, 'gzip'>,
    options?: CallOptions,
  ): Promise<ApplyTopologyResult> {
    const start = { type: 'CellCluster' as const, args: [], summary: 'All rings and cells of the cluster' };
    const payload = { ...packTopology(topology), ...rest };
    return this.#calls.request({ ...HERE, start }, 'applyTopology', payload, options);
  }

  /** Stops rings; resolves once it is known to hold. */
  engageBrake(payload: EngageClusterBrake, options?: CallOptions): Promise<BrakeResult> {
    return engageSurely(this.#calls, HERE, payload, options);
  }

  releaseBrake(payload: ReleaseBrake, options?: CallOptions): Promise<ClusterStatus> {
    return this.#calls.request(HERE, 'releaseBrake', payload, options);
  }

  /** Has the cluster look at what really runs, and converge what differs. */
  reconcile(payload: Reconcile, options?: CallOptions): Promise<ClusterStatus> {
    return this.#calls.request(HERE, 'reconcile', payload, options);
  }

  status(): Promise<ClusterStatus> {
    return this.#inForce('status');
  }

  /** The topology in force; null where none was applied yet. */
  async topology(): Promise<Topology | null> {
    return unpackTopology(await this.#inForce<PackedTopology>('topology'));
  }

  /** What a cluster showed that was terminated is in force no more: `NotFoundError`. */
  async #inForce<T>(query: string): Promise<T> {
    const { status, cutOff } = await this.#calls.status<T>(CLUSTER_WORKFLOW_ID, query);
    if (cutOff) throw new NotFoundError(CLUSTER_WORKFLOW_ID, true);
    return status;
  }
}
