import { expect } from 'vitest';
import { V0, V1, V2 } from '../support/fleet.js';
import type { LoggedJob, World } from '../support/world.js';
import {
  cellNow,
  ends,
  exceptionOf,
  expectRejected,
  graduate,
  jobsSeen,
  mostAtOnce,
  rawSignal,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

const created = (job: LoggedJob | undefined) => Date.parse(job?.created_at ?? '');
const finished = (job: LoggedJob | undefined) => Date.parse(job?.finished_at ?? '');

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
  'a strict budget never lets more than itself and one fail',
  { rings: { 2: 8 }, policies: { 2: { failureBudget: 1, strictBudget: true, maxParallel: 8 } }, jobMs: 400 },
  async (world) => {
    await world.fault(
      [2, 3, 4, 5, 6, 7, 8].map((i) => ({ kind: 'job-fails', cell: `c2-${i}`, version: V1, stage: 'finish' })),
    );
    await graduate(world, V1);
    const status = await seen(world, V1, (s) => ringOf(s, 2)?.state === 'halted' && ringOf(s, 2)?.inFlight === 0);
    expect(theRing(status, 2)).toMatchObject({ converged: 1, rolledBack: 2, pending: 5 });
    expect(toVersion(await world.jobs(), V1)).toHaveLength(3);
  },
);

scenario(
  'with-deploy and scope: full go into the job, and no PDM of its own follows',
  { rings: { 2: 2, 3: 1 }, policies: { 2: { postDeployMigrations: 'with-deploy' }, 3: { scope: 'full' } } },
  async (world) => {
    await graduate(world, V1);
    expect((await ends(world, V1)).state).toBe('converged');
    const jobs = (await world.jobs()) as (LoggedJob & { scope: string })[];
    expect(jobs.map((j) => `${j.cell} ${j.kind} ${j.scope} ${j.post_deploy_migrations}`)).toEqual([
      'c2-1 configure application include',
      'c2-2 configure application include',
      'c3-1 configure full skip',
      'c3-1 post_deploy_migrations full include',
    ]);
    expect((await cellNow(world, 'c2-2')).migrated_version).toBe(V1);
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
  'migrateWhen: everywhere keeps PDM until the package has baked in every ring',
  {
    rings: { 2: 2, 3: 1 },
    more: {
      policy: { bakeTime: '1s', gracePeriod: '0s', pollInterval: '1s', verifyTimeout: '2s', migrateWhen: 'everywhere' },
    },
  },
  async (world) => {
    await graduate(world, V1);
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    const jobs = await world.jobs();
    const baked = Date.parse(theRing(end, 3).convergedAt ?? '') + 1_000;
    const pdm = toVersion(jobs, V1, 'post_deploy_migrations');
    expect(pdm).toHaveLength(3);
    for (const job of pdm) expect(created(job)).toBeGreaterThanOrEqual(baked);
  },
);

scenario(
  'an empty ring is converged without gates or bake, and says that it is empty',
  { rings: { 2: 0, 3: 1 }, policies: { 2: { approval: 'required', bakeTime: '1h' } } },
  async (world) => {
    await graduate(world, V1);
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2)).toMatchObject({ state: 'converged', empty: true, total: 0 });
    expect(theRing(end, 3).converged).toBe(1);
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
  'an override ends the bake, and another the grace period, of this ring only, and both are kept',
  { rings: { 2: 1, 3: 1 }, policies: { 2: { bakeTime: '1h', gracePeriod: '1h' }, 3: { bakeTime: '1h' } } },
  async (world) => {
    const rollout = world.cells.rollout(V1);
    await graduate(world, V1);
    const baking = await seen(world, V1, (s) => s.state === 'baking');
    expect(baking.waitingFor).toMatchObject({ kind: 'bake', ring: 2, until: expect.any(String) });
    expect(baking.waitingFor?.next.join()).toContain('override');
    await rollout.override({ wait: 'bake', ring: 2, by: 'alice', reason: 'fix is urgent' });
    const next = await seen(world, V1, (s) => ringOf(s, 3)?.state === 'baking');
    expect(theRing(next, 2)).toMatchObject({ state: 'grace', waitingFor: { kind: 'grace-period' } });
    await rollout.override({ wait: 'grace-period', ring: 2, by: 'alice', reason: 'fix is urgent' });
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'converged');
    expect(toVersion(await world.jobs(), V1, 'post_deploy_migrations').map((j) => j.cell)).toEqual(['c2-1']);
    await rollout.override({ wait: 'bake', ring: 3, by: 'alice', reason: 'fix is urgent' });
    const end = await ends(world, V1);
    expect(end.acts.filter((a) => a.act === 'override' && a.reason === 'fix is urgent')).toHaveLength(3);
  },
);

scenario(
  'waits that nobody may override are refused by name',
  { rings: { 2: 1 }, policies: { 2: { bakeTime: '1h' } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => s.state === 'baking');
    const override = (payload: Record<string, unknown>) =>
      world.cells.rollout(V1).override({ ring: 2, by: 'alice', reason: 'x', ...payload } as never);
    for (const wait of ['brake', 'graduation', 'quarantine', 'block', 'ring-turn', '']) {
      const problem = await expectRejected(override({ wait }), 'wait');
      expect(problem.expected).toContain('bake');
    }
    // Nor one that the package is not in.
    for (const wait of ['grace-period', 'health', 'check', 'approval']) {
      const problem = await expectRejected(override({ wait }), 'wait');
      expect(problem.expected).toContain('bake, ring 2 bakes');
    }
    await expectRejected(override({ wait: 'bake', ring: 9 }), 'ring');
    await expectRejected(override({ wait: 'bake', reason: '' }), 'reason');
    await expectRejected(world.cells.rollout(V1).retryRing({ ring: 8, by: 'alice' }), 'ring');
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
  'a cell skipped before its turn is left out of the way and tried once more at the end of its ring',
  { rings: { 2: 4 }, policies: { 2: { maxParallel: 1 } }, jobMs: 800 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length > 0);
    await world.cells.rollout(V1).skipCell({ cell: 'c2-2', by: 'alice', reason: 'maintenance' });
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(toVersion(await world.jobs(), V1).map((j) => j.cell)).toEqual(['c2-1', 'c2-3', 'c2-4', 'c2-2']);
    expect(theRing(end, 2)).toMatchObject({ converged: 4, skipped: 0, exceptions: [] });
  },
);

