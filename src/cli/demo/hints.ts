import { dirname } from 'node:path';
import { type Environment, resolveTemporalCli } from '../../config/temporal-cli.js';
import { CLUSTER_WORKFLOW_ID, DEFAULT_TASK_QUEUE, packageRolloutId } from '../../contract/ids.js';

export interface HintContext {
  address: string;
  /** AMP, the cells and what stands in for Prometheus. */
  simulatorUrl: string;
  version: string;
  /** A package that nobody has deployed yet. */
  nextVersion: string;
}

/** The same acts with `cellctl` and with the plain `temporal` CLI, ready to be pasted. */
export async function hints(context: HintContext, env: Environment): Promise<string[]> {
  const temporal = await temporalCommand(env);
  const { address, simulatorUrl, version, nextVersion } = context;
  const to = (id: string) => `--address ${address} --workflow-id ${id}`;
  const cluster = to(CLUSTER_WORKFLOW_ID);
  const brake = { by: 'me', reason: 'trying it out', brakeId: 'try', scope: 'outer' };
  return [
    'with cellctl, in another terminal:',
    `  export TEMPORAL_ADDRESS=${address} AMP_URL=${simulatorUrl} PROMETHEUS_URL=${simulatorUrl}`,
    '  npx cellctl status',
    '  npx cellctl health --ring 3',
    '  npx cellctl brake on --reason "trying it out" --id try',
    `  npx cellctl deploy --ring 0 ${nextVersion} --wait`,
    `  npx cellctl graduate ${nextVersion}`,
    `  npx cellctl status ${nextVersion}`,
    '  npx cellctl brake off --id try',
    `  npx cellctl status ${nextVersion} --watch`,
    'with the plain temporal CLI:',
    `  ${temporal} workflow query ${to(packageRolloutId(version))} --type status`,
    `  ${temporal} workflow query ${cluster} --type status`,
    `  ${temporal} workflow signal ${cluster} --name engageBrake --input '${JSON.stringify(brake)}'`,
    `  ${temporal} workflow update execute ${cluster} --name releaseBrake --input '${JSON.stringify({ by: 'me', brakeId: 'try' })}'`,
    `  ${temporal} workflow execute-update-with-start ${to(packageRolloutId(nextVersion))} --type PackageRollout --task-queue ${DEFAULT_TASK_QUEUE}` +
      ` --id-conflict-policy UseExisting --input '${JSON.stringify({ version: nextVersion })}'` +
      ` --update-name deployRing --update-input '${JSON.stringify({ ring: 0, by: 'me' })}'`,
    `  ${temporal} workflow signal ${to(packageRolloutId(nextVersion))} --name graduate --input '${JSON.stringify({ by: 'me' })}'`,
  ];
}

/** `temporal` where a shell finds it, else where it really is. */
async function temporalCommand(env: Environment): Promise<string> {
  const path = await resolveTemporalCli({ env: { ...process.env, PATH: env.PATH } });
  return (env.PATH ?? '').split(':').includes(dirname(path)) ? 'temporal' : path;
}
