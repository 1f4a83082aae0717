import { gunzipSync, strFromU8 } from 'fflate';
import { type ApplyTopology, MAX_TOPOLOGY_BYTES } from '../../contract/messages.js';
import type { Problem } from '../../contract/problem.js';
import type { TopologyChanges } from '../../contract/status.js';
import { base64ToBytes, pack, unpack } from '../snapshot.js';
import {
  deployableCells,
  needsRemovalConsent,
  parseTopology,
  type Topology,
  topologyChanges,
} from '../topology/index.js';
import { lanesMissed } from './lanes.js';
import { judgeJoining } from './quarantine.js';
import { cellsGone } from './reconcile.js';
import { type ClusterState, newRingRecord } from './state.js';
import { isWatched } from './watched.js';

/** Largest topology once unzipped, in bytes: far above 10,000 cells, far below what would stall the workflow. */
const MAX_UNZIPPED_BYTES = 16 * 1024 * 1024;

export type JudgedTopology =
  | { ok: true; topology: Topology; notInForce: string[]; changes: TopologyChanges }
  | { ok: false; problems: Problem[] };

/** Judges a new topology as a whole, against the one in force; refused whole, with the path of everything wrong. */
export function judgeTopology(state: ClusterState, message: ApplyTopology): JudgedTopology {
  const read = readTopology(message);
  if ('problem' in read) return { ok: false, problems: [read.problem] };
  const parsed = parseTopology(read.value);
  if (!parsed.ok) return parsed;
  const before = topologyOf(state);
  const changes = topologyChanges(before, parsed.topology);
  const problem = againstPresent(state, message, parsed.topology, changes);
  if (problem) return { ok: false, problems: [problem] };
  const crowd = before ? judgeJoining(state, parsed.topology, changes.cellsJoined) : null;
  if (crowd) return { ok: false, problems: [crowd] };
  const missed = message.allowRemoval ? [] : lanesMissed(state, parsed.topology);
  return missed.length > 0
    ? { ok: false, problems: missed }
    : { ok: true, topology: parsed.topology, notInForce: parsed.notInForce, changes };
}

function readTopology(message: ApplyTopology): { value: unknown } | { problem: Problem } {
  if (message.gzip === undefined) {
    const bytes = JSON.stringify(message.topology)?.length ?? 0;
    if (bytes > MAX_TOPOLOGY_BYTES) return tooLarge('topology', bytes, 'send it as `gzip`');
    return { value: message.topology };
  }
  if (message.gzip.length > MAX_TOPOLOGY_BYTES) return tooLarge('gzip', message.gzip.length, 'split the cluster');
  return unzip(message.gzip);
}

function unzip(gzip: string): { value: unknown } | { problem: Problem } {
  const expected = 'base64 of the gzipped JSON of a topology';
  try {
    const bytes = base64ToBytes(gzip);
    // The trailer of gzip says how large the content is (RFC 1952, ISIZE): judged before it is unpacked.
    const size = new DataView(bytes.buffer, bytes.length - 4).getUint32(0, true);
    if (size > MAX_UNZIPPED_BYTES) return tooLarge('gzip', size, `at most ${MAX_UNZIPPED_BYTES} bytes of JSON`);
    return { value: JSON.parse(strFromU8(gunzipSync(bytes, { out: new Uint8Array(size) }))) };
  } catch (error) {
    return { problem: { path: 'gzip', value: error instanceof Error ? error.message : 'unreadable', expected } };
  }
}

const tooLarge = (path: string, bytes: number, hint: string): { problem: Problem } => ({
  problem: { path, value: `${bytes} bytes`, expected: `at most ${MAX_TOPOLOGY_BYTES} bytes: ${hint}` },
});

