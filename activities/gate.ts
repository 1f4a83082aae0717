import type { Activities, GateOrder } from '../src/contract/activities.js';
import { closedRunArgs } from '../src/contract/closed-run.js';
import type { CellVerdict } from '../src/contract/health.js';
import { CLUSTER_WORKFLOW_ID } from '../src/contract/ids.js';
import type { PackedTopology } from '../src/contract/internal.js';
import { bySignalsAlone, type Gate, gateOf, gatesBefore } from '../src/domain/health/gates.js';
import { judgeCell } from '../src/domain/health/index.js';
import { unpackTopology } from '../src/domain/snapshot.js';
import { ringOf, type Topology } from '../src/domain/topology/index.js';
import { type TemporalClient, tellPass, whileWanted } from './ask-temporal.js';
import { type HealthDependencies, pastProblem, unlessPastUnknown } from './health.js';
import { heartbeating } from './heartbeat.js';
import { createObserve, type Observe } from './observe.js';
import { jittered, pauseFor } from './patience.js';

export interface GateDependencies extends HealthDependencies {
  client: TemporalClient;
}

const NAMED_AT_MOST = 5;
const LOOK_AGAIN_MS = 10_000;
const NO_TOPOLOGY = 'the cluster does not say which cells there are';

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

/** `judgeRing`: one look at one ring. See `Activities`. */
export function createJudgeRing(dependencies: GateDependencies): Activities['judgeRing'] {
  return ({ ring }) =>
    heartbeating(
      () => undefined,
      async ({ signal }) => {
        const topology = await topologyInForce(dependencies.client, signal);
        const found = topology && ringOf(topology, ring);
        if (!topology || !found) return { healthy: null, sentence: NO_TOPOLOGY };
        const gate = gateOf(topology, found, Date.now());
        if (!gate) return { healthy: null, sentence: `nothing is measured in ring ${ring} that a verdict goes by` };
        const { problem, isKnown } = await new GateLook(dependencies, signal).at(gate);
        return { healthy: isKnown ? problem === null : null, sentence: problem ?? `ring ${ring} is healthy` };
      },
    );
}

class GateKeeper {
  intervalMs = LOOK_AGAIN_MS;
  private readonly gateLook: GateLook;
  private readonly client: GateDependencies['client'];
  private told: string | null = null;

  constructor(
    dependencies: GateDependencies,
    private readonly order: GateOrder,
    private readonly signal: AbortSignal,
  ) {
    this.gateLook = new GateLook(dependencies, signal);
    this.client = dependencies.client;
  }

  /** What speaks against the ring, or null. */
  async look(): Promise<string | null> {
    const topology = await topologyInForce(this.client, this.signal);
    if (topology === null) return NO_TOPOLOGY;
    for (const gate of gatesBefore(topology, this.order.ring, Date.now())) {
      this.intervalMs = gate.policy.intervalMs;
      const { problem } = await this.gateLook.at(gate);
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
}

interface GateWord {
  /** What speaks against the ring, or null. */
  problem: string | null;
  /** The verdict is about the cells: they could be measured. */
  isKnown: boolean;
}

class GateLook {
  private readonly observe: Observe | null;

  constructor(
    { prometheus, client: _, ...dependencies }: GateDependencies,
    private readonly signal: AbortSignal,
  ) {
    this.observe = prometheus ? createObserve({ ...dependencies, prometheus }) : null;
  }

  async at({ ring, cells, policy, bears }: Gate): Promise<GateWord> {
    const unmeasured = (why: string) => ({ problem: `nothing is known of ring ${ring}: ${why}`, isKnown: false });
    if (!this.observe) return unmeasured('PROMETHEUS_URL is not set');
    const unknown = { expected: null, begunAtMs: null, deployedAtMs: null, smokeTests: null, before: null };
    const asked = cells.map(({ id, tenant, url, labels }) => ({ id, tenant, url, labels, ...unknown }));
    const observed = await this.observe({ cells: asked, policy }, this.signal);
    if (observed.outcome === 'unavailable') return unmeasured(observed.reason);
    const verdicts = observed.observations.map((observation, i) => {
      const isOurs = cells[i]?.tenant !== null;
      const verdict = judgeCell(isOurs ? observation : bySignalsAlone(observation), policy);
      const ofCell = observed.problems.filter(({ cell }) => cell === verdict.cell);
      return unlessPastUnknown(verdict, pastProblem(ofCell, policy));
    });
    return wordOf(ring, verdicts, bears);
  }
}

async function topologyInForce(client: TemporalClient, signal: AbortSignal): Promise<Topology | null> {
  const ask = async () => {
    const run = await client.workflow.getHandle(CLUSTER_WORKFLOW_ID).describe();
    const cluster = client.workflow.getHandle(CLUSTER_WORKFLOW_ID, run.runId);
    return cluster.query<PackedTopology, string[]>('topology', ...closedRunArgs(run));
  };
  try {
    return unpackTopology(await whileWanted(client, signal, ask));
  } catch {
    signal.throwIfAborted();
    return null;
  }
}

function wordOf(ring: number, verdicts: readonly CellVerdict[], bears: number): GateWord {
  const unhealthy = verdicts.filter(({ verdict }) => verdict === 'unhealthy');
  const unknown = verdicts.filter(({ verdict }) => verdict === 'inconclusive');
  const isIll = unhealthy.length > bears;
  const [these, word] = isIll ? [unhealthy, 'unhealthy'] : [unknown, 'not known to be healthy'];
  const [first] = these;
  if (!first) return { problem: null, isKnown: true };
  const names = these.slice(0, NAMED_AT_MOST).map(({ cell }) => cell);
  const more = these.length > names.length ? ` and ${these.length - names.length} more` : '';
  return { problem: `ring ${ring} is ${word} (${names.join(', ')}${more}): ${first.sentence}`, isKnown: isIll };
}
