import { expect } from 'vitest';
import { V1, V2 } from '../support/fleet.js';
import { scene } from './health-scene.js';
import { ends, graduate, ringOf, seen, theRing } from './support.js';
import { told } from './told.js';

/** What time alone brings: each is seen raised, and resolved once its cause is gone. */

// Rings so quick that they are late would be told of as behind, too.
const LOOKS = { coordination: { lookEvery: '1s', maxDrift: 9 } };
const MINUTE = 60_000;

told('a brake is told of a quarter of an hour before it is over', { rings: { 2: 1 } }, async (world, alerts) => {
  const cluster = world.cells.cluster();
  const expiresAt = new Date(Date.now() + 15 * MINUTE + 6_000).toISOString();
  await cluster.engageBrake({ by: 'alice', reason: 'looking', brakeId: 'b', expiresAt });
  await alerts.become(['BrakeEngaged b']);
  await alerts.become(['BrakeEngaged b', 'BrakeExpiring b']);
  const { annotations } = alerts.posted.find(({ labels }) => labels.alertname === 'BrakeExpiring') ?? {};
  expect(annotations?.summary).toContain(`is over at ${expiresAt}`);
  await cluster.releaseBrake({ by: 'alice', brakeId: 'b', reason: 'seen' });
  await alerts.become([]);
});

told(
  'a queue that stands behind a ring is told of, until the ring is free',
  { rings: { 2: 1 }, policies: { 2: { bakeTime: '1h', convergeWithin: '4s' } }, more: LOOKS },
  async (world, alerts) => {
    await graduate(world, V1);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
    await graduate(world, V2);
    await alerts.become(['QueueStands']);
    const { annotations } = alerts.posted.find(({ labels }) => labels.alertname === 'QueueStands') ?? {};
    expect(annotations?.summary).toContain(`${V2} waits for ring 2, which is baking with ${V1}`);
    const override = { wait: 'bake', ring: 2, by: 'alice', reason: 'V2 is wanted' } as const;
    await world.cells.rollout(V1).override(override);
    await ends(world, V1);
    await seen(world, V2, (s) => ringOf(s, 2)?.state === 'baking');
    await alerts.become([]);
  },
);

told(
  'that nothing graduates for too long is told of, until something does',
  { rings: { 2: 1 }, more: { coordination: { lookEvery: '1s', graduationExpectedEvery: '12s' } } },
  async (world, alerts) => {
    await alerts.become(['NoGraduation']);
    await graduate(world, V1);
    await alerts.become([]);
    await alerts.become(['NoGraduation']);
    const last = alerts.posted.findLast(({ labels }) => labels.alertname === 'NoGraduation');
    expect(last?.annotations.evidence).toContain(V1);
  },
);

told(
  'a package that waits before a ring for its health is told of, until the ring is known to be healthy',
  scene({ rings: { 2: 1 }, health: { inconclusiveTimeout: '8s' } }),
  async (world, alerts) => {
    await world.fault({ kind: 'missing-series', cell: 'c2-1', signals: ['errors'] });
    await graduate(world, V1);
    await alerts.become(['HealthInconclusive']);
    const { annotations } = alerts.posted.find(({ labels }) => labels.alertname === 'HealthInconclusive') ?? {};
    expect(annotations?.summary).toMatch(/ring 2 is held .*not known to be healthy/);
    await world.clearFaults();
    expect(theRing(await ends(world, V1), 2)).toMatchObject({ converged: 1 });
    await alerts.become([]);
  },
);
