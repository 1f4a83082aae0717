import { expect } from 'vitest';
import { V0, V1 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import { cellNow, ends, exceptionOf, graduate, jobsSeen, pause, ringOf, scenario, seen, theRing } from './support.js';

/** A job has its time in whatever it does: each kind of it ends, or is told of, and nothing waits for it for ever. */

const SHORT = { policies: { 2: { deployTimeout: '2s', cancelTimeout: '2s' } } };

const of = async (world: World, kind: string) => (await world.jobs()).filter((job) => job.kind === kind);

scenario(
  'a rollback that hangs is cancelled at its time, and its cell waits for a person: it is not repeated by itself',
  { rings: { 2: 2 }, ...SHORT },
  async (world) => {
    await world.fault([
      { kind: 'job-fails', cell: 'c2-1', version: V1, jobKind: 'configure', stage: 'finish' },
      { kind: 'job-hangs', cell: 'c2-1', jobKind: 'rollback' },
    ]);
    await graduate(world, V1);
    const stuck = await seen(world, V1, (s) => exceptionOf(s, 2, 'c2-1')?.state === 'rollback-failed');
    expect(exceptionOf(stuck, 2, 'c2-1')?.reason).toMatch(/past its time/);
    expect(ringOf(stuck, 2)?.state).toBe('halted');
    await pause(2_500);
    expect(await of(world, 'rollback')).toMatchObject([{ cell: 'c2-1', state: 'canceled' }]);
    await world.clearFaults();
    await world.cells.rollout(V1).retryRing({ ring: 2, by: 'alice' });
    expect(theRing(await ends(world, V1), 2)).toMatchObject({ converged: 2, exceptions: [] });
  },
);

scenario(
  'migrations that run past their time are left to run, told of, and followed by nothing',
  { rings: { 2: 2, 3: 1 }, ...SHORT },
  async (world) => {
    await world.fault({ kind: 'job-hangs', cell: 'c2-1', jobKind: 'post_deploy_migrations' });
    await graduate(world, V1);
    const late = await seen(world, V1, (s) => exceptionOf(s, 2, 'c2-1')?.state === 'migration-failed');
    expect(exceptionOf(late, 2, 'c2-1')?.reason).toMatch(/past its time/);
    expect(late.failures).toMatchObject([{ ring: 2, cell: 'c2-1', state: 'migration-failed' }]);
    const [job] = (await of(world, 'post_deploy_migrations')).filter(({ cell }) => cell === 'c2-1');
    expect(job).toMatchObject({ state: 'running', cancel_requested_at: null });
    expect((await cellNow(world, 'c2-1')).version).toBe(V1);
    // Half of the migrations would be worse than late ones; so nobody retries beside the job that still runs, either.
    await world.cells.rollout(V1).retryRing({ ring: 2, by: 'alice' });
    await pause(1_500);
    expect((await of(world, 'post_deploy_migrations')).filter(({ cell }) => cell === 'c2-1')).toHaveLength(1);
    await world.cells.rollout(V1).abort({ by: 'alice', reason: 'INC-4711' });
    expect((await ends(world, V1)).state).toBe('aborted');
  },
);

scenario(
  'a job that AMP never starts has its time from its creation, and leaves nothing to take back',
  { rings: { 2: 2 }, ...SHORT },
  async (world) => {
    await world.fault({ kind: 'slow', cell: 'c2-1', version: V1, factor: 5_000 });
    await graduate(world, V1);
    const jobs = await jobsSeen(world, (all) => all.some((job) => job.cell === 'c2-1' && job.state === 'canceled'));
    expect(jobs).toMatchObject([{ kind: 'configure', started_at: null }]);
    const status = await seen(world, V1, (s) => exceptionOf(s, 2, 'c2-1') !== undefined);
    expect(exceptionOf(status, 2, 'c2-1')?.reason).toMatch(/past its time/);
    expect((await cellNow(world, 'c2-1')).version).toBe(V0);
  },
);
