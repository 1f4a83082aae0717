import type { Alert } from '../../contract/activities.js';
import type { ClusterStatus } from '../../contract/status.js';
import { viewOfQuarantines } from '../cluster/quarantine.js';
import type { ClusterState } from '../cluster/state.js';
import { earliest } from '../instant.js';
import type { Topology } from '../topology/index.js';
import type { Due } from './book.js';

/** A cell that is out for longer falls behind: after a day somebody is told, and again and again. */
const LASTS_MS = 86_400_000;
const NAMED_AT_MOST = 20;

/** One alert a ring: its cells that have been out of automation for a day, by a person's word or by the topology's. */
export function alertsOfQuarantines(state: ClusterState, topology: Topology, now: number): Due {
  const all = viewOfQuarantines(state, topology).map((out) => ({ ...out, dueMs: Date.parse(out.since) + LASTS_MS }));
  const known = new Map(all.map((out) => [out.cell, out]));
  const alerts = topology.rings.flatMap((ring): Alert[] => {
    const out = ring.cells.flatMap(({ id }) => known.get(id) ?? []).filter(({ dueMs }) => dueMs <= now);
    if (out.length === 0) return [];
    const named = out.slice(0, NAMED_AT_MOST).map(({ cell, by, reason }) => `${cell}, by ${by}: ${reason}`);
    return [
      {
        name: 'QuarantineLasts',
        severity: 's3',
        cluster: state.cluster ?? '',
        ring: ring.ring,
        team: ring.ring <= topology.perimeter ? 'perimeter' : 'outer',
        summary: `${out.length} cells of ring ${ring.ring} have been quarantined for more than a day`,
        evidence: named,
        next: ['cellctl cluster status', ...howToEnd(out)],
        startedAtMs: Math.min(...out.map(({ dueMs }) => dueMs)),
      },
    ];
  });
  return { alerts, nextMs: earliest(all.map(({ dueMs }) => dueMs).filter((ms) => ms > now)) };
}

/** What the topology quarantines only another topology lets back. */
function howToEnd(out: ClusterStatus['quarantined']): string[] {
  const said = out.find(({ inTopology }) => !inTopology);
  const isWritten = out.some(({ inTopology }) => inTopology);
  return [
    ...(said ? [`cellctl readmit ${said.cell} --reason "…"`] : []),
    ...(isWritten ? ['cellctl cluster apply FILE'] : []),
  ];
}
