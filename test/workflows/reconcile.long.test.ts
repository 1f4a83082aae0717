import { expect } from 'vitest';
import { actionsOf } from '../../bench/support/actions.js';
import { ringRolloutId } from '../../src/contract/ids.js';
import { V0, V1, V2 } from '../support/fleet.js';
import { BUDGET, byHand, converge, exceptionsOf, OFTEN, ON_V1, reconcile, runs, SELDOM } from './reconcile-scene.js';
import {
  cellNow,
  clusterSeen,
  ends,
  expectRejected,
  graduate,
  jobsSeen,
  pause,
  scenario,
  seen,
  statusOrNull,
  toVersion,
} from './support.js';

const EVERY_MS = 6_000;

scenario(
  'a converged cluster of 1,000 cells costs at most 3 actions an interval beside the looks',
  {
    rings: { 2: 1_000 },
    more: { coordination: { reconcileEvery: '6s', graduationExpectedEvery: '7d' } },
    apply: false,
  },
  async (world) => {
    const handle = world.client.workflow.getHandle('cell-cluster');
    const looks = (
      events: { activityTaskScheduledEventAttributes?: { activityType?: { name?: string | null } | null } | null }[],
    ) => events.filter((e) => e.activityTaskScheduledEventAttributes?.activityType?.name === 'lookAtCells').length;
    const counted = async () => {
      const history = await handle.fetchHistory();
      const all = Object.values(actionsOf(history)).reduce((sum, n) => sum + n, 0);
      return { all, looks: looks(history.events ?? []), atMs: Date.now() };
    };
    await world.cells.cluster().applyTopology({ topology: world.topology, by: 'test', releaseColdStart: true });
    await clusterSeen(world, (s) => s.waitingFor === null && s.reconcile?.nextAt, 120_000);
    const before = await counted();
    // Ten looks of a hundred cells each, and one at ring 0.
    const twice = async () => {
      const now = await counted();
      return now.looks - before.looks >= 2 * 11 && now;
    };
    const after = await world.until('two rounds of looks', twice, 120_000);
    const intervals = Math.round((after.atMs - before.atMs) / (EVERY_MS * 0.9));
    expect(after.all - before.all - (after.looks - before.looks)).toBeLessThanOrEqual(3 * intervals);
    expect(JSON.stringify(await world.cells.cluster().status()).length).toBeLessThan(20_000);
  },
);

scenario(
  'a package that comes goes first: what reconciles lets its cells in flight end, and makes room',
  { rings: { 2: 3 }, policies: { 2: { maxParallel: 1, bakeTime: '2s' } }, more: SELDOM, jobMs: 2_000 },
  async (world) => {
    await converge(world);
    for (const cell of ['c2-1', 'c2-2', 'c2-3']) await byHand(world, cell, V0);
    await reconcile(world, { cells: ['c2-1', 'c2-2', 'c2-3'] });
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length === 4);
    await converge(world, V2);
    const again = toVersion(await world.jobs(), V1).slice(3);
    expect(again.length).toBeLessThan(3);
    expect(again.every(({ state }) => state === 'succeeded')).toBe(true);
    for (const cell of ['c2-1', 'c2-2', 'c2-3']) expect((await cellNow(world, cell)).version).toBe(V2);
  },
);

scenario(
  'a pass that reconciles and is terminated frees its ring; the next look takes up what it left',
  {
    rings: { 2: 2 },
    more: { coordination: { reconcileEvery: '4s', reconcileHandChanges: 'converge', lookEvery: '1s' } },
    jobMs: 1_500,
  },
  async (world) => {
    await converge(world);
    await byHand(world, 'c2-1', V0);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length === 3);
    await world.client.workflow.getHandle(ringRolloutId(2)).terminate('by hand');
    await runs(world, 'c2-1', { version: V1, active_job: null });
    const free = await clusterSeen(
      world,
      (s) => s.rings[2]?.rollout === undefined && s.rings[2]?.exceptionsTotal === 0,
    );
    expect(free.brakes).toEqual([]);
    expect(toVersion(await world.jobs(), V1)).toHaveLength(3);
  },
);

scenario(
  'the clock, what was asked for and what was found outlive that the cluster continues as new',
  { rings: { 2: 3 }, more: { coordination: { reconcileEvery: '3s', reconcileHandChanges: 'converge' } }, apply: false },
  async (world) => {
    await world.client.workflow.start('CellCluster', {
      workflowId: 'cell-cluster',
      taskQueue: world.taskQueue,
      args: [{ continueAsNewAfter: 60 }],
    });
    await world.apply();
    await converge(world);
    await byHand(world, 'c2-3', V0);
    await runs(world, 'c2-3', { version: V1, active_job: null });
    await byHand(world, 'c2-1', V0);
    await runs(world, 'c2-1', { version: V1, active_job: null });
    const { raw } = await world.client.workflow.getHandle('cell-cluster').describe();
    expect(raw.workflowExecutionInfo?.firstRunId).not.toBe(raw.workflowExecutionInfo?.execution?.runId);
  },
);

