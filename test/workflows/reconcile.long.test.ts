import { expect } from 'vitest';
import { actionsOf } from '../../bench/support/actions.js';
import { ringRolloutId } from '../../src/contract/ids.js';
import { V0, V1, V2 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import {
  cellNow,
  clusterSeen,
  ends,
  graduate,
  jobsSeen,
  pause,
  scenario,
  seen,
  statusOrNull,
  toVersion,
} from './support.js';

const SELDOM = { coordination: { reconcileEvery: '10h' } };
const byHand = (world: World, cell: string, version: string) => world.fault({ kind: 'changed-by-hand', cell, version });
const reconcile = (world: World, cells: string[]) => world.cells.cluster().reconcile({ by: 'alice', cells });

async function converge(world: World, version = V1) {
  await graduate(world, version);
  expect((await ends(world, version)).state).toBe('converged');
}

const runs = (world: World, cell: string, version: string) =>
  world.until(
    `${cell} to run ${version}`,
    async () => {
      const now = await cellNow(world, cell);
      return now.version === version && now.active_job === null;
    },
    60_000,
  );

const EVERY_MS = 6_000;

scenario(
  'a converged cluster of 1,000 cells costs at most 3 actions an interval beside the looks',
  { rings: { 2: 1_000 }, more: { coordination: { reconcileEvery: '6s', graduationExpectedEvery: '7d' } } },
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
    await clusterSeen(world, (s) => s.reconcile?.nextAt);
    const before = await counted();
    await pause(5 * EVERY_MS);
    const after = await counted();
    const intervals = Math.round((after.atMs - before.atMs) / (EVERY_MS * 0.9));
    // Ten looks of a hundred cells each, and one at ring 0.
    expect(after.looks - before.looks).toBeGreaterThanOrEqual(2 * 11);
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
    await reconcile(world, ['c2-1', 'c2-2', 'c2-3']);
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
    await runs(world, 'c2-1', V1);
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
    await runs(world, 'c2-3', V1);
    await byHand(world, 'c2-1', V0);
    await runs(world, 'c2-1', V1);
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
