import { afterAll, beforeAll, expect } from 'vitest';
import { createLedgerActivities } from '../../activities/ledger.js';
import { createLogger } from '../../src/config/logging.js';
import type { LedgerEntry } from '../../src/contract/ledger.js';
import { openInMemory } from '../../src/ledger/embedded.js';
import type { LedgerStore } from '../../src/ledger/store.js';
import { V0, V1, V2, V3 } from '../support/fleet.js';
import {
  entered,
  entriesOf,
  forgetEverything,
  ledgerSettled,
  ledgerStatus,
  serveLedger,
  whileServed,
} from '../support/ledger.js';
import type { World } from '../support/world.js';
import {
  clusterSeen,
  ends,
  graduate,
  jobsSeen,
  pause,
  rawSignal,
  ringOf,
  scenario,
  seen,
  toVersion,
} from './support.js';

/** One database for all worlds of this file; each has a cluster's name of its own. */
let store: LedgerStore;
beforeAll(async () => {
  store = await openInMemory();
}, 120_000);
afterAll(() => store?.close());

const who = { by: 'alice', reason: 'because' };

const sinceRecalled = (world: World) => clusterSeen(world, (s) => s.coldStart);

scenario(
  'a package that was aborted before the cluster lost its memory stays aborted after it',
  { rings: { 2: 1 }, more: { cluster: 'remembers' } },
  async (world) => {
    await whileServed(world, store, async () => {
      await world.deploy(V1);
      await world.cells.rollout(V1).abort(who);
      await entered(world, store, 'remembers', ({ act }) => act === 'ended');
      // For some seconds Temporal says again who polled a task queue when it was asked last: nobody, as this world began.
      await pause(7_000);
      await forgetEverything(world);
      await world.cells.cluster().applyTopology({ topology: world.topology, by: 'alice', releaseColdStart: true });
      expect((await sinceRecalled(world)).coldStart?.found).toContain('by the ledger');
      await graduate(world, V1).catch(() => undefined);
      expect((await ends(world, V1)).state).toBe('aborted');
    });
  },
);

scenario(
  'a package that was aborted while there was no cluster stays aborted, and has graduated no more, once there is one',
  { rings: { 2: 1 }, policies: { 2: { bakeTime: '1h' } }, more: { cluster: 'was-away' } },
  async (world) => {
    await whileServed(world, store, async () => {
      await graduate(world, V1);
      await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
      await forgetEverything(world);
      await world.cells.rollout(V1).abort(who);
      await ends(world, V1);
      await entered(world, store, 'was-away', ({ act }) => act === 'ended');
      await pause(7_000);
      await world.cells.cluster().applyTopology({ topology: world.topology, by: 'alice', releaseColdStart: true });
      const after = await sinceRecalled(world);
      expect(after.coldStart?.found).toContain('by the ledger');
      expect(after.graduated).toEqual([]);
      await graduate(world, V1).catch(() => undefined);
      expect((await ends(world, V1)).state).toBe('aborted');
    });
  },
);

scenario(
  'a brake of a package holds although its rollout and the cluster were terminated together',
  { rings: { 2: 1, 3: 1 }, policies: { 3: { approval: 'required' } }, more: { cluster: 'both-gone' } },
  async (world) => {
    await whileServed(world, store, async () => {
      const rollout = world.cells.rollout(V1);
      await graduate(world, V1);
      await seen(world, V1, (s) => s.waitingFor?.kind === 'approval' && ringOf(s, 2)?.finishedAt);
      await rollout.engageBrake({ ...who, brakeId: 'off-again' });
      // The only one there is, by no name.
      await rollout.releaseBrake(who);
      await rollout.engageBrake({ ...who, brakeId: 'kept' });
      await entered(world, store, 'both-gone', ({ facts }) => facts?.brakeId === 'kept');
      await pause(7_000);
      await world.client.workflow.getHandle(`package-rollout/${V1}`).terminate('by hand');
      await forgetEverything(world);
      await world.cells.cluster().applyTopology({ topology: world.topology, by: 'alice', releaseColdStart: true });
      expect((await sinceRecalled(world)).coldStart?.found).toContain('1 brakes of packages');
      await graduate(world, V1, { reason: 'again' });
      const { brakes } = await seen(world, V1, (s) => s.brakes.length > 0);
      expect(brakes).toMatchObject([{ brakeId: 'kept', by: 'alice' }]);
      await rollout.approveRing({ ...who, ring: 3 });
      await seen(world, V1, (s) => s.waitingFor?.kind === 'brake');
      await rollout.releaseBrake(who);
      expect((await ends(world, V1)).state).toBe('converged');
    });
  },
);

