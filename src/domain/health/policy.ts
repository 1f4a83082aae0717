import type { HealthPolicy, QuietRule, Signal } from '../../contract/health.js';
import { parseDuration } from '../duration.js';
import { HEALTH_DEFAULTS } from '../topology/defaults.js';
import { ringOf, type Topology, type WrittenHealth } from '../topology/index.js';

/**
 * How the cells of one ring are judged: defaults, then the topology's `health`, then the ring's. The ring's own signals
 * are laid over the topology's, by name; but a ring that other tools deploy, and that writes signals, is judged by those
 * alone, because what is measured on cells of the coordinator does not exist there. A quiet rule about a signal that the
 * ring does not have is none. Throws RangeError for an unknown ring.
 */
export function resolveHealth(topology: Topology, ring: number): HealthPolicy {
  const found = ringOf(topology, ring);
  if (!found) {
    const present = topology.rings.map((r) => r.ring).join(', ');
    throw new RangeError(`no ring ${ring}; there are: ${present || 'none'}`);
  }
  const layers = [topology.health ?? {}, found.health ?? {}];
  const health = layers.reduce(laidOver, HEALTH_DEFAULTS as WrittenHealth);
  const signals = signalsOf(topology.health, found.health, found.deployedBy === 'external');
  return {
    windowMs: ms(health.window),
    baselineMs: ms(health.baseline),
    intervalMs: ms(health.interval),
    minSamples: health.minSamples ?? HEALTH_DEFAULTS.minSamples,
    onInconclusive: health.onInconclusive ?? HEALTH_DEFAULTS.onInconclusive,
    inconclusiveTimeoutMs: ms(health.inconclusiveTimeout),
    mode: health.mode ?? HEALTH_DEFAULTS.mode,
    quiet: quietOf(health.quiet, signals),
    signals,
  };
}

/** How the health of a ring's cells is judged; null where no signals are written: then nothing is measured. */
export function healthOf(topology: Topology, ring: number): HealthPolicy | null {
  const policy = resolveHealth(topology, ring);
  return Object.keys(policy.signals).length > 0 ? policy : null;
}

/** A layer must not hide what lies below it with an undefined. */
function laidOver(below: WrittenHealth, layer: WrittenHealth): WrittenHealth {
  const written = Object.entries(layer).filter(([, value]) => value !== undefined);
  return { ...below, ...Object.fromEntries(written) };
}

function signalsOf(
  shared: WrittenHealth | undefined,
  own: WrittenHealth | undefined,
  external: boolean,
): Record<string, Signal> {
  const ofRing = Object.entries(own?.signals ?? {});
  const inherited = external && ofRing.length > 0 ? [] : Object.entries(shared?.signals ?? {});
  return Object.fromEntries([...inherited, ...ofRing].map(([name, signal]) => [name, withoutHoles(signal)]));
}

const withoutHoles = (signal: object): Signal =>
  Object.fromEntries(Object.entries(signal).filter(([, value]) => value !== undefined)) as unknown as Signal;

function quietOf(quiet: WrittenHealth['quiet'], signals: Record<string, Signal>): QuietRule | null {
  if (quiet === undefined || !Object.hasOwn(signals, quiet.signal)) return null;
  // biome-ignore lint/suspicious/noThenProperty: the topology's word; the value beside it is no function.
  return { signal: quiet.signal, below: quiet.below, forMs: ms(quiet.for), then: quiet.then };
}

function ms(duration: string | undefined): number {
  const value = parseDuration(duration ?? '');
  if (value === null) throw new RangeError(`not a duration: ${JSON.stringify(duration)}`);
  return value;
}
