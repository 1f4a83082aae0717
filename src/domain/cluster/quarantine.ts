import type { Problem } from '../../contract/problem.js';
import { COORDINATOR } from '../brake.js';
import { earliest } from '../instant.js';
import { isPackage } from '../package-version.js';
import { findCell, type Topology } from '../topology/index.js';
import type { ClusterState } from './state.js';

/** Cells that are out of all automation, by whose word, and until when. */
export interface Quarantine {
  by: string;
  reason: string;
  sinceMs: number;
  /** RFC 3339; absent: until somebody readmits it. */
  expiresAt?: string;
  /** It is written in the topology: only a topology without it ends it. */
  inTopology?: true;
}

/** More of them than this are a ring to be taken out of the topology, or to be braked. */
const MAX_QUARANTINED = 1_000;

/** Why a cell cannot be quarantined, or null. The same again takes the earlier one's place. */
export function judgeQuarantine(
  state: ClusterState,
  topology: Topology | null,
  { cell, expiresAt }: { cell: string; expiresAt?: string | undefined },
  now: number,
): Problem | null {
  if (!topology || !findCell(topology, cell)) return { path: 'cell', value: cell, expected: 'a cell of the topology' };
  if (expiresAt !== undefined && Date.parse(expiresAt) <= now) {
    return { path: 'expiresAt', value: expiresAt, expected: 'an instant in the future' };
  }
  const known = state.quarantined[cell];
  if (known?.inTopology) {
    const expected = 'a cell that is not quarantined by the topology already';
    return { path: 'cell', value: cell, expected };
  }
  if (known || Object.keys(state.quarantined).length < MAX_QUARANTINED) return null;
  return {
    path: 'cell',
    value: cell,
    expected: `at most ${MAX_QUARANTINED} quarantined cells: brake the ring instead`,
  };
}

/** Why a cell cannot be readmitted, or null. */
export function judgeReadmission(state: ClusterState, cell: string): Problem | null {
  const known = state.quarantined[cell];
  if (!known) return { path: 'cell', value: cell, expected: 'a quarantined cell' };
  if (!known.inTopology) return null;
  const expected = 'a cell quarantined by a person: this one is in the topology; take it off there, and apply it';
  return { path: 'cell', value: cell, expected };
}

/** Answers whether that was news: the same again changes nothing. */
export function quarantineCell(
  state: ClusterState,
  { cell, by, reason, expiresAt }: { cell: string; by: string; reason: string; expiresAt?: string | undefined },
  now: number,
): boolean {
  const until = expiresAt === undefined ? undefined : new Date(Date.parse(expiresAt)).toISOString();
  const known = state.quarantined[cell];
  if (known?.by === by && known.reason === reason && known.expiresAt === until) return false;
  state.quarantined[cell] = { by, reason, sinceMs: now, ...(until === undefined ? {} : { expiresAt: until }) };
  return true;
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

const expiryOf = ({ expiresAt }: Quarantine): number =>
  expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(expiresAt);

export interface QuarantinesByTopology {
  out: string[];
  back: string[];
}

/**
 * A topology was put in force: what it says of quarantines is taken over; cells that it does not have any more are
 * forgotten; and a cell that joins a cluster which already runs stays out until somebody readmits it, unless it says
 * `join: auto`. Answers who left automation by it, and who came back.
 */
export function quarantineByTopology(
  state: ClusterState,
  topology: Topology,
  { by, joined }: { by: string; joined: readonly string[] },
  now: number,
): QuarantinesByTopology {
  const isOut = new Set(Object.keys(state.quarantined));
  const news = new Set(runsAlready(state) ? joined : []);
  const there = new Set<string>();
  for (const ring of topology.rings) {
    for (const cell of ring.cells) {
      there.add(cell.id);
      const known = state.quarantined[cell.id];
      if (cell.quarantined) {
        const { reason } = cell.quarantined;
        state.quarantined[cell.id] = { by, reason, sinceMs: known?.sinceMs ?? now, inTopology: true };
      } else if (known?.inTopology) {
        delete state.quarantined[cell.id];
      } else if (news.has(cell.id) && cell.join !== 'auto' && !cell.observe && ring.deployedBy !== 'external') {
        const reason = `joined with revision ${state.revision}: readmit it, or write join: auto`;
        state.quarantined[cell.id] = { by: COORDINATOR, reason, sinceMs: now };
      }
    }
  }
  for (const cell of Object.keys(state.quarantined)) if (!there.has(cell)) delete state.quarantined[cell];
  const after = Object.keys(state.quarantined);
  return {
    out: after.filter((cell) => !isOut.has(cell)),
    back: [...isOut].filter((cell) => there.has(cell) && !state.quarantined[cell]),
  };
}

/** A package has been seen on some cell. */
const runsAlready = (state: ClusterState): boolean =>
  Object.values(state.rings).some(({ observed }) => Object.keys(observed).some(isPackage));

/** What people see of a quarantine, by cell. */
export const viewOfQuarantines = (state: ClusterState) =>
  Object.entries(state.quarantined).map(([cell, { by, reason, sinceMs, expiresAt, inTopology }]) => ({
    cell,
    by,
    reason,
    since: new Date(sinceMs).toISOString(),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(inTopology ? { inTopology } : {}),
  }));

/** Why automation leaves the cell alone, in words; null: it does not. */
export function whyQuarantined(state: ClusterState, cell: string): string | null {
  const known = state.quarantined[cell];
  return known ? `quarantined by ${known.by}: ${known.reason}` : null;
}
