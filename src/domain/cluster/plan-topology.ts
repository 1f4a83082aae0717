import type { Problem } from '../../contract/problem.js';
import type { ClusterStatus, TopologyChanges } from '../../contract/status.js';
import { isNewer, isPackage } from '../package-version.js';
import {
  type Cell,
  deployableCells,
  findCell,
  needsRemovalConsent,
  type Ring,
  type Topology,
  topologyChanges,
} from '../topology/index.js';
import { blockOf } from './blocks.js';
import { tooSlow } from './passage.js';
import { type PlannedCell, timeBy } from './plan-package.js';
import { standsOn } from './stands.js';

/** What a topology would do, before it is put in force; by what the cluster shows, changing nothing. */

/** A word of warning where a package needs more than a day with this topology, by what cells took so far; or null. */
export const warnOfTime = (topology: Topology, status: ClusterStatus | null, now: number): string | null =>
  tooSlow(topology, status ? timeBy(status) : () => null, null, now);

export interface TopologyPlan {
  changes: TopologyChanges;
  /** Why it would be refused as it is. */
  refused: string[];
  /** Only cells for which something changes. */
  cells: PlannedCell[];
  warnings: string[];
}

/**
 * @param before the one in force, null: there is none; @param status null: there is no cluster yet
 * @param problems why the cluster itself says that it would refuse it
 */
export function planTopology(
  before: Topology | null,
  after: Topology,
  status: ClusterStatus | null,
  now: number,
  problems: readonly Problem[] = [],
): TopologyPlan {
  const changes = topologyChanges(before, after);
  const consent = before ? needsRemovalConsent(changes, before) : null;
  const isOther = before && before.cluster !== after.cluster;
  const slow = warnOfTime(after, status, now);
  return {
    changes,
    refused: [
      ...(isOther ? [`it is another cluster than ${before.cluster}, which is in force`] : []),
      ...(consent ? [`it needs --allow-removal: ${consent}`] : []),
      ...problems
        .filter(({ path }) => !SAID_HERE.has(path))
        .map((p) => `${p.path} is ${p.value}; expected: ${p.expected}`),
    ],
    cells: before && status ? cellsChanged(before, after, changes, status, now) : [],
    warnings: slow === null ? [] : [slow],
  };
}

/** Paths of problems that are said in words of their own. */
const SAID_HERE: ReadonlySet<string> = new Set(['cluster', 'allowRemoval']);

interface Seen {
  status: ClusterStatus;
  now: number;
}

function cellsChanged(
  before: Topology,
  after: Topology,
  changes: TopologyChanges,
  status: ClusterStatus,
  now: number,
): PlannedCell[] {
  const left = changes.cellsLeft.map((cell): PlannedCell => {
    const ring = findCell(before, cell)?.ring.ring ?? -1;
    const pass = status.rings.find((r) => r.ring === ring)?.rollout;
    return { cell, ring, does: 'drop', detail: pass ? `it leaves the pass of ${pass}` : 'it is none of ours any more' };
  });
  const joined = changes.cellsJoined.map((cell) => ofJoined(cell, after, status, now));
  const moved = changes.cellsMoved.map(({ cell, from, to }) => ofMoved(cell, { from, to, after, status, now }));
  const others = new Set([...changes.cellsJoined, ...changes.cellsMoved.map((m) => m.cell)]);
  const changed = after.rings.flatMap((ring) =>
    ring.cells.flatMap((cell) => (others.has(cell.id) ? [] : ofChanged(cell, ring, before, after, { status, now }))),
  );
  return [...left, ...joined, ...moved, ...changed];
}

