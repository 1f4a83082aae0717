import { afterAll, beforeAll, expect } from 'vitest';
import type { LedgerEntry } from '../../src/contract/ledger.js';
import { openInMemory } from '../../src/ledger/embedded.js';
import type { LedgerStore } from '../../src/ledger/store.js';
import { V1, V2, V3 } from '../support/fleet.js';
import { entered, forgetEverything, ledgerStatus, serveLedger, whileServed } from '../support/ledger.js';
import type { World } from '../support/world.js';
import { clusterSeen, ends, expectRejected, graduate, ringOf, scenario, seen } from './support.js';

/** One database for all worlds of this file; each has a cluster's name of its own. */
let store: LedgerStore;
beforeAll(async () => {
  store = await openInMemory();
}, 120_000);
afterAll(() => store?.close());

const who = { by: 'alice', reason: 'because' };

const of = (entries: LedgerEntry[], ...names: string[]): LedgerEntry[] =>
  entries.filter(({ act }) => names.includes(act));

const sinceRecalled = (world: World) => clusterSeen(world, (s) => s.coldStart);

scenario(
  'what people do and the coordinator decides is entered once, with who, when, why and what came of it',
  { rings: { 2: 2 }, more: { cluster: 'entered' } },
  async (world) => {
    await whileServed(world, store, async () => {
      await world.deploy(V1);
      const brake = { ...who, brakeId: 'b', url: 'https://example.com/1' };
      await world.cells.cluster().engageBrake(brake);
      await graduate(world, V1);
      await expectRejected(world.cells.cluster().releaseBrake({ ...who, brakeId: 'other' }), 'brakeId');
      await world.cells.cluster().releaseBrake({ ...who, brakeId: 'b' });
      expect((await ends(world, V1)).state).toBe('converged');
      const entries = await entered(world, store, 'entered', ({ act }) => act === 'ended');
      expect(of(entries, 'deployRing', 'graduate')).toMatchObject([
        { kind: 'act', by: 'release-tools', version: V1, ring: 0 },
        { kind: 'act', by: 'release-tools', version: V1 },
      ]);
      // As a signal and as an update, it is one act.
      expect(of(entries, 'engageBrake', 'releaseBrake').filter(({ facts }) => facts?.brakeId)).toMatchObject([
        { kind: 'act', ...who, url: 'https://example.com/1', outcome: 'brake b is on', facts: { brakeId: 'b' } },
        { kind: 'act', ...who, outcome: 'brake b is off', facts: { brakeId: 'b' } },
      ]);
      const decided = entries.filter(({ kind }) => kind === 'decision').map(({ act, ring }) => [act, ring]);
      expect(decided).toEqual([
        ['opened', undefined],
        ['granted', 0],
        ['converged', 0],
        ['finished', 0],
        ['graduated', undefined],
        ['granted', 2],
        ['converged', 2],
        ['finished', 2],
        ['ended', undefined],
      ]);
      expect(of(entries, 'converged').at(-1)).toMatchObject({ outcome: '2 of 2 cells', tookMs: expect.any(Number) });
      expect(entries.filter(({ kind }) => kind === 'failure')).toEqual([]);
    });
  },
);

scenario(
  'a cell that fails is entered with cause, job, what was done and how long it took; mended, it is entered once more',
  { rings: { 2: 2 }, more: { cluster: 'failed' } },
  async (world) => {
    await whileServed(world, store, async () => {
      await world.fault({ kind: 'job-fails', cell: 'c2-1', jobKind: 'configure', times: 1 });
      await graduate(world, V1);
      await seen(world, V1, (s) => s.state === 'halted' && ringOf(s, 2)?.inFlight === 0);
      await world.clearFaults();
      await world.cells.rollout(V1).retryRing({ ring: 2, by: 'alice' });
      expect((await ends(world, V1)).state).toBe('converged');
      const entries = await entered(world, store, 'failed', ({ act }) => act === 'ended');
      expect(of(entries, 'cellFailed', 'halted', 'retryRing', 'resumed', 'cellMended')).toMatchObject([
        {
          kind: 'failure',
          act: 'cellFailed',
          cell: 'c2-1',
          ring: 2,
          version: V1,
          outcome: 'rolled-back',
          jobId: expect.any(String),
          reason: expect.stringMatching(/\w/),
          tookMs: expect.any(Number),
        },
        { act: 'halted', ring: 2, reason: expect.stringContaining('c2-1') },
        { act: 'retryRing', by: 'alice', ring: 2 },
        { act: 'resumed', ring: 2 },
        { act: 'cellMended', cell: 'c2-1', outcome: 'converged' },
      ]);
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
      expect(of(entries, 'graduate', 'graduated', 'ended')).toHaveLength(3);
      for (const act of ['granted', 'converged', 'finished']) {
        expect(of(entries, act).map(({ ring }) => ring)).toEqual([2, 3]);
      }
      expect(Math.max(...numbersOf(entries))).toBe(new Set(numbersOf(entries)).size);
    });
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
