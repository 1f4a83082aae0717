import { expect } from 'vitest';
import { V1 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import { clusterSeen, ends, graduate, scenario, seen, sendRaw, statusOrNull } from './support.js';

const who = { by: 'alice', reason: 'x' };
const LONG = 'x'.repeat(3_000);

/** Message, payload, and the path that the rejection must name. */
const TO_A_ROLLOUT: [string, unknown, string][] = [
  ['graduate', undefined, ''],
  ['graduate', null, ''],
  ['graduate', 'release-tools', ''],
  ['graduate', [], ''],
  ['graduate', {}, 'by'],
  ['graduate', { by: '' }, 'by'],
  ['graduate', { by: '   ' }, 'by'],
  ['graduate', { by: 7 }, 'by'],
  ['graduate', { by: 'x'.repeat(201) }, 'by'],
  ['graduate', { by: 'alice', lane: 'Not A Lane' }, 'lane'],
  ['graduate', { by: 'alice', chartVersion: '8 10' }, 'chartVersion'],
  ['graduate', { by: 'alice', preempt: 'yes' }, 'preempt'],
  ['graduate', { by: 'alice', pdmCompletedAt: '2026-12-23' }, 'pdmCompletedAt'],
  ['graduate', { by: 'alice', pdmCompletedAt: '2099-01-01T00:00:00Z' }, 'pdmCompletedAt'],
  ['graduate', { by: 'alice', url: 'ftp://incident' }, 'url'],
  ['graduate', { by: 'alice', lanes: 'urgent' }, 'lanes'],
  ['recordCheck', { ring: 0, name: 'qa', outcome: 'maybe', by: 'alice' }, 'outcome'],
  ['recordCheck', { ring: 0, outcome: 'passed', by: 'alice' }, 'name'],
  ['recordCheck', { ring: -1, name: 'qa', outcome: 'passed', by: 'alice' }, 'ring'],
  ['engageBrake', { by: 'alice' }, 'reason'],
  ['engageBrake', { ...who, mode: 'slowly' }, 'mode'],
  ['engageBrake', { ...who, brakeId: 'has a space' }, 'brakeId'],
  ['engageBrake', { ...who, expiresAt: 'tomorrow' }, 'expiresAt'],
  ['engageBrake', { ...who, expiresAt: '2099-01-01T00:00:00' }, 'expiresAt'],
  ['engageBrake', { ...who, expiresAt: '2001-01-01T00:00:00Z' }, 'expiresAt'],
  ['engageBrake', { ...who, scope: 'cluster' }, 'scope'],
  ['engageBrake', { ...who, reason: LONG }, 'reason'],
  ['releaseBrake', { by: 'alice' }, 'brakeId'],
  ['releaseBrake', { by: 'alice', brakeId: 'nobody-has-this' }, 'brakeId'],
  ['approveRing', { by: 'alice' }, 'ring'],
  ['approveRing', { ring: 1.5, by: 'alice' }, 'ring'],
  ['approveRing', { ring: '0', by: 'alice' }, 'ring'],
  ['override', { wait: 'brake', ring: 2, ...who }, 'wait'],
  ['override', { wait: 'bake', ring: 2, by: 'alice' }, 'reason'],
  ['override', { wait: 'bake', ring: 2, ...who }, 'ring'],
  ['retryRing', { ring: 2, by: 'alice' }, 'ring'],
  ['retryRing', { ring: 0, by: 'alice', cells: [] }, 'cells'],
  ['retryRing', { ring: 0, by: 'alice', cells: ['Not A Cell'] }, 'cells[0]'],
  ['skipCell', { by: 'alice', reason: 'x' }, 'cell'],
  ['skipCell', { cell: 'c2-1', by: 'alice' }, 'reason'],
  ['skipCell', { cell: 'c2-1', ...who, until: 'later' }, 'until'],
  ['abort', { by: 'alice' }, 'reason'],
  ['abort', { ...who, rollback: 'true' }, 'rollback'],
  ['abort', { ...who, force: true }, 'force'],
  ['restart', { by: 'alice' }, 'reason'],
  ['restart', who, 'version'],
];

const TO_THE_CLUSTER: [string, unknown, string][] = [
  ['engageBrake', undefined, ''],
  ['engageBrake', { ...who, scope: 'everything' }, 'scope'],
  ['engageBrake', { ...who, scope: { ring: 'two' } }, 'scope'],
  ['engageBrake', { ...who, scope: { rings: [2] } }, 'scope'],
  ['engageBrake', { ...who, scope: { ring: 42 } }, 'scope.ring'],
  ['engageBrake', { ...who, mode: '' }, 'mode'],
  ['engageBrake', { ...who, expiresAt: '2001-01-01T00:00:00+02:00' }, 'expiresAt'],
  ['engageBrake', { ...who, ring: 2 }, 'ring'],
  ['releaseBrake', { by: 'alice' }, 'brakeId'],
  ['releaseBrake', { by: 'alice', brakeId: 'nobody-has-this' }, 'brakeId'],
  ['releaseBrake', {}, 'by'],
];

const ONLY_UPDATES: [string, unknown, string][] = [
  ['deployRing', { by: 'alice' }, 'ring'],
  ['deployRing', { ring: '0', by: 'alice' }, 'ring'],
  ['deployRing', { ring: 0 }, 'by'],
  ['deployRing', { ring: 0, by: 'alice', fix: 'x' }, 'fix'],
  ['migrateRing', { ring: -2, by: 'alice' }, 'ring'],
  ['migrateRing', 'ring 0', ''],
];

interface Rejection {
  type?: string;
  details?: unknown[];
}

async function rejectionOf(world: World, id: string, name: string, payload: unknown): Promise<Rejection> {
  try {
    const answer = await world.client.workflow.getHandle(id).executeUpdate(name, { args: [payload] });
    throw new Error(`${name} ${JSON.stringify(payload)} was answered: ${JSON.stringify(answer)}`);
  } catch (error) {
    if ((error as Error).message.includes('was answered')) throw error;
    return (error as { cause: Rejection }).cause;
  }
}

const pathsOf = ({ details }: Rejection) =>
  [details?.[0]].flat().map((d) => (d as { path?: string } | undefined)?.path);

async function expectAllRejected(world: World, id: string, table: [string, unknown, string][]): Promise<void> {
  for (const [name, payload, path] of table) {
    const rejection = await rejectionOf(world, id, name, payload);
    const said = `${name} ${JSON.stringify(payload)?.slice(0, 80)}`;
    expect(rejection.type, said).toBe('Rejected');
    expect(pathsOf(rejection), said).toContain(path);
    for (const detail of [rejection.details?.[0]].flat()) {
      expect(detail, said).toEqual({
        path: expect.any(String),
        value: expect.any(String),
        expected: expect.stringMatching(/\S/),
      });
    }
  }
}

scenario(
  'a bad update is answered with the path, the value and what is expected, and changes nothing',
  { rings: { 2: 1 } },
  async (world) => {
    await world.deploy(V1);
    const before = await seen(world, V1, (s) => s.state === 'awaiting-graduation');
    await expectAllRejected(world, `package-rollout/${V1}`, [...TO_A_ROLLOUT, ...ONLY_UPDATES]);
    await expectAllRejected(world, 'cell-cluster', TO_THE_CLUSTER);
    expect(await statusOrNull(world, V1)).toEqual(before);
    await graduate(world, V1);
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario(
  'a bad signal changes nothing, is filed with its path, and the run goes on',
  { rings: { 2: 1 } },
  async (world) => {
    await world.deploy(V1);
    const before = await seen(world, V1, (s) => s.state === 'awaiting-graduation');
    const id = `package-rollout/${V1}`;
    for (const [name, payload] of TO_A_ROLLOUT) await sendRaw(world, id, name, payload);
    const after = await seen(world, V1, (s) => s.rejected.length >= TO_A_ROLLOUT.length);
    const filed = after.rejected.map((r) => `${r.message} ${r.path}`);
    for (const [name, , path] of TO_A_ROLLOUT) expect(filed).toContain(`${name} ${path}`);
    expect({ ...after, rejected: [] }).toEqual({ ...before, rejected: [] });
    for (const [name, payload] of TO_THE_CLUSTER) await sendRaw(world, 'cell-cluster', name, payload);
    const cluster = await clusterSeen(world, (s) => s.rejected.length >= TO_THE_CLUSTER.length);
    const told = cluster.rejected.map((r) => `${r.message} ${r.path}`);
    for (const [name, , path] of TO_THE_CLUSTER) expect(told).toContain(`${name} ${path}`);
    expect(cluster.brakes).toEqual([]);
    await graduate(world, V1);
    expect((await ends(world, V1)).state).toBe('converged');
  },
);
