import { expect } from 'vitest';
import { packageRollbackId } from '../../src/contract/ids.js';
import { V0, V1, V2, V3 } from '../support/fleet.js';
import { lookUntil } from '../support/patience.js';
import { scene } from './health-scene.js';
import { applyAnew, backJobs, exceptions, graceOf, LONG_GRACE, order, rollback, stays } from './rollback-scene.js';
import {
  cellNow,
  clusterSeen,
  deployedByOthers,
  ends,
  expectRejected,
  forward,
  graduate,
  jobsSeen,
  pause,
  rawSignal,
  ringOf,
  scenario,
  seen,
  sendRaw,
  theRing,
  toVersion,
} from './support.js';

scenario(
  'the first cell of the first outer ring fails: the coordinator halts and asks; the package is taken back',
  { rings: { 2: 3, 3: 2 } },
  async (world) => {
    await world.fault({ kind: 'job-fails', cell: 'c2-1', jobKind: 'configure', times: 1 });
    await world.deploy(V1);
    await graduate(world, V1);
    const halted = await seen(world, V1, (s) => s.state === 'halted');
    expect(halted.waitingFor).toMatchObject({ kind: 'operator', ring: 2 });
    expect(halted.waitingFor?.detail).toContain('is it the cell, or the package?');
    const next = halted.waitingFor?.next.join('\n');
    for (const command of ['retry --ring 2', 'skip c2-1', 'abort', 'rollback']) expect(next).toContain(command);
    expect(theRing(halted, 2)).toMatchObject({ rolledBack: 1, converged: 0 });
    const end = await rollback(world);
    expect(end).toMatchObject({
      state: 'rolled-back',
      rings: [
        { ring: 0, rolledBack: 1 },
        { ring: 2, total: 0 },
      ],
    });
    expect((await ends(world, V1)).state).toBe('rolled-back');
    expect(toVersion(await world.jobs(), V1).filter((j) => j.cell !== 'qa')).toHaveLength(1);
  },
);

scenario(
  'the last cell of the last ring fails: that cell alone goes back',
  { rings: { 2: 2, 3: 3 }, policies: { 3: { maxParallel: 1 } } },
  async (world) => {
    await world.fault({ kind: 'job-fails', cell: 'c3-3', jobKind: 'configure' });
    await graduate(world, V1);
    const halted = await seen(world, V1, (s) => s.state === 'halted');
    expect(theRing(halted, 3)).toMatchObject({ total: 3, converged: 2, rolledBack: 1 });
    expect((await backJobs(world)).map((j) => j.cell)).toEqual(['c3-3']);
    expect((await cellNow(world, 'c3-3')).version).toBe(V0);
    for (const cell of ['c2-1', 'c2-2', 'c3-1', 'c3-2']) expect((await cellNow(world, cell)).version).toBe(V1);
    // Neither the package nor its ring is held against anybody else.
    expect((await world.cells.cluster().status()).blocked).toEqual([]);
    await world.clearFaults();
    await graduate(world, V2);
    expect((await ends(world, V2)).state).toBe('converged');
  },
);

scenario(
  'a rollback takes a ring from the pass of a newer package, which goes on once it is over',
  { rings: { 2: 4 }, policies: { 2: { ...LONG_GRACE, maxParallel: 1 } }, jobMs: 900 },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, graceOf(2));
    await world.cells.rollout(V1).abort({ by: 'alice', reason: 'V2 mends it' });
    await ends(world, V1);
    await graduate(world, V2);
    await jobsSeen(world, (jobs) => toVersion(jobs, V2).length > 1);
    await world.cells.cluster().blockVersion({ version: V1, by: 'alice', reason: 'V2 mends it', fixedIn: V2 });
    const end = await rollback(world);
    expect(end.state).toBe('rolled-back');
    expect(theRing(end, 2).rolledBack).toBeGreaterThan(0);
    await seen(world, V2, graceOf(2));
    for (let i = 1; i <= 4; i += 1) expect((await cellNow(world, `c2-${i}`)).version).toBe(V2);
  },
);

