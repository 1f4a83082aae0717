import { expect } from 'vitest';
import { V0, V1 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import {
  cellNow,
  ends,
  exceptionOf,
  graduate,
  ringOf,
  type Scene,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

/** A day of the simulator's metrics takes ten minutes, so that its windows of five minutes take two seconds. */
const DAY = { dayMs: 600_000 };

/** By a pattern, because the name of a recording rule of five minutes would be taken by its word. */
const series = (name: string, more = '') => `{__name__=~"${name}.+",cell="{{cell}}"${more}}`;
const SIGNALS = {
  apdex: { query: series('gitlab_service_apdex:ratio_', ',type="webservice"'), worse: 'lower', slo: 0.99, zScore: 3 },
  errors: {
    query: series('gitlab_service_errors:ratio_', ',type="webservice"'),
    worse: 'higher',
    slo: 0.005,
    zScore: 3,
  },
  traffic: { query: series('gitlab_service_ops:rate_', ',type="webservice"'), worse: 'both', zScore: 6 },
};

const health = (more: Record<string, unknown> = {}) => ({
  health: {
    window: '5s',
    baseline: '10m',
    interval: '1s',
    minSamples: 3,
    inconclusiveTimeout: '30s',
    // biome-ignore lint/suspicious/noThenProperty: the topology's word; the value beside it is no function.
    quiet: { signal: 'traffic', below: 0.001, for: '3s', then: 'smoke-tests' },
    signals: SIGNALS,
    ...more,
  },
});

const scene = (more: Scene & { health?: Record<string, unknown> } = {}): Scene => {
  const { health: own, ...rest } = more;
  return { rings: { 2: 3 }, prometheus: 'simulator', ...rest, simulator: DAY, more: health(own) };
};

scenario('a healthy package converges, each cell once its window is over', scene(), async (world) => {
  await graduate(world, V1);
  const end = await ends(world, V1);
  expect(theRing(end, 2)).toMatchObject({ converged: 3, failed: 0, rolledBack: 0 });
});

scenario(
  'an error burst on one cell takes that cell back, with what it rests on',
  scene({ policies: { 2: { failureBudget: 1, maxParallel: 2 } } }),
  async (world) => {
    await world.fault({ kind: 'error-burst', cell: 'c2-2', version: V1, size: 0.3 });
    await graduate(world, V1);
    const end = await ends(world, V1);
    expect(theRing(end, 2)).toMatchObject({ converged: 2, rolledBack: 1 });
    const exception = exceptionOf(end, 2, 'c2-2');
    expect(exception).toMatchObject({
      state: 'rolled-back',
      reason: expect.stringContaining('unhealthy after its job'),
    });
    expect(exception?.evidence).toContainEqual(
      expect.objectContaining({ signal: 'errors', verdict: 'unhealthy', cell: 'c2-2' }),
    );
    expect(await cellNow(world, 'c2-2')).toMatchObject({ version: V0 });
  },
);

scenario(
  'a cell that is unhealthy before its deployment is left alone',
  scene({ policies: { 2: { failureBudget: 1, maxParallel: 2 } } }),
  async (world) => {
    await world.fault({ kind: 'error-burst', cell: 'c2-2', size: 0.3 });
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

const holdsForHealth = (world: World) => seen(world, V1, (s) => ringOf(s, 2)?.waitingFor?.kind === 'health' && s);

scenario(
  'a cell whose series are missing holds the ring, which says so, and goes on when they are back',
  scene(),
  async (world) => {
    await world.fault({ kind: 'missing-series', cell: 'c2-1', version: V1, signals: ['errors'] });
    await graduate(world, V1);
    const held = await holdsForHealth(world);
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
  'an override ends the wait for health',
  scene({ rings: { 2: 1 }, health: { inconclusiveTimeout: '10m' } }),
  async (world) => {
    await world.fault({ kind: 'missing-series', cell: 'c2-1', version: V1, signals: ['errors'] });
    await graduate(world, V1);
    await holdsForHealth(world);
    const override = () =>
      world.cells.rollout(V1).override({ wait: 'health', ring: 2, by: 'alice', reason: 'seen by eye' });
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
  'without a Prometheus a ring with signals is held, and nothing is deployed',
  scene({ prometheus: null }),
  async (world) => {
    await graduate(world, V1);
    const held = await holdsForHealth(world);
    expect(held.waitingFor?.detail).toContain('PROMETHEUS_URL');
    expect(toVersion(await world.jobs(), V1)).toEqual([]);
  },
);

scenario('in shadow nothing is obeyed', scene({ health: { mode: 'shadow' } }), async (world) => {
  await world.fault({ kind: 'error-burst', version: V1, size: 0.3 });
  await graduate(world, V1);
  expect(theRing(await ends(world, V1), 2)).toMatchObject({ converged: 3 });
});

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
