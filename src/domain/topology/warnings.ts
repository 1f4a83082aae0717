import type { HealthPolicy, Signal } from '../../contract/health.js';
import { formatDuration } from '../duration.js';
import { leastBaselineMs } from '../health/past.js';
import { healthOf } from '../health/policy.js';
import { baselineStepMs } from '../health/readings.js';
import { withoutEffect } from './lane.js';
import { absolutePolicy, lanePolicy, layeredPolicy } from './policy.js';
import type { Topology } from './schema.js';

/** With fewer samples, a single outlier or two are all that a verdict is made of. */
const FEWEST_SAMPLES = 3;

/** They are in one answer of `applyTopology`. */
const MOST_WARNINGS = 100;
const MOST_NAMED = 5;

/** What is allowed in a topology and will hardly do what its writer wants, a sentence each. */
export function topologyWarnings(topology: Topology): string[] {
  const all = [
    ...ofHealth(topology),
    ...Object.keys(topology.lanes ?? {}).flatMap((lane) => lostInLane(topology, lane)),
  ];
  const more = all.length - MOST_WARNINGS;
  return more > 0 ? [...all.slice(0, MOST_WARNINGS), `and ${more} more warnings`] : all;
}

const ofHealth = (topology: Topology): string[] =>
  topology.rings.flatMap(({ ring }) => {
    const health = healthOf(topology, ring);
    if (health === null) return [];
    return [...fewSamples(ring, health), ...shortBaseline(topology, ring, health), ...unjudgedSignals(ring, health)];
  });

/** Fields of a lane that change nothing in some ring: whoever wrote them may rely on them. */
function lostInLane(topology: Topology, lane: string): string[] {
  // Inside the perimeter there are no lanes.
  const lost = topology.rings.flatMap(({ ring }) => {
    if (ring <= topology.perimeter) return [];
    const fields = withoutEffect(layeredPolicy(topology, ring, null), lanePolicy(topology, lane));
    return fields.map((field) => ({ field, ring }));
  });
  return [...new Set(lost.map(({ field }) => field))].map((field) => {
    const rings = lost.filter((one) => one.field === field).map(({ ring }) => ring);
    const others = rings.length > MOST_NAMED ? ` and ${rings.length - MOST_NAMED} others` : '';
    return (
      `lanes.${lane}.${field} has no effect in ring ${rings.slice(0, MOST_NAMED).join(', ')}${others}: the ring's own holds there. A lane changes times ` +
      'and sizes, and adds gates; what one package must not wait for, a person ends by an override'
    );
  });
}

function fewSamples(ring: number, { minSamples, intervalMs }: HealthPolicy): string[] {
  if (minSamples >= FEWEST_SAMPLES) return [];
  return [
    `ring ${ring}: health.minSamples is ${minSamples}, which with health.interval is ${formatDuration(minSamples * intervalMs)}: ` +
      `${minSamples === 1 ? 'a single outlier convicts' : 'two outliers in a row convict'}. Make it at least ${FEWEST_SAMPLES}`,
  ];
}

/**
 * A cell is compared with its own past for as long as its ring is watched: window, bake and grace period. With a shorter
 * baseline there is too little past to compare that with, and the ring would wait as inconclusive. Only signals with a
 * `zScore` are compared so, and for those in shadow nobody waits.
 */
function shortBaseline(topology: Topology, ring: number, health: HealthPolicy): string[] {
  const isObeyed = ({ zScore, mode }: Signal) => zScore !== undefined && mode !== 'shadow';
  if (!Object.values(health.signals).some(isObeyed)) return [];
  const never = pastlessBaseline(ring, health);
  if (never !== null) return [never];
  const found = topology.rings.find((r) => r.ring === ring);
  if (health.mode !== 'enforce' || found?.deployedBy === 'external') return [];
  const lanes = [null, ...Object.keys(topology.lanes ?? {})];
  const needs = lanes.map((lane) => ({ lane, ms: health.windowMs + watchedMs(topology, ring, lane) }));
  const most = needs.reduce((a, b) => (b.ms > a.ms ? b : a));
  const leastMs = leastBaselineMs(health, most.ms);
  if (health.baselineMs >= leastMs) return [];
  const lane = most.lane === null ? '' : ` in lane ${most.lane}`;
  const parts = ring > topology.perimeter ? 'window, bakeTime and gracePeriod' : 'window and bakeTime';
  return [
    `ring ${ring}: health.baseline is ${formatDuration(health.baselineMs)}, and ${parts}${lane} are ` +
      `${formatDuration(most.ms)} together: the ring would wait as inconclusive. Make the baseline at least ` +
      `${formatDuration(leastMs)}, and longer by what a deployment takes`,
  ];
}

/** Of a baseline that is too short for any comparison with it, however short the watch; null: it is not. */
function pastlessBaseline(ring: number, health: HealthPolicy): string | null {
  const leastMs = leastBaselineMs(health, 0);
  if (health.baselineMs >= leastMs) return null;
  const stepMs = baselineStepMs(health);
  return (
    `ring ${ring}: health.baseline is ${formatDuration(health.baselineMs)}, and is looked at in steps of ` +
    `${formatDuration(stepMs)}, minSamples times interval: those are too few to compare a cell with, and signals with a ` +
    `zScore become inconclusive. Make the baseline at least ${formatDuration(leastMs)}`
  );
}

/** A signal that says nothing of what is too much is asked for, and can never speak against a package. */
function unjudgedSignals(ring: number, health: HealthPolicy): string[] {
  const signals = Object.entries(health.signals).filter(([name]) => name !== health.quiet?.signal);
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
