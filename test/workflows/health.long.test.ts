import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';
import type { PackageRolloutStatus } from '../../src/contract/status.js';
import { V0, V1, V2 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import { AN_HOUR_AGO, health, scene } from './health-scene.js';
import {
  cellNow,
  ends,
  exceptionOf,
  graduate,
  jobsSeen,
  pause,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

scenario(
  'a cell that is unhealthy before its deployment is left alone',
  scene({ policies: { 2: { failureBudget: 1, maxParallel: 2 } } }),
  async (world) => {
    await world.fault({ kind: 'error-burst', cell: 'c2-2', size: 0.3, startAt: AN_HOUR_AGO });
    await graduate(world, V1);
    const end = await ends(world, V1);
    expect(theRing(end, 2)).toMatchObject({ converged: 2, failed: 1 });
    expect(exceptionOf(end, 2, 'c2-2')).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('unhealthy before its deployment'),
    });
    expect(toVersion(await world.jobs(), V1).map((job) => job.cell)).not.toContain('c2-2');
  },
);

const holdsForHealth = (world: World, why: RegExp) =>
  seen(world, V1, (s) => s.waitingFor?.kind === 'health' && why.test(s.waitingFor.detail));

scenario(
  'a cell whose series are missing holds the ring, which says so, and goes on when they are back',
  scene(),
  async (world) => {
    await world.fault({ kind: 'missing-series', cell: 'c2-1', version: V1, signals: ['errors'] });
    await graduate(world, V1);
    const held = await holdsForHealth(world, /errors has no sample/);
    expect(held.waitingFor).toMatchObject({
      kind: 'health',
      ring: 2,
      next: expect.arrayContaining([expect.stringContaining('cellctl health')]),
    });
    expect(toVersion(await world.jobs(), V1)).toHaveLength(1);
    await world.clearFaults();
    expect(theRing(await ends(world, V1), 2)).toMatchObject({ converged: 3 });
  },
);

scenario(
  'a cell in doubt is not asked about for ever: once its time is over it has failed, and its ring halts for a person',
  scene({ rings: { 2: 1 }, health: { inconclusiveTimeout: '8s' } }),
  async (world) => {
    await world.fault({ kind: 'missing-series', cell: 'c2-1', version: V1, signals: ['errors'] });
    await graduate(world, V1);
    const halted = await seen(world, V1, (s) => s.state === 'halted');
    expect(exceptionOf(halted, 2, 'c2-1')).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('not known to be healthy'),
    });
    expect(halted.waitingFor).toMatchObject({ kind: 'operator', ring: 2 });
    // Nothing was seen that speaks for going back.
    expect((await world.jobs()).filter((j) => j.kind === 'rollback')).toEqual([]);
    await world.cells.rollout(V1).abort({ by: 'alice', reason: 'seen' });
    await ends(world, V1);
  },
);

scenario(
  'an override ends one wait for health: the cell, its bake, its grace period and its PDM are waited for each by itself',
  scene({ rings: { 2: 1 }, policies: { 2: { bakeTime: '1s' } }, health: { inconclusiveTimeout: '10m' } }),
  async (world) => {
    await world.fault({ kind: 'missing-series', cell: 'c2-1', version: V1, signals: ['errors'] });
    await graduate(world, V1);
    await holdsForHealth(world, /errors has no sample/);
    const override = () =>
      world.cells.rollout(V1).override({ wait: 'health', ring: 2, by: 'alice', reason: 'seen by eye' });
    await override();
    // What was not known of the cell is not known of the bake.
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking' && ringOf(s, 2)?.waitingFor?.kind === 'health');
    await pause(3_000);
    expect(theRing(await world.cells.rollout(V1).status(), 2).state).toBe('baking');
    await override();
    // PDM cannot be gone back from: before it, and after it, a person is asked once more.
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'grace' && ringOf(s, 2)?.waitingFor?.kind === 'health');
    await override();
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'migrating' && ringOf(s, 2)?.waitingFor?.kind === 'health');
    await override();
    expect(theRing(await ends(world, V1), 2)).toMatchObject({ converged: 1 });
  },
);

