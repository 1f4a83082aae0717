import type { CellObservation, HealthPolicy } from '../../contract/health.js';
import { resolveDown } from '../share.js';
import { whyLeftOut } from '../topology/cells.js';
import type { Ring, Topology } from '../topology/index.js';
import { layeredPolicy } from '../topology/index.js';
import { healthOf } from './policy.js';

/** A ring that must be healthy before a package enters another one. */
export interface Gate {
  ring: number;
  policy: HealthPolicy;
  /** At most a hundred, spread evenly over the ring. */
  cells: { id: string; tenant: string | null; url: string; labels?: Record<string, string> | undefined }[];
  /** So many unhealthy cells among these its failure budget bears. */
  bears: number;
}

/**
 * A cell that other tools deploy is judged by its signals alone: which package it should run is not known, and its readiness
 * is theirs to judge, and often not for strangers to ask.
 */
export const bySignalsAlone = (observation: CellObservation): CellObservation => ({
  ...observation,
  expected: '',
  readiness: 'unasked',
});

const CELLS_AT_MOST = 100;

/**
 * The gates before a ring: itself and every ring before it that has signals to be obeyed, cells that other tools deploy
 * among them. Inside the perimeter a ring stands for itself: those before it are deployed on command. A soft ring blocks
 * nothing.
 */
export function gatesBefore(topology: Topology, ring: number, now = Number.NEGATIVE_INFINITY): Gate[] {
  const isOuter = ring > topology.perimeter;
  const isGate = (r: Ring) => r.ring === ring || (isOuter && r.ring < ring && !isSoft(topology, r));
  const before = topology.rings.filter(isGate);
  return before.sort((a, b) => a.ring - b.ring).flatMap((found) => gateOf(topology, found, now) ?? []);
}

/** A ring as a gate; null: it has no signals that are to be obeyed, or nobody to ask. */
export function gateOf(topology: Topology, found: Ring, now = Number.NEGATIVE_INFINITY): Gate | null {
  const policy = healthOf(topology, found.ring);
  const all = found.cells.flatMap((cell) => (whyLeftOut(cell, now, 'act') ? [] : [asked(cell, found)]));
  if (!policy || !isObeyed(policy) || all.length === 0 || !hasOwn(found)) return null;
  const cells = spread(all);
  return { ring: found.ring, policy, cells, bears: bearsOf(topology, found, [cells.length, all.length]) };
}

/** Of a ring whose signals are all in shadow nothing would ever be known. */
const isObeyed = ({ mode, signals }: HealthPolicy): boolean =>
  mode === 'enforce' && Object.values(signals).some((signal) => signal.mode !== 'shadow');

/** What is measured on cells of the coordinator does not exist on those that other tools deploy. */
const hasOwn = ({ deployedBy, health }: Ring): boolean =>
  deployedBy !== 'external' || Object.keys(health?.signals ?? {}).length > 0;

const isSoft = (topology: Topology, { ring }: Ring): boolean =>
  layeredPolicy(topology, ring, null).onFailure === 'soft';

type Cell = Ring['cells'][number];

const asked = (cell: Cell, { deployedBy }: Ring): Gate['cells'][number] => ({
  id: cell.id,
  tenant: deployedBy === 'external' || cell.observe ? null : (cell.tenant ?? null),
  url: cell.url ?? '',
  labels: cell.labels,
});

/** Where only a share of the ring is asked, so large a share of its budget: all of it may be more cells than are asked. */
function bearsOf(topology: Topology, { ring, cells }: Ring, [some, all]: [number, number]): number {
  const budget = resolveDown(layeredPolicy(topology, ring, null).failureBudget, cells.length);
  return Math.floor((budget * some) / all);
}

function spread<T>(items: readonly T[]): T[] {
  const step = Math.max(1, items.length / CELLS_AT_MOST);
  return Array.from({ length: Math.min(items.length, CELLS_AT_MOST) }, (_, i) => items[Math.floor(i * step)] as T);
}
