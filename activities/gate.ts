import type { Activities, GateOrder } from '../src/contract/activities.js';
import type { CellVerdict } from '../src/contract/health.js';
import { CLUSTER_WORKFLOW_ID } from '../src/contract/ids.js';
import type { PackedTopology } from '../src/contract/internal.js';
import { bySignalsAlone, type Gate, gatesBefore } from '../src/domain/health/gates.js';
import { judgeCell } from '../src/domain/health/index.js';
import { unpackTopology } from '../src/domain/snapshot.js';
import type { Topology } from '../src/domain/topology/index.js';
import { type TemporalClient, tellPass, whileWanted } from './ask-temporal.js';
import type { HealthDependencies } from './health.js';
import { heartbeating } from './heartbeat.js';
import { createObserve, type Observe } from './observe.js';
import { jittered, pauseFor } from './patience.js';

export interface GateDependencies extends HealthDependencies {
  client: TemporalClient;
}

const NAMED_AT_MOST = 5;
const LOOK_AGAIN_MS = 10_000;

/** `awaitHealthyRings`: until a ring and all before it are healthy. See `Activities`. */
export function createAwaitHealthyRings(dependencies: GateDependencies): Activities['awaitHealthyRings'] {
  return (order) =>
    heartbeating(
      () => undefined,
      async ({ signal }) => {
        const keeper = new GateKeeper(dependencies, order, signal);
        for (;;) {
          const problem = await keeper.look();
          if (problem === null || order.once) return problem;
          await keeper.tell(problem);
          await pauseFor(jittered(keeper.intervalMs), signal);
        }
      },
    );
}

class GateKeeper {
  intervalMs = LOOK_AGAIN_MS;
  private readonly observe: Observe | null;
  private readonly client: GateDependencies['client'];
  private told: string | null = null;

  constructor(
    { prometheus, client, ...dependencies }: GateDependencies,
    private readonly order: GateOrder,
    private readonly signal: AbortSignal,
  ) {
    this.observe = prometheus ? createObserve({ ...dependencies, prometheus }) : null;
    this.client = client;
  }

  /** What speaks against the ring, or null. */
  async look(): Promise<string | null> {
    const topology = await this.topology();
    if (topology === null) return 'the cluster does not say which cells there are';
    for (const gate of gatesBefore(topology, this.order.ring, Date.now())) {
      this.intervalMs = gate.policy.intervalMs;
      const problem = await this.lookAt(gate);
      if (problem !== null) return problem;
    }
    return null;
  }

  /** Tells the pass why it waits, where that is another reason than before. */
  async tell(detail: string): Promise<void> {
    if (detail === this.told) return;
    await tellPass(this.client, this.order, 'ringGate', { detail }, this.signal);
    this.told = detail;
  }

  private async topology(): Promise<Topology | null> {
    const cluster = this.client.workflow.getHandle(CLUSTER_WORKFLOW_ID);
    try {
      const asked = () => cluster.query<PackedTopology>('topology');
      return unpackTopology(await whileWanted(this.client, this.signal, asked));
    } catch {
      this.signal.throwIfAborted();
      return null;
    }
  }

  private async lookAt({ ring, cells, policy, bears }: Gate): Promise<string | null> {
    if (!this.observe) return `nothing is known of ring ${ring}: PROMETHEUS_URL is not set`;
    const unknown = { expected: null, begunAtMs: null, deployedAtMs: null, smokeTests: null, before: null };
    const asked = cells.map(({ id, tenant, url, labels }) => ({ id, tenant, url, labels, ...unknown }));
    const observed = await this.observe({ cells: asked, policy }, this.signal);
    if (observed.outcome === 'unavailable') return `nothing is known of ring ${ring}: ${observed.reason}`;
    const verdicts = observed.observations.map((observation, i) => {
      const isOurs = cells[i]?.tenant !== null;
      return judgeCell(isOurs ? observation : bySignalsAlone(observation), policy);
    });
    return problemOf(ring, verdicts, bears);
  }
}

function problemOf(ring: number, verdicts: readonly CellVerdict[], bears: number): string | null {
  const unhealthy = verdicts.filter(({ verdict }) => verdict === 'unhealthy');
  const unknown = verdicts.filter(({ verdict }) => verdict === 'inconclusive');
  const [these, word] = unhealthy.length > bears ? [unhealthy, 'unhealthy'] : [unknown, 'not known to be healthy'];
  const [first] = these;
  if (!first) return null;
  const names = these.slice(0, NAMED_AT_MOST).map(({ cell }) => cell);
  const more = these.length > names.length ? ` and ${these.length - names.length} more` : '';
  return `ring ${ring} is ${word} (${names.join(', ')}${more}): ${first.sentence}`;
}