scenario(
  'in shadow nothing is obeyed or waited for, and how the cells were judged is kept',
  scene({ health: { mode: 'shadow' }, policies: { 2: { maxParallel: 3, bakeTime: '25s' } } }),
  async (world) => {
    await world.fault({ kind: 'error-burst', version: V1, size: 0.3 });
    await graduate(world, V1);
    expect(theRing(await ends(world, V1), 2)).toMatchObject({
      converged: 3,
      health: {
        mode: 'shadow',
        wouldHave: expect.stringContaining('errors'),
        cells: { healthy: 0, quiet: 0, unhealthy: 3, inconclusive: 0 },
      },
    });
  },
);

scenario(
  'a fault of the package stops the ring as systemic, and its cells go back where the policy says so',
  scene({
    rings: { 2: 6 },
    policies: { 2: { failureBudget: 5, maxParallel: 6, autoRollback: 'ring', bakeTime: '40s' } },
  }),
  async (world) => {
    // Too late for any cell's own window: only who watches the ring as a whole sees it.
    await world.fault({ kind: 'error-burst', version: V1, size: 0.3, delayMs: 12_000 });
    await graduate(world, V1);
    const status = await seen(
      world,
      V1,
      (s) => ringOf(s, 2)?.state === 'halted' && ringOf(s, 2)?.rolledBack === 6,
      90_000,
    );
    const ring = theRing(status, 2);
    expect(ring.health?.ring).toMatchObject({ verdict: 'unhealthy', scope: 'systemic' });
    expect(ring.waitingFor).toMatchObject({
      kind: 'operator',
      detail: expect.stringContaining('the package is unhealthy'),
    });
    for (const cell of ['c2-1', 'c2-6']) expect(await cellNow(world, cell)).toMatchObject({ version: V0 });
  },
);

scenario(
  'a fault of one cell while the ring bakes takes that cell back, and the ring goes on',
  scene({ rings: { 2: 5 }, policies: { 2: { failureBudget: 1, maxParallel: 5, bakeTime: '30s' } } }),
  async (world) => {
    await world.fault({ kind: 'error-burst', cell: 'c2-3', version: V1, size: 0.3, delayMs: 12_000 });
    await graduate(world, V1);
    const end = await ends(world, V1);
    expect(theRing(end, 2)).toMatchObject({ converged: 4, rolledBack: 1 });
    expect(exceptionOf(end, 2, 'c2-3')).toMatchObject({ reason: expect.stringContaining('errors') });
  },
);

/** The main stage as other tools deploy it: it has no tenant, and is judged by a signal of its own. */
const mainStage = (signal: Record<string, unknown>) => ({
  ring: 1,
  name: 'main-stage',
  deployedBy: 'external',
  cells: [{ id: 'legacy', url: 'https://gitlab.example', observe: true }],
  health: { signals: { deployment: signal } },
});

scenario(
  'a ring is not entered while the main stage is not healthy, and the package says so; a person may override that',
  {
    ...scene({ rings: { 2: 1 } }),
    more: {
      ...health(),
      rings: [
        mainStage({ query: 'min(gitlab_deployment_health:service{env="gprd",stage="main"})', worse: 'lower', min: 2 }),
        { ring: 2, name: 'first', cells: [{ id: 'c2-1', tenant: 't-c2-1', url: 'https://c2-1.cells.example' }] },
      ],
    },
  },
  async (world) => {
    await graduate(world, V1);
    const held = await seen(world, V1, (s) => /legacy/.test(ringOf(s, 2)?.waitingFor?.detail ?? ''));
    expect(held.waitingFor).toMatchObject({
      kind: 'health',
      ring: 2,
      detail: expect.stringContaining('ring 1 is unhealthy'),
    });
    expect(toVersion(await world.jobs(), V1)).toEqual([]);
    await world.cells.rollout(V1).override({ wait: 'health', ring: 2, by: 'alice', reason: 'known, and not ours' });
    expect(theRing(await ends(world, V1), 2)).toMatchObject({ converged: 1 });
  },
);

