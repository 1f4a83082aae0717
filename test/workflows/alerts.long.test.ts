import { expect } from 'vitest';
import { V1, V2 } from '../support/fleet.js';
import { ends, graduate, jobsSeen, ringOf, seen, theRing } from './support.js';
import { told } from './told.js';

told(
  'a ring that halts, and the cell that went back, are told of; a retry ends both',
  { rings: { 2: 2 }, policies: { 2: { bakeTime: '1h' } } },
  async (world, alerts) => {
    await world.fault({ kind: 'job-fails', cell: 'c2-1', version: V1, stage: 'finish' });
    await graduate(world, V1);
    await alerts.become(['CellRolledBack c2-1', 'RingHalted']);
    await world.clearFaults();
    await world.cells.rollout(V1).retryRing({ ring: 2, by: 'alice' });
    await alerts.become([]);
    expect(alerts.posted.filter(({ labels }) => labels.alertname === 'RingHalted')).toHaveLength(2);
  },
);

told(
  'what a pass left of a cell stays up after it, and the next package ends it',
  { rings: { 2: 3 }, policies: { 2: { failureBudget: 1 } } },
  async (world, alerts) => {
    await world.fault({ kind: 'job-fails', cell: 'c2-2', version: V1, stage: 'finish' });
    await graduate(world, V1);
    expect(theRing(await ends(world, V1), 2)).toMatchObject({ converged: 2, rolledBack: 1 });
    await alerts.become(['CellRolledBack c2-2']);
    await graduate(world, V2);
    expect(theRing(await ends(world, V2), 2)).toMatchObject({ converged: 3 });
    await alerts.become([]);
  },
);

told(
  'a pass that is terminated by hand leaves its alerts to the cluster, and so to the next pass',
  { rings: { 2: 2 }, policies: { 2: { bakeTime: '1h' } }, more: { coordination: { lookEvery: '1s' } } },
  async (world, alerts) => {
    await world.fault({ kind: 'job-fails', cell: 'c2-1', version: V1, stage: 'finish' });
    await graduate(world, V1);
    await alerts.become(['CellRolledBack c2-1', 'RingHalted']);
    const before = await world.client.workflow.getHandle('ring-rollout/2').describe();
    await world.client.workflow.getHandle('ring-rollout/2').terminate('by hand');
    const isAnother = async () =>
      (await world.client.workflow.getHandle('ring-rollout/2').describe()).runId !== before.runId;
    await world.until('another pass', isAnother);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'halted');
    expect(alerts.up).toContain('RingHalted');
    await world.cells.rollout(V1).abort({ by: 'alice', reason: 'enough' });
    await ends(world, V1);
    await world.until('the end of its alert', async () => !alerts.up.includes('RingHalted'));
    await world.clearFaults();
    await graduate(world, V2);
    await seen(world, V2, (s) => ringOf(s, 2)?.state === 'baking');
    await alerts.become([]);
  },
);

told(
  'a rollback that leaves cells on its package, and a ledger that nobody serves, are told of',
  { rings: { 2: 1 }, policies: { 2: { convergeWithin: '1h' } } },
  async (world, alerts) => {
    const args = [{ lateAfterMs: 1_000 }];
    await graduate(world, V1);
    expect((await ends(world, V1)).state).toBe('converged');
    await world.client.workflow.getHandle('ledger').terminate('to begin anew, with less patience');
    await world.client.workflow.start('Ledger', { workflowId: 'ledger', taskQueue: world.taskQueue, args });
    const client = world.cells.rollback(V1);
    await client.start({ by: 'alice', reason: 'INC-4711' });
    expect((await client.result(60_000)).needsDowntime).toHaveLength(1);
    await alerts.become(['LedgerBehind', 'RollbackLeftCells']);
    const again = world.cells.rollback(V1);
    await again.start({ by: 'alice', reason: 'INC-4711', allowDowntime: ['c2-1'] });
    expect((await again.result(60_000)).needsDowntime).toEqual([]);
    await alerts.become(['LedgerBehind']);
  },
);

told('a rollback that fails is told of as s1', { rings: { 2: 1 } }, async (world, alerts) => {
  await world.fault([
    { kind: 'job-fails', cell: 'c2-1', version: V1, stage: 'finish', jobKind: 'configure' },
    { kind: 'job-fails', cell: 'c2-1', jobKind: 'rollback' },
  ]);
  await graduate(world, V1);
  await alerts.become(['CellRollbackFailed c2-1', 'RingHalted']);
  const s1 = alerts.posted.find(({ labels }) => labels.alertname === 'CellRollbackFailed');
  expect(s1).toMatchObject({ labels: { severity: 's1', team: 'ops', cluster: 'test', ring: '2', package: V1 } });
  expect(s1?.annotations.evidence).toMatch(/AMP job/);
});

