import { WorkflowUpdateFailedError } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import { expect } from 'vitest';
import { packageRolloutId } from '../../src/contract/ids.js';
import { V1 } from '../support/fleet.js';
import { ends, expectRejected, pause, rawSignal, scenario, seen, statusOrNull } from './support.js';

async function failureOf(act: Promise<unknown>): Promise<ApplicationFailure> {
  const answer = await act.catch((error: unknown) => error);
  if (answer instanceof WorkflowUpdateFailedError) return answer.cause as ApplicationFailure;
  throw new Error(`expected a failure, was answered ${JSON.stringify(answer)}`);
}

scenario(
  'a ring that is unknown or beyond the perimeter is Rejected whatever brakes are on; one that is there is refused, braked',
  {},
  async (world) => {
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'converged' });
    const rollout = world.cells.rollout(V1);
    await rollout.engageBrake({ by: 'bob', reason: 'suspicious', brakeId: 'mine' });
    await world.cells.cluster().engageBrake({ by: 'alice', reason: 'incident', brakeId: 'all' });
    const handle = world.client.workflow.getHandle(packageRolloutId(V1));
    const wrong = [99, 2].flatMap((ring) => ['deployRing', 'migrateRing'].map((name) => ({ ring, name })));
    for (const { ring, name } of wrong) {
      const failure = await failureOf(handle.executeUpdate(name, { args: [{ ring, by: 'release-tools' }] }));
      expect(failure.type).toBe('Rejected');
      const expected = expect.stringMatching(/inside the perimeter: 0, 1/);
      expect(failure.details).toEqual([{ path: 'ring', value: String(ring), expected }]);
    }
    const status = await statusOrNull(world, V1);
    const filed = wrong.map(({ ring, name }) => ({ message: name, path: 'ring', value: String(ring) }));
    expect(status?.rejected).toMatchObject(filed);
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'refused', code: 'braked' });
  },
);

scenario(
  'a package whose cluster has not answered yet says that it asks it, not that a topology is missing',
  { rings: { 2: 1 }, apply: false },
  async (world) => {
    const start = (type: string, workflowId: string, taskQueue: string, ...args: object[]) =>
      world.client.workflow.start(type, { workflowId, taskQueue, args });
    // It is there and hears, but nobody works for it.
    const silent = await start('CellCluster', 'cell-cluster', 'nobody-works-here');
    await start('PackageRollout', packageRolloutId(V1), world.taskQueue, { version: V1 });
    await rawSignal(world, packageRolloutId(V1), 'graduate', { by: 'release-tools' });
    const asking = await seen(world, V1, (s) => s.acts.length > 0);
    expect(asking.waitingFor).toMatchObject({ kind: 'graduation', next: [] });
    expect(asking.waitingFor?.detail).toMatch(/asks the cell cluster/);
    await silent.terminate('one that works takes its place');
    await world.apply();
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario(
  'a package that is aborted before there is a cluster waits for it, so that it stays aborted',
  { rings: { 2: 1 }, apply: false },
  async (world) => {
    const [workflowId, { taskQueue }] = [packageRolloutId(V1), world];
    await world.client.workflow.start('PackageRollout', { workflowId, taskQueue, args: [{ version: V1 }] });
    await rawSignal(world, workflowId, 'abort', { by: 'alice', reason: 'wrong' });
    // Longer than it waits for the cluster's answer before it asks again.
    await pause(17_000);
    expect((await statusOrNull(world, V1))?.waitingFor).toMatchObject({
      kind: 'topology',
      next: [expect.stringContaining('cluster apply')],
    });
    await world.apply();
    expect((await ends(world, V1)).state).toBe('aborted');
    await expectRejected(world.cells.rollout(V1).graduate({ by: 'release-tools' }), 'version');
    expect((await ends(world, V1)).state).toBe('aborted');
    expect(await world.jobs()).toEqual([]);
  },
);

scenario(
  'a package has graduated when its PDM succeeded on the main stage, not when somebody came to say so',
  { rings: { 2: 1 } },
  async (world) => {
    const saidAt = Date.now();
    await world.cells.rollout(V1).graduate({ by: 'release-tools', pdmCompletedAt: '2026-03-18T11:30:00+01:00' });
    const graduatedAt = '2026-03-18T10:30:00.000Z';
    // Said again, with another time, it changes nothing.
    await world.cells.rollout(V1).graduate({ by: 'release-tools', pdmCompletedAt: '2026-03-18T09:00:00Z' });
    const end = await ends(world, V1);
    expect(end).toMatchObject({ state: 'converged', graduatedAt });
    const [act] = end.acts;
    expect(act).toMatchObject({ act: 'graduate', detail: expect.stringContaining('2026-03-18T11:30:00+01:00') });
    expect(Date.parse(act?.at ?? '')).toBeGreaterThan(saidAt - 1_000);
    expect((await world.cells.cluster().status()).graduated).toMatchObject([{ version: V1, graduatedAt }]);
  },
);
