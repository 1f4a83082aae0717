import type { Standing } from '../../contract/ledger.js';
import { findCell } from '../topology/index.js';
import { blockFrom } from './blocks.js';
import type { ClusterState } from './state.js';
import { keepSystemicInRing, topologyOf } from './topology.js';

/** The brake of a cluster that began without memory. */
export const COLD_START = 'cold-start';

/** Whether the cluster knows what stood before it began, or that nobody can tell it. */
export const hasRecalled = ({ topology, cold }: Pick<ClusterState, 'topology' | 'cold'>): boolean =>
  topology !== null && (cold === null || cold.recalled !== undefined);

/**
 * Puts back what stands by the ledger into the state of a cluster that began without memory. What the cluster has heard of
 * since it began is newer, and stays: a brake of the same name, a package that is open or that graduated meanwhile.
 */
export function restore(state: ClusterState, standing: Standing): void {
  restoreBrakes(state, standing);
  restorePackageBrakes(state, standing);
  restoreBlocks(state, standing);
  restoreQuarantines(state, standing);
  restoreGraduated(state, standing);
  restoreEnded(state, standing);
  state.systemic ??= standing.systemic;
  // The ledger has it by the ring where it stopped.
  keepSystemicInRing(state);
}

function restoreBrakes(state: ClusterState, { brakes }: Standing): void {
  const known = new Set(state.brakes.map((b) => b.brakeId));
  const others = brakes.filter((b) => !known.has(b.brakeId));
  state.brakes = [...others, ...state.brakes];
}

/** A rollout that has told its own brakes, or ended, knows better; one that is to begin anew is given them when it registers. */
function restorePackageBrakes(state: ClusterState, { packageBrakes = [] }: Standing): void {
  const others = packageBrakes.filter(({ version }) => !state.rollouts[version]?.braked && !state.ended[version]);
  if (others.length > 0) state.lostBrakes = Object.fromEntries(others.map(({ version, brakes }) => [version, brakes]));
}

function restoreBlocks(state: ClusterState, { blocked }: Standing): void {
  const others = blocked.filter((block) => !blockFrom(state.blocked, block.version));
  state.blocked = [...others, ...state.blocked];
}

/** A cell that has left the topology is nobody's any more. */
function restoreQuarantines(state: ClusterState, { quarantined }: Standing): void {
  const topology = topologyOf(state);
  for (const { cell, by, reason, since, expiresAt } of quarantined) {
    if (!topology || !findCell(topology, cell)) continue;
    const until = expiresAt === undefined ? {} : { expiresAt };
    state.quarantined[cell] ??= { by, reason, sinceMs: Date.parse(since), ...until };
  }
}

function restoreGraduated(state: ClusterState, { graduated }: Standing): void {
  const known = new Set(state.graduated.map((g) => g.version));
  state.graduated = [...graduated.filter((g) => !known.has(g.version)), ...state.graduated];
}

/** A rollout that is open now was opened again, or has not been heard to end. */
function restoreEnded(state: ClusterState, { ended }: Standing): void {
  for (const { version, ...rest } of ended) {
    if (!state.rollouts[version]) state.ended[version] ??= rest;
  }
}
