import { WorkflowUpdateFailedError } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import { expect } from 'vitest';
import { packageRolloutId } from '../../src/contract/ids.js';
import { V1 } from '../support/fleet.js';
import { scenario, statusOrNull } from './support.js';

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
