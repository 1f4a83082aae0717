import type { Command } from 'commander';
import type { ClusterClient } from '../../client/cluster.js';
import type { ClusterStatus } from '../../contract/status.js';
import { cells, ring, wholeNumber } from '../arguments.js';
import type { Context, Outcome } from '../context.js';
import type { Run } from '../program.js';
import { REASON } from './common.js';

interface ApplyOptions {
  allowRemoval?: boolean;
  expectRevision?: number;
  releaseColdStart?: boolean;
}

export function clusterCommands(program: Command, run: Run): void {
  const cluster = program.command('cluster').description('the cell cluster: its topology, and how it stands');

  cluster
    .command('apply')
    .description('make a topology file (YAML or JSON) the one in force; starts the cluster where there is none')
    .argument('<file>', 'topology file')
    .option('--allow-removal', 'allow that more than a tenth of the cells leave, or that a cell changes its ring')
    .option('--expect-revision <n>', 'refuse unless this is the revision in force', wholeNumber)
    .option('--release-cold-start', 'do not wait for a release where cells already run packages at the first start')
    .action((file: string, options: ApplyOptions) => run((context) => apply(context, file, options)));

  cluster
    .command('reconcile')
    .description('look at what really runs, and bring cells back to what their ring converged on')
    .option('--ring <n>', 'only this ring', ring)
    .option('--cells <a,b>', 'only these cells; also those that were changed by hand', cells)
    .option(...REASON)
    .action((options: ReconcileOptions) => run((context) => reconcile(context, options)));

  cluster
    .command('status')
    .description('rings, what they run, brakes and queue')
    .action(() => run(async (context) => (await import('../show.js')).showCluster(context)));
}

interface ReconcileOptions {
  ring?: number;
  cells?: string[];
  reason?: string;
}

async function reconcile(context: Context, { reason, ...which }: ReconcileOptions): Promise<Outcome> {
  const cluster = (await context.cells()).cluster();
  const status = await cluster.reconcile({ ...which, ...context.act(reason) }, { updateId: context.actId() });
  const looking = status.reconcile?.looking ?? [];
  return {
    json: status,
    text: [`to be looked at: ring ${looking.join(', ')}`, '  what came of it: cellctl cluster status'],
  };
}

async function apply(context: Context, file: string, options: ApplyOptions): Promise<Outcome> {
  const { readTopologyFile } = await import('../topology-file.js');
  const { topology, notInForce, warnings } = readTopologyFile(file);
  const payload = { ...context.act(), ...options };
  const cluster = (await context.cells()).cluster();
  const result = await cluster.applyTopology({ topology, ...payload }, { updateId: context.actId() });
  const [{ changesText }, { warnOfTime }, { parseTopology }] = await Promise.all([
    import('../changes-text.js'),
    import('../../domain/cluster/plan-topology.js'),
    import('../../domain/topology/index.js'),
  ]);
  const parsed = parseTopology(topology);
  const slow = parsed.ok ? warnOfTime(parsed.topology, await statusOrNull(cluster), context.io.now()) : null;
  return {
    json: slow ? { ...result, warnings: [slow, ...result.warnings] } : result,
    text: [`topology revision ${result.revision} is in force: ${changesText(result.changes)}`],
    warnings: [
      ...(slow ? [slow] : []),
      ...notInForce.map((path) => `${path} is not in force in this version`),
      ...warnings,
    ],
  };
}

/** The topology is in force, whatever comes of a question after that. */
async function statusOrNull(cluster: Pick<ClusterClient, 'status'>): Promise<ClusterStatus | null> {
  try {
    return await cluster.status();
  } catch {
    return null;
  }
}