scenario(
  'a rollback is entered with each cell that went back, by which job and to what, and with what came of it',
  { rings: { 2: 2 }, policies: { 2: { bakeTime: '1h' } }, more: { cluster: 'taken-back' } },
  async (world) => {
    await whileServed(world, store, async () => {
      await graduate(world, V1);
      await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
      await world.cells.rollback(V1).start(who);
      const entries = await entered(world, store, 'taken-back', ({ act }) => act === 'rollbackEnded');
      const back = { ring: 2, version: V1, outcome: `back on ${V0}`, jobId: expect.any(String) };
      const cells = entriesOf(entries, 'cellRolledBack').sort((a, b) => (a.cell ?? '').localeCompare(b.cell ?? ''));
      expect(cells).toMatchObject([
        { ...back, cell: 'c2-1' },
        { ...back, cell: 'c2-2' },
      ]);
      const outcome = 'rolled-back: 2 cells went back, 0 stayed';
      expect(entriesOf(entries, 'rollbackEnded')).toMatchObject([{ outcome, tookMs: expect.any(Number) }]);
      expect(entries.filter(({ kind, act }) => kind === 'failure' && act === 'cellFailed')).toEqual([]);
    });
  },
);

scenario(
  'where nobody serves the ledger a cluster without memory says so plainly, and waits for its release all the same',
  { rings: { 2: 1 }, more: { cluster: 'unserved' }, apply: false },
  async (world) => {
    await world.cells.cluster().applyTopology({ topology: world.topology, by: 'alice' });
    const status = await sinceRecalled(world);
    const plainly =
      'no worker has the ledger open: brakes, blocks, quarantines and graduations of before are not known';
    expect(status.coldStart?.found).toContain(plainly);
    expect(status.brakes).toMatchObject([{ brakeId: 'cold-start', reason: expect.stringContaining(plainly) }]);
    await expect(world.cells.ledger().history({ limit: 5 })).rejects.toMatchObject({ type: 'LedgerUnserved' });
    await world.cells.cluster().releaseBrake({ ...who, brakeId: 'cold-start' });
    await graduate(world, V1);
    expect((await ends(world, V1)).state).toBe('converged');
  },
);

scenario(
  'history and report are read through a workflow; a signal that is no entry keeps nothing out',
  { rings: { 2: 1 }, more: { cluster: 'read' } },
  async (world) => {
    await whileServed(world, store, async () => {
      await world.cells.cluster().engageBrake({ ...who, brakeId: 'xy' });
      await world.client.workflow.getHandle('ledger').signal('enter', { entries: 'none' });
      const wrong = { id: 'by-hand', at: '2026-01-01T00:00:00Z', kind: 'nonsense', act: 'x', by: 'me' };
      await world.client.workflow.getHandle('ledger').signal('enter', { entries: [wrong] });
      await world.cells.cluster().releaseBrake({ ...who, brakeId: 'xy' });
      await ledgerSettled(world);
      await entered(world, store, 'read', ({ act, facts }) => act === 'releaseBrake' && facts?.brakeId === 'xy');
      const { entries, more } = await world.cells.ledger().history({ limit: 1 });
      expect(entries).toHaveLength(1);
      expect(more).toBe(true);
      const report = await world.cells
        .ledger()
        .report({ since: '2026-01-01T00:00:00Z', until: '2100-01-01T00:00:00Z' });
      expect(report.deployments.rings).toEqual(expect.any(Number));
    });
  },
);

scenario(
  'a ledger that is down delays no rollout; once it is back, every entry is there exactly once',
  { rings: { 2: 2, 3: 2 }, more: { cluster: 'down' }, apply: false },
  async (world) => {
    // Small, so that entries are given to runs of their own, and the run continues as new, while the ledger is down.
    const args = [{ spillAt: 4, continueAsNewAfter: 40 }];
    await world.client.workflow.start('Ledger', { workflowId: 'ledger', taskQueue: world.taskQueue, args });
    await world.apply();
    let attempts = 0;
    const away = () => {
      attempts += 1;
      throw new Error('the database is away');
    };
    const broken = await serveLedger(world, store, { writeLedger: away });
    await graduate(world, V1);
    expect((await ends(world, V1)).state).toBe('converged');
    await world.until('entries with runs of their own', async () => (await ledgerStatus(world)).batches > 1);
    expect(attempts).toBeGreaterThan(1);
    expect((await ledgerStatus(world)).written).toBe(0);
    expect(await entered(world, store, 'down')).toEqual([]);
    await broken.stop();
    await whileServed(world, store, async () => {
      const entries = await entered(world, store, 'down', ({ act }) => act === 'ended');
      expect(new Set(entries.map(({ id }) => id)).size).toBe(entries.length);
      expect(entriesOf(entries, 'graduate', 'graduated', 'ended')).toHaveLength(3);
      for (const act of ['granted', 'converged', 'finished']) {
        expect(entriesOf(entries, act).map(({ ring }) => ring)).toEqual([2, 3]);
      }
      expect(Math.max(...numbersOf(entries))).toBe(new Set(numbersOf(entries)).size);
    });
  },
);

