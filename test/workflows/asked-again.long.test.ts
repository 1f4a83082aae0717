import { expect } from 'vitest';
import type { PackageRolloutStatus } from '../../src/contract/status.js';
import { V0, V1, V2 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import { cellNow, ends, expectRejected, graduate, ringOf, scenario, seen, statusOrNull } from './support.js';

/** What became of a package, whoever asked what after its end. */
const fate = ({ acts: _acts, rejected: _rejected, ...rest }: PackageRolloutStatus) => rest;
const actsOf = ({ acts }: PackageRolloutStatus) => acts.map((a) => a.act);

const CHART = '8.10.77';
async function deployWithChart(world: World): Promise<void> {
  const asked = await world.cells.rollout(V1).deployRing({ ring: 0, by: 'release-tools' }, { chartVersion: CHART });
  await asked.answer(40_000);
}

scenario(
  'a converged package that is asked again looks again at the ring, and keeps its status, its acts and its answers',
  { rings: { 2: 3 }, policies: { 2: { failureBudget: 1, maxParallel: 3 } } },
  async (world) => {
    await world.fault({ kind: 'not-ready-after', cell: 'c2-2', version: V1 });
    await deployWithChart(world);
    await graduate(world, V1, { chartVersion: CHART });
    const first = await ends(world, V1);
    expect(first).toMatchObject({ state: 'converged', failures: [{ cell: 'c2-2' }] });
    await world.clearFaults();
    await world.fault({ kind: 'changed-by-hand', cell: 'qa', version: V0 });
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'converged', cells: { converged: 1 } });
    expect((await cellNow(world, 'qa')).version).toBe(V1);
    const second = await ends(world, V1);
    const withoutRing0 = (s: PackageRolloutStatus) => ({ ...fate(s), rings: s.rings.filter((r) => r.ring !== 0) });
    expect(withoutRing0(second)).toEqual(withoutRing0(first));
    expect(ringOf(second, 0)).toMatchObject({ state: 'converged', outcome: 'converged' });
    expect(Date.parse(ringOf(second, 0)?.startedAt ?? '')).toBeGreaterThan(Date.parse(first.finishedAt ?? ''));
    await expectRejected(graduate(world, V1, { chartVersion: '8.10.78' }), 'chartVersion');
    expect(await graduate(world, V1)).toEqual({ ring0: 'converged' });
    const third = await ends(world, V1);
    expect(fate(third)).toEqual(fate(second));
    expect(actsOf(third)).toEqual(['deployRing', 'graduate', 'deployRing', 'graduate']);
    const { graduated } = await world.cells.cluster().status();
    expect(graduated).toMatchObject([{ version: V1, graduatedAt: first.graduatedAt }]);
  },
);

scenario(
  'an aborted package that is asked again ends at once, as what it was, and refuses',
  { rings: { 2: 2, 3: 1 }, policies: { 3: { bakeTime: '1h' } } },
  async (world) => {
    await deployWithChart(world);
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'converged' && ringOf(s, 3)?.state === 'baking');
    await world.cells.rollout(V1).abort({ by: 'alice', reason: 'wrong', rollback: true });
    const first = await ends(world, V1);
    // PDM has run on ring 2: it could not go back.
    expect(first).toMatchObject({
      state: 'aborted',
      chartVersion: CHART,
      needsDowntime: [{ cell: 'c2-1' }, { cell: 'c2-2' }],
    });
    const refused = await world.deploy(V1);
    expect(refused).toMatchObject({ outcome: 'refused', code: 'ended' });
    expect(fate(await ends(world, V1))).toEqual(fate(first));
    await expect(graduate(world, V1)).rejects.toThrow();
    // Another chart is a conflict, and no new end.
    await expectRejected(graduate(world, V1, { chartVersion: '8.10.78' }), 'chartVersion');
    const last = await ends(world, V1);
    expect(fate(last)).toEqual(fate(first));
    expect(actsOf(last)).toEqual(expect.arrayContaining(['deployRing', 'graduate', 'abort']));
  },
);

scenario('a superseded package that is asked again names what took its place', { rings: { 2: 1 } }, async (world) => {
  await world.deploy(V1);
  await graduate(world, V2);
  const first = await ends(world, V1);
  expect(first).toMatchObject({ state: 'superseded', supersededBy: V2, rings: [{ ring: 0, outcome: 'converged' }] });
  const refused = await world.deploy(V1);
  expect(refused).toMatchObject({ outcome: 'refused', code: 'ended', supersededBy: V2 });
  expect(refused.next?.join()).toContain(`status ${V2}`);
  expect(await statusOrNull(world, V1)).toEqual({ ...first, acts: expect.any(Array) });
  await ends(world, V2);
});

scenario(
  'a chart that comes with a second graduate is refused: the package has graduated with the one that AMP infers',
  { rings: { 2: 1 } },
  async (world) => {
    await world.cells.cluster().engageBrake({ by: 'alice', reason: 'wait', brakeId: 'two', scope: { ring: 2 } });
    await graduate(world, V1);
    const problem = await expectRejected(graduate(world, V1, { chartVersion: CHART }), 'chartVersion');
    expect(problem.expected).toContain('chart_conflict');
    expect(await graduate(world, V1)).toEqual({ ring0: 'never' });
    await world.cells.cluster().releaseBrake({ by: 'alice', brakeId: 'two' });
    expect(await ends(world, V1)).toMatchObject({ state: 'converged', chartVersion: null });
  },
);