scenario(
  'cells go back to a blocked package only where a person said so',
  { rings: { 2: 2 }, policies: { 2: LONG_GRACE } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, graceOf(2));
    await world.cells.cluster().blockVersion({ version: V0, by: 'bob', reason: 'CVE', fixedIn: V1 });
    const end = await rollback(world);
    expect(end.state).toBe('aborted');
    expect(exceptions(end).map((e) => e.reason)).toEqual(
      Array(2).fill(expect.stringContaining(`${V0}, which is blocked`)),
    );
    expect(await backJobs(world)).toEqual([]);
    expect(await rollback(world, V1, { toBlocked: true })).toMatchObject({ state: 'rolled-back' });
    expect((await cellNow(world, 'c2-2')).version).toBe(V0);
  },
);

scenario(
  'a rollback of a rollback is refused: of an older package while cells come to it, and of cells that one brought there',
  { rings: { 2: 2 }, policies: { 2: LONG_GRACE }, jobMs: 300 },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, graceOf(2));
    await world.cells.rollout(V1).abort({ by: 'alice', reason: 'V2 is next' });
    await ends(world, V1);
    await graduate(world, V2);
    await seen(world, V2, graceOf(2));
    await world.fault({ kind: 'slow', jobKind: 'rollback', factor: 12 });
    await world.cells.rollback(V2).start(order());
    await jobsSeen(world, (jobs) => jobs.some((j) => j.kind === 'rollback'));
    const refused = await rollback(world, V1);
    expect(refused).toMatchObject({ state: 'aborted', rings: [] });
    expect(refused.rejected).toMatchObject([{ message: 'rollback', path: 'version', by: 'alice' }]);
    expect(refused.rejected[0]?.expected).toContain(`${V2} is being rolled back`);
    expect(await world.cells.rollback(V2).result(60_000)).toMatchObject({ state: 'rolled-back' });
    await world.clearFaults();
    const back = await rollback(world, V1);
    expect(back.state).toBe('aborted');
    expect(exceptions(back).map((e) => e.reason)).toEqual(Array(2).fill(expect.stringContaining('is unknown')));
    for (const cell of ['c2-1', 'c2-2']) expect((await cellNow(world, cell)).version).toBe(V1);
  },
);

scenario(
  'a job that fails is tried three times; then the cell is listed, and the others go back all the same',
  { rings: { 2: 3 }, policies: { 2: { ...LONG_GRACE, maxParallel: 3 } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, graceOf(2));
    await world.fault([
      { kind: 'job-fails', cell: 'c2-1', jobKind: 'rollback', times: 2 },
      { kind: 'job-fails', cell: 'c2-2', jobKind: 'rollback' },
    ]);
    const end = await rollback(world);
    expect(end).toMatchObject({ state: 'aborted', needsDowntime: [] });
    expect(exceptions(end)).toMatchObject([{ cell: 'c2-2', state: 'rollback-failed' }]);
    const tries = (await backJobs(world)).map((j) => j.cell).sort();
    expect(tries).toEqual(['c2-1', 'c2-1', 'c2-1', 'c2-2', 'c2-2', 'c2-2', 'c2-3']);
    expect((await cellNow(world, 'c2-1')).version).toBe(V0);
  },
);

scenario(
  'a cell that somebody brings to another package meanwhile is left there; the others go back',
  { rings: { 2: 3 }, policies: { 2: { ...LONG_GRACE, maxParallel: 3 } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, graceOf(2));
    await world.fault([
      { kind: 'slow', jobKind: 'configure', cell: 'c2-1', version: V2, factor: 160 },
      { kind: 'job-fails', jobKind: 'rollback', cell: 'c2-2', times: 1 },
    ]);
    const moving = deployedByOthers(world, 'c2-1', V2);
    await jobsSeen(world, (jobs) => toVersion(jobs, V2).length === 1);
    const ended = rollback(world);
    await jobsSeen(world, (jobs) => jobs.some((j) => j.cell === 'c2-2' && j.state === 'failed'));
    await Promise.all([moving, deployedByOthers(world, 'c2-2', V2)]);
    expect(await ended).toMatchObject({ state: 'rolled-back', needsDowntime: [] });
    const back = (await backJobs(world)).map((j) => [j.cell, j.state]);
    expect(back.sort()).toEqual([
      ['c2-2', 'failed'],
      ['c2-3', 'succeeded'],
    ]);
    const runs = ['c2-1', 'c2-2', 'c2-3'].map(async (cell) => (await cellNow(world, cell)).version);
    expect(await Promise.all(runs)).toEqual([V2, V2, V0]);
  },
);

