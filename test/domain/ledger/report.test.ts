import { describe, expect, test } from 'vitest';
import type { LedgerEntry } from '../../../src/contract/ledger.js';
import { bounded } from '../../../src/domain/ledger/entry.js';
import { reportOf } from '../../../src/domain/ledger/report.js';
import { V0, V1, V2, V3 } from '../../support/fleet.js';

const HOUR = 3_600_000;
const query = { since: '2026-03-01T00:00:00.000Z', until: '2026-03-05T00:00:00.000Z' };

let made = 0;
/** @param at hours since the report begins */
const entry = (at: number, act: string, more: Partial<LedgerEntry> = {}): LedgerEntry => {
  made += 1;
  const instant = new Date(Date.parse(query.since) + at * HOUR).toISOString();
  return {
    id: `run/${made}`,
    at: instant,
    kind: 'decision',
    cluster: 'c',
    act,
    by: 'coordinator',
    version: V1,
    ...more,
  };
};
const converged = (at: number, ring: number, version: string, facts: Record<string, unknown> = {}) =>
  entry(at, 'converged', { ring, version, facts: { cells: 3, exceptions: [], ...facts } });
const report = (...entries: LedgerEntry[]) => reportOf(entries, query);
/** What stood when the report begins, before what came within its time. */
const reportAfter = (before: LedgerEntry[], ...entries: LedgerEntry[]) => reportOf(entries, query, before);
/** A pass that took a package back from a ring. */
const tookBack = (at: number, ring: number, outcome = 'rolled-back', more: Record<string, unknown> = {}) =>
  entry(at, 'finished', { ring, outcome, tookMs: HOUR / 2, facts: { purpose: 'rollback', ...more } });

describe('deployments', () => {
  test('are rings that converged for the first time on a package, by day', () => {
    const { deployments } = report(
      converged(1, 2, V1),
      converged(2, 3, V1),
      converged(3, 2, V1),
      converged(25, 2, V2),
      converged(26, 0, V2, { perimeter: true }),
    );
    const byDay = { '2026-03-01': 2, '2026-03-02': 1 };
    expect(deployments).toEqual({ packages: 2, rings: 3, cells: 9, perDay: 0.75, byDay });
  });
});

describe('lead time', () => {
  test('counts from the graduation, by ring', () => {
    const { leadTime } = report(
      entry(0, 'graduated', { facts: { graduatedAt: query.since } }),
      converged(2, 2, V1),
      converged(5, 3, V1),
      entry(24, 'graduated', { version: V2 }),
      converged(28, 2, V2),
    );
    expect(leadTime['2']).toEqual({ count: 2, medianMs: 2 * HOUR, p90Ms: 4 * HOUR, longestMs: 4 * HOUR });
    expect(leadTime['3']).toMatchObject({ count: 1, medianMs: 5 * HOUR });
  });

  test('counts from the graduation also of a package that graduated before', () => {
    const before = [entry(-30, 'graduated', { facts: { graduatedAt: '2026-02-28T20:00:00.000Z' } })];
    expect(reportAfter(before, converged(2, 2, V1)).leadTime['2']).toMatchObject({ count: 1, medianMs: 6 * HOUR });
  });

  test('does not count a ring again that had converged on the package before', () => {
    const before = [entry(-30, 'graduated'), converged(-5, 2, V1)];
    const { leadTime, deployments } = reportAfter(before, converged(2, 2, V1), converged(3, 3, V1));
    expect(Object.keys(leadTime)).toEqual(['3']);
    expect(deployments.rings).toBe(1);
  });

  test('is not known of a package whose graduation is not', () => {
    expect(report(converged(2, 2, V1)).leadTime).toEqual({});
  });
});

describe('change failure rate', () => {
  test('is the share of passes in which something failed, however much', () => {
    const failed = { ring: 2, cell: 'a', outcome: 'rolled-back' };
    const { changeFailureRate } = report(
      converged(1, 3, V1),
      entry(1, 'finished', { ring: 3 }),
      entry(1, 'cellFailed', failed),
      entry(2, 'cellFailed', { ...failed, cell: 'b' }),
      entry(2, 'halted', { ring: 2 }),
      converged(3, 2, V1),
      converged(4, 2, V2),
      entry(5, 'cellFailed', { ring: 0, facts: { perimeter: true } }),
    );
    expect(changeFailureRate).toEqual({ passes: 3, failed: 1, share: 0.333 });
  });

  test('counts what a person took back from a ring, whatever cells said', () => {
    const { changeFailureRate } = report(
      converged(1, 2, V1),
      converged(1, 3, V1),
      tookBack(5, 3),
      tookBack(6, 2),
      tookBack(7, 0, 'rolled-back', { perimeter: true }),
    );
    expect(changeFailureRate).toEqual({ passes: 2, failed: 2, share: 1 });
  });

  test.each(['busy', 'unreachable'])('a cell that was %s has not failed', (outcome) => {
    const found = report(entry(1, 'cellFailed', { ring: 2, cell: 'a', outcome }), converged(2, 2, V1));
    expect(found.changeFailureRate).toMatchObject({ passes: 1, failed: 0 });
    expect(found.timeToRestore).toMatchObject({ count: 0, open: 0 });
  });

  test('is unknown without a pass', () => {
    expect(report().changeFailureRate).toEqual({ passes: 0, failed: 0, share: null });
  });
});

