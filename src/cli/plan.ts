import { isClientError } from '../client/errors.js';
import type { CellsClient } from '../client/index.js';
import type { Problem } from '../contract/problem.js';
import type { ClusterStatus } from '../contract/status.js';
import { type PackagePlan, type PlannedCell, type PlannedRing, planPackage } from '../domain/cluster/plan-package.js';
import { planTopology, type TopologyPlan } from '../domain/cluster/plan-topology.js';
import { fromTag, sameVersion } from '../domain/package-version.js';
import { parseTopology, type Topology } from '../domain/topology/index.js';
import { changesText } from './changes-text.js';
import type { PlanOptions } from './commands/plan.js';
import type { Context, Outcome } from './context.js';
import { EXIT, UsageError } from './exit.js';
import { clock, roughly } from './time.js';
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
  const asIf = { planned: true, ...(lane === null ? {} : { lane }) };
  const isGraduated = status.graduated.some((g) => sameVersion(g.version, version));
  const expected = await orNone(cluster.forecast({ version, ...(isGraduated ? {} : asIf) }));
  const plan = planPackage(status, topology, { version, lane }, context.io.now(), expected?.rings);
  const exit = plan.refused.length > 0 ? EXIT.failed : EXIT.done;
  return { json: plan, text: packageLines(plan, context.io.now()), warnings: plan.warnings, exit };
}

/** What a cluster of an earlier version cannot answer is left out. */
async function orNone<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (isClientError(error) && error.name === 'FailedError') return null;
    throw error;
  }
}

function packageLines({ version, lane, refused, rings }: PackagePlan, now: number): string[] {
  return [
    `${version}${lane ? `, lane ${lane}` : ''} would go to:`,
    ...refused.map((why) => `  refused: ${why}`),
    ...rings.flatMap((ring) => ringLines(ring, now)),
  ];
}

function ringLines(ring: PlannedRing, now: number): string[] {
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
    ...expectationLines(ring, now),
    ...ring.gates.flatMap(({ kind, detail, next }) => [
      `  before: ${kind}, ${detail}`,
      ...next.map((n) => `    → ${n}`),
    ]),
    ...named(others.map(cellText)),
    ...ring.notes.map((note) => `  ${note}`),
    ...named(going.filter(({ detail }) => detail !== '').map(cellText)),
  ];
}

function expectationLines({ expectedAt, expectedAfter, late, gates }: PlannedRing, now: number): string[] {
  const asIf = gates.some(({ kind }) => kind === 'graduation') ? ', if it graduates now' : '';
  return [
    ...(expectedAt ? [`  expected to converge ${clock(expectedAt, now)}${asIf}`] : []),
    ...(expectedAfter ? [`  nobody knows when it converges: ${expectedAfter}`] : []),
    ...(late ? ['  late with what it is getting now'] : []),
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
  const problems = status && before ? await orNone(judged(context, topology)) : null;
  const plan = planTopology(before, parsed.topology, status, context.io.now(), problems ?? []);
  const notObeyed = notInForce.map((path) => `${path} is not in force in this version`);
  const warnings = [...plan.warnings, ...notObeyed, ...ofFile];
  const exit = plan.refused.length > 0 ? EXIT.failed : EXIT.done;
  return { json: plan, text: topologyLines(plan, file), warnings, exit };
}

const judged = async (context: Context, topology: unknown): Promise<Problem[]> =>
  (await context.cells()).cluster().judgeTopology({ topology, by: 'cellctl plan' });

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