scenario(
  'a fix is not rolled back for the fault that it came to mend, and one that makes it worse stops',
  scene({ rings: { 2: 3 }, policies: { 2: { deployToUnhealthy: true, maxParallel: 3, bakeTime: '10s' } } }),
  async (world) => {
    await world.fault([
      { kind: 'error-burst', version: V0, size: 0.4, startAt: AN_HOUR_AGO },
      { kind: 'error-burst', version: V1, size: 0.2 },
      { kind: 'error-burst', version: V2, size: 0.8 },
    ]);
    await graduate(world, V1);
    expect(theRing(await ends(world, V1), 2)).toMatchObject({ converged: 3, rolledBack: 0 });
    await graduate(world, V2);
    const worse = await seen(world, V2, (s) => ringOf(s, 2)?.state === 'halted');
    expect(theRing(worse, 2).rolledBack).toBeGreaterThan(0);
    for (const cell of ['c2-2', 'c2-3']) expect(await cellNow(world, cell)).toMatchObject({ version: V1 });
  },
);

scenario(
  'after a systemic stop a newer package enters no outer ring before a person has approved it',
  scene({
    rings: { 2: 6 },
    policies: { 2: { failureBudget: 5, maxParallel: 6, autoRollback: 'ring', bakeTime: '30s' } },
  }),
  async (world) => {
    await world.fault({ kind: 'error-burst', version: V1, size: 0.4, delayMs: 12_000 });
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.converged);
    await graduate(world, V2);
    // Said before the stop, of which nobody knew then: it ends nothing.
    await world.cells.rollout(V2).approveRing({ ring: 2, by: 'alice', reason: 'looks fine' });
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'halted' && ringOf(s, 2)?.health?.ring?.scope === 'systemic');
    const held = await seen(world, V2, (s) => s.waitingFor?.kind === 'approval');
    expect(held.waitingFor).toMatchObject({ ring: 2, detail: expect.stringContaining(V1) });
    expect(toVersion(await world.jobs(), V2)).toEqual([]);
    await world.cells.rollout(V2).approveRing({ ring: 2, by: 'alice', reason: 'the fault is mended' });
    expect(theRing(await ends(world, V2), 2)).toMatchObject({ converged: 6 });
  },
);

scenario(
  'a cell that is unhealthy after its PDM is not taken back: the ring halts, and the package is braked',
  scene({ rings: { 2: 2, 3: 1 }, policies: { 2: { maxParallel: 1 } } }),
  async (world) => {
    await graduate(world, V1);
    await jobsSeen(world, (jobs) => toVersion(jobs, V1, 'post_deploy_migrations').length === 1, 90_000);
    await world.fault({ kind: 'error-burst', cell: 'c2-1', version: V1, size: 0.4 });
    const halted = await seen(world, V1, (s) => ringOf(s, 2)?.state === 'halted' && s.brakes.length > 0);
    expect(exceptionOf(halted, 2, 'c2-1')).toMatchObject({
      state: 'migration-failed',
      reason: expect.stringContaining('rollback needs downtime'),
    });
    expect(halted.brakes).toMatchObject([{ brakeId: 'unhealthy-after-pdm-ring-2', by: 'coordinator' }]);
    expect(await cellNow(world, 'c2-1')).toMatchObject({ version: V1 });
    expect(toVersion(await world.jobs(), V1, 'post_deploy_migrations')).toHaveLength(1);
  },
);

scenario(
  'a cell without traffic is decided by its smoke tests, and the result says that it was quiet',
  scene({ rings: { 2: 1 } }),
  async (world) => {
    const result = await world.deploy(V1, 0);
    expect(result).toMatchObject({
      outcome: 'converged',
      smokeTests: 'passed',
      health: { mode: 'enforce', cells: { healthy: 1, quiet: 1, unhealthy: 0, inconclusive: 0 } },
    });
    expect((await world.jobs()).map(({ kind }) => kind)).toEqual(['configure', 'smoke_tests']);

    await world.fault({ kind: 'job-fails', cell: 'qa', version: V2, jobKind: 'smoke_tests', error: 'sign-in fails' });
    const failed = await world.deploy(V2, 0);
    expect(failed).toMatchObject({
      outcome: 'failed',
      blocking: false,
      smokeTests: 'failed',
      cells: { rolledBack: 1 },
    });
    expect(failed.exceptions).toMatchObject([{ cell: 'qa', reason: expect.stringContaining('smoke tests failed') }]);
    expect(await cellNow(world, 'qa')).toMatchObject({ version: V1 });
  },
);

