import { describe, expect, test } from 'vitest';
import type { LedgerEntry } from '../../../src/contract/ledger.js';
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
