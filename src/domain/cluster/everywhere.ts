import type { IsEverywhere } from '../../contract/messages.js';
import type { CellException, DifferenceKind, Everywhere, MissingCell } from '../../contract/status.js';
import { comparePackages, isNewer, isPackage, sameVersion } from '../package-version.js';
import { ringOf, type Topology } from '../topology/index.js';
import { blockOf } from './blocks.js';

import { cellsInAutomation } from './quarantine.js';
import { exceptionsWith } from './reconcile.js';
import type { ClusterState, RingRecord } from './state.js';

/** Whether a package, or a newer one, is on every cell: what a service asks that needs what the package brings. */

/** So many cells are named; all are counted. */
const NAMED_AT_MOST = 100;

/** What is different there has nothing to do with which package runs. */
const IS_THERE: ReadonlySet<DifferenceKind> = new Set(['newer', 'no-pdm']);

export function isEverywhere(state: ClusterState, topology: Topology, ask: IsEverywhere, now: number): Everywhere {
  const { version, ignoreQuarantined = false } = ask;
  const asked = ask.rings ?? topology.rings.filter((r) => r.deployedBy !== 'external').map((r) => r.ring);
  const rings = [...asked].sort((a, b) => a - b);
  const missing = rings.flatMap((ring) => missingIn(state, topology, ring, version, now));
  const counted = missing.filter((m) => !ignoreQuarantined || m.state !== 'quarantined');
  const without = new Set(counted.map(({ ring }) => ring));
  // Without a ring to speak of, as before the first topology, nobody knows anything.
  const there = rings.length > 0 && counted.length === 0;
  return {
    version,
    there,
    never: there ? null : (whyUntold(topology, rings) ?? whyNever(state, version)),
    rings: rings.map((ring) => ({ ring, there: !without.has(ring), converged: state.rings[ring]?.converged ?? null })),
    missing: missing.slice(0, NAMED_AT_MOST),
    missingTotal: missing.length,
  };
}

function missingIn(state: ClusterState, topology: Topology, ring: number, version: string, now: number): MissingCell[] {
  const found = ringOf(topology, ring);
  const record = state.rings[ring];
  const whole = (at: MissingCell['state'], reason: string) => [{ ring, cell: null, state: at, reason }];
  if (!found || !record) return whole('unknown', `there is no ring ${ring}`);
  if (found.deployedBy === 'external')
    return whole('unknown', 'other tools deploy it: what runs there is not known here');
  const { cells, leftOut } = cellsInAutomation(state, found, now);
  const out = leftOut.map(({ cell, state: at, reason }) => ({ ring, cell: cell.id, state: at, reason }));
  if (cells.length === 0) return out;
  const on = countIn(record, cells.length - unseenAmong(state, cells), version);
  if (!hasConverged(record, version)) {
    const detail = `${on} of ${record.total} cells run it or a newer one; the ring converged on ${record.converged ?? 'none yet'}`;
    return [...whole(state.turns[ring]?.state ?? record.state, detail), ...out];
  }
  const isIn = new Set(cells.map(({ id }) => id));
  const off = exceptionsIn(state, ring, version).filter(({ cell }) => isIn.has(cell));
  const named = off.map((e) => ({ ring, cell: e.cell, state: e.state, reason: e.reason }));
  return [...out, ...named, ...unnamed(cells.length - off.length - on, ring)];
}

/** The whole ring converged on the package, or on a newer one. */
const hasConverged = ({ converged }: RingRecord, version: string): boolean =>
  converged !== null && (sameVersion(converged, version) || isNewer(converged, version));

const countOn = (observed: Record<string, number>, version: string): number =>
  Object.entries(observed).reduce((sum, [v, n]) => sum + (isPackage(v) && comparePackages(v, version) >= 0 ? n : 0), 0);

/** How many of these cells came to their ring since its cells were last counted. */
function unseenAmong(state: ClusterState, cells: readonly { id: string }[]): number {
  const { welcome = {} } = state.reconcile ?? {};
  return cells.filter(({ id }) => welcome[id] && !welcome[id].looked && !welcome[id].seen).length;
}

/**
 * How many of the cells in automation run the package, or a newer one. Whoever was taken out since they were last counted,
 * or has left, may be one of those that run it.
 * @param counted how many of the cells in automation were there to be counted
 */
function countIn({ observed, observedOut = {} }: RingRecord, counted: number, version: string): number {
  const all = (counts: Record<string, number>) => Object.values(counts).reduce((sum, n) => sum + n, 0);
  const takenOut = Math.max(0, all(observed) - all(observedOut) - counted);
  return Math.max(0, countOn(observed, version) - countOn(observedOut, version) - takenOut);
}

/** Cells of which it is known that they do not stand where their ring does, and not that they run the package all the same. */
function exceptionsIn(state: ClusterState, ring: number, version: string): CellException[] {
  const record = state.rings[ring];
  const differ = state.reconcile?.found[ring] ?? [];
  const fine = new Set(differ.filter(({ kind }) => IS_THERE.has(kind)).map(({ cell }) => cell));
  const said = record ? exceptionsWith(record.exceptions, differ) : [];
  return said.filter((e) => !fine.has(e.cell) && !runsIt(e, version, record?.converged ?? null));
}

/** PDM is what failed on a cell that runs what its ring converged on. */
function runsIt({ state, runs }: CellException, version: string, converged: string | null): boolean {
  if (runs !== undefined) return comparePackages(runs, version) >= 0;
  return state === 'migration-failed' && converged !== null && isNewer(converged, version);
}

/** More cells than are named were last seen on something older. */
function unnamed(left: number, ring: number): MissingCell[] {
  const reason = `${left} more were last seen on an older package, or on none`;
  return left <= 0 ? [] : [{ ring, cell: null, state: 'unknown', reason }];
}

/** Why of one of the rings nobody here will ever say that it is there; null: of each it may be said. */
function whyUntold(topology: Topology, rings: readonly number[]): string | null {
  const untold = rings.find((ring) => ringOf(topology, ring)?.deployedBy === 'external');
  if (untold !== undefined) return `other tools deploy ring ${untold}: what runs there is not known here`;
  const none = topology.rings.length === 0 ? undefined : rings.find((ring) => !ringOf(topology, ring));
  return none === undefined ? null : `there is no ring ${none}`;
}

/** Why the package can come nowhere any more, and no newer one is on its way in its place; null: it can. */
function whyNever(state: ClusterState, version: string): string | null {
  const isComing = (v: string) => isNewer(v, version) && blockOf(state.blocked, v) === null;
  const isNewerComing = [...Object.keys(state.rollouts), ...state.graduated.map((g) => g.version)].some(isComing);
  if (isNewerComing) return null;
  const block = blockOf(state.blocked, version);
  if (block) return `${version} is blocked by ${block.by}: ${block.reason}`;
  const ended = state.ended[version]?.state;
  const isOver = ended === 'aborted' || ended === 'rolled-back' || ended === 'expired';
  return isOver ? `${version} has ended: ${ended}` : null;
}