scenario(
  'an AMP that refuses the token while a ring bakes wedges nothing: a brake is answered, and the bake goes on after it',
  scene({ rings: { 2: 2 }, policies: { 2: { maxParallel: 2, bakeTime: '25s' } } }),
  async (world) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
    await world.fault({ kind: 'error-share', status: 401, share: 1 });
    await seen(world, V1, (s) => /401/.test(ringOf(s, 2)?.waitingFor?.detail ?? ''));
    const cluster = world.cells.cluster();
    await cluster.engageBrake({ by: 'alice', reason: 'AMP is odd', brakeId: 'odd' });
    await world.clearFaults();
    await cluster.releaseBrake({ by: 'alice', brakeId: 'odd', reason: 'well again' });
    expect(theRing(await ends(world, V1), 2)).toMatchObject({ converged: 2, rolledBack: 0 });
  },
);

scenario(
  'an override for a cell in doubt changes nothing for one that is in its window',
  scene({
    rings: { 2: 3 },
    policies: { 2: { maxParallel: 3 } },
    health: { window: '12s', inconclusiveTimeout: '10m' },
  }),
  async (world) => {
    await world.fault([
      { kind: 'missing-series', cell: 'c2-2', version: V1, signals: ['errors'] },
      { kind: 'slow', cell: 'c2-3', version: V1, jobKind: 'configure', factor: 200 },
    ]);
    await graduate(world, V1);
    await holdsForHealth(world, /errors has no sample/);
    const override = () =>
      world.cells.rollout(V1).override({ wait: 'health', ring: 2, by: 'alice', reason: 'seen by eye' });
    await override();
    const both = await seen(world, V1, (s) => ringOf(s, 2)?.converged === 3);
    expect(theRing(both, 2)).toMatchObject({ converged: 3, rolledBack: 0, health: { cells: { healthy: 2 } } });
  },
);

scenario(
  'in shadow no cell waits for its window, nor for a Prometheus that is not there',
  scene({ prometheus: null, health: { mode: 'shadow', window: '10m' } }),
  async (world) => {
    await graduate(world, V1);
    expect(theRing(await ends(world, V1), 2)).toMatchObject({
      converged: 3,
      health: { mode: 'shadow', ring: { verdict: 'inconclusive' } },
    });
  },
);

scenario(
  'an outside check holds the ring before and while it rolls, until it says ok',
  { rings: { 2: 2 }, jobMs: 1_500, apply: false },
  async (world) => {
    const answers = { body: '{"ok": false, "reason": "incident 7 is open"}' };
    const server = createServer((_, response) => response.end(answers.body));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const checks = [{ name: 'incidents', url: `http://127.0.0.1:${port}/`, every: '1s' }];
      const { topology } = world;
      await world.apply({ ...topology, policy: { ...(topology.policy as object), checks, maxParallel: 1 } });
      await graduate(world, V1);
      const isHeld = (s: PackageRolloutStatus) => ringOf(s, 2)?.waitingFor?.detail.includes('incident 7 is open');
      const held = await seen(world, V1, isHeld);
      expect(held.waitingFor).toMatchObject({
        kind: 'check',
        ring: 2,
        next: [expect.stringContaining('--wait check')],
      });
      expect(toVersion(await world.jobs(), V1)).toEqual([]);
      answers.body = '{"ok": true}';
      await jobsSeen(world, (jobs) => toVersion(jobs, V1).length === 1);
      answers.body = 'nonsense';
      await seen(world, V1, (s) => ringOf(s, 2)?.waitingFor?.detail.includes('neither yes nor no'));
      expect(toVersion(await world.jobs(), V1)).toHaveLength(1);
      await world.cells.rollout(V1).override({ wait: 'check', ring: 2, by: 'alice', reason: 'known' });
      expect(theRing(await ends(world, V1), 2)).toMatchObject({ converged: 2 });
    } finally {
      server.close();
    }
  },
);
