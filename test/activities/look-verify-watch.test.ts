import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Activities, CellRef, LookOrder, VerifyOrder } from '../../src/contract/activities.js';
import { FAILURE } from '../../src/contract/failures.js';
import { activitiesOn, attempt, until } from './environment.js';
import { FakeAmp, NEW, OLD } from './fake-amp.js';

let amp: FakeAmp;
let activities: Activities;

beforeEach(async () => {
  amp = await FakeAmp.start();
  activities = activitiesOn(amp.url);
});
afterEach(() => amp.stop());

describe('a look at cells', () => {
  const look = (cells: CellRef[], changes: Partial<LookOrder> = {}) =>
    attempt().run(activities.lookAtCells, {
      cluster: 'prod',
      ring: 2,
      cells,
      version: NEW,
      chartVersion: null,
      askReadiness: false,
      ...changes,
    });

  it('tells cells on target from all others, and says what is wrong with those', async () => {
    const cells = ['good', 'old', 'sick', 'mute', 'stale', 'busy', 'broken', 'moved'].map((id) => amp.addCell(id, NEW));
    const [, old, , , , busy, broken, moved] = cells as [
      CellRef,
      CellRef,
      CellRef,
      CellRef,
      CellRef,
      CellRef,
      CellRef,
      CellRef,
    ];
    amp.tenant(old).version = OLD;
    amp.cell('sick').readiness = 'not-ready';
    amp.cell('mute').readiness = 'silent';
    amp.cell('stale').revision = 'bbbbbbbbbbb';
    const job = amp.begin(busy, 'ccc/prod/p/busy/configure/x/1', 60_000);
    amp.tenant(broken).state = 'failed';
    amp.tenant(moved).cell_id = 'another';
    const looks = await look([...cells, { id: 'lost', tenant: 'nobody', url: cells[0]?.url ?? '' }]);
    expect(looks.map((one) => [one.cell, one.onTarget, one.tenant, one.readiness])).toEqual([
      ['good', true, 'known', 'ready'],
      ['old', false, 'known', 'unasked'],
      ['sick', false, 'known', 'not-ready'],
      ['mute', false, 'known', 'silent'],
      ['stale', false, 'known', 'ready'],
      ['busy', false, 'known', 'unasked'],
      ['broken', false, 'known', 'unasked'],
      ['moved', false, 'mismatch', 'unasked'],
      ['lost', false, 'unknown', 'unasked'],
    ]);
    expect(looks.map((one) => one.problem === '')).toEqual([true, ...Array.from({ length: 8 }, () => false)]);
    expect(looks[5]?.activeJob).toEqual({ id: job.id, ours: true });
    expect(looks[2]?.problem).toContain('db_check');
  });

  it('compares the chart where one is wanted', async () => {
    const cell = amp.addCell('c1', NEW);
    expect((await look([cell], { chartVersion: 'chart-old' }))[0]?.onTarget).toBe(true);
    expect((await look([cell], { chartVersion: 'chart-new' }))[0]?.problem).toContain('chart-new');
  });

  it('asks every cell for its readiness where that is wanted', async () => {
    const cell = amp.addCell('c1', OLD);
    expect((await look([cell], { askReadiness: true }))[0]).toMatchObject({ onTarget: false, readiness: 'ready' });
  });

  it('fails as a whole where AMP cannot be asked', async () => {
    amp.fault(/tenants\/tenant-c2$/, { status: 502 }, 1_000);
    const cells = [amp.addCell('c1', NEW), amp.addCell('c2', NEW)];
    await expect(look(cells)).rejects.toMatchObject({ type: FAILURE.ampUnavailable });
  });

  it('fails as denied where every cell refuses the token, and not for one of them', async () => {
    const cells = [amp.addCell('c1', NEW), amp.addCell('c2', NEW)];
    amp.cell('c1').metadata = 401;
    expect((await look(cells)).map((one) => one.onTarget)).toEqual([false, true]);
    amp.cell('c2').metadata = 403;
    await expect(look(cells)).rejects.toMatchObject({ type: FAILURE.accessDenied });
  });

  it('asks a silent cell twice before it says so', async () => {
    const cell = amp.addCell('c1', NEW);
    amp.fault(/readiness/, 'drop');
    expect((await look([cell]))[0]).toMatchObject({ onTarget: true, readiness: 'ready' });
  });
});

