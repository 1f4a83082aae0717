import type { Alert } from '../../contract/activities.js';
import type { Difference } from '../../contract/status.js';
import type { ClusterState } from '../cluster/state.js';
import type { Topology } from '../topology/index.js';

const NAMED_AT_MOST = 10;

/** Cells that somebody changed: nothing takes that back unasked, so a person is told, once for each ring. */
export function changedByHand(state: ClusterState, { perimeter }: Topology): Alert[] {
  return Object.entries(state.reconcile?.found ?? {}).flatMap(([of, found]): Alert[] => {
    const ring = Number(of);
    const changed = found.filter(({ kind }) => kind === 'hand' || kind === 'newer');
    const [first] = changed;
    return first ? [told(state.cluster ?? '', ring, changed, perimeter, first)] : [];
  });
}

function told(cluster: string, ring: number, changed: Difference[], perimeter: number, first: Difference): Alert {
  const all = changed.slice(0, NAMED_AT_MOST).map(({ cell }) => cell);
  const takesBack = changed.filter(({ kind }) => kind === 'hand').slice(0, NAMED_AT_MOST);
  const cells = takesBack.map(({ cell }) => cell).join(',');
  return {
    name: 'CellsChangedByHand',
    severity: 's3',
    cluster,
    ring,
    team: ring <= perimeter ? 'perimeter' : 'outer',
    summary: `${changed.length} cells of ring ${ring} run what no job of the coordinator brought there: ${all.join(', ')}`,
    evidence: changed.slice(0, NAMED_AT_MOST).map(({ cell, reason }) => `${cell} ${reason}`),
    next: ['cellctl cluster status', ...(cells ? [`cellctl cluster reconcile --cells ${cells} --reason "…"`] : [])],
    startedAtMs: Date.parse(first.since),
  };
}
