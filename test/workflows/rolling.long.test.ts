import { expect } from 'vitest';
import { V0, V1, V2 } from '../support/fleet.js';
import type { LoggedJob } from '../support/world.js';
import {
  cellNow,
  created,
  ends,
  exceptionOf,
  expectRejected,
  graduate,
  jobsSeen,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

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
  { rings: { 2: 2, 3: 1 }, policies: { 2: { bakeTime: '10s' } } },
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
  'a cell skipped before its turn is left out of the way and tried once more at the end of its ring',
  { rings: { 2: 4 }, policies: { 2: { maxParallel: 1 } }, jobMs: 2500 },
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
