import { isClientError } from '../client/errors.js';
import type { CellsClient } from '../client/index.js';
import type { ClusterStatus } from '../contract/status.js';
import {
  type PackagePlan,
  type PlannedCell,
  type PlannedRing,
  planPackage,
  planTopology,
  type TopologyPlan,
} from '../domain/cluster/plan.js';
import { fromTag } from '../domain/package-version.js';
import { parseTopology, type Topology } from '../domain/topology/index.js';
import { changesText } from './changes-text.js';
import type { PlanOptions } from './commands/plan.js';
import type { Context, Outcome } from './context.js';
import { EXIT, UsageError } from './exit.js';
import { roughly } from './time.js';
import { readTopologyFile } from './topology-file.js';

const NAMED = 10;

/** A package by its name, or else a topology by its file. Exit status 1 where what is planned would be refused. */
export async function showPlan(context: Context, what: string, { lane }: PlanOptions): Promise<Outcome> {
  const version = fromTag(what);
  if (version !== null) return ofPackage(context, version, lane ?? null);
  if (lane !== undefined)
    throw new UsageError('--lane is about a package, and this is none', [], [`cellctl plan ${what}`]);
  return ofTopology(context, what);
}

async function ofPackage(context: Context, version: string, lane: string | null): Promise<Outcome> {
  const cluster = (await context.cells()).cluster();
  const [status, topology] = await Promise.all([cluster.status(), cluster.topology()]);
  if (!topology) throw new UsageError('There is no topology in force', [], ['cellctl cluster apply FILE']);
  const plan = planPackage(status, topology, { version, lane }, context.io.now());
  const exit = plan.refused.length > 0 ? EXIT.failed : EXIT.done;
  return { json: plan, text: packageLines(plan), warnings: plan.warnings, exit };
}

function packageLines({ version, lane, refused, rings }: PackagePlan): string[] {
  return [
    `${version}${lane ? `, lane ${lane}` : ''} would go to:`,
    ...refused.map((why) => `  refused: ${why}`),
    ...rings.flatMap(ringLines),
  ];
}

function ringLines(ring: PlannedRing): string[] {
  const { cells, rollMs, bakeMs, graceMs, maxParallel } = ring;
  const going = cells.filter(({ does }) => does === 'first' || does === 'deploy');
  const others = cells.filter((c) => !going.includes(c));
  const first = going.filter(({ does }) => does === 'first').map(({ cell }) => cell);
  const takes = rollMs === null ? 'nobody knows how long' : `about ${roughly(rollMs)}`;
  const pdm = graceMs === null ? '' : `, grace period ${roughly(graceMs)}, then PDM`;
  const head = `ring ${ring.ring} ${ring.name}`;
  if (ring.there) return [`${head}: has it, or a newer one`];
  if (ring.refused) return [`${head}: refused (${ring.refused.code}): ${ring.refused.detail}`];
  if (cells.length === 0) return [`${head}: no cells`];
  return [
    `${head}: ${going.length} of ${cells.length} cells, first ${first.join(', ') || 'none'}, at most ${maxParallel} at once, ${takes}`,
    `  then bakes ${roughly(bakeMs)}${pdm}`,
    ...ring.gates.flatMap(({ kind, detail, next }) => [
      `  before: ${kind}, ${detail}`,
      ...next.map((n) => `    → ${n}`),
    ]),
    ...named(others.map(cellText)),
    ...named(going.filter(({ detail }) => detail !== '').map(cellText)),
  ];
}

const cellText = ({ cell, does, detail }: PlannedCell): string => `  ${cell}: ${does}${detail ? `, ${detail}` : ''}`;

function named(lines: string[]): string[] {
  const more = lines.length - NAMED;
  return [...lines.slice(0, NAMED), ...(more > 0 ? [`  … and ${more} more: --json`] : [])];
}

async function ofTopology(context: Context, file: string): Promise<Outcome> {
  const { topology, notInForce, warnings: ofFile } = readTopologyFile(file);
  const parsed = parseTopology(topology);
  if (!parsed.ok) throw new UsageError(`${file} is not a topology`, parsed.problems);
  const { status, before } = await inForce(await context.cells());
  const plan = planTopology(before, parsed.topology, status, context.io.now());
  const notObeyed = notInForce.map((path) => `${path} is not in force in this version`);
  const warnings = [...plan.warnings, ...notObeyed, ...ofFile];
  const exit = plan.refused.length > 0 ? EXIT.failed : EXIT.done;
  return { json: plan, text: topologyLines(plan, file), warnings, exit };
}

/** What there is to compare with; nothing where there is no cluster yet. */
async function inForce(cells: CellsClient): Promise<{ status: ClusterStatus | null; before: Topology | null }> {
  try {
    const cluster = cells.cluster();
    const [status, before] = await Promise.all([cluster.status(), cluster.topology()]);
    return { status, before };
  } catch (error) {
    if (isClientError(error) && error.name === 'NotFoundError') return { status: null, before: null };
    throw error;
  }
}

function topologyLines({ changes, refused, cells }: TopologyPlan, file: string): string[] {
  return [
    `${file} would change: ${changesText(changes)}`,
    ...refused.map((why) => `  refused: ${why}`),
    ...cells.map(({ cell, ring, does, detail }) => `  ring ${ring} ${cell}: ${does}, ${detail}`),
  ];
}
