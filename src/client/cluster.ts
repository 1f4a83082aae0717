import { CLUSTER_WORKFLOW_ID } from '../contract/ids.js';
import type { PackedTopology } from '../contract/internal.js';
import type {
  ApplyTopology,
  AskForecast,
  BlockVersion,
  EngageClusterBrake,
  IsEverywhere,
  QuarantineCell,
  ReadmitCell,
  Reconcile,
  ReleaseBrake,
  ResumeAutoDeploy,
  UnblockVersion,
} from '../contract/messages.js';
import type { Problem } from '../contract/problem.js';
import type {
  ApplyTopologyResult,
  BlockResult,
  BrakeResult,
  ClusterStatus,
  Everywhere,
  Forecast,
  JudgedTopology,
} from '../contract/status.js';
import { unpackTopology } from '../domain/snapshot.js';
import type { Topology } from '../domain/topology/index.js';
import { afterSignal, engageSurely } from './brake.js';
import type { CallOptions, Calls, Target } from './calls.js';
import { NotFoundError } from './errors.js';
import { packTopology } from './pack.js';

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

  /** Takes a cell out of all automation: first as a signal, which Temporal keeps even when no worker is up. */
  async quarantineCell(payload: QuarantineCell, options?: CallOptions): Promise<ClusterStatus> {
    await this.#calls.signal(HERE.workflowId, 'quarantineCell', payload);
    const update = () => this.#calls.request<ClusterStatus>(HERE, 'quarantineCell', payload, options);
    return await afterSignal(`the quarantine of ${payload.cell}`, update);
  }

  readmitCell(payload: ReadmitCell, options?: CallOptions): Promise<ClusterStatus> {
    return this.#calls.request(HERE, 'readmitCell', payload, options);
  }

  /** Lets auto-deploy run although the drift is beyond its limit. */
  resumeAutoDeploy(payload: ResumeAutoDeploy, options?: CallOptions): Promise<ClusterStatus> {
    return this.#calls.request(HERE, 'resumeAutoDeploy', payload, options);
  }

  /** Lets these packages into no further cell; resolves once that is known to hold. */
  async blockVersion(payload: BlockVersion, options?: CallOptions): Promise<BlockResult> {
    await this.#calls.signal(HERE.workflowId, 'blockVersion', payload);
    const block = () => this.#calls.request<BlockResult>(HERE, 'blockVersion', payload, options);
    return afterSignal(`the block of ${payload.version}`, block);
  }

  unblockVersion(payload: UnblockVersion, options?: CallOptions): Promise<ClusterStatus> {
    return this.#calls.request(HERE, 'unblockVersion', payload, options);
  }

  /** Whether a package, or a newer one, is on every cell of some rings; without `rings` of all that we deploy. */
  isEverywhere(ask: IsEverywhere): Promise<Everywhere> {
    return this.#inForce('isEverywhere', ask);
  }

  /** Why a topology would be refused as it is; changes nothing. */
  async judgeTopology({ topology, ...rest }: Omit<ApplyTopology, 'gzip'>): Promise<Problem[]> {
    const ask = { ...packTopology(topology), ...rest };
    const { problems } = await this.#inForce<JudgedTopology>('judgeTopology', ask);
    return problems;
  }

  /** When each outer ring should converge on a package that is on its way; `planned`: as if it graduated now. */
  forecast(ask: AskForecast): Promise<Forecast> {
    return this.#inForce('forecast', ask);
  }

  status(): Promise<ClusterStatus> {
    return this.#inForce('status');
  }

  /** The topology in force; null where none was applied yet. */
  async topology(): Promise<Topology | null> {
    return unpackTopology(await this.#inForce<PackedTopology>('topology'));
  }

  /** Temporal asks a cluster that was terminated, too: what that says is in force no more, `NotFoundError`. */
  async #inForce<T>(query: string, ask?: object): Promise<T> {
    const { answer, cutOff } = await this.#calls.query<T>(CLUSTER_WORKFLOW_ID, query, ask);
    if (cutOff) throw new NotFoundError(CLUSTER_WORKFLOW_ID, true);
    return answer;
  }
}
