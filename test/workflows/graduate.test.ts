import { expect } from 'vitest';
import { V1, V2, V3 } from '../support/fleet.js';
import {
  ends,
  expectRejected,
  forward,
  graduate,
  jobsSeen,
  scenario,
  seen,
  statusOrNull,
  toVersion,
} from './support.js';

scenario('graduate answers what ring 0 made of the package', { jobMs: 1500 }, async (world) => {
  const first = await world.cells.rollout(V1).deployRing({ ring: 0, by: 'release-tools' });
  await jobsSeen(world, (jobs) => jobs[0]?.state === 'running');
  expect(await world.deploy(V2)).toMatchObject({ outcome: 'converged' });
  expect((await first.answer(40_000)).outcome).toBe('superseded');
  expect(await graduate(world, V1)).toEqual({ ring0: 'superseded' });
  expect(await graduate(world, V2)).toEqual({ ring0: 'converged' });
  expect(await graduate(world, V3)).toEqual({ ring0: 'never' });
});

scenario(
  'a package older than the newest graduated is refused, and stays where it is',
  { rings: { 2: 1 } },
  async (world) => {
    await graduate(world, V2);
    await ends(world, V2);
    const problem = await expectRejected(graduate(world, V1), 'version');
    expect(problem.expected).toContain(V2);
    const status = await statusOrNull(world, V1);
    expect(status?.graduatedAt ?? null).toBeNull();
    expect(status?.rejected).toMatchObject([{ message: 'graduate', path: 'version', value: V1 }]);
    expect(toVersion(await world.jobs(), V1)).toEqual([]);
  },
);

scenario(
  'a lane that the topology does not have is refused, with those that it has; then a known one is taken',
  { rings: { 2: 1 }, more: { lanes: { urgent: { bakeTime: '0s' }, cautious: { approval: 'required' } } } },
  async (world) => {
    const problem = await expectRejected(graduate(world, V1, { lane: 'express' }), 'lane');
    expect(problem).toMatchObject({
      value: expect.stringContaining('express'),
      expected: expect.stringMatching(/urgent.*cautious/),
    });
    expect((await statusOrNull(world, V1))?.graduatedAt).toBeNull();
    await graduate(world, V1, { lane: 'cautious' });
    const waiting = await seen(world, V1, (s) => s.waitingFor?.kind === 'approval');
    expect(waiting.lane).toBe('cautious');
    await world.cells.rollout(V1).approveRing({ ring: 2, by: 'alice' });
    expect(await ends(world, V1)).toMatchObject({ state: 'converged', lane: 'cautious' });
  },
);

scenario(
  'the chart goes with the package: into its jobs, and into what converged means',
  { rings: { 2: 2 } },
  async (world) => {
    const chartVersion = '8.10.77';
    await world.fault({ kind: 'changed-by-hand', cell: 'c2-2', version: V1, chartVersion: '8.10.76' });
    const asked = await world.cells.rollout(V1).deployRing({ ring: 0, by: 'release-tools' }, { chartVersion });
    await asked.answer(40_000);
    await graduate(world, V1, { chartVersion });
    const end = await ends(world, V1);
    expect(end).toMatchObject({ state: 'converged', chartVersion });
    const jobs = forward(await world.jobs());
    for (const job of jobs) expect(job.chart_version).toBe(chartVersion);
    // The one that ran the package with another chart gets it too.
    expect(toVersion(jobs, V1).map((j) => j.cell)).toEqual(['qa', 'c2-1', 'c2-2']);
  },
);

scenario(
  'another chart for a package that has one is a conflict, and changes nothing',
  { rings: { 2: 1 } },
  async (world) => {
    const asked = await world.cells
      .rollout(V1)
      .deployRing({ ring: 0, by: 'release-tools' }, { chartVersion: '8.10.1' });
    await asked.answer(40_000);
    const problem = await expectRejected(graduate(world, V1, { chartVersion: '8.10.2' }), 'chartVersion');
    expect(problem.expected).toMatch(/8\.10\.1.*chart_conflict/);
    expect(await statusOrNull(world, V1)).toMatchObject({ chartVersion: '8.10.1', graduatedAt: null });
    expect(await graduate(world, V1, { chartVersion: '8.10.1' })).toEqual({ ring0: 'converged' });
    expect((await ends(world, V1)).state).toBe('converged');
  },
);
