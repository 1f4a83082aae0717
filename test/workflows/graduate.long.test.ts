import { expect } from 'vitest';
import { packageRolloutId } from '../../src/contract/ids.js';
import { V1, V2, V3 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import {
  cellNow,
  ends,
  expectRejected,
  graduate,
  jobsSeen,
  pause,
  problemsOf,
  rawSignal,
  ringOf,
  scenario,
  seen,
  statusOrNull,
  theRing,
  toVersion,
} from './support.js';

const start = (
  world: World,
  version: string,
  argument: unknown = { version },
  workflowId = packageRolloutId(version),
) => world.client.workflow.start('PackageRollout', { workflowId, taskQueue: world.taskQueue, args: [argument] });

scenario(
  'graduate again changes nothing, and answers the same',
  { rings: { 2: 2 }, policies: { 2: { bakeTime: '3s' } } },
  async (world) => {
    await world.deploy(V1);
    expect(await graduate(world, V1)).toEqual({ ring0: 'converged' });
    const before = await seen(world, V1, (s) => s.graduatedAt !== null);
    expect(await graduate(world, V1, { by: 'somebody else' })).toEqual({ ring0: 'converged' });
    await Promise.all([1, 2, 3].map((i) => graduate(world, V1, { by: `caller-${i}` })));
    const end = await ends(world, V1);
    expect(end.acts.filter((a) => a.act === 'graduate')).toHaveLength(5);
    expect(end).toMatchObject({ state: 'converged', graduatedAt: before.graduatedAt });
    const cluster = await world.cells.cluster().status();
    expect(cluster.graduated).toMatchObject([{ version: V1, by: 'release-tools', blocked: false }]);
    expect(toVersion(await world.jobs(), V1)).toHaveLength(3);
  },
);

scenario(
  'a package that is not graduated in time ends as expired; only a restart opens it again',
  { rings: { 2: 1 }, more: { coordination: { graduationTimeout: '4s' } }, policies: { 2: { bakeTime: '6s' } } },
  async (world) => {
    await world.deploy(V1);
    expect(await ends(world, V1)).toMatchObject({ state: 'expired', graduatedAt: null });
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'refused', code: 'ended' });
    await world.cells.rollout(V1).restart({ by: 'alice', reason: 'it was a holiday' });
    await graduate(world, V1);
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

const NOTHING = 'a rollout that has nothing accepted a minute after its start ends as aborted, and closes nothing';
scenario(NOTHING, {}, async (world) => {
  const handle = await start(world, V1);
  await rawSignal(world, packageRolloutId(V1), 'graduate', { by: 7 });
  const startedAt = Date.now();
  await expectBadArguments(world);
  const end = await ends(world, V1, 100_000);
  expect(end.state).toBe('aborted');
  expect(end.rejected).toMatchObject([{ message: 'graduate', path: 'by' }]);
  expect(Date.now() - startedAt).toBeGreaterThan(50_000);
  expect((await handle.describe()).status.name).toBe('COMPLETED');
  expect(await world.deploy(V1)).toMatchObject({ outcome: 'converged' });
});

scenario(
  'the chart that AMP inferred is the package’s own: no graduation brings another one, nor does a run that begins anew',
  { rings: { 2: 1 } },
  async (world) => {
    await world.deploy(V1);
    const inferred = (await cellNow(world, 'qa')).chart_version ?? '';
    const problem = await expectRejected(graduate(world, V1, { chartVersion: '8.10.5' }), 'chartVersion');
    expect(problem.expected).toContain(inferred);
    await world.client.workflow.getHandle(packageRolloutId(V1)).terminate('by hand');
    const workflowId = packageRolloutId(V1);
    await world.client.workflow.signalWithStart('PackageRollout', {
      workflowId,
      taskQueue: world.taskQueue,
      args: [{ version: V1 }],
      signal: 'graduate',
      signalArgs: [{ by: 'release-tools', chartVersion: '8.10.6' }],
    });
    const refused = await seen(world, V1, (s) => s.rejected.length > 0);
    expect(refused).toMatchObject({ chartVersion: null, graduatedAt: null, rejected: [{ path: 'chartVersion' }] });
    await graduate(world, V1, { chartVersion: inferred });
    expect(await ends(world, V1)).toMatchObject({ state: 'converged', chartVersion: inferred });
    expect(toVersion(await world.jobs(), V1).map((j) => `${j.cell} ${j.chart_version}`)).toEqual([
      `qa ${inferred}`,
      `c2-1 ${inferred}`,
    ]);
  },
);

scenario(
  'the same timestamp under other shas, or the same package under longer ones, is refused, and nothing of it runs',
  { rings: { 2: 1 } },
  async (world) => {
    const twin = '17.10.202503180906-ffff7d336a7.eeeec3e0177';
    const longer = V1.replace('.c1c3e017782', 'abcdef.c1c3e017782abcdef');
    await world.deploy(V1);
    for (const other of [twin, longer]) {
      const problems = await problemsOf(world.deploy(other));
      expect(problems).toMatchObject([{ path: 'version', value: other, expected: expect.stringContaining(V1) }]);
      expect((await ends(world, other)).state).toBe('aborted');
      expect(toVersion(await world.jobs(), other)).toEqual([]);
    }
    await graduate(world, V1);
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario(
  'a package that graduates before there is a topology waits for it, and then goes its way',
  { rings: { 2: 1 }, apply: false },
  async (world) => {
    await rawStartAndGraduate(world, V1);
    const waiting = await seen(world, V1, (s) => s.waitingFor?.kind === 'topology');
    expect(waiting.waitingFor?.next.join()).toContain('cluster apply');
    await world.apply();
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

async function rawStartAndGraduate(world: World, version: string): Promise<void> {
  await start(world, version);
  await rawSignal(world, packageRolloutId(version), 'graduate', { by: 'release-tools' });
}

scenario(
  'several packages are under way at once, each in its own ring, and none overtakes another',
  { rings: { 2: 2, 3: 4 }, policies: { 3: { maxParallel: 1 } }, jobMs: 900 },
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => jobs.some((j) => j.cell.startsWith('c3') && j.version === V1));
    await graduate(world, V2);
    const both = await seen(world, V2, (s) => s.waitingFor?.kind === 'ring-turn' && s.waitingFor.ring === 3);
    expect(both.waitingFor?.detail).toContain(V1);
    const [one, two] = await Promise.all([ends(world, V1), ends(world, V2)]);
    expect([one.state, two.state]).toEqual(['converged', 'converged']);
    for (const ring of [2, 3]) {
      const jobs = (await world.jobs()).filter((j) => j.cell.startsWith(`c${ring}-`));
      const lastOfFirst = Math.max(...jobs.filter((j) => j.version === V1).map((j) => Date.parse(j.finished_at ?? '')));
      const firstOfLast = Math.min(...jobs.filter((j) => j.version === V2).map((j) => Date.parse(j.created_at)));
      expect(firstOfLast).toBeGreaterThanOrEqual(lastOfFirst);
    }
    expect(theRing(two, 3).converged).toBe(4);
  },
);

scenario(
  'a package that every cell runs already is converged without a deployment',
  { rings: { 2: 2 }, simulator: { initialVersion: V1 } },
  async (world) => {
    await graduate(world, V1);
    expect((await ends(world, V1)).state).toBe('converged');
    expect(await world.jobs()).toEqual([]);
  },
);

scenario(
  'a package older than what the cells run goes nowhere',
  { rings: { 2: 2 }, simulator: { initialVersion: V2 } },
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => s.finishedAt !== null || s.waitingFor?.kind === 'operator');
    await pause(1_000);
    expect(await world.jobs()).toEqual([]);
    expect((await statusOrNull(world, V1))?.state).not.toBe('converged');
  },
);

/** An argument that cannot be used ends the run as failed, and says why. */
async function expectBadArguments(world: World): Promise<void> {
  const cases: [unknown, string][] = [
    [{ version: '17.10.0' }, packageRolloutId('17.10.0')],
    [{ version: V1 }, packageRolloutId(V2)],
    [{ version: V3, chart: '8.10.0' }, packageRolloutId(V3)],
    [undefined, `${packageRolloutId(V3)}x`],
    ['text', `${packageRolloutId(V3)}y`],
  ];
  await Promise.all(
    cases.map(async ([argument, id]) => {
      const handle = await start(world, '', argument, id);
      await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'BadArgument' } });
    }),
  );
}

