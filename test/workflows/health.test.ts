import { expect } from 'vitest';
import { V0, V1 } from '../support/fleet.js';
import { scene } from './health-scene.js';
import { cellNow, ends, exceptionOf, graduate, scenario, seen, theRing, toVersion } from './support.js';

scenario('a healthy package converges, each cell once its window is over', scene(), async (world) => {
  await graduate(world, V1);
  const end = await ends(world, V1);
  expect(theRing(end, 2)).toMatchObject({ converged: 3, failed: 0, rolledBack: 0 });
});

scenario(
  'an error burst on one cell takes that cell back, with what it rests on',
  scene({ policies: { 2: { failureBudget: 1, maxParallel: 2 } } }),
  async (world) => {
    await world.fault({ kind: 'error-burst', cell: 'c2-2', version: V1, size: 0.3 });
    await graduate(world, V1);
    const end = await ends(world, V1);
    expect(theRing(end, 2)).toMatchObject({ converged: 2, rolledBack: 1 });
    const exception = exceptionOf(end, 2, 'c2-2');
    expect(exception).toMatchObject({
      state: 'rolled-back',
      reason: expect.stringContaining('unhealthy after its job'),
    });
    expect(exception?.evidence).toContainEqual(
      expect.objectContaining({ signal: 'errors', verdict: 'unhealthy', cell: 'c2-2' }),
    );
    expect(await cellNow(world, 'c2-2')).toMatchObject({ version: V0 });
  },
);

scenario(
  'without a Prometheus a ring with signals is held, and nothing is deployed',
  scene({ prometheus: null }),
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, ({ waitingFor: wait }) => wait?.kind === 'health' && /PROMETHEUS_URL/.test(wait.detail));
    expect(toVersion(await world.jobs(), V1)).toEqual([]);
  },
);