scenario(
  'a ledger that an operator reset after it had given entries away goes on, and every entry is there exactly once',
  { rings: { 2: 2 }, more: { cluster: 'reset' }, apply: false },
  async (world) => {
    const args = [{ spillAt: 4 }];
    await world.client.workflow.start('Ledger', { workflowId: 'ledger', taskQueue: world.taskQueue, args });
    await world.apply();
    const away = () => {
      throw new Error('the database is away');
    };
    const broken = await serveLedger(world, store, { writeLedger: away });
    await graduate(world, V1);
    await ends(world, V1);
    await world.until('entries with runs of their own', async () => (await ledgerStatus(world)).batches > 1);
    const { events } = await world.client.workflow.getHandle('ledger').fetchHistory();
    const lastTask = events?.findLast((e) => e.workflowTaskCompletedEventAttributes)?.eventId;
    await world.client.workflowService.resetWorkflowExecution({
      namespace: world.client.options.namespace,
      workflowExecution: { workflowId: 'ledger' },
      reason: 'a bad deployment of workers',
      workflowTaskFinishEventId: lastTask ?? null,
      requestId: 'reset',
    });
    await broken.stop();
    await whileServed(world, store, async () => {
      const entries = await entered(world, store, 'reset', ({ act }) => act === 'ended');
      expect(new Set(entries.map(({ id }) => id)).size).toBe(entries.length);
      expect(entriesOf(entries, 'graduate', 'graduated', 'ended')).toHaveLength(3);
      expect(Math.max(...numbersOf(entries))).toBe(new Set(numbersOf(entries)).size);
    });
  },
);

scenario(
  'entries of one id, however many are sent by hand, are one',
  { rings: { 2: 1 }, more: { cluster: 'same' }, apply: false },
  async (world) => {
    const args = [{ spillAt: 4 }];
    await world.client.workflow.start('Ledger', { workflowId: 'ledger', taskQueue: world.taskQueue, args });
    const entry = { id: 'x', at: '2026-01-02T03:04:05Z', kind: 'act', act: 'x', by: 'somebody', cluster: 'same' };
    await rawSignal(world, 'ledger', 'enter', { entries: Array.from({ length: 20 }, () => entry) });
    await world.until('one entry', async () => (await ledgerStatus(world)).waiting === 1);
    await rawSignal(world, 'ledger', 'enter', { entries: [{ ...entry, id: 'x'.repeat(300) }] });
    await rawSignal(world, 'ledger', 'enter', { entries: [{ ...entry, id: 'y' }] });
    await world.until('another', async () => (await ledgerStatus(world)).waiting === 2);
  },
);

/** The numbers that the cluster gave its entries: without a gap where none was lost. */
const numbersOf = (entries: LedgerEntry[]): number[] => {
  const run = entries.find(({ act }) => act === 'granted')?.id.split('/')[0] ?? '';
  return entries.filter(({ id }) => id.startsWith(run)).map(({ id }) => Number(id.split('/')[1]));
};

scenario(
  'a cluster that was terminated begins with cold-start, reads brakes, blocks, quarantines and graduations back, and goes on after the release',
  { rings: { 2: 1, 3: 2 }, policies: { 2: { bakeTime: '1h' } }, more: { cluster: 'anew' } },
  async (world) => {
    await whileServed(world, store, async () => {
      const cluster = world.cells.cluster();
      await graduate(world, V1);
      await seen(world, V1, (s) => ringOf(s, 2)?.state === 'baking');
      await cluster.engageBrake({ ...who, brakeId: 'stop', scope: { ring: 3 }, url: 'https://example.com/1' });
      await cluster.quarantineCell({ ...who, cell: 'c3-2' });
      await cluster.blockVersion({ ...who, version: V2, fixedIn: V3 });
      await cluster.engageBrake({ ...who, brakeId: 'over', scope: 'outer' });
      await cluster.releaseBrake({ ...who, brakeId: 'over' });
      await entered(world, store, 'anew', ({ act, facts }) => act === 'releaseBrake' && facts?.brakeId === 'over');
      const before = await cluster.status();

      await forgetEverything(world);
      await cluster.applyTopology({ topology: world.topology, by: 'alice' });
      const after = await sinceRecalled(world);
      expect(after.coldStart?.found).toContain(
        '1 brakes, 1 blocked packages, 1 quarantined cells, 1 graduated packages',
      );
      expect(after.graduated).toEqual(before.graduated);
      expect(after.blocked).toEqual(before.blocked);
      expect(after.quarantined).toMatchObject([{ cell: 'c3-2', ...who }]);
      expect(after.brakes.filter((b) => b.brakeId !== 'cold-start')).toEqual(before.brakes);
      const coldStart = after.brakes.find((b) => b.brakeId === 'cold-start');
      expect(coldStart?.reason).toContain('by the ledger: 1 brakes');

      await cluster.releaseBrake({ ...who, brakeId: 'cold-start' });
      await world.cells.rollout(V1).override({ wait: 'bake', ring: 2, ...who });
      await clusterSeen(world, (s) => s.queue.some((q) => q.held?.kind === 'brake'));
      await cluster.releaseBrake({ ...who, brakeId: 'stop' });
      expect((await ends(world, V1)).state).toBe('converged');
    });
  },
);

