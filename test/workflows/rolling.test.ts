import { expect } from 'vitest';
import { V1 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import {
  cellNow,
  created,
  ends,
  exceptionOf,
  finished,
  graduate,
  mostAtOnce,
  rawSignal,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

scenario(
  'first cells go alone; then never more than maxParallel are in flight, and a new one starts as soon as one ends',
  { rings: { 2: 10 }, policies: { 2: { firstCells: 2, maxParallel: 4 } }, jobMs: 600 },
  async (world) => {
    await world.fault({ kind: 'slow', cell: 'c2-3', version: V1, jobKind: 'configure', factor: 20 });
    await graduate(world, V1);
    const end = await ends(world, V1);
    expect(theRing(end, 2)).toMatchObject({ total: 10, converged: 10, pending: 0, inFlight: 0 });
    const jobs = toVersion(await world.jobs(), V1);
    expect(mostAtOnce(jobs)).toBeLessThanOrEqual(4);
    const [one, two, ...rest] = jobs;
    expect([one?.cell, two?.cell].sort()).toEqual(['c2-1', 'c2-2']);
    const firstPassed = Math.max(finished(one), finished(two));
    for (const job of rest) expect(created(job)).toBeGreaterThanOrEqual(firstPassed);
    // No waves: while the slow one is at it, more cells start than have room beside it at once.
    const slow = jobs.find((j) => j.cell === 'c2-3');
    const meanwhile = rest.filter((j) => created(j) >= created(slow) && created(j) < finished(slow) && j !== slow);
    expect(meanwhile.length).toBeGreaterThan(3);
  },
);

scenario(
  'failures within the budget are named and borne; one more halts the ring',
  { rings: { 2: 6, 3: 6 }, policies: { 2: { failureBudget: '20%' }, 3: { failureBudget: 1, maxParallel: 1 } } },
  async (world) => {
    const fails = (cell: string) => ({ kind: 'job-fails', cell, version: V1, stage: 'finish' });
    await world.fault(['c2-3', 'c3-2', 'c3-4'].map(fails));
    await graduate(world, V1);
    const status = await seen(world, V1, (s) => ringOf(s, 3)?.state === 'halted');
    expect(theRing(status, 2)).toMatchObject({ converged: 5, rolledBack: 1, exceptionsTotal: 1 });
    expect(theRing(status, 2).exceptions).toMatchObject([{ cell: 'c2-3', state: 'rolled-back' }]);
    expect(theRing(status, 3)).toMatchObject({ converged: 2, rolledBack: 2, pending: 2 });
    expect(status).toMatchObject({ state: 'halted', waitingFor: { kind: 'operator', ring: 3 } });
    expect((await world.jobs()).some((j) => j.cell === 'c3-5')).toBe(false);
  },
);

scenario(
  'the next ring starts when one has baked, while that one still waits for its PDM',
  { rings: { 2: 1, 4: 1, 7: 1 }, policies: { 2: { bakeTime: '2s', gracePeriod: '1h' }, 4: { gracePeriod: '3s' } } },
  async (world) => {
    await graduate(world, V1);
    const last = await seen(
      world,
      V1,
      (s) => ringOf(s, 7)?.state === 'converged' && ringOf(s, 4)?.state === 'converged',
    );
    expect(last.rings.map((r) => r.ring)).toEqual([2, 4, 7]);
    expect(theRing(last, 2).state).toBe('grace');
    await world.cells.rollout(V1).override({ wait: 'grace-period', ring: 2, by: 'alice', reason: 'enough' });
    expect((await ends(world, V1)).state).toBe('converged');
    const jobs = await world.jobs();
    const configure = (cell: string) => toVersion(jobs, V1).find((j) => j.cell === cell);
    const pdm = (cell: string) => toVersion(jobs, V1, 'post_deploy_migrations').find((j) => j.cell === cell);
    expect(created(configure('c4-1'))).toBeGreaterThanOrEqual(Date.parse(theRing(last, 2).convergedAt ?? '') + 2_000);
    expect(created(pdm('c4-1'))).toBeGreaterThanOrEqual(Date.parse(theRing(last, 4).convergedAt ?? '') + 3_000);
    for (const cell of ['c2-1', 'c4-1', 'c7-1']) expect((await cellNow(world, cell)).migrated_version).toBe(V1);
  },
);

scenario(
  'a ring that needs approval waits for it with the command to give it; approvals at once start one pass',
  { rings: { 2: 2, 3: 1 }, policies: { 2: { approval: 'required' }, 3: { approval: 'required' } } },
  async (world) => {
    await graduate(world, V1);
    const waiting = await seen(world, V1, (s) => s.waitingFor?.kind === 'approval');
    expect(waiting).toMatchObject({ state: 'waiting', waitingFor: { ring: 2 } });
    expect(waiting.waitingFor?.next.join()).toMatch(/approve/);
    expect(await world.jobs()).toEqual([]);
    const approve = () => world.cells.rollout(V1).approveRing({ ring: 2, by: 'alice', reason: 'looked at it' });
    // Given before the ring is reached, it counts when it is.
    await world.cells.rollout(V1).approveRing({ ring: 3, by: 'alice' });
    await Promise.all([
      approve(),
      approve(),
      rawSignal(world, `package-rollout/${V1}`, 'approveRing', { ring: 2, by: 'bob' }),
      world.cells.rollout(V1).override({ wait: 'approval', ring: 2, by: 'carol', reason: 'at once' }),
    ]);
    expect((await ends(world, V1)).state).toBe('converged');
    expect(toVersion(await world.jobs(), V1)).toHaveLength(3);
  },
);

scenario(
  'pinned, quarantined and observed cells get no job; the first two are counted and named',
  { rings: { 2: 1 }, apply: false },
  async (world) => {
    const rings = structuredClone(world.topology.rings) as { ring: number; cells: Record<string, unknown>[] }[];
    const url = `${world.simulator.url}/cells/x`;
    rings
      .find((r) => r.ring === 2)
      ?.cells.push(
        { id: 'pin', tenant: 't-pin', url: `${url}1`, pinned: { reason: 'experimental', until: '2099-12-31' } },
        { id: 'sick', tenant: 't-sick', url: `${url}2`, quarantined: { reason: 'disk' } },
        { id: 'other', url: `${url}3`, observe: true },
      );
    await applyAnyway(world, { ...world.topology, rings });
    await graduate(world, V1);
    const end = await seen(world, V1, (s) => ringOf(s, 2)?.state === 'converged');
    expect(theRing(end, 2)).toMatchObject({ total: 3, converged: 1, quarantined: 1, skipped: 1 });
    expect(exceptionOf(end, 2, 'pin')).toMatchObject({
      state: 'skipped',
      reason: expect.stringContaining('experimental'),
    });
    expect(exceptionOf(end, 2, 'sick')).toMatchObject({ state: 'quarantined', reason: 'disk' });
    expect([...new Set((await world.jobs()).map((j) => j.cell))]).toEqual(['c2-1']);
  },
);

/** The simulator knows nothing of the cells that were added, and need not. */
async function applyAnyway(world: World, topology: Record<string, unknown>): Promise<void> {
  await world.cells.cluster().applyTopology({ topology, by: 'test', releaseColdStart: true });
}

scenario(
  'retryRing goes on with the cells named, and leaves the others as they are',
  { rings: { 2: 4 }, policies: { 2: { failureBudget: 1 } } },
  async (world) => {
    await world.fault([2, 3].map((i) => ({ kind: 'job-fails', cell: `c2-${i}`, version: V1, stage: 'finish' })));
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'halted' && ringOf(s, 2)?.inFlight === 0);
    await world.clearFaults();
    await world.cells.rollout(V1).retryRing({ ring: 2, by: 'alice', cells: ['c2-3'] });
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2)).toMatchObject({ converged: 3, rolledBack: 1 });
    expect(exceptionOf(end, 2, 'c2-2')?.state).toBe('rolled-back');
    expect(exceptionOf(end, 2, 'c2-3')).toBeUndefined();
  },
);