scenario(
  'a cell that reports another revision than AMP says was restored, and comes back',
  { rings: { 2: 2 }, more: SELDOM },
  async (world) => {
    await converge(world);
    await world.fault({ kind: 'wrong-version', cell: 'c2-1', where: 'cell', reports: V0, times: 2 });
    await world.cells.cluster().reconcile({ by: 'alice', ring: 2 });
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).filter((j) => j.cell === 'c2-1').length === 2);
    await clusterSeen(world, (s) => s.rings[2]?.exceptionsTotal === 0 && s.rings[2].rollout === undefined);
  },
);

scenario(
  'whether a package is everywhere is answered by what runs; forecasts go by what cells took',
  { rings: { 2: 2, 3: 2 }, policies: { 3: { approval: 'required' } }, more: SELDOM },
  async (world) => {
    const cluster = world.cells.cluster();
    await graduate(world, V1);
    await seen(world, V1, (s) => s.waitingFor?.kind === 'approval');
    await clusterSeen(world, (s) => s.rings[2]?.rollout === undefined);
    expect(await cluster.isEverywhere({ version: V1, rings: [2] })).toMatchObject({ there: true, never: null });
    expect(await cluster.isEverywhere({ version: V1 })).toMatchObject({
      there: false,
      missing: [{ ring: 0 }, { ring: 3 }],
    });
    const waiting = await cluster.status();
    expect(waiting.rings.find((r) => r.ring === 2)?.cellMs).toBeGreaterThan(0);
    expect(waiting.rings.find((r) => r.ring === 3)?.expectedAfter).toBe('ring 3 waits for approval');
    const unknown = 'ring 3 waits for approval';
    expect(await cluster.forecast({ version: V1 })).toEqual({
      version: V1,
      rings: [{ ring: 3, version: V1, unknown }],
    });
    await world.cells.rollout(V1).approveRing({ ring: 3, by: 'alice' });
    await ends(world, V1);
    await cluster.quarantineCell({ cell: 'c3-2', by: 'alice', reason: 'disk' });
    const asked = { version: V1, rings: [2, 3] };
    expect(await cluster.isEverywhere(asked)).toMatchObject({
      there: false,
      missing: [{ cell: 'c3-2', state: 'quarantined' }],
    });
    expect(await cluster.isEverywhere({ ...asked, ignoreQuarantined: true })).toMatchObject({ there: true });
    await world.cells.cluster().blockVersion({ version: V2, by: 'alice', reason: 'INC-1' });
    expect((await cluster.isEverywhere({ ...asked, version: V2 })).never).toContain('INC-1');
    expect(await statusOrNull(world, V2)).toBeNull();
  },
);

scenario(
  'a package that is blocked while the cluster brings cells to it comes to no further one',
  { rings: { 2: 4 }, policies: { 2: { maxParallel: 1 } }, more: SELDOM, jobMs: 1_500 },
  async (world) => {
    await converge(world);
    const cells = ['c2-1', 'c2-2', 'c2-3', 'c2-4'];
    for (const cell of cells) await byHand(world, cell, V0);
    await reconcile(world, { cells });
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length === 5);
    await world.cells.cluster().blockVersion({ version: V1, by: 'bob', reason: 'INC-3' });
    const over = await clusterSeen(world, (s) => s.rings[2]?.rollout === undefined);
    expect(over.queue).toEqual([]);
    expect(over.reconcile?.notKept.find(({ ring }) => ring === 2)?.reason).toBe(`${V1} is blocked`);
    expect(toVersion(await world.jobs(), V1).length).toBeLessThan(8);
    await reconcile(world, { cells });
    await pause(2_000);
    expect(toVersion(await world.jobs(), V1).length).toBeLessThan(8);
  },
);

