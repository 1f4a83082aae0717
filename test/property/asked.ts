import { packageRollbackId } from '../../src/contract/ids.js';
import type { PackageRollbackStatus } from '../../src/contract/status.js';
import type { World } from '../support/world.js';

/** What every cell really runs: the simulator's own state, which no fault changes. */
export async function versionsOf(world: World): Promise<Map<string, string>> {
  const response = await fetch(`${world.simulator.url}/state`);
  const { tenants } = (await response.json()) as { tenants: { cell_id: string; version: string }[] };
  return new Map(tenants.map((t) => [t.cell_id, t.version]));
}

/** How every rollback of each package ended, oldest first. */
export type Rollbacks = Map<string, PackageRollbackStatus[]>;

export async function rollbacksOf(world: World): Promise<Rollbacks> {
  const all = new Map<string, PackageRollbackStatus[]>();
  const asked = world.acts.flatMap((a) => (a.act === 'rollback' && a.version !== null ? [a.version] : []));
  for (const version of new Set(asked)) {
    const ended: PackageRollbackStatus[] = [];
    for await (const run of world.client.workflow.list({ query: `WorkflowId = '${packageRollbackId(version)}'` })) {
      if (run.status.name !== 'COMPLETED') continue;
      ended.unshift(
        (await world.client.workflow.getHandle(run.workflowId, run.runId).result()) as PackageRollbackStatus,
      );
    }
    all.set(version, ended);
  }
  return all;
}
