import type { Alert } from '../../contract/activities.js';
import { driftInWords, missedPackages } from '../cluster/drift.js';
import type { ClusterState } from '../cluster/state.js';
import { resolveCoordination, resolvePolicy, type Topology } from '../topology/index.js';

/** That auto-deploy has paused itself is both teams' business; that it is about to, of those whose ring is late. */
export function alertsOfDrift(state: ClusterState, topology: Topology, now: number): Alert[] {
  return [...paused(state, topology), ...near(state, topology, now)];
}

function paused(state: ClusterState, topology: Topology): Alert[] {
  const { paused: since, override } = state.drift;
  if (!since) return [];
  const goesOn = override ? `; ${override.by} lets it go on: ${override.reason}` : '';
  return (['perimeter', 'outer'] as const).map((team) => ({
    name: 'AutoDeployPaused',
    severity: 's2',
    cluster: state.cluster ?? '',
    team,
    summary: `auto-deploy has paused itself: ${driftInWords(state, topology)}${goesOn}`,
    evidence: since.rings.map((ring) => missedInWords(state, topology, ring)),
    next: ['cellctl cluster status', 'cellctl rollouts --open', 'cellctl resume --reason "…"'],
    startedAtMs: since.sinceMs,
  }));
}

const missedInWords = (state: ClusterState, topology: Topology, ring: number): string =>
  `ring ${ring} lacks ${(missedPackages(state, topology).get(ring) ?? []).join(', ')}`;

/**
 * The next graduation would go beyond the limit, and the oldest package that is missing should have been there by now: a
 * ring that is just being deployed is no news.
 */
function near(state: ClusterState, topology: Topology, now: number): Alert[] {
  const { maxDrift } = resolveCoordination(topology);
  if (maxDrift === 0) return [];
  return [...missedPackages(state, topology)].flatMap(([ring, missed]): Alert[] => {
    const [oldestVersion] = missed;
    if (oldestVersion === undefined || missed.length !== maxDrift) return [];
    const graduatedAt = state.graduated.find(({ version }) => version === oldestVersion)?.graduatedAt ?? '';
    const dueMs = Date.parse(graduatedAt) + resolvePolicy(topology, ring, null).convergeWithinMs;
    if (now < dueMs) return [];
    return [
      {
        name: 'DriftNear',
        severity: 's3',
        cluster: state.cluster ?? '',
        ring,
        team: 'outer',
        summary: `ring ${ring} is ${missed.length} graduated packages behind: one more, and auto-deploy pauses itself`,
        evidence: [missedInWords(state, topology, ring)],
        next: ['cellctl cluster status', `cellctl status ${oldestVersion}`],
        startedAtMs: dueMs,
      },
    ];
  });
}
