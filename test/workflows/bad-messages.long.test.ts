import { expect } from 'vitest';
import { V1 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import { clusterSeen, ends, graduate, rawSignal, scenario, seen, sendRaw } from './support.js';

const who = { by: 'alice', reason: 'x' };

scenario(
  'a flood of signals starves nothing: the run goes on, what is kept stays bounded, and the brake in it holds',
  { rings: { 2: 2 } },
  async (world) => {
    await world.deploy(V1);
    const flood = async (id: string) => {
      for (let batch = 0; batch < 20; batch += 1) {
        await Promise.all(Array.from({ length: 40 }, (_, i) => sendRaw(world, id, 'noise', { batch, i })));
        if (batch === 10 && id === 'cell-cluster') {
          await rawSignal(world, id, 'engageBrake', { ...who, brakeId: 'in-the-flood', scope: 'outer' });
        }
      }
    };
    await Promise.all([flood('cell-cluster'), flood(`package-rollout/${V1}`)]);
    await graduate(world, V1);
    const held = await seen(world, V1, (s) => s.waitingFor?.kind === 'brake');
    expect(held.waitingFor?.detail).toContain('in-the-flood');
    expect(held.rejected.length).toBeLessThanOrEqual(50);
    await world.cells.cluster().releaseBrake({ by: 'alice', brakeId: 'in-the-flood' });
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario(
  'a signal that nobody knows, or that cannot be read, is filed, and the run goes on',
  { rings: { 2: 1 } },
  async (world) => {
    await world.deploy(V1);
    const bytes = (text: string) => new TextEncoder().encode(text);
    const unreadable = [
      { metadata: { encoding: bytes('binary/encrypted') }, data: bytes('\u0001\u0002') },
      { metadata: { encoding: bytes('json/plain') }, data: bytes('{"by":') },
      { metadata: { encoding: bytes('json/protobuf') }, data: bytes('{}') },
      { metadata: {}, data: bytes('x') },
    ];
    for (const workflowId of ['cell-cluster', `package-rollout/${V1}`]) {
      for (const payload of unreadable) {
        await world.client.workflowService.signalWorkflowExecution({
          namespace: world.namespace,
          workflowExecution: { workflowId },
          signalName: 'engageBrake',
          input: { payloads: [payload] },
        });
      }
      await sendRaw(world, workflowId, 'stopEverything', { by: 'alice' });
      await sendRaw(world, workflowId, 'stopEverything', undefined);
    }
    const rollout = await seen(world, V1, (s) => s.rejected.length === 6);
    const cluster = await clusterSeen(world, (s) => s.rejected.length === 6);
    for (const { rejected } of [rollout, cluster]) {
      expect(rejected.map((r) => r.message)).toEqual([
        ...Array(4).fill('engageBrake'),
        'stopEverything',
        'stopEverything',
      ]);
      for (const r of rejected) expect(r.expected).toMatch(/\S/);
    }
    expect([...rollout.brakes, ...cluster.brakes]).toEqual([]);
    await sendNonsenseAsOurs(world);
    await graduate(world, V1);
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

/** Signals of our own workflows, sent by hand. */
async function sendNonsenseAsOurs(world: World): Promise<void> {
  const rollout = ['registered', 'graduationAnswer', 'ringAnswer', 'ringReport', 'brakesHold', 'passLost'];
  const cluster = [
    'registerRollout',
    'askGraduation',
    'requestRing',
    'withdrawRequest',
    'claimRing',
    'rolloutAborting',
    'rolloutEnded',
    'enterRing',
    'ringReport',
    'brakesHold',
  ];
  for (const nonsense of [undefined, null, 7, {}, { ring: 'x', view: null }]) {
    for (const name of rollout) await sendRaw(world, `package-rollout/${V1}`, name, nonsense);
    for (const name of cluster) await sendRaw(world, 'cell-cluster', name, nonsense);
  }
  const request = {
    requestId: 'by-hand',
    version: V1,
    chartVersion: null,
    ring: { after: null },
    purpose: 'deploy',
    lane: null,
    approved: [],
  };
  await sendRaw(world, 'cell-cluster', 'requestRing', { ...request, sinceMs: 1e300 });
  await sendRaw(world, 'cell-cluster', 'requestRing', { ...request, lane: 'nope', sinceMs: Date.now() });
}
