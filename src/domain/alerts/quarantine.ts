import type { Alert } from '../../contract/activities.js';
import type { Quarantine } from '../cluster/quarantine.js';
import type { ClusterState } from '../cluster/state.js';
import { earliest } from '../instant.js';
import type { Topology } from '../topology/index.js';
import type { Due } from './book.js';

/** A cell that is out for longer falls behind: after a day somebody is told, and again and again. */
const LASTS_MS = 86_400_000;
const NAMED_AT_MOST = 20;

/** One alert a ring: its cells that have been out of automation for a day. */
export function alertsOfQuarantines(state: ClusterState, topology: Topology, now: number): Due {
  const since = Object.values(state.quarantined).map(({ sinceMs }) => sinceMs + LASTS_MS);
  const alerts = topology.rings.flatMap((ring): Alert[] => {
    const out = ring.cells.flatMap(({ id }): [string, Quarantine][] => {
      const known = state.quarantined[id];
      return known && known.sinceMs + LASTS_MS <= now ? [[id, known]] : [];
    });
    const [firstCell] = out.map(([cell]) => cell);
    if (firstCell === undefined) return [];
    const named = out.slice(0, NAMED_AT_MOST).map(([cell, { by, reason }]) => `${cell}, by ${by}: ${reason}`);
    return [
      {
        name: 'QuarantineLasts',
        severity: 's3',
        cluster: state.cluster ?? '',
        ring: ring.ring,
        team: ring.ring <= topology.perimeter ? 'perimeter' : 'outer',
        summary: `${out.length} cells of ring ${ring.ring} have been quarantined for more than a day`,
        evidence: named,
        next: ['cellctl cluster status', `cellctl readmit ${firstCell} --reason "…"`],
        startedAtMs: Math.min(...out.map(([, { sinceMs }]) => sinceMs)) + LASTS_MS,
      },
    ];
  });
  return { alerts, nextMs: earliest(since.filter((ms) => ms > now)) };
}