scenario(
  'a ledger that is served again before the cold start is released is read after all',
  { rings: { 2: 1 }, more: { cluster: 'served-late' } },
  async (world) => {
    await whileServed(world, store, async () => {
      await world.cells.cluster().engageBrake({ ...who, brakeId: 'from-before', scope: 'outer' });
      await entered(world, store, 'served-late', ({ act }) => act === 'engageBrake');
    });
    await pause(7_000);
    await forgetEverything(world);
    await world.cells.cluster().applyTopology({ topology: world.topology, by: 'alice' });
    expect((await sinceRecalled(world)).coldStart?.found).toContain('are not known');
    await whileServed(world, store, async () => {
      const status = await clusterSeen(world, (s) => s.brakes.some(({ brakeId }) => brakeId === 'from-before'));
      expect(status.coldStart?.found).toContain('by the ledger: 1 brakes');
      expect(status.brakes.find(({ brakeId }) => brakeId === 'cold-start')?.reason).toContain('by the ledger');
    });
    await world.cells.cluster().releaseBrake({ ...who, brakeId: 'cold-start' });
    expect((await world.cells.cluster().status()).brakes).toMatchObject([{ brakeId: 'from-before' }]);
    await world.cells.cluster().releaseBrake({ ...who, brakeId: 'from-before' });
  },
);

scenario(
  'a cold start that is released at once waits for a ledger whose worker is just coming back',
  { rings: { 2: 1 }, more: { cluster: 'released-early' }, waitsForLedger: true },
  async (world) => {
    await whileServed(world, store, async () => {
      await world.cells.cluster().engageBrake({ ...who, brakeId: 'from-before', scope: 'outer' });
      await entered(world, store, 'released-early', ({ act }) => act === 'engageBrake');
    });
    await forgetEverything(world);
    await world.cells.cluster().applyTopology({ topology: world.topology, by: 'alice', releaseColdStart: true });
    await pause(3_000);
    await whileServed(world, store, async () => {
      expect((await sinceRecalled(world)).coldStart?.found).toContain('by the ledger: 1 brakes');
    });
    expect((await world.cells.cluster().status()).brakes).toMatchObject([{ brakeId: 'from-before' }]);
    await world.cells.cluster().releaseBrake({ ...who, brakeId: 'from-before' });
  },
);

scenario(
  'a brake from before holds a pass that is under way while the ledger is still read, whatever was released',
  { rings: { 2: 6 }, policies: { 2: { maxParallel: 1 } }, jobMs: 1_000, more: { cluster: 'holds-on' } },
  async (world) => {
    const slow = createLedgerActivities(store, createLogger({ level: 'error', format: 'json' }));
    const ledger = await serveLedger(world, store, {
      readStanding: async (query) => {
        await pause(4_000);
        return await slow.readStanding(query);
      },
    });
    try {
      await graduate(world, V1);
      await jobsSeen(world, (jobs) => toVersion(jobs, V1).length > 0);
      await world.cells.cluster().engageBrake({ ...who, brakeId: 'from-before' });
      await entered(world, store, 'holds-on', ({ act }) => act === 'engageBrake');
      await pause(7_000);
      const before = toVersion(await world.jobs(), V1).length;
      await forgetEverything(world);
      await world.cells.cluster().applyTopology({ topology: world.topology, by: 'alice', releaseColdStart: true });
      await sinceRecalled(world);
      await clusterSeen(world, (s) => s.brakes.some(({ brakeId }) => brakeId === 'from-before'));
      await pause(2_000);
      expect(toVersion(await world.jobs(), V1)).toHaveLength(before);
      await world.cells.cluster().releaseBrake({ ...who, brakeId: 'from-before' });
      expect((await ends(world, V1)).state).toBe('converged');
    } finally {
      await ledger.stop();
    }
  },
);