scenario(
  'a halted ring goes on when its failed cell is skipped: the cell is named and spends no budget',
  { rings: { 2: 3 } },
  async (world) => {
    await world.fault({ kind: 'not-ready-after', cell: 'c2-1', version: V1 });
    await graduate(world, V1);
    await seen(world, V1, (s) => s.state === 'halted');
    await world.cells.rollout(V1).skipCell({ cell: 'c2-1', by: 'alice', reason: 'known bad disk' });
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2)).toMatchObject({ total: 3, converged: 2, skipped: 1, failed: 0, rolledBack: 0 });
    expect(exceptionOf(end, 2, 'c2-1')?.state).toBe('skipped');
    expect((await cellNow(world, 'c2-1')).version).toBe(V0);
    // Once more at the end of the ring, and then not again.
    expect(toVersion(await world.jobs(), V1).map((j) => j.cell)).toEqual(['c2-1', 'c2-2', 'c2-3', 'c2-1']);
    expect(
      toVersion(await world.jobs(), V1, 'post_deploy_migrations')
        .map((j) => j.cell)
        .sort(),
    ).toEqual(['c2-2', 'c2-3']);
  },
);

scenario(
  'a skip takes effect when the run of the cell has ended, its rollback included',
  { rings: { 2: 3 }, jobMs: 2500 },
  async (world) => {
    await world.fault({ kind: 'job-fails', cell: 'c2-1', version: V1, stage: 'finish', times: 1 });
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => jobs[0]?.state === 'running');
    await world.cells.rollout(V1).skipCell({ cell: 'c2-1', by: 'alice', reason: 'busy today' });
    const skipped = await seen(world, V1, (s) => ringOf(s, 2)?.skipped === 1);
    expect(exceptionOf(skipped, 2, 'c2-1')).toMatchObject({ state: 'skipped' });
    expect((await world.jobs()).find((j) => j.kind === 'rollback')).toMatchObject({ cell: 'c2-1', state: 'succeeded' });
    const end = await ends(world, V1);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2)).toMatchObject({ converged: 3, skipped: 0 });
  },
);

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

scenario(
  'a newer graduated package takes over a halted ring after a local failure; the halted one ends superseded',
  { rings: { 2: 3 }, policies: { 2: { failureBudget: 0, maxParallel: 1 } } },
  async (world) => {
    await world.fault({ kind: 'job-fails', cell: 'c2-2', version: V1, stage: 'finish' });
    await graduate(world, V1);
    await seen(world, V1, (s) => s.state === 'halted');
    await graduate(world, V2);
    expect(await ends(world, V1)).toMatchObject({ state: 'superseded', supersededBy: V2 });
    const end = await ends(world, V2);
    expect(end.state).toBe('converged');
    expect(theRing(end, 2)).toMatchObject({ converged: 3, failed: 0 });
    for (const i of [1, 2, 3]) expect((await cellNow(world, `c2-${i}`)).version).toBe(V2);
  },
);

scenario(
  'a check that fails in an outer ring halts it before the next one, until it passes or is overridden',
  { rings: { 2: 2, 3: 1 }, policies: { 2: { bakeTime: '5s' } } },
  async (world) => {
    const rollout = world.cells.rollout(V1);
    const check = (outcome: 'passed' | 'failed') =>
      rollout.recordCheck({ ring: 2, name: 'qa', outcome, by: 'release-tools' });
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
    await check('failed');
    const halted = await seen(world, V1, (s) => s.state === 'halted');
    expect(halted.waitingFor?.detail).toContain('qa');
    expect((await world.jobs()).filter((j) => j.cell === 'c3-1')).toEqual([]);
    await check('passed');
    const end = await ends(world, V1);
    expect(end).toMatchObject({ state: 'converged', checks: [{ outcome: 'failed' }, { outcome: 'passed' }] });
  },
);

scenario(
  'a cell counts once: the counts of a ring always add up to its total',
  { rings: { 2: 8 }, policies: { 2: { maxParallel: 3, failureBudget: 4 } }, jobMs: 500 },
  async (world) => {
    await world.fault([
      { kind: 'job-fails', cell: 'c2-3', version: V1, stage: 'finish' },
      { kind: 'unknown-tenant', cell: 'c2-5' },
      { kind: 'not-ready', cell: 'c2-6', version: V0 },
    ]);
    await graduate(world, V1);
    const sums: string[] = [];
    await seen(world, V1, (s) => {
      const r = ringOf(s, 2);
      if (!r || r.total === 0) return s.finishedAt !== null;
      const sum = r.converged + r.inFlight + r.failed + r.rolledBack + r.quarantined + r.skipped + r.pending;
      if (sum !== r.total) sums.push(JSON.stringify(r));
      return s.finishedAt !== null;
    });
    expect(sums).toEqual([]);
    const end = await ends(world, V1);
    expect(theRing(end, 2)).toMatchObject({ converged: 5, rolledBack: 1, failed: 2 });
  },
);