describe('time to restore', () => {
  const failed = (at: number, cell: string, outcome: string, tookMs = HOUR) =>
    entry(at, 'cellFailed', { ring: 2, cell, outcome, tookMs });

  test('of a cell that went back is how long that took', () => {
    expect(report(failed(1, 'a', 'rolled-back')).timeToRestore).toMatchObject({ count: 1, medianMs: HOUR, open: 0 });
  });

  test('of any other lasts until it is mended', () => {
    const { timeToRestore } = report(failed(1, 'a', 'failed'), entry(4, 'cellMended', { ring: 2, cell: 'a' }));
    expect(timeToRestore).toMatchObject({ count: 1, medianMs: 3 * HOUR, open: 0 });
  });

  test('or until its ring converges without naming it', () => {
    const { timeToRestore } = report(
      failed(1, 'a', 'failed'),
      failed(1, 'b', 'failed'),
      converged(3, 3, V2),
      converged(5, 2, V2, { exceptions: ['b'] }),
    );
    expect(timeToRestore).toMatchObject({ count: 1, longestMs: 4 * HOUR, open: 1 });
  });

  test('is not over where its ring converges without naming all that did not', () => {
    const names = Array.from({ length: 60 }, (_, i) => `cell-of-a-customer-${i}-in-europe`);
    const { act, by } = converged(5, 2, V2);
    const said = bounded({ kind: 'decision', act, by, ring: 2, version: V2, facts: { cells: 9, exceptions: names } });
    const { timeToRestore } = report(failed(1, names[0] ?? '', 'failed'), entry(5, act, said));
    expect(timeToRestore).toMatchObject({ count: 0, open: 1 });
  });

  test('or until a pass over some cells has mended it', () => {
    const mends = (at: number, mended: string[]) =>
      entry(at, 'finished', { ring: 2, outcome: 'converged', facts: { purpose: 'deploy', reconciles: 1, mended } });
    const { timeToRestore } = report(failed(1, 'a', 'failed'), failed(1, 'b', 'failed'), mends(4, ['a', 'other']));
    expect(timeToRestore).toMatchObject({ count: 1, medianMs: 3 * HOUR, open: 1 });
  });

  test('of a package that a person took back lasts until its ring is done, with cells that had failed there', () => {
    const ended = entry(4, 'ended', { outcome: 'rolled-back' });
    const other = failed(1, 'other', 'failed');
    const { timeToRestore } = report(
      failed(1, 'a', 'failed'),
      { ...other, version: V2 },
      ended,
      tookBack(6, 3),
      tookBack(7, 2),
    );
    expect(timeToRestore).toMatchObject({ count: 3, medianMs: 3 * HOUR, longestMs: 6 * HOUR, open: 1 });
  });

  test('of a package taken back is not over where cells stayed on it; by older entries it is, with its pass', () => {
    expect(report(tookBack(6, 2, 'failed')).timeToRestore.count).toBe(0);
    expect(report(tookBack(6, 2, 'converged')).timeToRestore).toMatchObject({ count: 1, medianMs: HOUR / 2 });
  });

  test('of a cell whose failure is said again after its pass was lost is counted once', () => {
    const said = failed(1, 'a', 'rolled-back');
    const { tookMs: _, ...again } = { ...failed(2, 'a', 'rolled-back'), jobId: 'j' };
    const { timeToRestore, failures } = report({ ...said, jobId: 'j' }, again);
    expect(timeToRestore).toMatchObject({ count: 1, medianMs: HOUR });
    expect(failures).toEqual({ 'rolled-back': 1 });
  });

  test('counts from the first failure of a cell that fails again', () => {
    const { timeToRestore, failures } = report(
      failed(1, 'a', 'failed'),
      failed(2, 'a', 'rollback-failed'),
      failed(7, 'a', 'rolled-back'),
    );
    expect(timeToRestore).toMatchObject({ count: 1, longestMs: 6 * HOUR, open: 0 });
    expect(failures).toEqual({ failed: 1, 'rollback-failed': 1, 'rolled-back': 1 });
  });
});

describe('drift', () => {
  test('is how many graduated packages a ring was behind at the end of each day', () => {
    const graduated = (at: number, version: string) => entry(at, 'graduated', { version });
    const { drift } = report(
      converged(0, 2, V0),
      graduated(1, V1),
      graduated(25, V2),
      converged(26, 2, V1),
      graduated(49, V3),
      entry(50, 'ended', { version: V3, outcome: 'aborted' }),
      converged(73, 2, V2),
    );
    expect(drift).toEqual({ '2': { '2026-03-01': 1, '2026-03-02': 1, '2026-03-03': 1, '2026-03-04': 0 } });
  });

  test('counts from where a ring stood before, and what had graduated by then', () => {
    const before = [
      converged(-200, 2, V0),
      ...[V1, V2, V3].map((version) => entry(-100, 'graduated', { version })),
      entry(-90, 'ended', { version: V3, outcome: 'rolled-back' }),
    ];
    const days = ['2026-03-01', '2026-03-02', '2026-03-03', '2026-03-04'];
    expect(reportAfter(before).drift).toEqual({ '2': Object.fromEntries(days.map((day) => [day, 2])) });
    expect(reportAfter(before, converged(25, 2, V1)).drift['2']).toMatchObject({ '2026-03-01': 2, '2026-03-02': 1 });
  });

  test('a ring that went back by retry is not taken for older', () => {
    const { drift } = report(converged(0, 2, V2), converged(1, 2, V1), entry(2, 'graduated', { version: V2 }));
    expect(drift['2']?.['2026-03-01']).toBe(0);
  });
});

test('what names no package is left out', () => {
  const nonsense = ['converged', 'graduated', 'cellFailed', 'halted'].map((act) =>
    entry(1, act, { ring: 2, version: '17.10.0' }),
  );
  expect(report(...nonsense)).toEqual(report());
});
