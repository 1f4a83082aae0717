import type { Client } from '@temporalio/client';
import { CLUSTER_WORKFLOW_ID } from '../../src/contract/ids.js';
import type { SimulatedTime } from './time.js';

/** One run of the cluster, from one continue-as-new to the next. */
export interface ClusterRun {
  /** Days since the year began, when the run did. */
  day: number;
  events: number;
  historyBytes: number;
  /** What it was given by the run before it, the topology apart; null: the first one. */
  stateBytes: number | null;
  topologyBytes: number | null;
  /** Bytes of each field of the state. */
  byField: Record<string, number>;
}

/** All runs of the cluster, the oldest first. */
export async function clusterRuns(client: Client, time: SimulatedTime): Promise<ClusterRun[]> {
  const runs: ClusterRun[] = [];
  for await (const run of client.workflow.list({ query: `WorkflowId = '${CLUSTER_WORKFLOW_ID}'` })) {
    const info = run.raw;
    const execution = { workflowId: run.workflowId, runId: run.runId };
    const { history } = await client.workflowService.getWorkflowExecutionHistory({
      namespace: client.options.namespace,
      execution,
      maximumPageSize: 1,
    });
    const described = await client.workflow.getHandle(run.workflowId, run.runId).describe();
    const data = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0]?.data;
    runs.push({
      day: time.dayOf(run.startTime.getTime()),
      events: Number(described.historyLength || info.historyLength || 0),
      historyBytes: described.historySize ?? 0,
      ...stateOf(data),
    });
  }
  return runs.sort((a, b) => a.day - b.day);
}

function stateOf(data: Uint8Array | null | undefined): Pick<ClusterRun, 'stateBytes' | 'topologyBytes' | 'byField'> {
  const { state } = data ? (JSON.parse(new TextDecoder().decode(data)) as { state?: Record<string, unknown> }) : {};
  if (!data || !state) return { stateBytes: null, topologyBytes: null, byField: {} };
  const byField = Object.fromEntries(
    Object.entries(state).map(([name, value]) => [name, Buffer.byteLength(JSON.stringify(value) ?? '')]),
  );
  const topologyBytes = byField.topology ?? 0;
  return { stateBytes: data.length - topologyBytes, topologyBytes, byField };
}