told(
  'brakes are told of: while they are on, and when they were over by themselves',
  { rings: { 2: 1 }, policies: { 2: { bakeTime: '1h' } } },
  async (world, alerts) => {
    const brake = { by: 'alice', reason: 'looking' };
    await world.cells.cluster().engageBrake({ ...brake, brakeId: 'one' });
    await world.cells.cluster().engageBrake({ ...brake, brakeId: 'two', scope: { ring: 2 } });
    await alerts.become(['BrakeEngaged one', 'BrakeEngaged two']);
    await world.cells.cluster().releaseBrake({ by: 'alice', brakeId: 'one' });
    await alerts.become(['BrakeEngaged two']);
    const expiresAt = new Date(Date.now() + 2_000).toISOString();
    await world.cells.cluster().engageBrake({ ...brake, brakeId: 'two', scope: { ring: 2 }, expiresAt });
    await alerts.become(['BrakeExpired two']);
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => jobs.length > 0);
    await world.cells.rollout(V1).engageBrake({ ...brake, brakeId: 'mine' });
    await alerts.become(['BrakeEngaged mine', 'BrakeExpired two']);
    const last = alerts.posted.at(-1);
    expect(last?.labels).toMatchObject({ package: V1, cluster: 'test', severity: 's3' });
    await world.cells.rollout(V1).abort({ by: 'alice', reason: 'enough' });
    await ends(world, V1);
    await alerts.become(['BrakeExpired two']);
  },
);

told(
  'a package that waits for a yes is told of until it has it',
  { rings: { 2: 1 }, policies: { 2: { approval: 'required' } } },
  async (world, alerts) => {
    await graduate(world, V1);
    await alerts.become(['WaitingForApproval']);
    await world.cells.rollout(V1).approveRing({ ring: 2, by: 'alice' });
    await ends(world, V1);
    await alerts.become([]);
  },
);

told(
  'a ring that is late is told of until it has converged',
  {
    rings: { 2: 2 },
    policies: { 2: { convergeWithin: '2s' } },
    // That it is behind as well is another alert.
    more: { coordination: { lookEvery: '1s', maxDrift: 9 } },
    jobMs: 4_000,
  },
  async (world, alerts) => {
    await graduate(world, V1);
    await alerts.become(['NotConverged']);
    await ends(world, V1);
    await alerts.become([]);
  },
);

told(
  'alerts go on where workflows continue as new: nothing is lost, and what is over is ended',
  { rings: { 2: 6 }, policies: { 2: { failureBudget: 1, maxParallel: 3, bakeTime: '1h' } }, apply: false },
  async (world, alerts) => {
    await world.client.workflow.start('CellCluster', {
      workflowId: 'cell-cluster',
      taskQueue: world.taskQueue,
      args: [{ continueAsNewAfter: 25 }],
    });
    await world.apply();
    await world.fault([2, 4].map((i) => ({ kind: 'job-fails', cell: `c2-${i}`, version: V1, stage: 'finish' })));
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'halted' && ringOf(s, 2)?.inFlight === 0);
    await alerts.become(['CellRolledBack c2-2', 'CellRolledBack c2-4', 'RingHalted']);
    await world.clearFaults();
    await world.cells.rollout(V1).retryRing({ ring: 2, by: 'alice' });
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
    await alerts.become([]);
    for (const id of ['cell-cluster', 'ring-rollout/2']) {
      const { raw, runId } = await world.client.workflow.getHandle(id).describe();
      expect(runId, id).not.toBe(raw.workflowExecutionInfo?.firstRunId);
    }
  },
);

told(
  'an Alertmanager that hangs keeps no brake, no rollback and no pass from its end',
  { rings: { 2: 3 }, policies: { 2: { failureBudget: 1 } }, reply: 'hang' },
  async (world, alerts) => {
    const brake = { by: 'alice', reason: 'looking', brakeId: 'one' };
    expect(await world.cells.cluster().engageBrake(brake)).toEqual({ brakeId: 'one', inFlight: [] });
    await world.cells.cluster().releaseBrake({ by: 'alice', brakeId: 'one' });
    await world.fault({ kind: 'job-fails', cell: 'c2-2', version: V1, stage: 'finish' });
    await graduate(world, V1);
    expect(theRing(await ends(world, V1), 2)).toMatchObject({ converged: 2, rolledBack: 1 });
    expect(alerts.posted.length).toBeGreaterThan(0);
  },
);
