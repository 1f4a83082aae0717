import type { Problem } from '../../contract/problem.js';
import type { ClusterStatus } from '../../contract/status.js';
import { COORDINATOR } from '../brake.js';
import { earliest, expiryOf, judgeExpiry } from '../instant.js';
import { isPackage } from '../package-version.js';
import { shortened } from '../shortened.js';
import { deployableCells, findCell, type Ring, type Topology } from '../topology/index.js';
import type { ClusterState } from './state.js';

/**
 * Cells that are out of all automation: by whose word, and until when. What the topology itself quarantines stands there,
 * and is not repeated here.
 */
export interface Quarantine {
  by: string;
  reason: string;
  sinceMs: number;
  /** RFC 3339; absent: until somebody readmits it. */
  expiresAt?: string;
}

/** More of them than this are a ring to be taken out of the topology, or to be braked. */
const MAX_QUARANTINED = 1_000;
/** Its act keeps the reason as it was said. */
const MAX_REASON = 200;

/** Why a cell cannot be quarantined, or null. The same again takes the earlier one's place. */
export function judgeQuarantine(
  state: ClusterState,
  topology: Topology | null,
  { cell, expiresAt }: { cell: string; expiresAt?: string | undefined },
  now: number,
): Problem | null {
  if (!topology || !findCell(topology, cell)) return { path: 'cell', value: cell, expected: 'a cell of the topology' };
  const isOver = judgeExpiry(expiresAt, now);
  if (isOver) return isOver;
  if (state.quarantined[cell] || Object.keys(state.quarantined).length < MAX_QUARANTINED) return null;
  return {
    path: 'cell',
    value: cell,
    expected: `at most ${MAX_QUARANTINED} quarantined cells: brake the ring instead`,
  };
}

/** Why a cell cannot be readmitted, or null. */
export function judgeReadmission(state: ClusterState, topology: Topology | null, cell: string): Problem | null {
  if (state.quarantined[cell]) return null;
  if (!topology || !findCell(topology, cell)?.cell.quarantined)
    return { path: 'cell', value: cell, expected: 'a quarantined cell' };
  const expected = 'a cell quarantined by a person: this one is in the topology; take it off there, and apply it';
  return { path: 'cell', value: cell, expected };
}

/** Why so many cells cannot join at once a cluster that runs, or null. */
export function judgeJoining(state: ClusterState, topology: Topology, joined: readonly string[]): Problem | null {
  const out = stayOut(state, topology, joined).length;
  if (out + Object.keys(state.quarantined).length <= MAX_QUARANTINED) return null;
  const expected = `at most ${MAX_QUARANTINED} quarantined cells: let fewer join at a time, or write join: auto`;
  return { path: 'rings', value: `${out} cells that join`, expected };
}

/** Answers whether that was news: the same again changes nothing. */
export function quarantineCell(
  state: ClusterState,
  { cell, by, reason, expiresAt }: { cell: string; by: string; reason: string; expiresAt?: string | undefined },
  now: number,
): boolean {
  const until = expiresAt === undefined ? undefined : new Date(Date.parse(expiresAt)).toISOString();
  const known = state.quarantined[cell];
  const short = shortened(reason, MAX_REASON);
  if (known?.by === by && known.reason === short && known.expiresAt === until) return false;
  state.quarantined[cell] = { by, reason: short, sinceMs: now, ...(until === undefined ? {} : { expiresAt: until }) };
  if (!known) noteOut(state, cell);
  return true;
}

/** What it runs counts apart from now on, where the last pass said so: the ring may not be looked at for a while. */
function noteOut(state: ClusterState, cell: string): void {
  for (const record of Object.values(state.rings)) {
    const { runs } = record.exceptions.find((e) => e.cell === cell) ?? {};
    if (runs === undefined || !record.observed[runs]) continue;
    const { observedOut = {} } = record;
    record.observedOut = { ...observedOut, [runs]: (observedOut[runs] ?? 0) + 1 };
  }
}

/** Cells whose quarantine is over by now; they are readmitted. */
export function expireQuarantines(state: ClusterState, now: number): string[] {
  const over = Object.entries(state.quarantined).filter(([, q]) => expiryOf(q) <= now);
  for (const [cell] of over) delete state.quarantined[cell];
  return over.map(([cell]) => cell);
}

/** When the next quarantine is over, epoch ms; null: none is by itself. */
export function nextQuarantineExpiry(state: ClusterState): number | null {
  return earliest(
    Object.values(state.quarantined)
      .map(expiryOf)
      .filter((ms) => ms !== Number.POSITIVE_INFINITY),
  );
}

export interface QuarantinesByTopology {
  out: string[];
  back: string[];
}

