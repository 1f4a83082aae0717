import { expect } from 'vitest';
import { V0, V1, V2 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import {
  cellNow,
  ends,
  graduate,
  jobsSeen,
  pause,
  rawSignal,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

/** What people say before its moment has come, or while something else goes on. */

const by = 'alice';
const reason = 'because';
const BLOCKING = { onFailure: 'block', postDeployMigrations: 'separate', deployToUnhealthy: false };

scenario(
  'an approval given while the ring is braked counts when the brake is off',
  { rings: { 2: 1 }, policies: { 2: { approval: 'required' } } },
  async (world) => {
    await world.cells.cluster().engageBrake({ by, reason, brakeId: 'two', scope: { ring: 2 } });
    await graduate(world, V1);
    await seen(world, V1, (s) => s.waitingFor?.kind === 'brake');
    await world.cells.rollout(V1).approveRing({ ring: 2, by, reason });
    await world.cells.cluster().releaseBrake({ by, brakeId: 'two' });
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario('a skip that is said while the pass still looks at its cells holds', { rings: { 2: 3 } }, async (world) => {
  await world.fault({ kind: 'error-share', share: 1, status: 503, method: 'GET', on: 'amp' });
  await graduate(world, V1);
  await seen(world, V1, (s) => ringOf(s, 2)?.startedAt);
  await world.cells.rollout(V1).skipCell({ cell: 'c2-1', by, reason });
  await world.clearFaults();
  const jobs = await jobsSeen(world, (all) => all.some((j) => j.cell === 'c2-3'));
  expect(jobs[0]?.cell).toBe('c2-2');
  // Skipped cells are tried again at the end of their ring.
  expect(theRing(await ends(world, V1), 2)).toMatchObject({ converged: 3, skipped: 0 });
});

const twoInside = {
  perimeter: 1,
  rings: [
    { ring: 0, policy: { ...BLOCKING, onFailure: 'soft' }, cells: [{ id: 'q0', tenant: 'q0' }] },
    { ring: 1, policy: BLOCKING, cells: [{ id: 'q1', tenant: 'q1' }] },
  ],
};

scenario(
  'a newer package that graduates does not end an abort that takes cells back',
  { rings: {}, more: twoInside },
  async (world) => {
    await world.deploy(V1, 0);
    await world.deploy(V1, 1);
    await world.fault({ kind: 'slow', jobKind: 'rollback', factor: 40 });
    await world.cells.rollout(V1).abort({ by, reason, rollback: true });
    await jobsSeen(world, (jobs) => jobs.some((j) => j.kind === 'rollback'));
    await graduate(world, V2);
    expect((await ends(world, V1)).state).toBe('rolled-back');
    expect([(await cellNow(world, 'q0')).version, (await cellNow(world, 'q1')).version]).toEqual([V0, V0]);
  },
);

scenario(
  'a halted ring that blocks gives way to a newer package only when every cell of it is back',
  {
    rings: {},
    more: {
      rings: [{ ring: 0, policy: BLOCKING, cells: ['q1', 'q2', 'q3'].map((id) => ({ id, tenant: id })) }],
    },
  },
  async (world) => {
    await world.fault([
      { kind: 'job-fails', cell: 'q2', version: V1, jobKind: 'configure' },
      { kind: 'slow', cell: 'q3', version: V1, factor: 160 },
      { kind: 'job-fails', cell: 'q3', version: V1, jobKind: 'configure', stage: 'finish', switched: true },
    ]);
    const first = await world.cells.rollout(V1).deployRing({ ring: 0, by });
    await seen(world, V1, (s) => ringOf(s, 0)?.rolledBack === 1);
    const second = await world.cells.rollout(V2).deployRing({ ring: 0, by });
    expect(await first.answer(40_000)).toMatchObject({ outcome: 'superseded' });
    expect(await second.answer(40_000)).toMatchObject({ outcome: 'converged' });
    const onThree = (await world.jobs()).filter((j) => j.cell === 'q3').map((j) => j.kind);
    expect(onThree).toEqual(['configure', 'rollback', 'configure']);
  },
);

scenario(
  'a deployment that failed while its runs were terminated is taken back, and not ordered again',
  { rings: { 2: 1, 3: 1 }, jobMs: 12_000, more: { coordination: { lookEvery: '1s' } } },
  async (world) => {
    await world.fault({
      kind: 'job-fails',
      cell: 'c2-1',
      version: V1,
      jobKind: 'configure',
      stage: 'finish',
      switched: true,
    });
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => jobs.some((j) => j.state === 'running'));
    await world.client.workflow.getHandle('ring-rollout/2').terminate('by hand');
    await world.client.workflow.getHandle('cell-rollout/c2-1').terminate('by hand');
    const halted = await seen(world, V1, (s) => ringOf(s, 2)?.state === 'halted');
    expect(theRing(halted, 2)).toMatchObject({ converged: 0, rolledBack: 1 });
    expect(toVersion(await world.jobs(), V1)).toHaveLength(1);
    expect((await cellNow(world, 'c2-1')).version).toBe(V0);
  },
);

scenario(
  'a cell that went back stays so when its pass is terminated: nobody asked for it again',
  { rings: { 2: 2 }, more: { coordination: { lookEvery: '1s' } } },
  async (world) => {
    await world.fault({ kind: 'job-fails', cell: 'c2-1', version: V1, jobKind: 'configure', times: 1 });
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'halted');
    const { runId } = (await world.client.workflow.getHandle('ring-rollout/2').describe()) as { runId: string };
    await world.client.workflow.getHandle('ring-rollout/2').terminate('by hand');
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'halted' && s.rings[0] !== undefined);
    for (;;) {
      const now = await world.client.workflow.getHandle('ring-rollout/2').describe();
      if (now.runId !== runId) break;
      await pause(200);
    }
    const again = await seen(world, V1, (s) => ringOf(s, 2)?.rolledBack === 1 && ringOf(s, 2)?.state === 'halted');
    expect(theRing(again, 2).exceptions).toMatchObject([{ cell: 'c2-1', state: 'rolled-back' }]);
    await pause(1_000);
    expect(toVersion(await world.jobs(), V1).filter((j) => j.kind === 'configure')).toHaveLength(1);
    await world.cells.rollout(V1).retryRing({ ring: 2, by });
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario(
  'a retry that reaches a soft ring’s pass when all is over for it is done by another pass',
  { rings: { 2: 1 }, policies: { 2: { onFailure: 'soft' } } },
  async (world) => {
    await world.fault({ kind: 'slow', cell: 'c2-1', version: V1, factor: 120, times: 1 });
    await graduate(world, V1);
    const running = await seen(world, V1, (s) => ringOf(s, 2)?.inFlight === 1);
    await world.cells.rollout(V1).retryRing({ ring: 2, by });
    // The last word of a pass whose only cell went back in the moment in which the retry was on its way to it.
    const view = { ...theRing(running, 2), state: 'mixed', inFlight: 0, cellsInFlight: [], rolledBack: 1 };
    const result = { outcome: 'failed', code: null, supersededBy: null, reason: 'first cell' };
    const { requestId, pass } = await whose(world, 2);
    await rawSignal(world, `package-rollout/${V1}`, 'ringReport', {
      ...{
        requestId,
        pass,
        version: V1,
        purpose: 'deploy',
        view,
        observed: { [V0]: 1 },
        baked: false,
        systemic: false,
      },
      ...{
        needsDowntime: null,
        migrationFailed: [],
        result,
        ended: true,
        retries: 0,
        packageBrakes: { epoch: '', brakes: [] },
      },
    });
    const asks = await seen(world, V1, (s) => s.waitingFor?.kind === 'ring-turn');
    expect(asks).toMatchObject({ state: 'waiting', waitingFor: { ring: 2 } });
    const end = await ends(world, V1);
    expect(theRing(end, 2)).toMatchObject({ converged: 1, rolledBack: 0 });
    expect((await whose(world, 2)).pass).not.toBe(pass);
  },
);

/** The pass over a ring, and the request that it is for. */
async function whose(world: World, ring: number): Promise<{ requestId: string; pass: string }> {
  const { events } = await world.client.workflow.getHandle(`ring-rollout/${ring}`).fetchHistory();
  const started = events?.[0]?.workflowExecutionStartedEventAttributes;
  const [payload] = started?.input?.payloads ?? [];
  const { requestId } = JSON.parse(Buffer.from(payload?.data ?? []).toString()) as { requestId: string };
  return { requestId, pass: started?.firstExecutionRunId ?? '' };
}
