import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';
import type { PackageRolloutStatus } from '../../src/contract/status.js';
import { V0, V1 } from '../support/fleet.js';
import { scene } from './health-scene.js';
import {
  cellNow,
  ends,
  exceptionOf,
  graduate,
  jobsSeen,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

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
  'in shadow no cell waits for its window, nor for a Prometheus that is not there',
  scene({ prometheus: null, health: { mode: 'shadow', window: '10m' } }),
  async (world) => {
    await graduate(world, V1);
    expect(theRing(await ends(world, V1), 2)).toMatchObject({
      converged: 3,
      health: { mode: 'shadow', ring: { verdict: 'inconclusive' } },
    });
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

scenario(
  'an outside check holds the ring before and while it rolls, until it says ok',
  { rings: { 2: 2 }, jobMs: 1_500, apply: false },
  async (world) => {
    const answers = { body: '{"ok": false, "reason": "incident 7 is open"}' };
    const server = createServer((_, response) => response.end(answers.body));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const checks = [{ name: 'incidents', url: `http://127.0.0.1:${port}/`, every: '1s' }];
      const { topology } = world;
      await world.apply({ ...topology, policy: { ...(topology.policy as object), checks, maxParallel: 1 } });
      await graduate(world, V1);
      const isHeld = (s: PackageRolloutStatus) => ringOf(s, 2)?.waitingFor?.detail.includes('incident 7 is open');
      const held = await seen(world, V1, isHeld);
      expect(held.waitingFor).toMatchObject({
        kind: 'check',
        ring: 2,
        next: [expect.stringContaining('--wait check')],
      });
      expect(toVersion(await world.jobs(), V1)).toEqual([]);
      answers.body = '{"ok": true}';
      await jobsSeen(world, (jobs) => toVersion(jobs, V1).length === 1);
      answers.body = 'nonsense';
      await seen(world, V1, (s) => ringOf(s, 2)?.waitingFor?.detail.includes('neither yes nor no'));
      expect(toVersion(await world.jobs(), V1)).toHaveLength(1);
      await world.cells.rollout(V1).override({ wait: 'check', ring: 2, by: 'alice', reason: 'known' });
      expect(theRing(await ends(world, V1), 2)).toMatchObject({ converged: 2 });
    } finally {
      server.close();
    }
  },
);