scenario(
  'a person leaves a cell on the package, and stops the rollback; what is in flight comes to its end',
  { rings: { 2: 5 }, policies: { 2: { ...LONG_GRACE, maxParallel: 1 } }, jobMs: 900 },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, graceOf(2));
    const client = world.cells.rollback(V1);
    await client.start(order());
    await jobsSeen(world, (jobs) => jobs.some((j) => j.kind === 'rollback'));
    expect(await client.start(order())).toBe(false);
    await expectRejected(client.skipCell({ cell: 'C 2', by: 'bob', reason: 'no cell' }), 'cell');
    await client.skipCell({ cell: 'c2-2', by: 'bob', reason: 'being rebuilt' });
    await expectRejected(client.skipCell({ cell: 'c2-22', by: 'bob', reason: 'a slip of the pen' }), 'cell');
    await rawSignal(world, packageRollbackId(V1), 'skipCell', { cell: 'c2-21', by: 'bob', reason: 'another' });
    await jobsSeen(world, (jobs) => jobs.filter((j) => j.kind === 'rollback').length > 1);
    await client.abort({ by: 'bob', reason: 'it was the network' });
    const end = await client.result(60_000);
    expect(end.state).toBe('aborted');
    expect(end.acts.map((a) => a.act)).toEqual(['rollback', 'skipCell', 'abort']);
    const noCell = { message: 'skipCell', path: 'cell', by: 'bob' };
    expect(end.rejected).toMatchObject([
      { ...noCell, value: 'c2-22' },
      { ...noCell, value: 'c2-21' },
    ]);
    const back = await backJobs(world);
    expect(back.every((j) => j.state === 'succeeded')).toBe(true);
    expect(back.length).toBeLessThan(4);
    expect((await cellNow(world, 'c2-2')).version).toBe(V1);
    expect(theRing(end, 2).rolledBack).toBe(back.length);
    await clusterSeen(world, (s) => s.rings.every((r) => r.rollout === undefined) && s.queue.length === 0);
  },
);

scenario(
  'canary was rolled back: ring 0 alone goes back, nothing is blocked, and the next package comes',
  { rings: { 2: 1 } },
  async (world) => {
    await world.deploy(V1);
    const end = await rollback(world, V1, { ring: 0, block: false });
    expect(end).toMatchObject({ state: 'rolled-back', ring: 0, rings: [{ ring: 0, rolledBack: 1 }] });
    expect((await cellNow(world, 'qa')).version).toBe(V0);
    expect((await ends(world, V1)).state).toBe('rolled-back');
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'refused', code: 'ended', blocking: false });
    expect((await world.cells.cluster().status()).blocked).toEqual([]);
    expect(await world.deploy(V2)).toMatchObject({ outcome: 'converged' });
    await graduate(world, V2);
    expect((await ends(world, V2)).state).toBe('converged');
  },
);

scenario(
  'cells that a person took back stay where they are: no look and no reconciliation brings them forward again',
  { rings: { 2: 2 }, policies: { 2: LONG_GRACE }, more: { coordination: { reconcileEvery: '2s' } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, graceOf(2));
    expect(await rollback(world, V1, { block: false })).toMatchObject({ state: 'rolled-back' });
    await ends(world, V1);
    const before = forward(await world.jobs()).length;
    await clusterSeen(world, (s) => s.rings.every((r) => r.rollout === undefined));
    await world.cells.cluster().reconcile({ by: 'alice' });
    await pause(8_000);
    expect(forward(await world.jobs())).toHaveLength(before);
    for (const cell of ['c2-1', 'c2-2']) expect((await cellNow(world, cell)).version).toBe(V0);
  },
);

scenario(
  'a cell cluster that is gone holds no rollback back: its rings are taken without it',
  { rings: { 2: 3, 3: 2 }, policies: { 2: LONG_GRACE, 3: { bakeTime: '1h' } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 3)?.state === 'baking');
    await world.client.workflow.getHandle('cell-cluster').terminate('gone');
    const end = await rollback(world);
    expect(end).toMatchObject({ state: 'rolled-back', needsDowntime: [] });
    expect(end.rings.map((r) => [r.ring, r.rolledBack])).toEqual([
      [2, 3],
      [3, 2],
    ]);
    expect((await backJobs(world)).map((j) => j.cell.slice(0, 2))).toEqual(['c3', 'c3', 'c2', 'c2', 'c2']);
    await applyAnew(world);
  },
);

