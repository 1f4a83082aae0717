import type { Alert } from '../../contract/activities.js';
import { driftInWords, missedPackages } from '../cluster/drift.js';
import type { ClusterState } from '../cluster/state.js';
import { earliest } from '../instant.js';
import { resolveCoordination, resolvePolicy, type Topology } from '../topology/index.js';
import type { Due } from './book.js';

/** That auto-deploy has paused itself is both teams' business; that it is about to, of those whose ring is late. */
export function alertsOfDrift(state: ClusterState, topology: Topology, now: number): Due {
  const close = near(state, topology, now);
  const due = close.filter(({ startedAtMs }) => startedAtMs <= now);
  const nextMs = earliest(close.map(({ startedAtMs }) => startedAtMs).filter((ms) => ms > now));
  return { alerts: [...paused(state, topology, now), ...due], nextMs };
}

function paused(state: ClusterState, topology: Topology, now: number): Alert[] {
  const { paused: since, override } = state.drift;
  // Whoever lets it go on knows.
  if (!since || override) return [];
  return (['perimeter', 'outer'] as const).map((team) => ({
    name: 'AutoDeployPaused',
    severity: 's2',
    cluster: state.cluster ?? '',
    team,
    summary: `auto-deploy has paused itself: ${driftInWords(state, topology, now)}`,
    evidence: since.rings.map((ring) => missedInWords(state, topology, ring, now)),
    next: ['cellctl cluster status', 'cellctl rollouts --open', 'cellctl resume --reason "…"'],
    startedAtMs: since.sinceMs,
  }));
}

const missedInWords = (state: ClusterState, topology: Topology, ring: number, now: number): string =>
  `ring ${ring} lacks ${(missedPackages(state, topology, now).get(ring) ?? []).join(', ')}`;

/**
 * The next graduation would go beyond the limit, and the oldest package that is missing should have been there by now: a
 * ring that is just being deployed is no news.
 */
function near(state: ClusterState, topology: Topology, now: number): (Alert & { startedAtMs: number })[] {
  const { maxDrift } = resolveCoordination(topology);
  if (maxDrift === 0) return [];
  return [...missedPackages(state, topology, now)].flatMap(([ring, missed]) => {
    const [oldestVersion] = missed;
    if (oldestVersion === undefined || missed.length !== maxDrift) return [];
    const graduatedAt = state.graduated.find(({ version }) => version === oldestVersion)?.graduatedAt ?? '';
    const dueMs = Date.parse(graduatedAt) + resolvePolicy(topology, ring, null).convergeWithinMs;
    return [
      {
        name: 'DriftNear',
        severity: 's3' as const,
        cluster: state.cluster ?? '',
        ring,
        team: 'outer' as const,
        summary: `ring ${ring} is ${missed.length} graduated packages behind: one more, and auto-deploy pauses itself`,
        evidence: [missedInWords(state, topology, ring, now)],
        next: ['cellctl cluster status', `cellctl status ${oldestVersion}`],
        startedAtMs: dueMs,
      },
    ];
  });
}
