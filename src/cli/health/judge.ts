import type { ObserveDependencies } from '../../../activities/observe.js';
import { RejectedError } from '../../client/errors.js';
import type { CellObservation, CellVerdict, HealthPolicy, RingVerdict } from '../../contract/health.js';
import { judgeCell, judgeRing, Memo, resolveHealth } from '../../domain/health/index.js';
import { nearest } from '../../domain/nearest.js';
import { sameVersion } from '../../domain/package-version.js';
import { findCell, type Ring, resolvePolicy, ringOf, type Topology } from '../../domain/topology/index.js';
import { type AskedCell, type MeasuredCell, measureCells } from './measure.js';

/** A cell as it was measured, and what follows from it. */
export interface JudgedCell extends MeasuredCell {
  verdict: CellVerdict;
}

export interface CellHealth {
  ring: Ring;
  policy: HealthPolicy;
  judged: JudgedCell;
}

export interface RingHealth {
  ring: Ring;
  policy: HealthPolicy;
  verdict: RingVerdict;
  /** The package that the verdict is about: what the ring is to run, where some of its cells do; null: whatever runs. */
  package: string | null;
  cells: JudgedCell[];
  quarantined: string[];
}

/** @throws RejectedError for a cell that the topology does not have */
export async function cellHealth(outside: ObserveDependencies, topology: Topology, id: string): Promise<CellHealth> {
  const found = findCell(topology, id);
  if (!found) throw unknownCell(topology, id);
  const { ring, cell } = found;
  const policy = resolveHealth(topology, ring.ring);
  const [measured] = await measureCells(outside, {
    cells: [asked(ring, cell)],
    policy,
    recentMs: recentMsOf(topology, ring, policy),
  });
  if (!measured) throw new Error(`${id} was not measured`);
  return { ring, policy, judged: { ...measured, verdict: judgeCell(measured.observation, policy) } };
}

/**
 * Every cell by itself, and the ring as a pass over it judges it: the cells on what it is to run, against the others.
 * @throws RejectedError for a ring that the topology does not have
 */
export async function ringHealth(
  outside: ObserveDependencies,
  topology: Topology,
  { ring: number, desired }: { ring: number; desired: string | null },
): Promise<RingHealth> {
  const ring = ringOf(topology, number);
  if (!ring) throw unknownRing(topology, number);
  const policy = resolveHealth(topology, number);
  const cells = ring.cells.filter(({ quarantined }) => !quarantined).map((cell) => asked(ring, cell));
  const measured = await measureCells(outside, { cells, policy, recentMs: recentMsOf(topology, ring, policy) });
  const observed = measured.map(({ observation }) => observation);
  const runsIt = ({ running }: CellObservation) => sameVersion(running, desired);
  const some = observed.some(runsIt);
  const onNew = some ? observed.filter(runsIt) : observed;
  const onOld = observed.filter((cell) => !onNew.includes(cell));
  const memo = new Memo();
  const nowMs = observed[0]?.nowMs ?? Date.now();
  return {
    ring,
    policy,
    verdict: judgeRing({ onNew, onOld, policy, looks: null, nowMs, memo }),
    package: some ? desired : null,
    cells: measured.map((cell) => {
      const context = onNew.includes(cell.observation) ? { control: onOld, peers: onNew, memo } : { memo };
      return { ...cell, verdict: judgeCell(cell.observation, policy, context) };
    }),
    quarantined: ring.cells.filter(({ quarantined }) => quarantined).map(({ id }) => id),
  };
}

const asked = ({ deployedBy }: Ring, cell: AskedCell['cell']): AskedCell => ({
  cell,
  observed: cell.observe === true || deployedBy === 'external',
});

/** So long a pass judges a cell by its deployment: over the cell's own window, and while the ring bakes. */
const recentMsOf = (topology: Topology, { ring }: Ring, { windowMs }: HealthPolicy): number =>
  Math.max(windowMs, resolvePolicy(topology, ring, null).bakeTimeMs);

function unknownCell({ rings }: Topology, id: string): RejectedError {
  const near = nearest(
    id,
    rings.flatMap(({ cells }) => cells.map((cell) => cell.id)),
  );
  const expected = `a cell of the topology${near === null ? '' : `, such as ${near}`}`;
  return new RejectedError([{ path: 'cell', value: id, expected }]);
}

function unknownRing({ rings }: Topology, ring: number): RejectedError {
  const expected = `a ring of the topology: ${rings.map((r) => r.ring).join(', ')}`;
  return new RejectedError([{ path: 'ring', value: String(ring), expected }]);
}