describe('the verification of a cell', () => {
  const order = (cell: CellRef, changes: Partial<VerifyOrder> = {}): VerifyOrder => ({
    cluster: 'prod',
    ring: 2,
    cell,
    health: null,
    witness: null,
    version: NEW,
    chartVersion: null,
    migrated: false,
    sinceMs: Date.now(),
    timeoutMs: 5_000,
    intervalMs: 50,
    ...changes,
  });
  const verify = (cell: CellRef, changes: Partial<VerifyOrder> = {}) =>
    attempt().run(activities.verifyCell, order(cell, changes));

  it('passes at the first look where all is well', async () => {
    const verification = await verify(amp.addCell('c1', NEW));
    expect(verification).toMatchObject({ verified: true, readiness: 'ready', revision: '6a387d336a7', problem: '' });
    expect(amp.requests).toHaveLength(3);
  });

  it('waits until the cell is ready', async () => {
    const cell = amp.addCell('c1', NEW);
    amp.cell('c1').readiness = 'not-ready';
    const verification = verify(cell);
    await until(() => amp.count(/readiness/) >= 3);
    amp.cell('c1').readiness = 'ready';
    expect(await verification).toMatchObject({ verified: true });
  });

  it('looks once, and says what is wrong, where its time was over before it began', async () => {
    const cell = amp.addCell('c1', OLD);
    const verification = await verify(cell, { sinceMs: 0 });
    expect(verification).toMatchObject({ verified: false, problem: expect.stringContaining(OLD) });
    expect(amp.count(/tenants/)).toBe(1);
  });

  it('never takes a silent cell for fine', async () => {
    const cell = amp.addCell('c1', NEW);
    amp.cell('c1').readiness = 'silent';
    expect(await verify(cell, { timeoutMs: 200 })).toMatchObject({
      verified: false,
      readiness: 'silent',
      revision: null,
    });
  });

  it('requires migrations of this package or a newer one, where asked', async () => {
    const cell = amp.addCell('c1', NEW);
    amp.tenant(cell).migrated_version = OLD;
    expect(await verify(cell, { migrated: true, timeoutMs: 100 })).toMatchObject({ verified: false });
    amp.tenant(cell).migrated_version = '17.10.202503190906-aaaaaaaaaaa.1111111111a';
    expect(await verify(cell, { migrated: true })).toMatchObject({ verified: true });
  });

  it('takes AMP’s word where the cell went back to what is no package', async () => {
    const cell = amp.addCell('c1', '17.9.1');
    expect(await verify(cell, { version: '17.9.1' })).toMatchObject({ verified: true });
  });

  it('fails as denied where the cell’s API refuses the token twice', async () => {
    const cell = amp.addCell('c1', NEW);
    amp.cell('c1').metadata = 401;
    await expect(verify(cell)).rejects.toMatchObject({ type: FAILURE.accessDenied });
    expect(amp.count(/metadata/)).toBe(2);
  });

  it('fails as unavailable where AMP cannot be asked', async () => {
    amp.fault(/tenants/, 'drop', 1_000);
    await expect(verify(amp.addCell('c1', NEW))).rejects.toMatchObject({ type: FAILURE.ampUnavailable });
  });

  it('stops at once when it is cancelled', async () => {
    const cell = amp.addCell('c1', OLD);
    const here = attempt();
    const verification = here.run(activities.verifyCell, order(cell, { intervalMs: 60_000, timeoutMs: 60_000 }));
    await until(() => amp.requests.length >= 3);
    here.cancel();
    await expect(verification).rejects.toMatchObject({ name: 'CancelledFailure' });
  });
});

describe('the watch over cells', () => {
  const watch = (cells: CellRef[], forMs: number) =>
    attempt().run(activities.watchCells, { cells, untilMs: Date.now() + forMs, intervalMs: 60, badInARow: 3 });

  it('ends with its time where every cell is fine', async () => {
    const startMs = Date.now();
    expect(await watch([amp.addCell('c1'), amp.addCell('c2')], 300)).toEqual({ bad: [], silent: [] });
    expect(Date.now() - startMs).toBeGreaterThanOrEqual(290);
  });

  it('names a cell that is not ready several times in a row, long before its time', async () => {
    const cells = [amp.addCell('c1'), amp.addCell('c2')];
    amp.cell('c2').readiness = 'not-ready';
    const report = await watch(cells, 60_000);
    expect(report).toEqual({ bad: [{ cell: 'c2', reason: expect.stringContaining('db_check') }], silent: [] });
    expect(amp.count(/c2.*readiness/)).toBe(3);
  });

  it('names a cell that is silent at the end, and does not take it for failed', async () => {
    const cells = [amp.addCell('c1'), amp.addCell('c2')];
    amp.cell('c2').readiness = 'silent';
    expect(await watch(cells, 100)).toEqual({ bad: [], silent: ['c2'] });
  });

  it('forgives what passes', async () => {
    const cell = amp.addCell('c1');
    amp.fault(/readiness/, { status: 503 }, 2);
    expect(await watch([cell], 0)).toEqual({ bad: [], silent: [] });
  });

  it('finds a bad cell also where its time is over at the first look', async () => {
    const cell = amp.addCell('c1');
    amp.cell('c1').readiness = 'not-ready';
    expect((await watch([cell], -1_000)).bad).toHaveLength(1);
  });

  it('goes on with another worker where this one shuts down', async () => {
    const here = attempt();
    const order = { cells: [amp.addCell('c1')], untilMs: Date.now() + 60_000, intervalMs: 60_000, badInARow: 3 };
    const report = here.run(activities.watchCells, order);
    await until(() => amp.requests.length === 1);
    here.shutDown();
    await expect(report).rejects.toMatchObject({ type: FAILURE.watchInterrupted, nonRetryable: false });
  });
});