scenario(
  'a cell that was changed by hand is told of and left alone, until a person names it',
  { rings: { 2: 3 }, more: OFTEN },
  async (world) => {
    await converge(world);
    await byHand(world, 'c2-2', V0);
    const told = await clusterSeen(world, (s) => s.rings[2]?.exceptionsTotal === 1);
    expect(told.rings[2]?.exceptions).toMatchObject([{ cell: 'c2-2', reason: expect.stringMatching(/by hand/) }]);
    expect(told.rings[2]?.observed).toEqual({ [V1]: 2, [V0]: 1 });
    await reconcile(world, { ring: 2 });
    await pause(5_000);
    expect((await cellNow(world, 'c2-2')).version).toBe(V0);
    await reconcile(world, { cells: ['c2-2'] });
    await runs(world, 'c2-2', { version: V1 });
    await clusterSeen(world, (s) => s.rings[2]?.exceptionsTotal === 0 && s.rings[2].observed[V1] === 3);
  },
);

scenario(
  'a cell on which the package failed is tried again only when a person asks',
  { rings: { 2: 3 }, policies: { 2: BUDGET }, more: OFTEN },
  async (world) => {
    await world.fault({ kind: 'job-fails', cell: 'c2-3', jobKind: 'configure', times: 1 });
    await converge(world);
    expect((await cellNow(world, 'c2-3')).version).toBe(V0);
    await pause(5_000);
    expect((await cellNow(world, 'c2-3')).version).toBe(V0);
    expect(await exceptionsOf(world, 2)).toMatchObject([{ cell: 'c2-3', state: 'rolled-back' }]);
    await reconcile(world, { ring: 2 });
    await runs(world, 'c2-3', ON_V1);
    await clusterSeen(world, (s) => s.rings[2]?.exceptionsTotal === 0);
  },
);

scenario(
  'a cell that is newer than its ring is told of, and never taken back, not even by name',
  { rings: { 2: 2 }, more: OFTEN },
  async (world) => {
    await converge(world);
    await byHand(world, 'c2-1', V2);
    await clusterSeen(world, (s) => s.rings[2]?.exceptions.some((e) => /newer than/.test(e.reason)));
    const before = (await world.jobs()).length;
    await reconcile(world, { cells: ['c2-1'] });
    await pause(4_000);
    expect((await cellNow(world, 'c2-1')).version).toBe(V2);
    expect(await world.jobs()).toHaveLength(before);
  },
);

scenario(
  'inside the perimeter only what runs there is noted; rings and cells that are not there are refused',
  { rings: { 2: 1 }, more: SELDOM },
  async (world) => {
    await world.deploy(V1);
    await byHand(world, 'qa', V0);
    await reconcile(world, { ring: 0 });
    await clusterSeen(world, (s) => s.rings[0]?.observed[V0] === 1);
    await pause(1_500);
    expect((await cellNow(world, 'qa')).version).toBe(V0);
    expect((await expectRejected(reconcile(world, { ring: 9 }), 'ring')).expected).toBe('a ring: 0, 1, 2');
    await expectRejected(reconcile(world, { cells: ['c2-1', 'c9-1'] }), 'cells[1]');
    await expectRejected(reconcile(world, { ring: 0, cells: ['c2-1'] }), 'cells[0]');
  },
);

scenario(
  'a brake of the package itself stops what the cluster would bring to it, in a ring that it has passed, too',
  { rings: { 2: 3, 3: 1 }, policies: { 3: { approval: 'required' } }, more: SELDOM },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => s.waitingFor?.kind === 'approval');
    await clusterSeen(world, (s) => s.rings[2]?.rollout === undefined && s.rings[2]?.converged === V1);
    await byHand(world, 'c2-1', V0);
    await world.cells.rollout(V1).engageBrake({ by: 'bob', reason: 'INC-2', brakeId: 'own' });
    await reconcile(world, { cells: ['c2-1'] });
    const held = await clusterSeen(world, (s) => s.queue.some((q) => q.cells === 1 && q.held?.kind === 'brake'));
    const own = held.queue.find((q) => q.cells === 1);
    expect(own?.held?.next).toEqual([`cellctl brake off --id own --version ${V1} --reason "…"`]);
    await pause(1_500);
    expect((await cellNow(world, 'c2-1')).version).toBe(V0);
    await world.cells.rollout(V1).releaseBrake({ by: 'bob', brakeId: 'own', reason: 'over' });
    await runs(world, 'c2-1', { version: V1 });
    await world.cells.rollout(V1).approveRing({ ring: 3, by: 'alice' });
    await ends(world, V1);
  },
);

scenario(
  'where the topology says so, a change by hand is first told of, and then taken back',
  { rings: { 2: 2 }, more: { coordination: { reconcileEvery: '6s', reconcileHandChanges: 'converge' } } },
  async (world) => {
    await converge(world);
    await byHand(world, 'c2-1', V0);
    await clusterSeen(world, (s) => s.rings[2]?.exceptions.some((e) => /by hand/.test(e.reason)));
    await runs(world, 'c2-1', { version: V1 });
  },
);