scenario('graduate as a signal with start is as good as the update', { rings: { 2: 1 } }, async (world) => {
  world.acts.push({ act: 'graduate', version: V1, payload: {}, askedAt: Date.now(), answeredAt: null, answer: null });
  await world.client.workflow.signalWithStart('PackageRollout', {
    workflowId: packageRolloutId(V1),
    taskQueue: world.taskQueue,
    args: [{ version: V1 }],
    signal: 'graduate',
    signalArgs: [{ by: 'release-tools' }],
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
  const end = await ends(world, V1);
  expect(end.state).toBe('converged');
  // A graduation touches no ring inside the perimeter.
  expect(ringOf(end, 0)).toBeUndefined();
  expect((await world.jobs()).filter((j) => j.cell === 'qa')).toEqual([]);
  expect(await world.cells.cluster().status()).toMatchObject({
    graduated: [{ version: V1, convergedAt: expect.any(String) }],
  });
});

scenario(
  'when a package graduates, every older rollout that awaits graduation ends superseded',
  { rings: { 2: 1 } },
  async (world) => {
    await world.deploy(V1);
    await world.deploy(V2);
    await world.deploy(V3);
    await graduate(world, V2);
    expect(await ends(world, V1)).toMatchObject({ state: 'superseded', supersededBy: V2 });
    expect((await ends(world, V2)).state).toBe('converged');
    expect(await statusOrNull(world, V3)).toMatchObject({ state: 'awaiting-graduation', finishedAt: null });
  },
);
