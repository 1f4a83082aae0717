import { expect } from 'vitest';
import type { PackageRolloutStatus } from '../../src/contract/status.js';
import { V0, V1, V2 } from '../support/fleet.js';
import { apply, FOR_LONG, frozen, inMs, override, type Topology } from './calendar-scene.js';
import {
  cellNow,
  ends,
  expectRejected,
  forwardAfter,
  graduate,
  jobsSeen,
  pause,
  rawSignal,
  ringOf,
  scenario,
  seen,
  theRing,
  toVersion,
} from './support.js';

/** So much time a package has to enter its ring before a freeze begins: more than a busy machine needs. */
const LEAD_MS = 20_000;
const PATIENCE_MS = 400_000;

scenario(
  'a freeze that begins while a ring rolls lets cells in flight finish, starts none, and then goes on by itself',
  { rings: { 2: 8 }, policies: { 2: { maxParallel: 2 } }, jobMs: 6000 },
  async (world) => {
    const [from, to] = [inMs(LEAD_MS), inMs(LEAD_MS + 25_000)];
    await apply(world, 2, { freezes: [{ from, to, reason: 'cut-over' }] });
    await graduate(world, V1);
    const rolling = await seen(world, V1, (s) => ringOf(s, 2)?.state === 'rolling');
    expect(rolling.waitingFor).toBeNull();
    const held = await seen(world, V1, (s) => ringOf(s, 2)?.waitingFor?.kind === 'freeze');
    expect(theRing(held, 2).waitingFor).toMatchObject({ until: to, detail: 'frozen: cut-over' });
    const still = await seen(world, V1, (s) => ringOf(s, 2)?.state === 'waiting');
    expect(still).toMatchObject({ state: 'waiting', waitingFor: { kind: 'freeze' } });
    expect(theRing(still, 2)).toMatchObject({ inFlight: 0, failed: 0, rolledBack: 0 });
    expect(theRing(still, 2).pending).toBeGreaterThan(0);
    expect((await ends(world, V1)).state).toBe('converged');
    const jobs = await world.jobs();
    const within = jobs.filter((j) => j.created_at >= from && j.created_at < to);
    expect(within).toEqual([]);
    expect(jobs.every((j) => j.state === 'succeeded')).toBe(true);
  },
  PATIENCE_MS,
);

scenario(
  'an override ends a freeze that began while the ring rolled',
  { rings: { 2: 5 }, jobMs: 6000, policies: { 2: { maxParallel: 1 } } },
  async (world) => {
    await apply(world, 2, { freezes: [{ from: inMs(LEAD_MS), to: inMs(FOR_LONG), reason: 'cut-over' }] });
    await graduate(world, V1);
    await seen(world, V1, (s) => s.waitingFor?.kind === 'freeze' && ringOf(s, 2)?.state === 'waiting');
    await override(world, V1, 'freeze');
    expect((await ends(world, V1)).state).toBe('converged');
  },
  PATIENCE_MS,
);

scenario(
  'a caller of a ring that closes while it rolls is answered, and the ring goes on when it opens',
  { rings: { 2: 4 }, jobMs: 8000, more: { perimeter: 2 }, policies: { 2: { maxParallel: 1 } } },
  async (world) => {
    const to = inMs(LEAD_MS + 25_000);
    await apply(world, 2, { freezes: [{ from: inMs(LEAD_MS), to, reason: 'audit' }] });
    const answer = await world.deploy(V1, 2);
    expect(answer).toMatchObject({ outcome: 'refused', code: 'frozen', wait: 'freeze', until: to });
    expect(answer.cells.converged).toBeLessThan(4);
    expect(Date.now()).toBeLessThan(Date.parse(to));
    expect(toVersion(await world.jobs(), V1).length).toBeLessThan(4);
    await seen(world, V1, (s) => ringOf(s, 2)?.state === 'converged');
    expect(await world.deploy(V1, 2)).toMatchObject({ outcome: 'converged', cells: { converged: 4 } });
  },
  PATIENCE_MS,
);

scenario(
  'a cell whose deployment fails in a freeze goes back at once',
  { rings: { 2: 3 }, jobMs: 25_000 },
  async (world) => {
    const from = inMs(LEAD_MS);
    await apply(world, 2, { freezes: [{ from, to: inMs(FOR_LONG), reason: 'holidays' }] });
    await world.fault({ kind: 'job-fails', cell: 'c2-1', version: V1, stage: 'finish' });
    await graduate(world, V1);
    const back = await seen(world, V1, (s) => ringOf(s, 2)?.rolledBack === 1, 100_000);
    expect(theRing(back, 2)).toMatchObject({ state: 'halted', exceptions: [{ cell: 'c2-1', state: 'rolled-back' }] });
    const [rollback] = (await world.jobs()).filter((j) => j.kind === 'rollback');
    expect(rollback?.created_at.localeCompare(from)).toBe(1);
    expect((await cellNow(world, 'c2-1')).version).toBe(V0);
  },
  PATIENCE_MS,
);

