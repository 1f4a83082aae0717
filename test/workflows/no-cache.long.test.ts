import { expect } from 'vitest';
import { V0, V1 } from '../support/fleet.js';
import { cellNow, ends, exceptionOf, graduate, ringOf, scenario, seen, theRing, toVersion } from './support.js';

const NO_CACHE = { worker: { maxCachedWorkflows: 0 } };

scenario(
  'a package reaches every ring when each workflow task replays its whole history',
  { ...NO_CACHE, rings: { 2: 1, 3: 2 } },
  async (world) => {
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'converged' });
    expect(await graduate(world, V1)).toEqual({ ring0: 'converged' });
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    const jobs = await world.jobs();
    expect(toVersion(jobs, V1)).toHaveLength(4);
    expect(toVersion(jobs, V1, 'post_deploy_migrations')).toHaveLength(3);
  },
);

scenario(
  'a failed cell goes back, halts its ring and is retried, under a brake between, without a cache',
  { ...NO_CACHE, rings: { 2: 2 } },
  async (world) => {
    await world.fault({ kind: 'job-fails', cell: 'c2-1', version: V1, stage: 'finish' });
    await graduate(world, V1);
    const halted = await seen(world, V1, (s) => ringOf(s, 2)?.state === 'halted' && ringOf(s, 2)?.inFlight === 0);
    expect(exceptionOf(halted, 2, 'c2-1')?.state).toBe('rolled-back');
    expect((await cellNow(world, 'c2-1')).version).toBe(V0);
    await world.clearFaults();
    const { brakeId } = await world.cells.cluster().engageBrake({ by: 'alice', reason: 'look' });
    await world.cells.rollout(V1).retryRing({ ring: 2, by: 'alice' });
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'braked');
    expect(toVersion(await world.jobs(), V1)).toHaveLength(1);
    await world.cells.cluster().releaseBrake({ by: 'alice', brakeId });
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2)).toMatchObject({ converged: 2, exceptions: [] });
  },
);