scenario(
  'what a cluster knew that somebody terminated is heard, also where no worker took any more what it was told last',
  { rings: { 2: 2 }, policies: { 2: LONG_GRACE } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, graceOf(2));
    await world.stopWorkers();
    for (const workflowId of ['cell-cluster', `package-rollout/${V1}`]) {
      await rawSignal(world, workflowId, 'skipCell', {
        cell: 'c2-1',
        by: 'alice',
        reason: 'nobody is there to hear it',
      });
      await world.client.workflow.getHandle(workflowId).terminate('gone');
    }
    await world.startWorker();
    expect(await world.cells.rollout(V1).status()).toMatchObject({ state: 'baking', cutOff: 'terminated' });
    const end = await rollback(world);
    expect(end).toMatchObject({ state: 'rolled-back', needsDowntime: [], rings: [{ ring: 2, rolledBack: 2 }] });
    await applyAnew(world);
  },
);

scenario(
  'without any cluster a rollback says what it waits for, and goes on once there is one',
  { rings: { 2: 1 }, apply: false },
  async (world) => {
    await deployedByOthers(world, 'c2-1', V1);
    const client = world.cells.rollback(V1);
    await client.start(order());
    const waiting = await lookUntil(async () => {
      const { waitingFor } = await client.status();
      return waitingFor?.kind === 'operator' ? waitingFor : null;
    }, 90_000);
    expect(waiting?.detail).toMatch(/^the cell cluster does not say which cells there are: .*; goes on by itself/);
    expect(waiting?.next).toContain('cellctl cluster apply topology.yaml');
    await world.apply();
    expect(await client.result(120_000)).toMatchObject({ state: 'rolled-back', rings: [{ ring: 2, rolledBack: 1 }] });
  },
);

for (const ending of ['goes on once there is one', 'may be given up']) {
  scenario(
    `where nothing is left of the cluster between two rings, a rollback says so, and ${ending}`,
    { rings: { 2: 1, 3: 1 }, policies: { 2: LONG_GRACE, 3: { bakeTime: '1h' } } },
    async (world) => {
      await graduate(world, V1);
      await seen(world, V1, (s) => ringOf(s, 3)?.state === 'baking');
      await world.client.workflow.getHandle('cell-cluster').terminate('gone');
      await world.fault({ kind: 'slow', jobKind: 'rollback', factor: 20 });
      const client = world.cells.rollback(V1);
      await client.start(order());
      await jobsSeen(world, (jobs) => jobs.some((j) => j.kind === 'rollback'));
      const { workflowService } = world.client;
      const workflowExecution = { workflowId: 'cell-cluster' };
      await workflowService.deleteWorkflowExecution({ namespace: world.client.options.namespace, workflowExecution });
      // Nobody can ask for what was applied to it any more.
      world.acts.splice(0, world.acts.length, ...world.acts.filter(({ act }) => act !== 'applyTopology'));
      const waiting = await lookUntil(async () => {
        const { waitingFor } = await client.status();
        return waitingFor?.kind === 'operator' ? waitingFor : null;
      }, 120_000);
      expect(waiting?.detail).toMatch(/^the cell cluster does not say which cells there are: .*; goes on by itself/);
      expect(waiting?.next).toContain('cellctl cluster apply topology.yaml');
      const isGivenUp = ending === 'may be given up';
      if (isGivenUp) await client.abort({ by: 'bob', reason: 'by hand, then' });
      else await world.apply();
      const end = await client.result(120_000);
      expect(end.state).toBe(isGivenUp ? 'aborted' : 'rolled-back');
      expect((await backJobs(world)).map((j) => j.cell)).toEqual(isGivenUp ? ['c3-1'] : ['c3-1', 'c2-1']);
      if (isGivenUp) await world.apply();
    },
  );
}

