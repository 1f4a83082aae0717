import { expect } from 'vitest';
import { V0, V1 } from '../support/fleet.js';
import { OBSERVE, ours } from './observe-scene.js';
import { cellNow, deployedByOthers, ends, graduate, ringOf, scenario, seen, theRing, toVersion } from './support.js';

scenario(
  'a cluster that only observes: each ring is looked at and says what it would do, and AMP is asked for nothing',
  {
    rings: { 2: 3, 3: 2 },
    policies: { 0: OBSERVE, 2: { ...OBSERVE, approval: 'required' }, 3: { ...OBSERVE, bakeTime: '1h' } },
  },
  async (world) => {
    const answer = await world.deploy(V1);
    expect(answer).toMatchObject({ outcome: 'failed', blocking: false, observed: { would: 1, waits: [] } });
    await graduate(world, V1);
    const end = await ends(world, V1);
    expect(end).toMatchObject({ state: 'converged', failures: [] });
    expect(theRing(end, 2)).toMatchObject({
      state: 'mixed',
      total: 3,
      converged: 0,
      skipped: 3,
      failed: 0,
      observed: {
        would: 3,
        waits: ['a person approves it'],
        sentence: 'only observed: would deploy 3 of 3 cells, once this is over: a person approves it',
      },
    });
    expect(theRing(end, 2).exceptions[0]).toEqual({
      cell: 'c2-1',
      state: 'skipped',
      reason: `only observed: it runs ${V0}; would deploy it`,
      runs: V0,
    });
    expect(theRing(end, 3).observed?.would).toBe(2);
    expect(await world.jobs()).toEqual([]);
    const cluster = await world.cells.cluster().status();
    expect(cluster.drift).toEqual({ max: 0, byRing: {} });
    expect(cluster.rings.find((r) => r.ring === 2)).toMatchObject({ desired: V0, converged: null });
  },
);

scenario(
  'a ring that only observes counts as converged where its cells really run the package, whoever brought it',
  { rings: { 2: 2 }, policies: { 2: OBSERVE } },
  async (world) => {
    for (const cell of ['c2-1', 'c2-2']) await deployedByOthers(world, cell, V1);
    await graduate(world, V1);
    const end = await ends(world, V1);
    expect(theRing(end, 2)).toMatchObject({ state: 'converged', outcome: 'converged', converged: 2, skipped: 0 });
    expect(theRing(end, 2).observed).toMatchObject({ would: 0, waits: [] });
    expect(await ours(world)).toEqual([]);
  },
);

scenario(
  'an abort with rollback leaves a ring alone that only observes, and names its cells',
  { rings: { 2: 1, 3: 1 }, policies: { 2: OBSERVE, 3: { gracePeriod: '1h' } } },
  async (world) => {
    await deployedByOthers(world, 'c2-1', V1);
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 3)?.state === 'grace');
    await world.cells.rollout(V1).abort({ by: 'alice', reason: 'bad', rollback: true });
    const end = await ends(world, V1);
    expect(end.state).toBe('aborted');
    expect(end.needsDowntime).toMatchObject([{ cell: 'c2-1', reason: expect.stringContaining('would take back') }]);
    expect((await cellNow(world, 'c2-1')).version).toBe(V1);
    expect((await cellNow(world, 'c3-1')).version).toBe(V0);
    expect(toVersion(await ours(world), V0, 'rollback').map((j) => j.cell)).toEqual(['c3-1']);
  },
);
