import type { Command } from 'commander';
import { wholeNumber } from '../arguments.js';
import type { Context, Outcome } from '../context.js';
import type { Run } from '../program.js';

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
    .command('status')
    .description('rings, what they run, brakes and queue')
    .action(() => run(async (context) => (await import('../show.js')).showCluster(context)));
}

async function apply(context: Context, file: string, options: ApplyOptions): Promise<Outcome> {
  const { readTopologyFile } = await import('../topology-file.js');
  const { topology, notInForce, warnings } = readTopologyFile(file);
  const payload = { ...context.act(), ...options };
  const cluster = (await context.cells()).cluster();
  const result = await cluster.applyTopology({ topology, ...payload }, { updateId: context.actId() });
  const { changesText } = await import('../changes-text.js');
  return {
    json: result,
    text: [`topology revision ${result.revision} is in force: ${changesText(result.changes)}`],
    warnings: [...notInForce.map((path) => `${path} is not in force in this version`), ...warnings],
  };
}