scenario(
  'a refusal that comes late is obeyed: cells that are going back come to their end, and no further one is touched',
  { rings: { 2: 3, 3: 3 }, policies: { 2: LONG_GRACE, 3: { bakeTime: '1h', maxParallel: 1 } }, jobMs: 300 },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 3)?.state === 'baking');
    await world.client.workflow.getHandle('cell-cluster').terminate('gone');
    await world.fault({ kind: 'slow', jobKind: 'rollback', factor: 12 });
    const client = world.cells.rollback(V1);
    await client.start(order());
    await jobsSeen(world, (jobs) => jobs.some((j) => j.kind === 'rollback'));
    // As a cluster would say it that had only been slow.
    const refused = { path: 'version', value: V1, expected: `a package that no cell is coming back to: ${V2} is` };
    const run = (await world.client.workflow.getHandle(`package-rollback/${V1}`).describe()).runId;
    const answer = { run, refused, cluster: 'test', rings: [2, 3] };
    await sendRaw(world, `package-rollback/${V1}`, 'rollbackAnswer', { ...answer, run: 'one before' });
    await sendRaw(world, `package-rollback/${V1}`, 'rollbackAnswer', answer);
    const end = await client.result(60_000);
    expect(end).toMatchObject({ state: 'aborted', rings: [{ ring: 3, rolledBack: 1 }] });
    expect(end.rejected).toMatchObject([{ message: 'rollback', by: 'alice', ...refused }]);
    expect(await backJobs(world)).toMatchObject([{ state: 'succeeded', cell: expect.stringMatching(/^c3/) }]);
    await applyAnew(world);
  },
);

scenario(
  'a rollback that is cancelled through Temporal ends as one that a person gives up: cells in flight settle',
  { rings: { 2: 4 }, policies: { 2: { ...LONG_GRACE, maxParallel: 1 } }, jobMs: 900 },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, graceOf(2));
    const client = world.cells.rollback(V1);
    await client.start(order());
    await jobsSeen(world, (jobs) => jobs.some((j) => j.kind === 'rollback'));
    await world.client.workflow.getHandle(packageRollbackId(V1)).cancel();
    const end = await client.result(60_000);
    expect(end.state).toBe('aborted');
    expect(end.acts.map((a) => `${a.act} by ${a.by}`)).toEqual(['rollback by alice', 'abort by temporal cancel']);
    const back = await backJobs(world);
    expect(back.every((j) => j.state === 'succeeded')).toBe(true);
    expect(back.length).toBeLessThan(4);
    await clusterSeen(world, (s) => s.rings.every((r) => r.rollout === undefined) && s.queue.length === 0);
  },
);

scenario(
  'a rollback survives continuing as new, the loss of its pass, and every worker going away',
  { rings: { 2: 6 }, policies: { 2: { ...LONG_GRACE, maxParallel: 1 } }, jobMs: 700 },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, graceOf(2));
    const workflowId = `package-rollback/${V1}`;
    const argument = { version: V1, ...order(), continueAsNewAfter: 20 };
    const { taskQueue } = world;
    world.acts.push({
      act: 'rollback',
      version: V1,
      payload: order(),
      askedAt: Date.now(),
      answeredAt: null,
      answer: null,
    });
    await world.client.workflow.start('PackageRollback', { workflowId, taskQueue, args: [argument] });
    const isBack = (n: number) => jobsSeen(world, (jobs) => jobs.filter((j) => j.kind === 'rollback').length >= n);
    await isBack(2);
    await world.client.workflow.getHandle('ring-rollout/2').terminate('by hand');
    await isBack(3);
    await world.stopWorkers();
    await world.startWorker();
    const end = await world.cells.rollback(V1).result(90_000);
    expect(end).toMatchObject({ state: 'rolled-back', needsDowntime: [] });
    expect((await backJobs(world)).map((j) => j.cell).sort()).toEqual([1, 2, 3, 4, 5, 6].map((i) => `c2-${i}`));
    const runs = [];
    for await (const run of world.client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) runs.push(run);
    expect(runs.length).toBeGreaterThan(1);
  },
);

