import type { Problem } from '../../contract/problem.js';
import { problemsFromZod } from '../problems.js';
import { crossChecks } from './checks.js';
import { fieldsNotInForce } from './not-in-force.js';
import { type Ring, type Topology, topologySchema, type WrittenRing, type WrittenTopology } from './schema.js';

export type ParsedTopology =
  | { ok: true; topology: Topology; notInForce: string[] }
  | { ok: false; problems: Problem[] };

/**
 * Reads a topology (already parsed from YAML or JSON), whole: all its problems, or the topology with its rings sorted and
 * named, and the paths of fields that this version does not obey yet. What comes out can be read again. Never throws.
 */
export function parseTopology(input: unknown): ParsedTopology {
  const parsed = topologySchema().safeParse(input);
  const ofFields = parsed.success ? [] : problemsFromZod(parsed.error, input, topologySchema());
  const problems = oncePerPath([...ofFields, ...crossChecks(input)]);
  if (!parsed.success || problems.length > 0) return { ok: false, problems };
  return { ok: true, topology: normalize(parsed.data), notInForce: fieldsNotInForce(input) };
}

/** A field that is wrong by itself is not also reported for how it fits the others. */
function oncePerPath(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems.filter(({ path }) => !seen.has(path) && seen.add(path));
}

function normalize(written: WrittenTopology): Topology {
  const rings = written.rings
    .map((ring): Ring => ({ ...ring, name: ring.name ?? `ring-${ring.ring}`, ...observeMode(written, ring) }))
    .sort((a, b) => a.ring - b.ring);
  return { ...written, rings };
}

/** A cluster that only observes says so in each ring that does not say otherwise, so that a ring alone tells whether to act. */
function observeMode(written: WrittenTopology, ring: WrittenRing): Pick<Ring, 'policy'> {
  const observes = written.policy?.mode === 'observe' && ring.policy?.mode === undefined;
  return observes ? { policy: { ...ring.policy, mode: 'observe' } } : {};
}
