import type { RolloutRing } from '../src/contract/status.js';
import { type Bench, round } from './support/bench.js';
import { bytesOf, eventsOf, historyOf, largestPayload, type Run, runsOf } from './support/histories.js';
import { graduate, watch } from './support/roll.js';
import { onStage, type Stage } from './support/stage.js';
import { oneRing, packageNumber, RING } from './support/topology.js';

const WINDOW = 50;
const WATCH_EVERY_MS = 15_000;
const CELL_RUNS_LOOKED_AT = 200;

/** One ring of 10,000 cells, to the end of its PDM: it ends, and nothing of it grows beyond what Temporal bears. */
export const ring10000: Bench = {
  name: 'ring-10000',
  about: 'a ring of 10,000 cells with instant jobs: ends, with no large history and no large payload',
  byDefault: false,
  async run({ cells = 10_000, say }) {
    const topology = oneRing(cells, { maxParallel: WINDOW, postDeployMigrations: 'separate' });
    return await onStage({ topology, jobs: '0', say }, async (stage) => {
      const version = packageNumber(1);
      const began = await graduate(stage, version);
      const seen = sayProgress(say);
      const end = await watch(stage, version, { everyMs: WATCH_EVERY_MS, seen }, (s) => s.finishedAt !== null);
      const ring = end.rings.find((one) => one.ring === RING);
      const minutes = (instant: string | null | undefined) =>
        instant ? round((Date.parse(instant) - began) / 60_000, 1) : null;
      return {
        parameters: { cells, window: WINDOW },
        measured: {
          state: end.state,
          cellsConverged: ring?.converged ?? 0,
          minutesUntilConverged: minutes(ring?.convergedAt),
          minutesUntilEnd: minutes(end.finishedAt),
          ...(await largest(stage)),
        },
        targets: {
          cellsConverged: { atLeast: cells },
          mostEventsOfARun: { atMost: 10_000 },
          largestPayloadBytes: { atMost: 512 * 1024 },
        },
      };
    });
  },
};

function sayProgress(say: (line: string) => void): (ring: RolloutRing) => void {
  let told = '';
  return ({ state, converged, inFlight, pending, total }) => {
    const line = `ring-10000: ${state}, ${converged} of ${total} converged, ${inFlight} in flight, ${pending} pending`;
    if (line !== told) say(line);
    told = line;
  };
}

interface Size {
  runs: number;
  mostEvents: number;
  largestPayloadBytes: number;
  largestHistoryBytes: number;
}

/** Looks through every run of the three workflows that grow with a ring, and through some of the cells' own. */
async function largest({ client }: Stage): Promise<Record<string, unknown>> {
  const long = await runsOf(client, ['CellCluster', 'PackageRollout', 'RingRollout']);
  const cells = await runsOf(client, ['CellRollout'], CELL_RUNS_LOOKED_AT);
  const byType: Record<string, Size> = {};
  for (const run of [...long, ...cells]) weigh(byType, run, await historyOf(client, run.workflowId, run.runId));
  const sizes = Object.values(byType);
  return {
    mostEventsOfARun: Math.max(...sizes.map((size) => size.mostEvents)),
    largestPayloadBytes: Math.max(...sizes.map((size) => size.largestPayloadBytes)),
    byType,
  };
}

function weigh(byType: Record<string, Size>, { type }: Run, history: Awaited<ReturnType<typeof historyOf>>): void {
  byType[type] ??= { runs: 0, mostEvents: 0, largestPayloadBytes: 0, largestHistoryBytes: 0 };
  const size = byType[type];
  size.runs += 1;
  size.mostEvents = Math.max(size.mostEvents, eventsOf(history).length);
  size.largestPayloadBytes = Math.max(size.largestPayloadBytes, largestPayload(eventsOf(history)));
  size.largestHistoryBytes = Math.max(size.largestHistoryBytes, bytesOf(history));
}
