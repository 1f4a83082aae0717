import type { ClusterClient } from '../../client/index.js';
import { RejectedError } from '../../client/index.js';
import { readHealthSettings } from '../../config/settings.js';
import type { Topology } from '../../domain/topology/index.js';
import type { Context, Outcome } from '../context.js';
import { UsageError } from '../exit.js';
import { viewOf } from '../show.js';
import { cellHealth, type JudgedCell, type RingHealth, ringHealth } from './judge.js';
import { outsideOf } from './measure.js';
import { cellText, ringText } from './text.js';

export async function showCellHealth(context: Context, id: string): Promise<Outcome> {
  const outside = outsideFor(context);
  const found = await cellHealth(outside, await topologyOf((await context.cells()).cluster()), id);
  return {
    json: { ring: found.ring.ring, ...cellDocument(found.judged) },
    text: cellText(found, await viewOf(context.io)),
  };
}

export async function showRingHealth(context: Context, number: number): Promise<Outcome> {
  const outside = outsideFor(context);
  const cluster = (await context.cells()).cluster();
  const [topology, { rings }] = await Promise.all([topologyOf(cluster), cluster.status()]);
  const desired = rings.find(({ ring }) => ring === number)?.desired ?? null;
  const found = await ringHealth(outside, topology, { ring: number, desired });
  return { json: ringDocument(found), text: ringText(found, await viewOf(context.io)) };
}

/** Before anybody is asked. */
function outsideFor({ io }: Context): ReturnType<typeof outsideOf> {
  const read = readHealthSettings(io.env);
  if (read.ok) return outsideOf(read.settings);
  const next = ['set PROMETHEUS_URL and AMP_URL (and their tokens) here as the workers have them'];
  throw new UsageError('Nothing can be measured on this environment', read.problems, next);
}

async function topologyOf(cluster: ClusterClient): Promise<Topology> {
  const topology = await cluster.topology();
  if (topology) return topology;
  throw new RejectedError([{ path: 'topology', value: 'none', expected: 'one in force: cellctl cluster apply FILE' }]);
}

const cellDocument = ({ verdict, observation, problems }: JudgedCell) => ({
  ...verdict,
  deployedAtMs: observation.deployedAtMs,
  readiness: observation.readiness,
  problems,
});

function ringDocument({ ring, verdict: { looks: _, ...verdict }, package: judged, cells, quarantined }: RingHealth) {
  const { ring: number, name } = ring;
  return { ring: number, name, package: judged, ...verdict, cells: cells.map(cellDocument), quarantined };
}
