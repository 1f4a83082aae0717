import { expect } from 'vitest';
import type { WatchRingOrder } from '../../src/contract/activities.js';
import { V0, V1 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import { scene } from './health-scene.js';
import {
  cellNow,
  ends,
  exceptionOf,
  graduate,
  jobsSeen,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

/** Cells take their windows, and many worlds share few cores. */
const PATIENCE_MS = 120_000;
const TEST_MS = 300_000;
/** How long a pass waits for its cells to stand down. */
const STAND_DOWN_MS = 700;

const abort = async (world: World): Promise<void> => {
  await world.cells.rollout(V1).abort({ by: 'alice', reason: 'enough seen' });
  await ends(world, V1, PATIENCE_MS);
};

const patiently = (world: World, version: string, fits: Parameters<typeof seen>[2]) =>
  seen(world, version, fits, PATIENCE_MS);

scenario(
  'a halted ring is watched on: a cell that turns ill goes back, and what then shows to be the package is noted',
  scene({ rings: { 2: 6 }, policies: { 2: { maxParallel: 5, failureBudget: 0, bakeTime: '1h' } } }),
  async (world) => {
    await world.fault({ kind: 'job-fails', cell: 'c2-6', version: V1, stage: 'finish' });
    await graduate(world, V1);
    const isHalted = (text: RegExp) => patiently(world, V1, (s) => text.test(ringOf(s, 2)?.waitingFor?.detail ?? ''));
    await isHalted(/halted: 1 failed/);
    await patiently(world, V1, (s) => ringOf(s, 2)?.converged === 5);
    await world.fault({ kind: 'error-burst', cell: 'c2-2', version: V1, size: 0.3 });
    const local = await patiently(world, V1, (s) => ringOf(s, 2)?.rolledBack === 2);
    expect(exceptionOf(local, 2, 'c2-2')).toMatchObject({ state: 'rolled-back', reason: /errors/ });
    expect(theRing(local, 2)).toMatchObject({ state: 'halted', converged: 4 });
    await world.fault({ kind: 'error-burst', version: V1, size: 0.5 });
    await isHalted(/halted: the package is unhealthy/);
    const systemic = await patiently(world, V1, (s) => ringOf(s, 2)?.rolledBack === 6);
    expect(theRing(systemic, 2).health?.ring).toMatchObject({ verdict: 'unhealthy', scope: 'systemic' });
    for (const cell of ['c2-1', 'c2-5']) expect(await cellNow(world, cell)).toMatchObject({ version: V0 });
    await abort(world);
  },
  TEST_MS,
);

/** What each watch of a ring was told that earlier ones had spent, over all runs of the pass. */
async function spentBefore(world: World, ring: number): Promise<number[]> {
  const workflowId = `ring-rollout/${ring}`;
  const spent: number[] = [];
  for (
    let runId: string | null | undefined = (await world.client.workflow.getHandle(workflowId).describe()).runId;
    runId;
  ) {
    const { events } = await world.client.workflow.getHandle(workflowId, runId).fetchHistory();
    const watches = (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) =>
      scheduled?.activityType?.name === 'watchRing' ? [scheduled.input?.payloads?.[0]?.data] : [],
    );
    const orders = watches.map((data) => JSON.parse(Buffer.from(data ?? []).toString('utf8')) as WatchRingOrder);
    spent.unshift(...orders.map(({ looks }) => looks?.spent ?? 0));
    runId = events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId;
  }
  return spent;
}

scenario(
  'what looks at a ring have spent of the error allowed is not forgotten where the pass continues as new',
  // A ring is compared as a whole where each cell has five others beside it.
  { ...scene({ rings: { 2: 7 }, policies: { 2: { maxParallel: 7, bakeTime: '45s' } } }), apply: false },
  async (world) => {
    await world.client.workflow.start('CellCluster', {
      workflowId: 'cell-cluster',
      taskQueue: world.taskQueue,
      args: [{ continueAsNewAfter: 40 }],
    });
    await world.apply();
    await graduate(world, V1);
    expect(theRing(await ends(world, V1, PATIENCE_MS), 2)).toMatchObject({ converged: 7 });
    const spent = await spentBefore(world, 2);
    expect(spent.length).toBeGreaterThan(1);
    expect(spent[0]).toBe(0);
    expect(spent.at(-1)).toBeGreaterThan(0);
    expect(spent).toEqual([...spent].sort((a, b) => a - b));
  },
  TEST_MS,
);

scenario(
  'where the policy says so, a cell whose health cannot be told halts the ring for a person, whatever the budget, and stays',
  scene({
    rings: { 2: 3 },
    policies: { 2: { maxParallel: 1, failureBudget: 2, autoRollback: 'ring' } },
    health: { onInconclusive: 'halt' },
  }),
  async (world) => {
    await world.fault({ kind: 'missing-series', cell: 'c2-1', version: V1, signals: ['errors'] });
    await graduate(world, V1);
    const halted = await patiently(world, V1, (s) => ringOf(s, 2)?.state === 'halted');
    expect(theRing(halted, 2)).toMatchObject({ failed: 1, rolledBack: 0, pending: 2 });
    expect(halted.waitingFor).toMatchObject({
      kind: 'operator',
      detail: expect.stringContaining('c2-1 is not known to be healthy after its job'),
      next: expect.arrayContaining([expect.stringContaining('cellctl retry')]),
    });
    expect(await cellNow(world, 'c2-1')).toMatchObject({ version: V1 });
    expect(toVersion(await world.jobs(), V1)).toHaveLength(1);
    await world.clearFaults();
    await world.cells.rollout(V1).retryRing({ ring: 2, by: 'alice' });
    expect(theRing(await ends(world, V1, PATIENCE_MS), 2)).toMatchObject({ converged: 3, failed: 0 });
  },
  TEST_MS,
);

scenario(
  'a ring of which too little is known while it bakes is not asked about for ever: it halts for a person, and a retry asks on',
  scene({
    rings: { 2: 2 },
    policies: { 2: { maxParallel: 2, bakeTime: '20s', autoRollback: 'ring' } },
    health: { inconclusiveTimeout: '15s' },
  }),
  async (world) => {
    await graduate(world, V1);
    await patiently(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
    await world.fault({ kind: 'missing-series', cell: 'c2-1', version: V1, signals: ['errors'] });
    const halted = await patiently(world, V1, (s) => ringOf(s, 2)?.state === 'halted');
    expect(halted.waitingFor).toMatchObject({
      kind: 'operator',
      detail: expect.stringMatching(/not known to be healthy for 15s: c2-1/),
      next: expect.arrayContaining([expect.stringContaining('cellctl retry --ring 2')]),
    });
    expect(theRing(halted, 2)).toMatchObject({ converged: 2, failed: 0, rolledBack: 0 });
    expect((await world.jobs()).filter(({ kind }) => kind !== 'configure')).toEqual([]);
    // What is missing is asked for as long again.
    await world.cells.rollout(V1).retryRing({ ring: 2, by: 'alice' });
    await patiently(world, V1, (s) => ringOf(s, 2)?.waitingFor?.kind === 'health');
    await world.cells.rollout(V1).override({ wait: 'health', ring: 2, by: 'alice', reason: 'scrape is broken' });
    await patiently(world, V1, (s) => ringOf(s, 2)?.state === 'grace');
    await abort(world);
  },
  TEST_MS,
);

scenario(
  'a ring that goes back as a whole waits for no cell whose health cannot be told',
  scene({
    rings: { 2: 4 },
    policies: { 2: { maxParallel: 3, failureBudget: 0, autoRollback: 'ring' } },
    health: { inconclusiveTimeout: '1h' },
  }),
  async (world) => {
    await world.fault([
      { kind: 'missing-series', cell: 'c2-2', version: V1, signals: ['errors'] },
      { kind: 'slow', cell: 'c2-3', version: V1, jobKind: 'configure', factor: 300 },
      { kind: 'job-fails', cell: 'c2-3', version: V1, stage: 'finish' },
    ]);
    await graduate(world, V1);
    await patiently(world, V1, (s) => /errors has no sample/.test(ringOf(s, 2)?.waitingFor?.detail ?? ''));
    const back = await patiently(world, V1, (s) => ringOf(s, 2)?.state === 'halted' && ringOf(s, 2)?.converged === 0);
    expect(theRing(back, 2)).toMatchObject({ inFlight: 0, rolledBack: 3, pending: 1 });
    for (const cell of ['c2-1', 'c2-2', 'c2-3', 'c2-4'])
      expect(await cellNow(world, cell)).toMatchObject({ version: V0 });
    await abort(world);
  },
  TEST_MS,
);

scenario(
  'a brake has a cell that is still judged before its deployment order nothing: it is not named, and waits its turn',
  scene({ rings: { 2: 4 }, policies: { 2: { maxParallel: 3 } }, health: { inconclusiveTimeout: '1h' } }),
  async (world) => {
    await world.fault({ kind: 'slow', cell: 'c2-2', version: V1, jobKind: 'configure', factor: 400 });
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length === 1);
    await world.fault({ kind: 'missing-series', cell: 'c2-3', signals: ['errors'] });
    await patiently(world, V1, (s) => /errors/.test(ringOf(s, 2)?.waitingFor?.detail ?? ''));
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).some(({ cell }) => cell === 'c2-2'));
    const askedAtMs = Date.now();
    const { inFlight } = await world.cells.cluster().engageBrake({ by: 'alice', reason: 'incident', brakeId: 'b' });
    expect(inFlight).toContain('c2-2');
    // On a busy machine it may not have been heard in time: then it is named, to be safe, and gets no job all the same.
    if (Date.now() - askedAtMs < STAND_DOWN_MS) expect(inFlight).not.toContain('c2-3');
    await world.clearFaults();
    const braked = await patiently(world, V1, (s) => s.state === 'braked' && ringOf(s, 2)?.inFlight === 0);
    expect(theRing(braked, 2)).toMatchObject({ failed: 0, rolledBack: 0 });
    expect(toVersion(await world.jobs(), V1).map(({ cell }) => cell)).not.toContain('c2-3');
    await world.cells.cluster().releaseBrake({ by: 'alice', brakeId: 'b', reason: 'over' });
    expect(theRing(await ends(world, V1, PATIENCE_MS), 2)).toMatchObject({ converged: 4 });
  },
  TEST_MS,
);
