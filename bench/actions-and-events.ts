import { CLUSTER_WORKFLOW_ID, LEDGER_WORKFLOW_ID, packageRolloutId, type WorkflowType } from '../src/contract/ids.js';
import { type Actions, actionsIn, actionsOf, addActions, allActions, noActions } from './support/actions.js';
import { type Bench, type BenchOptions, round } from './support/bench.js';
import { chainOf, eventsOf, type History, type HistoryEvent, historyOf, kindsOf, timeOf } from './support/histories.js';
import { type Deployment, rollUntilConverged } from './support/roll.js';
import { onStage, type Stage } from './support/stage.js';
import { oneRing, packageNumber } from './support/topology.js';

const WINDOW = 50;
const INSTANT_CELLS = 400;
const LONG_CELLS = 100;

/**
 * What a cell's deployment costs in Temporal's two currencies, read from the histories: actions of all workflows that
 * had a part in it, and events of the pass over its ring. Heartbeats and PDM aside.
 */
export const actionsAndEvents: Bench = {
  name: 'actions-and-events',
  about: 'actions a cell, and events a cell in its ring’s history, with instant and with long jobs',
  byDefault: true,
  async run(options) {
    const instant = await costOf({ ...options, jobs: '0', spread: 0, cells: options.cells ?? INSTANT_CELLS });
    const long = await costOf({ ...options, jobs: '3s', spread: 0.5, cells: options.cells ?? LONG_CELLS });
    return {
      parameters: { window: WINDOW, instant: instant.parameters, long: long.parameters },
      measured: {
        actionsPerCell: instant.actionsPerCell,
        actionsPerCellWithLongJobs: long.actionsPerCell,
        ringEventsPerCell: instant.ringEventsPerCell,
        ringEventsPerCellWithLongJobs: long.ringEventsPerCell,
        instant: instant.details,
        long: long.details,
      },
      targets: {
        actionsPerCell: { atMost: 5 },
        actionsPerCellWithLongJobs: { atMost: 5 },
        ringEventsPerCell: { atMost: 4 },
        ringEventsPerCellWithLongJobs: { atMost: 9 },
      },
    };
  },
};

interface CostOptions extends BenchOptions {
  cells: number;
  jobs: string;
  spread: number;
}

interface Cost {
  parameters: Record<string, unknown>;
  actionsPerCell: number;
  ringEventsPerCell: number;
  details: Record<string, unknown>;
}

async function costOf({ cells, jobs, spread, say }: CostOptions): Promise<Cost> {
  const topology = oneRing(cells, { maxParallel: WINDOW, postDeployMigrations: 'separate' });
  return await onStage({ topology, jobs, spread, say }, async (stage) => {
    const version = packageNumber(1);
    const deployment = await rollUntilConverged(stage, version);
    const counted = await countActions(stage, version, deployment);
    const pass = deployment.pass.flatMap((history) => eventsUntil(history, deployment.convergedMs));
    const actionsPerCell = round(allActions(counted.all) / cells, 3);
    const ringEventsPerCell = round(pass.length / cells, 3);
    say(`actions-and-events, jobs of ${jobs}: ${actionsPerCell} actions, ${ringEventsPerCell} ring events a cell`);
    const { all, ...byWorkflow } = counted;
    const details = { actions: all, byWorkflow, ringEvents: kindsOf(pass) };
    return { parameters: { cells, jobs, spread }, actionsPerCell, ringEventsPerCell, details };
  });
}

/** By the workflows that have a part in every rollout. */
type Counted = Record<'all' | Exclude<WorkflowType, 'PackageRollback' | 'LedgerBatch' | 'LedgerRead'>, Actions>;

/** Actions from the graduation until the ring has converged, in all and by the workflow in whose history they stand. */
async function countActions({ client }: Stage, version: string, deployment: Deployment): Promise<Counted> {
  const { graduatedMs, convergedMs, pass, cellRuns } = deployment;
  const within = (histories: History[]) =>
    actionsIn(histories.flatMap((h) => eventsUntil(h, convergedMs)).filter((event) => timeOf(event) >= graduatedMs));
  const cells = noActions();
  for (const { workflowId, runId } of cellRuns) {
    addActions(cells, actionsOf(await historyOf(client, workflowId, runId)));
  }
  const byWorkflow = {
    CellRollout: cells,
    RingRollout: within(pass),
    PackageRollout: within(await chainOf(client, packageRolloutId(version))),
    CellCluster: within(await chainOf(client, CLUSTER_WORKFLOW_ID)),
    Ledger: within(await chainOf(client, LEDGER_WORKFLOW_ID)),
  };
  const all = noActions();
  for (const actions of Object.values(byWorkflow)) addActions(all, actions);
  return { all, ...byWorkflow };
}

const eventsUntil = (history: History, untilMs: number): HistoryEvent[] =>
  eventsOf(history).filter((event) => timeOf(event) <= untilMs);
