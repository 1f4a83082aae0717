import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { resolveTemporalCli } from '../../src/config/temporal-cli.js';
import { fleet, V1 } from '../support/fleet.js';
import { expectInvariantsOf, isUnderWay, of, openStage, recorded, type Stage } from '../support/stage.js';

/** What a script in any language can do: the `temporal` command, JSON in and JSON out. */

const ROLLOUT = `package-rollout/${V1}`;

let cli: string;
let stage: Stage;
beforeEach(async () => {
  cli = await resolveTemporalCli({ env: process.env });
  stage = await openStage({ topology: fleet({ 2: 6 }, { 2: { maxParallel: 2 } }), durationMs: 1_500 });
  await stage.startWorker();
  await stage.apply();
});
afterEach(() => stage.close());

async function temporal(command: string[], flags: Record<string, string>): Promise<unknown> {
  const where = { address: stage.address, namespace: stage.namespace, output: 'json' };
  const all = Object.entries({ ...where, ...flags }).flatMap(([flag, value]) => [`--${flag}`, value]);
  const { stdout } = await execa(cli, ['workflow', ...command, ...all]);
  return JSON.parse(stdout);
}

async function act(
  update: string,
  version: string | null,
  payload: object,
  command: string[],
  flags: Record<string, string>,
): Promise<Record<string, unknown>> {
  return await recorded(stage, { act: update, version, payload }, async () => {
    const said = (await temporal(command, flags)) as Record<'result' | 'updateResult', Record<string, unknown>>;
    // The two commands name it differently.
    return said.updateResult ?? said.result;
  });
}

/** Starts the rollout where there is none, and asks it for something. */
async function ask(update: string, payload: object): Promise<Record<string, unknown>> {
  return await act(update, V1, payload, ['execute-update-with-start'], {
    'workflow-id': ROLLOUT,
    type: 'PackageRollout',
    'task-queue': 'cells',
    'id-conflict-policy': 'UseExisting',
    'id-reuse-policy': 'AllowDuplicate',
    input: JSON.stringify({ version: V1 }),
    'update-name': update,
    'update-id': `pipeline-7-${update}`,
    'update-input': JSON.stringify(payload),
  });
}

async function tell(workflowId: string, update: string, payload: object): Promise<Record<string, unknown>> {
  const flags = { 'workflow-id': workflowId, name: update, input: JSON.stringify(payload) };
  return await act(update, null, payload, ['update', 'execute'], flags);
}

async function status(workflowId: string): Promise<Record<string, unknown>> {
  const { queryResult } = (await temporal(['query'], { 'workflow-id': workflowId, name: 'status' })) as {
    queryResult: Record<string, unknown>[];
  };
  return queryResult[0] ?? {};
}

test('the plain temporal command deploys a ring, graduates, brakes, releases and reads the status', async () => {
  const ring0 = await ask('deployRing', { ring: 0, by: 'a script' });
  expect(ring0).toMatchObject({ ring: 0, version: V1, outcome: 'converged', blocking: false });
  expect(await ask('deployRing', { ring: 0, by: 'a script' })).toEqual(ring0);
  expect(await ask('graduate', { by: 'a script' })).toEqual({ ring0: 'converged' });

  await stage.until('two cells under way', async () => (await stage.jobs()).filter(isUnderWay).length === 2);
  const reason = 'as a script would';
  const brake = await tell('cell-cluster', 'engageBrake', {
    by: 'a script',
    reason,
    brakeId: 'script',
    scope: 'outer',
  });
  const answeredAt = Date.now();
  expect(brake).toMatchObject({ brakeId: 'script' });
  await stage.until('nothing under way', async () => !(await stage.jobs()).some(isUnderWay));
  await stage.ring(V1, 2, ({ state, inFlight }) => state === 'braked' && inFlight === 0);
  const escaped = (await stage.jobs()).filter(
    (job) => Date.parse(job.created_at) > answeredAt && !(brake.inFlight as string[]).includes(job.cell),
  );
  expect(escaped).toEqual([]);
  expect(await status(ROLLOUT)).toMatchObject({ version: V1, state: 'braked', waitingFor: { kind: 'brake', ring: 2 } });
  expect(await status('cell-cluster')).toMatchObject({ brakes: [{ brakeId: 'script', by: 'a script', reason }] });

  const released = await tell('cell-cluster', 'releaseBrake', { by: 'a script', brakeId: 'script' });
  expect(released).toMatchObject({ cluster: 'test', brakes: [] });
  expect(await stage.rolloutEnds(V1)).toMatchObject({ state: 'converged', failures: [] });
  expect(of(await stage.jobs(), 'configure')).toHaveLength(7);
  await expectInvariantsOf(stage);
}, 120_000);
