import { packageRolloutId, ringRolloutId } from '../../src/contract/ids.js';
import type { PackageRolloutStatus, RolloutRing } from '../../src/contract/status.js';
import { about, chainOf, type History, type HistoryEvent, timeOf } from './histories.js';
import type { Stage } from './stage.js';
import { RING } from './topology.js';

/** One package's way to a converged ring. Times are epoch ms. */
export interface Deployment {
  graduatedMs: number;
  convergedMs: number;
  /** When each cell's run was asked for, oldest first; PDM comes after the cells. */
  startsMs: number[];
  /** All runs of the pass, oldest first. */
  pass: History[];
  /** The runs of the cells, as the pass started them, without PDM. */
  cellRuns: { workflowId: string; runId: string }[];
}

/** Lets a package go through the ring and waits for all of it, PDM included. Asks nobody meanwhile. */
export async function rollToTheEnd(stage: Stage, version: string): Promise<Deployment> {
  const graduatedMs = await graduate(stage, version);
  const end = (await stage.client.workflow.getHandle(packageRolloutId(version)).result()) as PackageRolloutStatus;
  return await deploymentOf(stage, end, graduatedMs);
}

export interface Watching {
  everyMs: number;
  seen?: (ring: RolloutRing) => void;
}

/** Lets a package go through the ring and waits until the ring has converged; PDM may go on. */
export async function rollUntilConverged(stage: Stage, version: string): Promise<Deployment> {
  const graduatedMs = await graduate(stage, version);
  const status = await watch(stage, version, { everyMs: 1_000 }, (s) => Boolean(ringOf(s)?.convergedAt));
  return await deploymentOf(stage, status, graduatedMs);
}

/** Follows a package until it is as wanted. Throws where it halts or ends otherwise. */
export async function watch(
  stage: Stage,
  version: string,
  { everyMs, seen }: Watching,
  until: (status: PackageRolloutStatus) => boolean,
): Promise<PackageRolloutStatus> {
  for (;;) {
    const status = await stage.cells.rollout(version).status();
    const ring = ringOf(status);
    if (ring) seen?.(ring);
    if (until(status)) return status;
    if (status.finishedAt !== null || status.state === 'halted') throw notConverged(status);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

export async function graduate(stage: Stage, version: string): Promise<number> {
  const graduatedMs = Date.now();
  await stage.cells.rollout(version).graduate({ by: 'bench' });
  return graduatedMs;
}

async function deploymentOf(stage: Stage, status: PackageRolloutStatus, graduatedMs: number): Promise<Deployment> {
  const ring = ringOf(status);
  if (!ring?.convergedAt || ring.exceptionsTotal > 0) throw notConverged(status);
  const pass = await chainOf(stage.client, ringRolloutId(RING));
  const all = (what: Parameters<typeof about>[1]): HistoryEvent[] => pass.flatMap((history) => about(history, what));
  const startsMs = all('startChildWorkflowExecutionInitiatedEventAttributes').map(timeOf);
  const started = all('childWorkflowExecutionStartedEventAttributes').slice(0, ring.total);
  const cellRuns = started.flatMap((event) => {
    const run = event.childWorkflowExecutionStartedEventAttributes?.workflowExecution;
    return run?.workflowId && run.runId ? [{ workflowId: run.workflowId, runId: run.runId }] : [];
  });
  return { graduatedMs, convergedMs: Date.parse(ring.convergedAt), startsMs, pass, cellRuns };
}

const ringOf = (status: PackageRolloutStatus): RolloutRing | undefined => status.rings.find((r) => r.ring === RING);

const notConverged = (status: PackageRolloutStatus): Error =>
  new Error(`the ring did not converge: ${JSON.stringify(status, null, 2)}`);
