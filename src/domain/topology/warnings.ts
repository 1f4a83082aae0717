import { formatDuration } from '../duration.js';
import { healthOf } from '../health/policy.js';
import { absolutePolicy, layeredPolicy } from './policy.js';
import type { Topology } from './schema.js';

/** What is allowed in a topology and will hardly do what its writer wants, a sentence each. */
export const topologyWarnings = (topology: Topology): string[] =>
  topology.rings.flatMap(({ ring }) => [...shortBaseline(topology, ring), ...unjudgedSignals(topology, ring)]);

/**
 * A cell is compared with its own past for as long as its ring is watched: window, bake and grace period. With a shorter
 * baseline there is too little past to compare that with, and the ring would wait as inconclusive.
 */
function shortBaseline(topology: Topology, ring: number): string[] {
  const health = healthOf(topology, ring);
  const found = topology.rings.find((r) => r.ring === ring);
  if (health?.mode !== 'enforce' || found?.deployedBy === 'external') return [];
  const lanes = [null, ...Object.keys(topology.lanes ?? {})];
  const needs = lanes.map((lane) => ({ lane, ms: health.windowMs + watchedMs(topology, ring, lane) }));
  const most = needs.reduce((a, b) => (b.ms > a.ms ? b : a));
  if (health.baselineMs >= most.ms) return [];
  const lane = most.lane === null ? '' : ` in lane ${most.lane}`;
  const parts = ring > topology.perimeter ? 'window, bakeTime and gracePeriod' : 'window and bakeTime';
  return [
    `ring ${ring}: health.baseline is ${formatDuration(health.baselineMs)}, and ${parts}${lane} are ` +
      `${formatDuration(most.ms)} together: the ring would wait as inconclusive. Make the baseline at least as long`,
  ];
}

/** A signal that says nothing of what is too much is asked for, and can never speak against a package. */
function unjudgedSignals(topology: Topology, ring: number): string[] {
  const health = healthOf(topology, ring);
  const signals = Object.entries(health?.signals ?? {}).filter(([name]) => name !== health?.quiet?.signal);
  const unjudged = signals.filter(([, { slo, zScore, max, min }]) =>
    [slo, zScore, max, min].every((v) => v === undefined),
  );
  return unjudged.map(
    ([name]) =>
      `ring ${ring}: health.signals.${name} has neither slo nor zScore, max or min: it is measured, and whatever it says ` +
      'is healthy. Give it one of them, or leave it out',
  );
}

/** How long the ring is watched after its last deployment. Inside the perimeter PDM is another pass's. */
function watchedMs(topology: Topology, ring: number, lane: string | null): number {
  const { bakeTimeMs, gracePeriodMs } = absolutePolicy(layeredPolicy(topology, ring, lane), 0);
  return bakeTimeMs + (ring > topology.perimeter ? gracePeriodMs : 0);
}
