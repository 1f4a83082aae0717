import { afterAll, beforeAll, expect } from 'vitest';
import { openInMemory } from '../../src/ledger/embedded.js';
import type { LedgerStore } from '../../src/ledger/store.js';
import { V1 } from '../support/fleet.js';
import { entered, entriesOf, whileServed } from '../support/ledger.js';
import type { World } from '../support/world.js';
import { clusterSeen, ends, expectRejected, graduate, ringOf, scenario, seen } from './support.js';

/** One database for all worlds of this file; each has a cluster's name of its own. */
let store: LedgerStore;
beforeAll(async () => {
  store = await openInMemory();
}, 120_000);
afterAll(() => store?.close());

const who = { by: 'alice', reason: 'because' };

const _sinceRecalled = (world: World) => clusterSeen(world, (s) => s.coldStart);

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
      expect(entriesOf(entries, 'deployRing', 'graduate')).toMatchObject([
        { kind: 'act', by: 'release-tools', version: V1, ring: 0 },
        { kind: 'act', by: 'release-tools', version: V1 },
      ]);
      // As a signal and as an update, it is one act.
      expect(entriesOf(entries, 'engageBrake', 'releaseBrake').filter(({ facts }) => facts?.brakeId)).toMatchObject([
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
      expect(entriesOf(entries, 'converged').at(-1)).toMatchObject({
        outcome: '2 of 2 cells',
        tookMs: expect.any(Number),
      });
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
      expect(entriesOf(entries, 'cellFailed', 'halted', 'retryRing', 'resumed', 'cellMended')).toMatchObject([
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