function ofJoined(id: string, after: Topology, status: ClusterStatus, now: number): PlannedCell {
  const { cell, ring } = findCell(after, id) as { cell: Cell; ring: Ring };
  const about = { cell: id, ring: ring.ring };
  if (cell.observe || ring.deployedBy === 'external') return { ...about, does: 'read', detail: 'it is only looked at' };
  const out = leftOutOf(cell, ring, now);
  if (out) return { ...about, ...out };
  const runs = status.rings.some(({ observed }) => Object.keys(observed).some(isPackage));
  if (runs && cell.join !== 'auto') {
    const detail = 'it joins quarantined: readmit it then, or write join: auto in the topology';
    return { ...about, does: 'quarantined', detail };
  }
  return { ...about, ...comesTo(ring.ring, after, status) };
}

/** What automation would do with a cell that it leaves alone by the topology; null: it does not. */
function leftOutOf(cell: Cell, ring: Ring, now: number): Pick<PlannedCell, 'does' | 'detail'> | null {
  const { leftOut } = deployableCells({ ...ring, cells: [cell] }, now);
  const [out] = leftOut;
  return out ? { does: out.state === 'quarantined' ? 'quarantined' : 'left-out', detail: out.reason } : null;
}

/** By whose word it stays out, whatever the topology says; null: by nobody's. */
function outByPerson(id: string, status: ClusterStatus): Pick<PlannedCell, 'does' | 'detail'> | null {
  const found = status.quarantined.find(({ cell, inTopology }) => cell === id && !inTopology);
  return found ? { does: 'quarantined', detail: `by ${found.by}: ${found.reason}` } : null;
}

/** A ring is not kept on what was blocked, aborted or taken back, nor while it is getting something newer. */
function comesTo(ring: number, after: Topology, status: ClusterStatus): Pick<PlannedCell, 'does' | 'detail'> {
  const known = status.rings.find((r) => r.ring === ring);
  const stands = known ? standsOn(known) : null;
  if (ring <= after.perimeter) return { does: 'wait', detail: 'for the next deployRing' };
  const notKept = status.reconcile?.notKept.find((n) => n.ring === ring);
  if (stands === null) return { does: 'wait', detail: 'for the next package' };
  if (notKept) return { does: 'wait', detail: `for the next package: ${notKept.reason}` };
  if (blockOf(status.blocked, stands)) return { does: 'wait', detail: `for the next package: ${stands} is blocked` };
  return { does: 'converge', detail: `to ${stands}, once its ring is free` };
}

interface Moving {
  from: number;
  to: number;
  after: Topology;
  status: ClusterStatus;
  now: number;
}

function ofMoved(id: string, { from, to, after, status, now }: Moving): PlannedCell {
  const has = (ring: number) => status.rings.find((r) => r.ring === ring)?.converged ?? null;
  const [was, is] = [has(from), has(to)];
  const about = { cell: id, ring: to };
  const { cell, ring } = findCell(after, id) as { cell: Cell; ring: Ring };
  if (cell.observe || ring.deployedBy === 'external') return { ...about, does: 'read', detail: 'it is only looked at' };
  const out = leftOutOf(cell, ring, now) ?? outByPerson(id, status);
  if (out) return { ...about, ...out };
  const isBehind = was !== null && is !== null && isNewer(was, is);
  if (isBehind) return { ...about, does: 'keep', detail: `what it runs, until ring ${to} comes to something newer` };
  return { ...about, ...comesTo(to, after, status) };
}

function ofChanged(cell: Cell, ring: Ring, before: Topology, after: Topology, { status, now }: Seen): PlannedCell[] {
  const old = findCell(before, cell.id);
  const was = old && leftOutOf(old.cell, old.ring, now);
  const is = leftOutOf(cell, ring, now);
  if (!old || JSON.stringify(was) === JSON.stringify(is)) return [];
  const about = { cell: cell.id, ring: ring.ring };
  const out = is ?? outByPerson(cell.id, status);
  if (out) return [{ ...about, ...out }];
  const { does, detail } = comesTo(ring.ring, after, status);
  return [{ ...about, does, detail: `it takes part again: ${detail}` }];
}
