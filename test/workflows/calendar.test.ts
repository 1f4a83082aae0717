import { expect } from 'vitest';
import { V1, V2 } from '../support/fleet.js';
import { apply, FOR_LONG, frozen, inMs, override } from './calendar-scene.js';
import { ends, graduate, scenario, seen } from './support.js';

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
  'an urgent lane passes no freeze by: a person’s override does; and a topology without windows asks nobody',
  { rings: { 2: 1 }, more: { lanes: { urgent: { freezes: [], deployWindows: [] } } }, apply: false },
  async (world) => {
    await apply(world, 2, frozen(FOR_LONG));
    await graduate(world, V1, { lane: 'urgent' });
    const held = await seen(world, V1, (s) => s.waitingFor?.kind === 'freeze');
    expect(held).toMatchObject({ lane: 'urgent', waitingFor: { ring: 2, detail: 'frozen: holidays' } });
    expect(await world.jobs()).toEqual([]);
    await override(world, V1, 'freeze');
    expect((await ends(world, V1)).state).toBe('converged');
    const { events } = await world.client.workflow.getHandle('cell-cluster').fetchHistory();
    const asked = events?.map((e) => e.activityTaskScheduledEventAttributes?.activityType?.name);
    expect(asked).toContain('lookAtCells');
    expect(asked).not.toContain('readCalendar');
  },
);
