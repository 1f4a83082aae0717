import type { Client } from '@temporalio/client';
import { closedRunArgs } from '../src/contract/closed-run.js';
import { CLUSTER_WORKFLOW_ID } from '../src/contract/ids.js';
import type { PackedTopology } from '../src/contract/internal.js';
import type { BlockedVersion, ClusterStatus } from '../src/contract/status.js';
import { unpack } from '../src/domain/snapshot.js';
import type { Topology } from '../src/domain/topology/index.js';

/** What the cell cluster knows last, for who has to go on without its answer. */
export interface LastKnown {
  topology: Topology;
  revision: number;
  blocked: BlockedVersion[];
  quarantined: ClusterStatus['quarantined'];
}

const QUERY_MS = 10_000;

/**
 * Asks the newest run of the cell cluster, whether or not it is open: of one that was terminated a worker still knows the
 * state from its history. Throws where nobody answers, or where it has no topology.
 */
export async function lastKnown(
  client: Pick<Client, 'workflow' | 'withAbortSignal'>,
  signal: AbortSignal,
): Promise<LastKnown> {
  const stop = AbortSignal.any([signal, AbortSignal.timeout(QUERY_MS)]);
  const [{ gzip, revision }, { blocked, quarantined }] = await client.withAbortSignal(stop, async () => {
    const run = await client.workflow.getHandle(CLUSTER_WORKFLOW_ID).describe();
    const args = closedRunArgs(run);
    const cluster = client.workflow.getHandle(CLUSTER_WORKFLOW_ID, run.runId);
    return Promise.all([
      cluster.query<PackedTopology, string[]>('topology', ...args),
      cluster.query<ClusterStatus, string[]>('status', ...args),
    ]);
  });
  if (gzip === null) throw new Error('the cell cluster has no topology yet');
  return { topology: unpack(gzip) as Topology, revision, blocked, quarantined };
}
