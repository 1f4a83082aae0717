import { expect } from 'vitest';
import type { World } from '../support/world.js';
import { checkInvariants } from './index.js';
import type { Evidence, Leeway, SeenRollout } from './types.js';

/** Everything that the checks want to know of a world, asked from AMP and from the coordinator now. */
export async function evidenceOf(world: World): Promise<Evidence> {
  const jobs = await world.jobs();
  const asked = world.acts.flatMap((a) => (a.version === null ? [] : [a.version]));
  const statuses: Record<string, SeenRollout> = {};
  for (const version of new Set([...asked, ...jobs.map((j) => j.version)])) {
    // A package that nobody ever started has no status, and one whose history is gone neither.
    const status = await world.cells
      .rollout(version)
      .status()
      .catch(() => null);
    if (status) statuses[version] = status;
  }
  const cluster = await world.cells
    .cluster()
    .status()
    .catch(() => null);
  return { jobs, topology: world.topology, acts: world.acts, statuses, ...(cluster ? { cluster } : {}) };
}

/** Fails with every violation of contract section 7 that AMP's log shows. The last line of a workflow or process test. */
export async function expectInvariants(of: World | Evidence, leeway: Partial<Leeway> = {}): Promise<void> {
  const evidence = 'simulator' in of ? await evidenceOf(of) : of;
  const violations = checkInvariants(evidence, leeway);
  const lines = violations.map(({ rule, message }) => `rule ${rule}: ${message}`);
  expect(lines, `what must always hold did not:\n${lines.join('\n')}\n`).toEqual([]);
}
