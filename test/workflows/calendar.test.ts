import { expect } from 'vitest';
import { V1, V2 } from '../support/fleet.js';
import type { World } from '../support/world.js';
import {
  ends,
  expectRejected,
  forwardAfter,
  graduate,
  jobsSeen,
  rawSignal,
  scenario,
  seen,
  toVersion,
} from './support.js';

const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();
const override = (world: World, version: string, wait: 'freeze' | 'approval', ring = 2) =>
  world.cells.rollout(version).override({ wait, ring, by: 'alice', reason: 'the fix for INC-4711' });

type Topology = Record<string, unknown> & { rings: { ring: number; policy?: object }[] };

/** Applies the world's topology with another policy of one ring. */
async function apply(world: World, ring: number, policy: Record<string, unknown>): Promise<void> {
  const topology = structuredClone(world.topology) as Topology;
  const found = topology.rings.find((r) => r.ring === ring);
  Object.assign(found ?? {}, { policy: { ...found?.policy, ...policy } });
  await world.cells.cluster().applyTopology({ topology, by: 'test', releaseColdStart: true });
}

const frozen = (forMs: number, reason = 'holidays') => ({
  freezes: [{ from: inMs(-60_000), to: inMs(forMs), reason }],
});
const FOR_LONG = 3_600_000;

scenario(
  'a ring that is frozen is not entered: kind, reason and next opening are said, and it opens by itself',
  { rings: { 2: 2 } },
  async (world) => {
    await apply(world, 2, frozen(30_000, 'release party'));
    await graduate(world, V1);
    const held = await seen(world, V1, (s) => s.waitingFor?.kind === 'freeze');
    expect(held.state).toBe('waiting');
    expect(held.waitingFor).toMatchObject({ ring: 2, detail: 'frozen: release party', until: expect.any(String) });
    expect(held.waitingFor?.next).toEqual([`cellctl override --wait freeze --ring 2 ${V1} --reason "…"`]);
    const { queue } = await world.cells.cluster().status();
    expect(queue).toMatchObject([{ ring: 2, held: { kind: 'freeze' } }]);
    expect(await world.jobs()).toEqual([]);
    const opensMs = Date.parse(held.waitingFor?.until ?? '');
    expect((await ends(world, V1)).state).toBe('converged');
    for (const job of await world.jobs()) expect(Date.parse(job.created_at)).toBeGreaterThanOrEqual(opensMs);
  },
);

scenario(
  'an override ends the wait of this package in this ring, before it and in it, is kept, and is not the next one’s',
  { rings: { 2: 3, 3: 1 }, apply: false },
  async (world) => {
    const topology = structuredClone(world.topology) as Topology;
    for (const ring of topology.rings.filter((r) => r.ring > 1)) {
      ring.policy = { ...ring.policy, ...frozen(FOR_LONG) };
    }
    await world.cells.cluster().applyTopology({ topology, by: 'test', releaseColdStart: true });
    await graduate(world, V1);
    await seen(world, V1, (s) => s.waitingFor?.kind === 'freeze' && s.waitingFor.ring === 2);
    const other = world.cells.rollout(V1).override({ wait: 'deploy-window', ring: 2, by: 'alice', reason: 'x' });
    expect((await expectRejected(other, 'wait')).expected).toContain('freeze, frozen: holidays');
    await expectRejected(override(world, V1, 'freeze', 3), 'wait');
    const status = await override(world, V1, 'freeze');
    expect(status.acts.at(-1)).toMatchObject({ act: 'override', by: 'alice', reason: 'the fix for INC-4711' });
    // Ring 3 is another wait.
    await seen(world, V1, (s) => s.waitingFor?.kind === 'freeze' && s.waitingFor.ring === 3);
    const jobs = await jobsSeen(world, (all) => toVersion(all, V1, 'post_deploy_migrations').length === 3);
    expect(new Set(jobs.map((j) => j.cell))).toEqual(new Set(['c2-1', 'c2-2', 'c2-3']));
    await override(world, V1, 'freeze', 3);
    expect((await ends(world, V1)).state).toBe('converged');
    await graduate(world, V2);
    await seen(world, V2, (s) => s.waitingFor?.kind === 'freeze' && s.waitingFor.ring === 2);
    expect(toVersion(await world.jobs(), V2)).toEqual([]);
  },
);