function againstPresent(
  state: ClusterState,
  message: ApplyTopology,
  after: Topology,
  changes: TopologyChanges,
): Problem | null {
  if (state.cluster !== null && after.cluster !== state.cluster) {
    return { path: 'cluster', value: after.cluster, expected: `${state.cluster}, the cluster of this namespace` };
  }
  if (message.expectRevision !== undefined && message.expectRevision !== state.revision) {
    return {
      path: 'expectRevision',
      value: String(message.expectRevision),
      expected: `${state.revision}, the present`,
    };
  }
  const before = topologyOf(state);
  const consent = before ? needsRemovalConsent(changes, before) : null;
  if (consent === null || message.allowRemoval) return null;
  return { path: 'allowRemoval', value: 'false', expected: `allowRemoval: true, because ${consent}` };
}

let cached: { packed: string; topology: Topology } | null = null;

/** The topology in force; unpacked once for as long as it stays the same, which changes nothing that is decided. */
export function topologyOf(state: ClusterState): Topology | null {
  if (state.topology === null) return null;
  if (cached?.packed !== state.topology)
    cached = { packed: state.topology, topology: unpack(state.topology) as Topology };
  return cached.topology;
}

/** Puts a judged topology in force. Answers the rings whose cells are others than before. */
export function putInForce(state: ClusterState, topology: Topology, notInForce: string[], now: number): number[] {
  const before = topologyOf(state);
  const packed = pack(topology);
  if (packed !== state.topology) {
    state.revision += 1;
    state.appliedAt = new Date(now).toISOString();
  }
  state.topology = packed;
  state.cluster = topology.cluster;
  state.perimeter = topology.perimeter;
  state.notInForce = notInForce;
  const changed: number[] = [];
  for (const ring of topology.rings) {
    const record = state.rings[ring.ring] ?? newRingRecord(ring.name ?? `ring-${ring.ring}`);
    const { cells, leftOut } = deployableCells(ring, now);
    record.name = ring.name ?? record.name;
    record.total = cells.length + leftOut.length;
    if (!isWatched(topology, ring.ring)) delete record.watched;
    state.rings[ring.ring] = record;
    const had = before?.rings
      .find((r) => r.ring === ring.ring)
      ?.cells.map((c) => c.id)
      .join();
    if (had !== ring.cells.map((c) => c.id).join()) changed.push(ring.ring);
  }
  for (const ring of Object.keys(state.rings).map(Number)) {
    if (!topology.rings.some((r) => r.ring === ring) && !state.turns[ring]) delete state.rings[ring];
  }
  if (before) forgetCells(state, cellsGone(before, topology));
  keepSystemicInRing(state);
  return changed;
}

/** Nobody can mend in a ring what is there no more: what passes left of such cells goes with them. */
function forgetCells(state: ClusterState, gone: Record<number, string[]>): void {
  for (const [ring, cells] of Object.entries(gone)) {
    const isGone = new Set<string | undefined>(cells);
    for (const cell of cells) delete state.repeats[cell];
    const record = state.rings[Number(ring)];
    if (!record) continue;
    const { exceptions, alerts = {} } = record;
    record.exceptions = exceptions.filter(({ cell }) => !isGone.has(cell));
    record.exceptionsTotal -= exceptions.length - record.exceptions.length;
    for (const [key, { alert }] of Object.entries(alerts)) if (isGone.has(alert.cell)) delete alerts[key];
  }
}

/**
 * What stopped a package is remembered until a newer one has baked where it stopped. Where nothing of ours bakes any more
 * that is the outer ring after it, or else the last one there is.
 */
export function keepSystemicInRing(state: ClusterState): void {
  const { systemic } = state;
  const topology = topologyOf(state);
  if (!systemic || !topology) return;
  const ours = topology.rings.filter(({ deployedBy }) => deployedBy !== 'external').map(({ ring }) => ring);
  if (ours.includes(systemic.ring)) return;
  const outer = ours.filter((ring) => ring > topology.perimeter).sort((a, b) => a - b);
  systemic.ring = outer.find((ring) => ring > systemic.ring) ?? outer.at(-1) ?? systemic.ring;
}
