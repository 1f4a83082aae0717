import type { Standing } from '../../contract/ledger.js';
import type { ClusterState } from './state.js';

/**
 * Puts back what stands by the ledger into the state of a cluster that began without memory. What the cluster has heard of
 * since it began is newer, and stays: a brake of the same name, a package that is open or that graduated meanwhile.
 */
export function restore(state: ClusterState, standing: Standing): void {
  restoreBrakes(state, standing);
  restoreGraduated(state, standing);
  restoreEnded(state, standing);
  state.systemic ??= standing.systemic;
}

/** Whoever is told brakes is told the whole list, with a new number. */
function restoreBrakes(state: ClusterState, { brakes }: Standing): void {
  const known = new Set(state.brakes.map((b) => b.brakeId));
  const others = brakes.filter((b) => !known.has(b.brakeId));
  if (others.length === 0) return;
  state.brakes = [...others, ...state.brakes];
  state.brakesSeq += 1;
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
