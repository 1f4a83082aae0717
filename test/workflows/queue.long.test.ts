import { expect } from 'vitest';
import { V1, V2, V3 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import { clusterSeen, ends, expectRejected, graduate, scenario, seen } from './support.js';

const deploy = async (world: World, version: string, fixes?: string) =>
  (
    await world.cells.rollout(version).deployRing({ ring: 0, by: 'release-tools', ...(fixes ? { fixes } : {}) })
  ).answer();

scenario(
  'auto-deploy pauses itself beyond maxDrift: deployRing is refused as blocking, a fix enters, and it resumes by itself',
  { rings: { 2: 1 }, more: { coordination: { maxDrift: 1 } } },
  async (world) => {
    await world.fault({ kind: 'job-fails', version: V1 });
    await graduate(world, V1);
    await seen(world, V1, (s) => s.state === 'halted');
    await world.fault({ kind: 'job-fails', version: V2 });
    await graduate(world, V2);
    const paused = await clusterSeen(world, (s) => s.autoDeploy.state === 'paused');
    expect(paused.drift).toEqual({ max: 2, byRing: { 2: 2 } });
    const refused = await deploy(world, V3);
    expect(refused).toMatchObject({ outcome: 'refused', code: 'drift', blocking: true });
    expect(refused.next?.join()).toContain('--fixes');
    const fixed = await deploy(world, V3, 'INC-4711');
    expect(fixed.outcome).toBe('converged');
    await graduate(world, V3);
    await ends(world, V3);
    const after = await clusterSeen(world, (s) => s.autoDeploy.state === 'running' && s.drift.max === 0);
    expect(after.acts.map(({ act }) => act)).toContain('pauseAutoDeploy');
  },
);

scenario(
  'requireRing0: only a package that converged in ring 0 may graduate',
  { rings: { 2: 1 }, more: { coordination: { requireRing0: true } } },
  async (world) => {
    await expectRejected(world.cells.rollout(V1).graduate({ by: 'release-tools' }), 'ring0');
    expect((await deploy(world, V1)).outcome).toBe('converged');
    await graduate(world, V1);
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

const EVERYWHERE = {
  ...{ bakeTime: '0s', gracePeriod: '0s', pollInterval: '1s', verifyTimeout: '2s' },
  migrateWhen: 'everywhere',
};

scenario(
  'a package halted further out gives way where its PDM waits for that: the next one is not kept from the ring',
  { rings: { 2: 1, 3: 1 }, more: { policy: EVERYWHERE } },
  async (world) => {
    await world.fault({ kind: 'job-fails', cell: 'c3-1', version: V1, jobKind: 'configure' });
    await graduate(world, V1);
    await seen(world, V1, (s) => s.state === 'halted');
    await graduate(world, V2);
    expect(await ends(world, V1)).toMatchObject({ state: 'superseded', supersededBy: V2 });
    expect((await ends(world, V2)).state).toBe('converged');
  },
);

scenario(
  'a package whose PDM failed further out gives way where that holds its PDM',
  {
    rings: { 2: 5, 3: 1 },
    policies: { 2: { maxParallel: 1 } },
    jobMs: 1500,
    more: { policy: EVERYWHERE },
  },
  async (world) => {
    await world.fault({ kind: 'pdm-fails', cell: 'c3-1', times: 1 });
    await graduate(world, V1);
    await seen(world, V1, (s) => s.state === 'halted');
    await graduate(world, V2);
    expect(await ends(world, V1)).toMatchObject({ state: 'superseded', supersededBy: V2 });
    expect((await ends(world, V2)).state).toBe('converged');
  },
);
