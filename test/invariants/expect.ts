import { expect } from 'vitest';
import { packageRollbackId, packageRolloutId } from '../../src/contract/ids.js';
import type { PackageRollbackStatus, PackageRolloutStatus } from '../../src/contract/status.js';
import { statusOfRun } from '../support/evidence.js';
import type { World } from '../support/world.js';
import { checkInvariants } from './index.js';
import type { Evidence, Leeway, SeenAct, SeenRollout } from './types.js';

/** Everything that the checks want to know of a world, asked from AMP and from the coordinator now. */
export async function evidenceOf(world: World): Promise<Evidence> {
  const jobs = await world.jobs();
  const asked = world.acts.flatMap((a) => (a.version === null ? [] : [a.version]));
  const statuses: Record<string, SeenRollout> = {};
  for (const version of new Set([...asked, ...jobs.map((j) => j.version)])) {
    const status = await statusOfAllRuns(world, version);
    if (status) statuses[version] = status;
  }
  const rollbacks: Record<string, SeenAct[]> = {};
  for (const version of new Set(asked)) {
    const acts = await actsOfRollbacks(world, version);
    if (acts.length > 0) rollbacks[version] = acts;
  }
  const cluster = await world.cells
    .cluster()
    .status()
    .catch(() => null);
  return { jobs, topology: world.topology, acts: world.acts, statuses, rollbacks, ...(cluster ? { cluster } : {}) };
}

/**
 * What all runs of a package's rollout say, the newest last: a run that is started for a package that has ended says
 * little of its own, and what people did stands in the run that they did it to. Null where nobody ever started it.
 */
async function statusOfAllRuns(world: World, version: string): Promise<PackageRolloutStatus | null> {
  const statuses: PackageRolloutStatus[] = [];
  for await (const run of world.client.workflow.list({ query: `WorkflowId = '${packageRolloutId(version)}'` })) {
    const found = await statusOfRun<PackageRolloutStatus>(world.client, run);
    if (found) statuses.unshift(found);
  }
  const newest = statuses.at(-1);
  if (!newest) return null;
  const rings = new Map(statuses.flatMap((s) => s.rings).map((ring) => [ring.ring, ring]));
  return {
    ...newest,
    rings: [...rings.values()],
    acts: statuses.flatMap((s) => s.acts),
    rejected: statuses.flatMap((s) => s.rejected),
    failures: statuses.flatMap((s) => s.failures),
  };
}

/** What people did to the rollbacks of a package, in all their runs. */
async function actsOfRollbacks(world: World, version: string): Promise<SeenAct[]> {
  const acts: SeenAct[] = [];
  for await (const run of world.client.workflow.list({ query: `WorkflowId = '${packageRollbackId(version)}'` })) {
    const found = await statusOfRun<PackageRollbackStatus>(world.client, run);
    acts.unshift(...(found?.acts ?? []));
  }
  return acts;
}

/** Fails with every violation of contract section 7 that AMP's log shows. The last line of a workflow or process test. */
export async function expectInvariants(of: World | Evidence, leeway: Partial<Leeway> = {}): Promise<void> {
  const evidence = 'simulator' in of ? await evidenceOf(of) : of;
  const violations = checkInvariants(evidence, leeway);
  const lines = violations.map(({ rule, message }) => `rule ${rule}: ${message}`);
  expect(lines, `what must always hold did not:\n${lines.join('\n')}\n`).toEqual([]);
}
