import { expect } from 'vitest';
import { V1 } from '../support/fleet.js';
import { ends, graduate, jobsSeen, ringOf, scenario, seen, theRing, toVersion } from './support.js';

for (const [what, fault] of [
  ['refuses our token', { kind: 'error-share', status: 401, share: 1 }],
  ['no longer lets our token do anything', { kind: 'error-share', status: 403, share: 1 }],
  ['answers only errors', { kind: 'error-share', status: 503, share: 1 }],
] as const) {
  scenario(
    `an AMP that ${what} holds the ring for an operator, fails no cell, and the ring goes on by itself`,
    { rings: { 2: 5 }, policies: { 2: { maxParallel: 1 } }, jobMs: 2000 },
    async (world) => {
      await graduate(world, V1);
      await jobsSeen(world, (jobs) => toVersion(jobs, V1).length > 1);
      await world.fault(fault);
      const held = await seen(world, V1, (s) => ringOf(s, 2)?.waitingFor?.kind === 'operator', 60_000);
      expect(held.waitingFor).toMatchObject({
        kind: 'operator',
        ring: 2,
        detail: expect.stringContaining(`AMP answers ${fault.status}`),
        next: [expect.stringContaining('AMP_TOKEN')],
      });
      expect(theRing(held, 2)).toMatchObject({ failed: 0, rolledBack: 0, exceptions: [] });
      const before = (await world.jobs()).length;
      await world.clearFaults();
      const end = await ends(world, V1);
      expect(end).toMatchObject({ state: 'converged', failures: [] });
      expect(theRing(end, 2)).toMatchObject({ converged: 5, failed: 0 });
      const jobs = await world.jobs();
      expect(jobs.length).toBeGreaterThan(before);
      expect(toVersion(jobs, V1)).toHaveLength(5);
    },
    120_000,
  );
}

scenario('deployRing waits for AMP instead of being refused', {}, async (world) => {
  await world.fault({ kind: 'error-share', status: 401, share: 1 });
  const asked = await world.cells.rollout(V1).deployRing({ ring: 0, by: 'release-tools' });
  await seen(world, V1, (s) => s.waitingFor?.kind === 'operator');
  await world.clearFaults();
  expect(await asked.answer(30_000)).toMatchObject({ outcome: 'converged' });
});

scenario(
  'throttling is borne without a word',
  { rings: { 2: 5 }, policies: { 2: { maxParallel: 5 } } },
  async (world) => {
    await world.fault({ kind: 'error-share', status: 429, share: 0.2, retryAfter: 1 });
    await graduate(world, V1);
    const end = await ends(world, V1);
    expect(end).toMatchObject({ state: 'converged', failures: [] });
    expect(toVersion(await world.jobs(), V1)).toHaveLength(5);
  },
);

scenario(
  'trouble that a run told before it was terminated, while another pass waited for it, holds nobody',
  { rings: { 2: 2 }, policies: { 2: { maxParallel: 1 } }, more: { coordination: { lookEvery: '1s' } } },
  async (world) => {
    await world.fault({ kind: 'error-share', share: 1, status: 503, method: 'POST', on: 'amp' });
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.waitingFor?.kind === 'operator');
    const pass = world.client.workflow.getHandle('ring-rollout/2');
    const { runId } = await pass.describe();
    await pass.terminate('by hand');
    await world.until('another pass', async () => (await pass.describe()).runId !== runId, 30_000);
    await seen(world, V1, (s) => ringOf(s, 2)?.waitingFor?.kind === 'operator' && ringOf(s, 2)?.inFlight === 1);
    await world.client.workflow.getHandle('cell-rollout/c2-1').terminate('by hand');
    await world.clearFaults();
    expect(await ends(world, V1)).toMatchObject({ state: 'converged', failures: [] });
    expect(toVersion(await world.jobs(), V1)).toHaveLength(2);
  },
);