scenario(
  'a rollback with an argument that cannot be fails; its signals are judged',
  { rings: { 2: 1 } },
  async (world) => {
    const start = (args: unknown[], workflowId = `package-rollback/${V1}`) =>
      world.client.workflow.start('PackageRollback', { workflowId, taskQueue: world.taskQueue, args });
    for (const args of [[{ version: V1 }], [{ version: V2, ...order() }], [{ version: V1, ...order(), odd: 1 }], []]) {
      await expect((await start(args)).result()).rejects.toThrow();
    }
    const odd = { version: '17.10.0', run: 'r', by: '', reason: '', url: null, ring: null, block: true, dryRun: false };
    await rawSignal(world, 'cell-cluster', 'askRollback', odd);
    await clusterSeen(world, (s) => s.rejected.some((r) => r.message === 'askRollback'));
    await rawSignal(world, 'cell-cluster', 'askRollback', { ...odd, version: V2 });
    await clusterSeen(world, (s) => s.blocked.some((b) => b.version === V2));
  },
);

scenario(
  'in the middle of a pass, and under a brake: cells in flight go back too, and nothing holds it up',
  { rings: { 2: 6 }, policies: { 2: { maxParallel: 3 } }, jobMs: 1500 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1).length > 2);
    await world.cells.cluster().engageBrake({ by: 'alice', reason: 'incident', brakeId: 'all' });
    const end = await rollback(world);
    expect(end).toMatchObject({ state: 'rolled-back', needsDowntime: [] });
    for (let i = 1; i <= 6; i += 1) expect((await cellNow(world, `c2-${i}`)).version).toBe(V0);
    expect((await ends(world, V1)).state).toBe('rolled-back');
    expect((await world.cells.cluster().status()).brakes).toMatchObject([{ brakeId: 'all' }]);
  },
);

scenario(
  'cells that the rule of return excludes are named and left, unless they are named by a person',
  { rings: { 2: 3, 3: 1 }, policies: { 3: { bakeTime: '1h' } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'converged' && ringOf(s, 3)?.state === 'baking');
    const end = await rollback(world);
    expect(end.state).toBe('rolled-back');
    expect(stays(end)).toEqual(['c2-1', 'c2-2', 'c2-3']);
    for (const e of end.needsDowntime) expect(e.reason).toMatch(/downtime/);
    expect((await cellNow(world, 'c3-1')).version).toBe(V0);
    expect((await cellNow(world, 'c2-1')).version).toBe(V1);
    const again = await rollback(world, V1, { allowDowntime: ['c2-1', 'c2-3'] });
    expect(stays(again)).toEqual(['c2-2']);
    expect((await cellNow(world, 'c2-1')).version).toBe(V0);
    expect((await cellNow(world, 'c2-2')).version).toBe(V1);
    expect((await backJobs(world)).map((j) => j.cell).sort()).toEqual(['c2-1', 'c2-3', 'c3-1']);
  },
);

scenario(
  'after it the one with the fix goes its way, and after an unblock the next package asks a person',
  { rings: { 2: 2 }, policies: { 2: { gracePeriod: '1h' } } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'grace');
    await rollback(world);
    await world.cells.cluster().unblockVersion({ version: V1, by: 'bob', reason: 'V2 mends it' });
    await graduate(world, V2);
    const asks = await seen(world, V2, (s) => s.waitingFor?.kind === 'approval');
    expect(asks.waitingFor?.detail).toContain(V1);
    expect(asks.waitingFor?.next.join()).toContain(`cellctl approve --ring 2 ${V2}`);
    await world.cells.cluster().blockVersion({ version: V1, by: 'bob', reason: 'V3 mends it', fixedIn: V3 });
    await graduate(world, V3);
    await seen(world, V3, (s) => ringOf(s, 2)?.state === 'grace');
    expect(toVersion(await world.jobs(), V2)).toEqual([]);
  },
);

scenario(
  'without Prometheus, Alertmanager and ledger cells go back all the same, also in rings whose health is to be judged',
  scene({ rings: { 2: 2, 3: 1 }, prometheus: null }),
  async (world) => {
    for (const cell of ['c2-1', 'c2-2', 'c3-1']) await deployedByOthers(world, cell, V1);
    const end = await rollback(world);
    expect(end).toMatchObject({ state: 'rolled-back', needsDowntime: [], failures: [] });
    expect((await backJobs(world)).map((j) => j.cell.slice(0, 2))).toEqual(['c3', 'c2', 'c2']);
    for (const cell of ['c2-1', 'c2-2', 'c3-1']) expect((await cellNow(world, cell)).version).toBe(V0);
  },
);