/**
 * A topology was put in force. Cells that it does not have any more are forgotten; and a cell that joins a cluster which
 * already runs stays out until somebody readmits it, or the topology says `join: auto`. Answers who left automation by it,
 * and who came back.
 */
export function quarantineByTopology(
  state: ClusterState,
  { before, after }: { before: Topology | null; after: Topology },
  joined: readonly string[],
  now: number,
): QuarantinesByTopology {
  const isOut = outOfAutomation(state, before);
  const there = new Map(after.rings.flatMap(({ cells }) => cells.map((cell) => [cell.id, cell] as const)));
  for (const [cell, { by }] of Object.entries(state.quarantined)) {
    const isAuto = by === COORDINATOR && there.get(cell)?.join === 'auto';
    if (!there.has(cell) || isAuto) delete state.quarantined[cell];
  }
  const reason = `joined with revision ${state.revision}: readmit it, or write join: auto`;
  for (const cell of stayOut(state, after, joined)) state.quarantined[cell] = { by: COORDINATOR, reason, sinceMs: now };
  keepWritten(state, after, now);
  const remain = outOfAutomation(state, after);
  return {
    out: [...remain].filter((cell) => !isOut.has(cell)),
    back: [...isOut].filter((cell) => there.has(cell) && !remain.has(cell)),
  };
}

/** Since when the topology quarantines a cell: putting the next one in force does not begin that anew. */
function keepWritten(state: ClusterState, after: Topology, now: number): void {
  const { writtenOut: known = {} } = state;
  const written = byTopology(after).slice(0, MAX_QUARANTINED);
  state.writtenOut = Object.fromEntries(written.map(([cell]) => [cell, known[cell] ?? now]));
}

/** Of the cells that join, those that wait for somebody to let them in. */
function stayOut(state: ClusterState, topology: Topology, joined: readonly string[]): string[] {
  const news = new Set(runsAlready(state) ? joined : []);
  return topology.rings.flatMap(({ cells, deployedBy }) =>
    deployedBy === 'external'
      ? []
      : cells.filter((c) => news.has(c.id) && c.join !== 'auto' && !c.observe && !c.quarantined).map(({ id }) => id),
  );
}

const byTopology = (topology: Topology | null): [string, string][] =>
  (topology?.rings ?? []).flatMap(({ cells }) =>
    cells.flatMap(({ id, quarantined }): [string, string][] => (quarantined ? [[id, quarantined.reason]] : [])),
  );

/** Quarantined by a person, or by the topology. */
export const outOfAutomation = (state: ClusterState, topology: Topology | null): Set<string> =>
  new Set([...Object.keys(state.quarantined), ...byTopology(topology).map(([cell]) => cell)]);

/** A package has been seen on some cell. */
const runsAlready = (state: ClusterState): boolean =>
  Object.values(state.rings).some(({ observed }) => Object.keys(observed).some(isPackage));

/** What people see of quarantines. */
export function viewOfQuarantines(state: ClusterState, topology: Topology | null): ClusterStatus['quarantined'] {
  const said = Object.entries(state.quarantined).map(([cell, { by, reason, sinceMs, expiresAt }]) => ({
    cell,
    by,
    reason,
    since: new Date(sinceMs).toISOString(),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  }));
  const sinceOf = (cell: string): string => {
    const ms = state.writtenOut?.[cell];
    return ms === undefined ? (state.appliedAt ?? '') : new Date(ms).toISOString();
  };
  const written = byTopology(topology).filter(([cell]) => !state.quarantined[cell]);
  return [
    ...said,
    ...written.map(([cell, reason]) => ({
      ...{ cell, by: 'topology', reason, since: sinceOf(cell) },
      inTopology: true as const,
    })),
  ];
}

/** Why automation leaves the cell alone, in words; null: it does not. */
export function whyQuarantined(state: ClusterState, cell: string): string | null {
  const known = state.quarantined[cell];
  return known ? `quarantined by ${known.by}: ${known.reason}` : null;
}

/**
 * The cells of a ring that automation takes care of, and those that count and are left alone: by the topology, or in
 * quarantine. `mode` as in `deployableCells`.
 */
export function cellsInAutomation(
  state: ClusterState,
  ring: Ring,
  now: number,
  mode?: 'act' | 'observe',
): ReturnType<typeof deployableCells> {
  const { cells, leftOut } = deployableCells(ring, now, mode);
  const quarantined = cells.flatMap((cell) => {
    const reason = whyQuarantined(state, cell.id);
    return reason === null ? [] : [{ cell, state: 'quarantined' as const, reason }];
  });
  return { cells: cells.filter(({ id }) => !state.quarantined[id]), leftOut: [...leftOut, ...quarantined] };
}
