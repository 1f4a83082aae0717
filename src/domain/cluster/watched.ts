import type { RingHealth } from '../../contract/activities.js';
import type { WatchedRing } from '../../contract/status.js';
import type { Decision } from '../ledger/decisions.js';
import { isNewer, isPackage, sameVersion } from '../package-version.js';
import { layeredPolicy, ringOf, type Topology } from '../topology/index.js';
import { newestAllowed } from './drift.js';
import { cellsInAutomation } from './quarantine.js';
import type { ClusterState } from './state.js';

/**
 * Rings in mode `observe` between the packages that come to them: at each look it is worked out anew what would be done
 * there, by what runs there and how it is. Nobody is alerted, and nothing goes by it.
 */

/** Whether the ring is one that the coordinator would deploy, and only observes. */
export const isWatched = (topology: Topology, ring: number): boolean => {
  const found = ringOf(topology, ring);
  return found !== null && found.deployedBy !== 'external' && layeredPolicy(topology, ring, null).mode === 'observe';
};

/** What would go to the ring now: beyond the perimeter the newest package that may, inside it what it was told to run. */
function wantedIn(state: ClusterState, topology: Topology, ring: number): string | null {
  const told = state.rings[ring]?.desired ?? null;
  return ring > topology.perimeter ? (newestAllowed(state) ?? told) : told;
}

/** What a whole look at a ring, and a word on its health, come to. */
export function watchedAs(
  state: ClusterState,
  topology: Topology,
  ring: number,
  health: RingHealth,
  now: number,
): WatchedRing {
  const version = wantedIn(state, topology, ring);
  const seen = Object.entries(state.rings[ring]?.observed ?? {});
  const total = seen.reduce((sum, [, cells]) => sum + cells, 0);
  const isBehind = (runs: string) => version !== null && !sameVersion(runs, version) && !isAhead(runs, version);
  const behind = seen.reduce((sum, [runs, cells]) => sum + (isBehind(runs) ? cells : 0), 0);
  const alone = leftAlone(state, topology, ring, now);
  // Which cells run what is not kept: no more than are not left alone can be meant.
  const would = Math.min(behind, Math.max(0, total - alone));
  const act = version === null ? 'no package would go there yet' : actOn(version, { total, behind, alone, would });
  return {
    at: new Date(now).toISOString(),
    version,
    would,
    healthy: health.healthy,
    sentence: sentenceOf(act, health),
  };
}

const isAhead = (runs: string, version: string): boolean => isPackage(runs) && isNewer(runs, version);

/** How many cells of the ring automation leaves alone. */
function leftAlone(state: ClusterState, topology: Topology, ring: number, now: number): number {
  const found = ringOf(topology, ring);
  return found ? cellsInAutomation(state, found, now, 'act').leftOut.length : 0;
}

interface Counted {
  total: number;
  behind: number;
  alone: number;
  would: number;
}

function actOn(version: string, { total, behind, alone, would }: Counted): string {
  if (behind === 0) return `nothing to deploy: all ${total} cells run ${version}, or newer`;
  if (would === 0) return `nothing to deploy: all ${total} cells are left alone`;
  if (alone === 0) return `would deploy ${version} to ${would} of ${total} cells`;
  const atMost = behind === total ? '' : 'at most ';
  return `would deploy ${version} to ${atMost}${would} of ${total} cells (${alone} left alone)`;
}

function sentenceOf(act: string, { healthy, sentence }: RingHealth): string {
  if (healthy === false) return `only observed: ${act}; would stop for this: ${sentence}`;
  return `only observed: ${act}; ${sentence}`;
}

/** Keeps what was seen. Answers it as a decision where it is another than before. */
export function noteWatched(state: ClusterState, ring: number, watched: WatchedRing): Decision | null {
  const record = state.rings[ring];
  if (!record) return null;
  const before = record.watched;
  record.watched = watched;
  const { version, would, healthy, sentence } = watched;
  const isSame = before?.version === version && before.would === would && before.healthy === healthy;
  if (isSame) return null;
  return {
    act: 'observed',
    ring,
    ...(version === null ? {} : { version }),
    outcome: sentence,
    facts: { would, healthy },
  };
}
