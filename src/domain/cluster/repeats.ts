import type { RingReport } from '../../contract/internal.js';
import type { CellState } from '../../contract/status.js';

/**
 * Cells that fail under one package after the other: nothing takes them out by itself, but somebody is asked to. By cell,
 * the packages in a row under which it failed, and its ring.
 */
export type Repeats = Record<string, { ring: number; versions: string[] }>;

/** So many packages in a row ask for a quarantine. */
export const IN_A_ROW = 3;
const CELLS_AT_MOST = 200;

const FAILED: ReadonlySet<CellState> = new Set(['failed', 'rolled-back', 'rollback-failed', 'migration-failed']);

/**
 * Notes how a deployment that is over went on the cells of its ring; answers the cells that have failed under three
 * packages in a row by now, each once. A cell that is no exception of a ring that converged has come through.
 */
export function noteRepeats(repeats: Repeats, { view, version, purpose, ended, result }: RingReport): string[] {
  if (!ended || purpose !== 'deploy') return [];
  const failed = view.exceptions.filter(({ state }) => FAILED.has(state)).map(({ cell }) => cell);
  if (result?.outcome === 'converged' && view.exceptionsTotal === view.exceptions.length) {
    const named = new Set(view.exceptions.map(({ cell }) => cell));
    for (const [cell, { ring }] of Object.entries(repeats))
      if (ring === view.ring && !named.has(cell)) delete repeats[cell];
  }
  return failed.filter((cell) => countFailure(repeats, cell, view.ring, version));
}

/** Answers whether this was the one that asks for somebody. */
function countFailure(repeats: Repeats, cell: string, ring: number, version: string): boolean {
  const known = repeats[cell];
  if (!known && Object.keys(repeats).length >= CELLS_AT_MOST) return false;
  const versions = known?.versions ?? [];
  if (versions.includes(version)) return false;
  repeats[cell] = { ring, versions: [...versions, version].slice(-IN_A_ROW) };
  return versions.length === IN_A_ROW - 1;
}
