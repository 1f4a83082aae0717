import type { Alert } from '../../contract/activities.js';
import { driftInWords, missedPackages } from '../cluster/drift.js';
import { forecastOf, newestOnItsWay } from '../cluster/forecast.js';
import type { ClusterState } from '../cluster/state.js';
import { earliest } from '../instant.js';
import { resolveCoordination, resolvePolicy, type Topology } from '../topology/index.js';
import type { Due } from './book.js';

/** That auto-deploy has paused itself is both teams' business; that it is about to, of those whose ring is late. */
export function alertsOfDrift(state: ClusterState, topology: Topology, now: number): Due {
  const close = near(state, topology, now);
  const due = close.filter(({ startedAtMs }) => startedAtMs <= now);
  const nextMs = earliest(close.map(({ startedAtMs }) => startedAtMs).filter((ms) => ms > now));
  const said = new Set(due.map(({ ring }) => ring));
  const expected = byForecast(state, topology, now).filter(({ ring }) => !said.has(ring));
  return { alerts: [...paused(state, topology, now), ...due, ...expected], nextMs };
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
 * Where packages graduate no more rarely than they are expected to, the ring will be beyond the limit before it has the
 * package that is on its way.
 */
function byForecast(state: ClusterState, topology: Topology, now: number): Alert[] {
  const coming = newestOnItsWay(state);
  if (!coming || state.drift.paused) return [];
  const { maxDrift, graduationExpectedEveryMs: everyMs } = resolveCoordination(topology);
  const lastMs = Math.max(...state.graduated.map(({ graduatedAt }) => Date.parse(graduatedAt)));
  const missed = missedPackages(state, topology, now);
  return forecastOf(state, topology, coming.version, coming.lane, now).flatMap(({ ring, version, expectedAt }) => {
    const behind = missed.get(ring)?.length ?? 0;
    const overMs = lastMs + (maxDrift + 1 - behind) * everyMs;
    if (expectedAt === undefined || behind === 0 || Date.parse(expectedAt) <= overMs) return [];
    const by = new Date(Math.max(overMs, now)).toISOString();
    return [
      {
        ...aboutRing(state, ring),
        summary: `ring ${ring} is expected to have ${version} at ${expectedAt}: if packages graduate as expected, it is more than ${maxDrift} behind by ${by}, and auto-deploy pauses itself`,
        evidence: [missedInWords(state, topology, ring, now)],
        next: ['cellctl cluster status', `cellctl status ${version}`],
      },
    ];
  });
}

const aboutRing = (state: ClusterState, ring: number) => ({
  name: 'DriftNear',
  severity: 's3' as const,
  cluster: state.cluster ?? '',
  ring,
  team: 'outer' as const,
});

/**
 * The next graduation would go beyond the limit. Where one package behind is the limit already, only once that one should
 * have been there: a ring that is just being deployed is no news.
 */
function near(state: ClusterState, topology: Topology, now: number): (Alert & { startedAtMs: number })[] {
  const { maxDrift } = resolveCoordination(topology);
  if (maxDrift === 0) return [];
  return [...missedPackages(state, topology, now)].flatMap(([ring, missed]) => {
    const [oldestVersion] = missed;
    if (oldestVersion === undefined || missed.length !== maxDrift) return [];
    const newest = state.graduated.findLast(({ version }) => missed.includes(version))?.graduatedAt ?? '';
    const patienceMs = maxDrift > 1 ? 0 : resolvePolicy(topology, ring, null).convergeWithinMs;
    return [
      {
        ...aboutRing(state, ring),
        summary: `ring ${ring} is ${missed.length} graduated packages behind: one more, and auto-deploy pauses itself`,
        evidence: [missedInWords(state, topology, ring, now)],
        next: ['cellctl cluster status', `cellctl status ${oldestVersion}`],
        startedAtMs: Date.parse(newest) + patienceMs,
      },
    ];
  });
}
