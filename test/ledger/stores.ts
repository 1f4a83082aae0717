import { expect, test } from 'vitest';
import type { LedgerEntry } from '../../src/contract/ledger.js';
import type { LedgerStore } from '../../src/ledger/store.js';
import { V1, V2 } from '../support/fleet.js';
import { entry } from './entries.js';

/** What holds whichever database is behind the store. */
export function behavesAsALedger(open: () => LedgerStore): void {
  test('an entry written twice, in one batch or in two, is there once, as it was first', async () => {
    const cell = 'written-twice';
    const first = entry(1, { cell, reason: 'first' });
    expect(await open().write([first, { ...first, reason: 'again' }])).toEqual([]);
    await open().write([{ ...first, reason: 'later' }, entry(2, { cell })]);
    const { entries } = await open().history({ cell, limit: 10 });
    expect(entries.map(({ reason }) => reason)).toEqual([undefined, 'first']);
  });

  test('gives back every field as it was written', async () => {
    const whole: LedgerEntry = {
      ...entry(3),
      kind: 'failure',
      version: V1,
      ring: 3,
      cell: 'whole',
      reason: "it’s “quoted”; 'drop' \\ $1 ✓ 😀",
      url: 'https://example.com/1',
      outcome: 'rolled-back',
      jobId: 'job-1',
      evidence: ['one', 'two'],
      tookMs: 123_456_789_012,
      facts: { nested: { list: [1, null, 'x'] }, flag: true },
    };
    await open().write([whole]);
    expect((await open().history({ cell: 'whole', limit: 1 })).entries).toEqual([whole]);
  });

  test('takes texts that PostgreSQL would refuse', async () => {
    const cell = 'odd-texts';
    await open().write([entry(4, { cell, reason: 'a\0b', facts: { '\0x': 'half \ud800 pair\0' }, evidence: ['\0'] })]);
    const { entries } = await open().history({ cell, limit: 1 });
    expect(entries).toMatchObject([{ reason: 'ab', facts: { x: 'half \ufffd pair' }, evidence: [''] }]);
  });

  test('one entry that no database takes keeps no other out', async () => {
    const cell = 'one-refused';
    const bad = entry(5, { cell, ring: 2 ** 40 });
    const refused = await open().write([entry(5, { cell }), bad, entry(6, { cell })]);
    expect(refused).toMatchObject([{ entry: { id: bad.id }, problem: expect.stringContaining('integer') }]);
    expect((await open().history({ cell, limit: 10 })).entries).toHaveLength(2);
  });

  test('history answers the newest first, by cell, package, ring, kind and time, and says whether there is more', async () => {
    const cell = 'read';
    const all = [
      entry(10, { cell, version: V1, ring: 2 }),
      entry(11, { cell, version: V2, ring: 2, kind: 'failure' }),
      entry(11, { cell, version: V2, ring: 77 }),
      entry(12, { cell, version: V1, ring: 77, kind: 'failure' }),
    ];
    await open().write(all);
    const [a, b, c, d] = all.map(({ id }) => id);
    const ids = async (query: object) =>
      (await open().history({ cell, limit: 10, ...query })).entries.map(({ id }) => id);
    expect(await ids({})).toEqual([d, c, b, a]);
    expect(await ids({ version: V1 })).toEqual([d, a]);
    expect(await ids({ ring: 77 })).toEqual([d, c]);
    expect(await ids({ failures: true })).toEqual([d, b]);
    expect(await ids({ since: all[3]?.at })).toEqual([d]);
    expect(await open().history({ cell, limit: 3 })).toMatchObject({ more: true });
    expect(await open().history({ cell, limit: 4 })).toMatchObject({ more: false });
  });

  test('an answer stays within what Temporal carries, and says that there is more', async () => {
    const cell = 'large';
    // Three bytes each, as Temporal counts them.
    const reason = '環'.repeat(7_000);
    await open().write(Array.from({ length: 100 }, () => entry(20, { cell, reason })));
    const { entries, more } = await open().history({ cell, limit: 100 });
    expect(Buffer.byteLength(JSON.stringify(entries))).toBeLessThan(1_000_001);
    expect(entries.length).toBeGreaterThan(40);
    expect(more).toBe(true);
  });

  test('a report reads all entries of a time, oldest first, however many pages that is', async () => {
    const all = Array.from({ length: 5_100 }, (_, i) =>
      entry(1_000_000 + Math.floor(i / 7), { act: 'converged', cluster: 'pages' }),
    );
    await open().write([...all].reverse());
    await open().write([entry(900_000, { act: 'converged' }), entry(1_000_001, { act: 'granted' })]);
    const query = { since: all[0]?.at ?? '', until: '2030-01-01T00:00:00Z' };
    const found = await open().between(query, ['converged', 'halted']);
    expect(found).toHaveLength(5_100);
    expect(found.map(({ at }) => at)).toEqual(all.map(({ at }) => at));
    expect(new Set(found.map(({ id }) => id)).size).toBe(5_100);
  }, 120_000);

  test('a report knows the last word on each ring before its time, and what was said of packages', async () => {
    const old = (at: number, act: string, more: object = {}) => entry(-10_000_000 + at, { act, ...more });
    const all = [
      old(0, 'graduated', { version: V1 }),
      old(1, 'converged', { ring: 91 }),
      old(2, 'converged', { ring: 92 }),
      old(3, 'converged', { ring: 91 }),
      old(3, 'converged', { ring: 91 }),
      old(4, 'converged'),
      old(5, 'granted', { ring: 91 }),
      old(6, 'ended', { version: V1 }),
      old(7, 'converged', { ring: 92 }),
    ];
    await open().write(all);
    const found = await open().before({ since: all[8]?.at ?? '' });
    expect(found.map(({ id }) => id)).toEqual([0, 2, 4, 7].map((i) => all[i]?.id));
  });

  test('what stands is folded from the entries of its own cluster', async () => {
    const brake = (brakeId: string, cluster: string) =>
      entry(30, { cluster, facts: { brakeId, scope: 'outer', mode: 'finish-cells' } });
    const off = entry(31, { cluster: 'ours', act: 'releaseBrake', facts: { brakeId: 'released' } });
    await open().write([brake('stands', 'ours'), brake('released', 'ours'), brake('foreign', 'theirs'), off]);
    const { brakes } = await open().standing('ours', Date.now());
    expect(brakes.map((b) => b.brakeId)).toEqual(['stands']);
  });

  test('many writers and readers at once', async () => {
    const cell = 'at-once';
    const writers = Array.from({ length: 20 }, (_, i) => open().write([entry(40 + i, { cell })]));
    const readers = Array.from({ length: 20 }, () => open().history({ cell, limit: 100 }));
    await Promise.all([...writers, ...readers]);
    expect((await open().history({ cell, limit: 100 })).entries).toHaveLength(20);
  });
}