scenario(
  'deployRing of a frozen ring answers at once: refused, frozen, until when and what ends it; then it goes through',
  { policies: { 0: { onFailure: 'block', bakeTime: '0s' } }, apply: false },
  async (world) => {
    const to = inMs(FOR_LONG);
    await apply(world, 0, { freezes: [{ from: inMs(-1000), to, reason: 'audit' }] });
    const answer = await world.deploy(V1);
    expect(answer).toMatchObject({ outcome: 'refused', code: 'frozen', wait: 'freeze', until: to, blocking: true });
    expect(answer.next).toEqual([`cellctl override --wait freeze --ring 0 ${V1} --reason "…"`]);
    expect(
      await world.cells
        .rollout(V1)
        .migrateRing({ ring: 0, by: 'rt' })
        .then((a) => a.answer()),
    ).toMatchObject({
      outcome: 'refused',
      code: 'frozen',
    });
    expect(await world.jobs()).toEqual([]);
    await override(world, V1, 'freeze', 0);
    expect(await world.deploy(V1)).toMatchObject({ outcome: 'converged' });
    expect(await world.deploy(V2)).toMatchObject({ outcome: 'refused', code: 'frozen' });
  },
);

scenario(
  'a freeze at its end and an approval at the same moment start one pass',
  { rings: { 2: 2 }, apply: false },
  async (world) => {
    const to = inMs(12_000);
    await apply(world, 2, { approval: 'required', freezes: [{ from: inMs(-1000), to, reason: 'cut-over' }] });
    await graduate(world, V1);
    await seen(world, V1, (s) => s.waitingFor?.kind === 'approval');
    const rollout = world.cells.rollout(V1);
    await seen(world, V1, () => Date.now() >= Date.parse(to) - 40);
    await Promise.all([
      rollout.approveRing({ ring: 2, by: 'alice' }),
      rawSignal(world, `package-rollout/${V1}`, 'approveRing', { ring: 2, by: 'bob' }),
      rollout.approveRing({ ring: 2, by: 'carol' }),
    ]);
    expect((await ends(world, V1)).state).toBe('converged');
    expect(toVersion(await world.jobs(), V1)).toHaveLength(2);
    expect(forwardAfter(await world.jobs(), 0)).toHaveLength(4);
  },
);

scenario(
  'a lane may need approvals, ring by ring, where others do not; and one package’s approval is none for the next',
  { rings: { 2: 1, 3: 1 }, more: { lanes: { cautious: { approval: 'required', maxParallel: 1 } } } },
  async (world) => {
    await graduate(world, V1, { lane: 'cautious' });
    for (const ring of [2, 3]) {
      const held = await seen(world, V1, (s) => s.waitingFor?.kind === 'approval' && s.waitingFor.ring === ring);
      expect(held.waitingFor?.next).toEqual([`cellctl approve --ring ${ring} ${V1}`]);
      expect(toVersion(await world.jobs(), V1)).toHaveLength(ring - 2);
      if (ring === 2) await world.cells.rollout(V1).approveRing({ ring, by: 'alice' });
      else await override(world, V1, 'approval', ring);
    }
    expect((await ends(world, V1)).state).toBe('converged');
    await graduate(world, V2, { lane: 'cautious' });
    await seen(world, V2, (s) => s.waitingFor?.kind === 'approval' && s.waitingFor.ring === 2);
    expect(toVersion(await world.jobs(), V2)).toEqual([]);
  },
);

scenario(
  'an urgent lane may pass freezes and windows by, and a topology without any asks nobody',
  { rings: { 2: 1 }, more: { lanes: { urgent: { freezes: [], deployWindows: [] } } }, apply: false },
  async (world) => {
    await apply(world, 2, frozen(FOR_LONG));
    await graduate(world, V1, { lane: 'urgent' });
    expect((await ends(world, V1)).state).toBe('converged');
    const { events } = await world.client.workflow.getHandle('cell-cluster').fetchHistory();
    const asked = events?.map((e) => e.activityTaskScheduledEventAttributes?.activityType?.name);
    expect(asked).toContain('lookAtCells');
    expect(asked).not.toContain('readCalendar');
  },
);
