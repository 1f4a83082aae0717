import { CLUSTER_WORKFLOW_ID } from '../src/contract/ids.js';
import type { Topology } from '../src/domain/topology/index.js';
import { withSimulatorUrls } from '../src/simulator/topology-urls.js';
import { type Bench, median, round } from './support/bench.js';
import { about, historyOf } from './support/histories.js';
import { onStage, type Stage } from './support/stage.js';

const APPLIES = 5;
const QUERIES = 50;
/** Beyond what a run of the cluster holds before it continues as new. */
const MOST_ACTS = 2_000;

/**
 * A cluster of 10,000 cells that are fine: how long it takes to change its topology and to ask how it stands, and how
 * much of it travels into the next run.
 */
export const cluster10000: Bench = {
  name: 'cluster-10000',
  about: 'a cluster of 10,000 cells: its topology applied, its status asked, its state carried over',
  byDefault: false,
  async run({ cells = 10_000, say }) {
    const topology = clusterOf(cells);
    return await onStage({ topology, jobs: '0', say }, async (stage) => {
      const appliedMs: number[] = [];
      for (let i = 1; i <= APPLIES; i += 1) appliedMs.push(await apply(stage, changed(topology, i)));
      say(`cluster-10000: applied ${APPLIES} times: ${appliedMs.map((ms) => round(ms, 0)).join(', ')} ms`);
      const status = await askAgainAndAgain(stage);
      say(`cluster-10000: status asked ${QUERIES} times`);
      const carried = await carriedOver(stage);
      return {
        parameters: { cells, rings: topology.rings.length, applies: APPLIES, queries: QUERIES },
        measured: {
          applySeconds: round(median(appliedMs) / 1000, 3),
          slowestApplySeconds: round(Math.max(...appliedMs) / 1000, 3),
          statusMs: round(median(status), 1),
          slowestStatusMs: round(Math.max(...status), 1),
          ...carried,
        },
        targets: {
          applySeconds: { atMost: 5 },
          statusMs: { atMost: 200 },
          stateBytes: { atMost: 256 * 1024 },
          topologyBytes: { atMost: 512 * 1024 },
        },
      };
    });
  },
};

/** Rings as a growing cluster has them: each some times larger than the one before. */
function clusterOf(cells: number): Topology {
  const sizes = [0.01, 0.04, 0.2, 0.75].map((share) => Math.round(share * cells));
  let named = 0;
  const cellsOf = (size: number) =>
    Array.from({ length: size }, () => {
      named += 1;
      const region = REGIONS[named % REGIONS.length] ?? 'us-east1';
      const tenant = `c01${named.toString(36).padStart(15, '0')}`;
      return { id: `cell-${named}`, tenant, url: `https://cell-${named}.cells.example`, labels: { region } };
    });
  return {
    cluster: 'bench',
    perimeter: 1,
    policy: { bakeTime: '1h', gracePeriod: '30m' },
    rings: [
      { ring: 1, name: 'main-stage', deployedBy: 'external', cells: [{ id: 'legacy', observe: true }] },
      ...sizes.map((size, i) => ({ ring: i + 2, name: `ring-${i + 2}`, cells: cellsOf(size) })),
    ],
  };
}

const REGIONS = ['us-east1', 'us-west1', 'europe-west1', 'europe-west4', 'asia-northeast1'];

/** Another policy, and some cells that joined. */
function changed(topology: Topology, n: number): Topology {
  const rings = topology.rings.map((ring, i) => {
    if (i !== 1) return ring;
    const joined = { id: `joined-${n}`, tenant: `c01joined${n}`, url: `https://joined-${n}.cells.example` };
    return { ...ring, cells: [...ring.cells, joined] };
  });
  return { ...topology, policy: { ...topology.policy, bakeTime: `${60 + n}m` }, rings };
}

async function apply({ cells, ampUrl }: Stage, topology: Topology): Promise<number> {
  const began = performance.now();
  const applied = withSimulatorUrls(topology, ampUrl);
  await cells.cluster().applyTopology({ topology: applied, by: 'bench', allowRemoval: true });
  return performance.now() - began;
}

async function askAgainAndAgain({ cells }: Stage): Promise<number[]> {
  const took: number[] = [];
  for (let i = 0; i < QUERIES; i += 1) {
    const began = performance.now();
    await cells.cluster().status();
    took.push(performance.now() - began);
  }
  return took;
}

/** Acts until the cluster continues as new, and weighs what it takes along. */
async function carriedOver({ client, cells }: Stage): Promise<{ stateBytes: number; topologyBytes: number }> {
  const runNow = async () => (await client.workflow.getHandle(CLUSTER_WORKFLOW_ID).describe()).runId;
  const before = await runNow();
  for (let i = 0; i < MOST_ACTS && (i % 20 !== 0 || (await runNow()) === before); i += 1) {
    await cells.cluster().engageBrake({ by: 'bench', reason: 'how large the state grows', brakeId: `b-${i}` });
    await cells.cluster().releaseBrake({ by: 'bench', reason: 'and back', brakeId: `b-${i}` });
  }
  const [started] = about(await historyOf(client, CLUSTER_WORKFLOW_ID), 'workflowExecutionStartedEventAttributes');
  const data = started?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0]?.data;
  if (!data || (await runNow()) === before) throw new Error('the cluster has not continued as new');
  const { state } = JSON.parse(new TextDecoder().decode(data)) as { state: { topology: string } };
  return { stateBytes: data.length - state.topology.length, topologyBytes: state.topology.length };
}
