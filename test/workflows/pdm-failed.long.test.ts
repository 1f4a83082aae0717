import { expect } from 'vitest';
import { V1 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import { ends, forwardAfter, graduate, pause, ringOf, scenario, seen, theRing, toVersion } from './support.js';

/** What a PDM that failed stops, in whichever ring, until it has succeeded. */

const by = 'alice';
const reason = 'because';
const SEPARATE = { onFailure: 'block', postDeployMigrations: 'separate', deployToUnhealthy: false };

const pdmFailed = (world: World, ring = 2) =>
  seen(world, V1, (s) => ringOf(s, ring)?.exceptions.some((e) => e.state === 'migration-failed'));

scenario('keeps a ring that was waited for from being entered', { rings: { 2: 1, 3: 2 } }, async (world) => {
  await world.cells.cluster().engageBrake({ by, reason, brakeId: 'three', scope: { ring: 3 } });
  await world.fault({ kind: 'pdm-fails', cell: 'c2-1', times: 1 });
  await graduate(world, V1);
  await pdmFailed(world);
  await world.cells.cluster().releaseBrake({ by, brakeId: 'three' });
  await pause(2_000);
  expect((await world.jobs()).filter((j) => j.cell.startsWith('c3'))).toEqual([]);
  await world.cells.rollout(V1).retryRing({ ring: 2, by });
  expect((await ends(world, V1)).state).toBe('converged');
});

scenario(
  'inside the perimeter keeps the package from every ring, and deployRing is refused elsewhere',
  {
    rings: { 2: 1 },
    more: {
      perimeter: 1,
      rings: [
        { ring: 0, policy: SEPARATE, cells: [{ id: 'q0', tenant: 'q0', url: 'https://q0.example' }] },
        { ring: 1, policy: SEPARATE, cells: [{ id: 'q1', tenant: 'q1', url: 'https://q1.example' }] },
        { ring: 2, cells: [{ id: 'c2-1', tenant: 'c2-1', url: 'https://c2-1.example' }] },
      ],
    },
  },
  async (world) => {
    await world.deploy(V1);
    await world.fault({ kind: 'pdm-fails', cell: 'q0', times: 1 });
    const migrated = await (await world.cells.rollout(V1).migrateRing({ ring: 0, by })).answer(30_000);
    expect(migrated).toMatchObject({ outcome: 'halted', exceptions: [{ cell: 'q0', state: 'migration-failed' }] });
    await graduate(world, V1);
    const elsewhere = await world.deploy(V1, 1);
    expect(elsewhere).toMatchObject({ outcome: 'refused', code: 'blocked', next: [expect.stringContaining('retry')] });
    await pause(1_500);
    expect(toVersion(await world.jobs(), V1).filter((j) => j.cell !== 'q0')).toEqual([]);
    await world.cells.rollout(V1).retryRing({ ring: 0, by });
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario(
  'holds a pass that follows a terminated one; no skip lifts it; and the held pass waits without a word',
  {
    rings: { 2: 1, 3: 6 },
    policies: { 3: { maxParallel: 1 } },
    jobMs: 1_000,
    more: { coordination: { lookEvery: '1s' } },
  },
  async (world) => {
    await world.fault({ kind: 'pdm-fails', cell: 'c2-1', times: 1 });
    await graduate(world, V1);
    await pdmFailed(world);
    const held = await seen(
      world,
      V1,
      (s) => ringOf(s, 3)?.waitingFor?.detail.startsWith('held') && ringOf(s, 3)?.inFlight === 0,
    );
    const pass = world.client.workflow.getHandle('ring-rollout/3');
    const before = (await pass.describe()).historyLength;
    await pause(3_000);
    expect((await pass.describe()).historyLength - before).toBeLessThan(10);
    const later = await seen(world, V1, (s) => ringOf(s, 3)?.waitingFor?.detail.startsWith('held'));
    expect(theRing(later, 3).waitingFor?.since).toBe(theRing(held, 3).waitingFor?.since);

    await world.cells.rollout(V1).skipCell({ cell: 'c2-1', by, reason });
    const at = Date.now();
    await pass.terminate('by hand');
    await seen(world, V1, (s) => ringOf(s, 3)?.waitingFor?.detail.startsWith('held') && ringOf(s, 3)?.converged !== 0);
    await pause(2_000);
    expect(forwardAfter(await world.jobs(), at)).toEqual([]);
    await world.cells.rollout(V1).retryRing({ ring: 2, by });
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario(
  'holds the other rings while it is retried, until it has succeeded',
  { rings: { 2: 1, 3: 4 }, policies: { 3: { maxParallel: 1 } }, jobMs: 700 },
  async (world) => {
    await world.fault({ kind: 'pdm-fails', cell: 'c2-1', times: 1 });
    await world.fault({ kind: 'slow', jobKind: 'post_deploy_migrations', cell: 'c2-1', factor: 5, after: 1 });
    await graduate(world, V1);
    await pdmFailed(world);
    await seen(world, V1, (s) => ringOf(s, 3)?.waitingFor?.detail.startsWith('held') && ringOf(s, 3)?.inFlight === 0);
    const asked = Date.now();
    await world.cells.rollout(V1).retryRing({ ring: 2, by });
    expect((await ends(world, V1)).state).toBe('converged');
    const jobs = await world.jobs();
    const mended = jobs.find(
      (j) => j.kind === 'post_deploy_migrations' && j.cell === 'c2-1' && j.state === 'succeeded',
    );
    const between = forwardAfter(jobs, asked).filter(
      (j) => j.cell.startsWith('c3') && j.created_at < (mended?.finished_at ?? ''),
    );
    expect(between).toEqual([]);
  },
);
