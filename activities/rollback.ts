import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { ApplicationFailure, WorkflowNotFoundError } from '@temporalio/common';
import type { Activities, RingReturn, SurveyOrder } from '../src/contract/activities.js';
import { FAILURE } from '../src/contract/failures.js';
import { ringRolloutId } from '../src/contract/ids.js';
import { CELLS_STATE } from '../src/contract/search-attributes.js';
import { brakeOfBlock } from '../src/domain/cluster/blocks.js';
import { cellsToReturn, entryOf } from '../src/domain/cluster/entry.js';
import { concerns, planRing, unknownTo } from '../src/domain/rollback/plan.js';
import { type Ring, resolvePolicy, ringOf } from '../src/domain/topology/index.js';
import { type LastKnown, lastKnown } from './cluster-state.js';
import { heartbeating } from './heartbeat.js';
import { type LookDependencies, lookAtAll } from './look.js';

export interface RollbackDependencies extends LookDependencies {
  client: Pick<Client, 'workflow' | 'withAbortSignal'>;
}

/** `surveyPackage`: what taking a package back comes to, ring by ring. See `Activities`. */
export function createSurveyPackage(dependencies: RollbackDependencies): Activities['surveyPackage'] {
  return (order) =>
    heartbeating(
      () => undefined,
      async ({ signal }) => {
        const known = await whatIsKnown(dependencies.client, signal);
        const rings: RingReturn[] = [];
        const asked = known.topology.rings.filter(({ ring }) => order.ring === null || ring === order.ring);
        for (const ring of asked) rings.push(await survey(dependencies, { order, known, ring, signal }));
        const unknownCells = unknownTo(asked, order.allowDowntime);
        return { rings: rings.filter(concerns), ...(unknownCells === null ? {} : { unknownCells }) };
      },
    );
}

/** A query may be lost for a moment; what stays so is told. */
const ASKED_IN_VAIN = 5;

async function whatIsKnown(client: RollbackDependencies['client'], signal: AbortSignal): Promise<LastKnown> {
  try {
    return await lastKnown(client, signal);
  } catch (error) {
    if (signal.aborted || Context.current().info.attempt < ASKED_IN_VAIN) throw error;
    const message = `the cell cluster does not say which cells there are: ${(error as Error).message}`;
    throw ApplicationFailure.create({ type: FAILURE.clusterUnknown, message, nonRetryable: true });
  }
}

interface OneRing {
  order: SurveyOrder;
  known: LastKnown;
  ring: Ring;
  signal: AbortSignal;
}

async function survey(
  dependencies: RollbackDependencies,
  { order, known, ring, signal }: OneRing,
): Promise<RingReturn> {
  const { topology, blocked, quarantined } = known;
  const { downtimeRollback } = resolvePolicy(topology, ring.ring, null, Date.now());
  const { cells } = cellsToReturn(ring, quarantined, Date.now());
  const asked = { cluster: topology.cluster, ring: ring.ring, cells, version: order.version, chartVersion: null };
  const looks = await lookAtAll(dependencies, { ...asked, askReadiness: false, askOnlyAmp: true }, signal);
  const facts = { ring: ring.ring, name: ring.name, downtimeAllowed: downtimeRollback === 'allowed' };
  return planRing(facts, looks, order, blocked);
}

/** `readEntry`: what a pass works on where no cluster says so. See `Activities`. */
export function createReadEntry({ client }: Pick<RollbackDependencies, 'client'>): Activities['readEntry'] {
  return ({ ring }) =>
    heartbeating(
      () => undefined,
      async ({ signal }) => {
        const { topology, revision, blocked, quarantined } = await whatIsKnown(client, signal);
        const found = ringOf(topology, ring);
        if (!found) return null;
        return {
          ...entryOf(topology, found, quarantined, Date.now()),
          cluster: topology.cluster,
          topologyRevision: revision,
          brakes: blocked.map(brakeOfBlock),
          brakesNumber: { epoch: '', seq: 0 },
          refused: null,
        };
      },
    );
}

/** `describePass`: who has the workflow id of the pass over a ring. See `Activities`. */
export function createDescribePass({ client }: Pick<RollbackDependencies, 'client'>): Activities['describePass'] {
  return async ({ ring }) => {
    try {
      const run = await client.workflow.getHandle(ringRolloutId(ring)).describe();
      if (run.status.name !== 'RUNNING') return null;
      const pass = run.raw.workflowExecutionInfo?.firstRunId || run.runId;
      return { pass, state: run.typedSearchAttributes.get(CELLS_STATE) ?? '' };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return null;
      throw error;
    }
  };
}
