import { expect } from 'vitest';
import { V1 } from '../support/fleet.js';
import { ends, graduate, rawSignal, scenario, seen, sendRaw } from './support.js';

const who = { by: 'alice', reason: 'x' };

scenario(
  'a flood of signals starves nothing: the run goes on, what is kept stays bounded, and the brake in it holds',
  { rings: { 2: 2 } },
  async (world) => {
    await world.deploy(V1);
    const flood = async (id: string) => {
      for (let batch = 0; batch < 20; batch += 1) {
        await Promise.all(Array.from({ length: 40 }, (_, i) => sendRaw(world, id, 'noise', { batch, i })));
        if (batch === 10 && id === 'cell-cluster') {
          await rawSignal(world, id, 'engageBrake', { ...who, brakeId: 'in-the-flood', scope: 'outer' });
        }
      }
    };
    await Promise.all([flood('cell-cluster'), flood(`package-rollout/${V1}`)]);
    await graduate(world, V1);
    const held = await seen(world, V1, (s) => s.waitingFor?.kind === 'brake');
    expect(held.waitingFor?.detail).toContain('in-the-flood');
    expect(held.rejected.length).toBeLessThanOrEqual(50);
    await world.cells.cluster().releaseBrake({ by: 'alice', brakeId: 'in-the-flood' });
    expect((await ends(world, V1)).state).toBe('converged');
  },
);