scenario(
  'neither a freeze nor an approval holds back an abort that takes the package back',
  { rings: { 2: 2 }, jobMs: 1500, policies: { 2: { gracePeriod: '1h' } } },
  async (world) => {
    const from = inMs(LEAD_MS);
    const freezes = [{ from, to: inMs(FOR_LONG), reason: 'holidays' }];
    await apply(world, 2, { approval: 'required', freezes });
    await graduate(world, V1);
    await world.cells.rollout(V1).approveRing({ ring: 2, by: 'alice' });
    await seen(world, V1, (s) => (ringOf(s, 2)?.converged ?? 0) > 0);
    await pause(Date.parse(from) - Date.now() + 1_000);
    await world.cells.rollout(V1).abort({ by: 'alice', reason: 'bad', rollback: true });
    expect((await ends(world, V1)).state).toBe('rolled-back');
    const back = (await world.jobs()).filter((j) => j.kind === 'rollback');
    expect(back).not.toEqual([]);
    expect(back.every((j) => j.created_at > from)).toBe(true);
    for (const i of [1, 2]) expect((await cellNow(world, `c2-${i}`)).version).toBe(V0);
  },
);

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MINUTE_MS = 60_000;

/** A window of one minute, on one day of the week, which there is time to wait for. */
function nextWindow() {
  const opensMs = Math.ceil((Date.now() + LEAD_MS) / MINUTE_MS) * MINUTE_MS;
  const clock = (ms: number) => new Date(ms).toISOString().slice(11, 16);
  const days = [DAYS[new Date(opensMs).getUTCDay()]];
  const window = { days, from: clock(opensMs), to: clock(opensMs + MINUTE_MS), timezone: 'Etc/UTC' };
  return { opensMs, window };
}

scenario(
  'a ring waits for its deploy window, rolls in it, and waits for the next where it did not get through',
  { rings: { 2: 6 }, jobMs: 14_000, policies: { 2: { maxParallel: 1 } }, apply: false },
  async (world) => {
    const { opensMs, window } = nextWindow();
    await apply(world, 2, { deployWindows: [window] });
    await graduate(world, V1);
    const held = await seen(world, V1, (s) => s.waitingFor?.kind === 'deploy-window' && s.waitingFor.until);
    expect(held.waitingFor).toMatchObject({ ring: 2, until: new Date(opensMs).toISOString() });
    expect(held.waitingFor?.next).toEqual([`cellctl override --wait deploy-window --ring 2 ${V1} --reason "…"`]);
    const isShut = (s: PackageRolloutStatus) => ringOf(s, 2)?.waitingFor?.until !== undefined;
    const shut = await seen(world, V1, (s) => isShut(s) && ringOf(s, 2)?.inFlight === 0, 150_000);
    const week = 7 * 24 * 60 * MINUTE_MS;
    expect(theRing(shut, 2).waitingFor).toMatchObject({
      kind: 'deploy-window',
      until: new Date(opensMs + week).toISOString(),
    });
    const jobs = toVersion(await world.jobs(), V1);
    expect(jobs.length).toBeGreaterThan(0);
    expect(jobs.length).toBeLessThan(6);
    for (const { created_at } of jobs) {
      expect(Date.parse(created_at)).toBeGreaterThanOrEqual(opensMs);
      expect(Date.parse(created_at)).toBeLessThan(opensMs + MINUTE_MS + 1_500);
    }
    await world.cells.rollout(V1).override({ wait: 'deploy-window', ring: 2, by: 'alice', reason: 'a fix' });
    expect((await ends(world, V1, 150_000)).state).toBe('converged');
  },
  PATIENCE_MS,
);

scenario(
  'what windows say is asked once for a ring, and not once a cell',
  { rings: { 2: 9 }, policies: { 2: { maxParallel: 3 } }, apply: false },
  async (world) => {
    const always = { days: DAYS, from: '00:00', to: '24:00', timezone: 'Europe/Berlin' };
    await apply(world, 2, { deployWindows: [always] });
    await graduate(world, V1);
    expect((await ends(world, V1)).state).toBe('converged');
    const asked = async (id: string) => {
      const { events } = await world.client.workflow.getHandle(id).fetchHistory();
      const names = events?.map((e) => e.activityTaskScheduledEventAttributes?.activityType?.name);
      return names?.filter((name) => name === 'readCalendar').length;
    };
    expect(await asked('cell-cluster')).toBe(1);
    expect(await asked('ring-rollout/2')).toBe(0);
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
