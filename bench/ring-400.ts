import { runBareLoop } from './bare/loop.js';
import { type Bench, median, round } from './support/bench.js';
import { type CpuMs, cpuBetween, cpuOf } from './support/cpu.js';
import { about, historyOf } from './support/histories.js';
import { type Deployment, rollToTheEnd } from './support/roll.js';
import { onStage, type Stage } from './support/stage.js';
import { oneRing, packageNumber } from './support/topology.js';

const WINDOW = 50;

/**
 * Cells a second through one ring with instant jobs, against a bare loop that only starts as many children with as many
 * empty activities, on the same server with the same kind of worker, turn by turn; who begins a pair alternates, so that
 * neither always meets the smaller database. The first cell, which runs alone, is in our time; PDM, after it, is not.
 */
export const ring400: Bench = {
  name: 'ring-400',
  about: 'cells a second through a ring of 400 with instant jobs, against a bare loop on the same server',
  byDefault: true,
  async run({ pairs, cells = 400, say }) {
    const topology = oneRing(cells, { maxParallel: WINDOW, postDeployMigrations: 'separate' });
    return await onStage({ topology, jobs: '0', bare: true, say }, async (stage) => {
      const activities = await warmUp(stage, cells);
      const rounds: Round[] = [];
      for (let pair = 1; pair <= pairs; pair += 1) {
        const both = await inTurn(pair, {
          bare: () => bare(stage, pair, cells, activities),
          ours: () => ours(stage, pair, cells),
        });
        rounds.push(both);
        say(`ring-400, pair ${pair} of ${pairs}: ${describe(both)}`);
      }
      const ratios = rounds.map(ratioOf);
      return {
        parameters: { cells, window: WINDOW, pairs, activitiesPerCell: activities },
        measured: {
          ratio: round(median(ratios), 3),
          ratios: ratios.map((ratio) => round(ratio, 3)),
          cellsPerSecond: median(rounds.map((r) => r.ours.cellsPerSecond)),
          bareCellsPerSecond: median(rounds.map((r) => r.bare.cellsPerSecond)),
          rounds,
        },
        targets: { ratio: { atLeast: 0.8 } },
      };
    });
  },
};

interface Speed {
  cellsPerSecond: number;
  seconds: number;
  /** CPU time of each process a child: of ours that is a deployment or a PDM, which are not told apart. */
  cpuMsPerChild: CpuMs;
}

interface Round {
  bare: Speed;
  ours: Speed & { firstCellSeconds: number };
}

/** Odd pairs begin with the bare loop, even ones with ours. */
async function inTurn(pair: number, sides: { [S in keyof Round]: () => Promise<Round[S]> }): Promise<Round> {
  if (pair % 2 === 1) {
    const bare = await sides.bare();
    return { bare, ours: await sides.ours() };
  }
  const ours = await sides.ours();
  return { bare: await sides.bare(), ours };
}

/**
 * Both sides once, uncounted: compilers, caches and files are cold before. Answers how many activities a cell's run takes
 * where all goes well, from a real history: the bare loop gets as many.
 */
async function warmUp(stage: Stage, cells: number): Promise<number> {
  const { cellRuns } = await rollToTheEnd(stage, packageNumber(0));
  const [first] = cellRuns;
  if (!first) throw new Error('the pass started no cell');
  const history = await historyOf(stage.client, first.workflowId, first.runId);
  const activities = about(history, 'activityTaskScheduledEventAttributes').length;
  await runBareLoop(stage, { cells, window: WINDOW, activities, round: 0 });
  return activities;
}

async function bare(stage: Stage, pair: number, cells: number, activities: number): Promise<Speed> {
  const before = cpuOf(stage.processes);
  const ms = await runBareLoop(stage, { cells, window: WINDOW, activities, round: pair });
  return speed(ms, cells, cells, cpuBetween(before, cpuOf(stage.processes)));
}

async function ours(stage: Stage, pair: number, cells: number): Promise<Round['ours']> {
  const before = cpuOf(stage.processes);
  const deployment = await rollToTheEnd(stage, packageNumber(pair));
  const cpu = cpuBetween(before, cpuOf(stage.processes));
  const [first = 0, second = first] = deployment.startsMs;
  const firstCellSeconds = round((second - first) / 1000, 2);
  return { ...speed(deploymentMs(deployment), cells, deployment.startsMs.length, cpu), firstCellSeconds };
}

const deploymentMs = ({ startsMs, convergedMs }: Deployment): number => convergedMs - Math.min(...startsMs);

function speed(ms: number, cells: number, children: number, cpu: CpuMs): Speed {
  const cpuMsPerChild = Object.fromEntries(
    Object.entries(cpu).map(([name, used]) => [name, round(used / children, 2)]),
  );
  return { cellsPerSecond: round((cells * 1000) / ms, 1), seconds: round(ms / 1000, 2), cpuMsPerChild };
}

const ratioOf = ({ bare, ours }: Round): number => bare.seconds / ours.seconds;

const describe = (r: Round): string =>
  `bare ${r.bare.cellsPerSecond}/s, ours ${r.ours.cellsPerSecond}/s, ratio ${round(ratioOf(r), 3)}`;
