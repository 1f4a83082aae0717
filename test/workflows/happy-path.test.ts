import { afterEach, expect, test } from 'vitest';
import { expectInvariants } from '../invariants/expect.js';
import { fleet, V1 } from '../support/fleet.js';
import { newWorld, type World } from '../support/world.js';

let world: World;
afterEach(() => world?.close());

test('a package goes to the QA cell, graduates, and reaches every ring by itself', async () => {
  world = await newWorld({ topology: fleet({ 2: 2, 3: 3 }) });
  await world.apply();
  const ring0 = await world.deploy(V1);
  expect(ring0).toMatchObject({ outcome: 'converged', cells: { total: 1, converged: 1 } });
  expect(await world.cells.rollout(V1).graduate({ by: 'release-tools' })).toEqual({ ring0: 'converged' });
  const end = await world.rolloutEnds(V1);
  expect(end.state).toBe('converged');
  const jobs = await world.jobs();
  expect(jobs.filter((j) => j.kind === 'configure')).toHaveLength(6);
  expect(jobs.filter((j) => j.kind === 'post_deploy_migrations')).toHaveLength(5);
  await expectInvariants(world);
});
