import { expect, it } from 'vitest';
import { ShadowTally } from '../../activities/shadow-tally.js';
import type { CellVerdict, Verdict } from '../../src/contract/health.js';
import type { WatchedCells } from '../../src/contract/internal.js';

const IDS = [{ id: 'a' }, { id: 'b' }, { id: 'c' }];
const on = (...times: (number | null)[]): WatchedCells['onNew'] => times.map((at, index) => [index, at, at, 0]);
const verdict = (cell: string, word: Verdict, atMs: number, quiet = false): CellVerdict => ({
  ...{ cell, verdict: word, quiet, atMs },
  ...{ package: 'v', sentence: '', evidence: [] },
});

it('counts a cell once its window is over, and a fault at once', () => {
  const tally = new ShadowTally({ windowMs: 100 });
  const onNew = on(1_000, 1_050, null);
  const look = (atMs: number, ...words: Verdict[]) =>
    tally.note(
      words.map((word, i) => verdict(IDS[i]?.id ?? '', word, atMs, i === 1)),
      { onNew },
      IDS,
    );
  expect(look(1_060, 'inconclusive', 'inconclusive', 'unhealthy')).toBe(true);
  expect(tally.counts).toEqual({ healthy: 0, quiet: 0, unhealthy: 0, inconclusive: 0 });
  expect(look(1_090, 'unhealthy', 'healthy')).toBe(true);
  expect(tally.counts).toMatchObject({ healthy: 0, unhealthy: 1 });
  expect(look(1_150, 'healthy', 'healthy')).toBe(true);
  expect(tally.counts).toEqual({ healthy: 1, quiet: 1, unhealthy: 1, inconclusive: 0 });
});

it('counts a cell once, whatever job was its last: a fault stays, else the newest job decides', () => {
  const tally = new ShadowTally({ windowMs: 100 });
  const look = (jobEndedAtMs: number, atMs: number, word: Verdict) =>
    tally.note([verdict('a', word, atMs)], { onNew: on(jobEndedAtMs) }, IDS);
  look(1_000, 1_100, 'inconclusive');
  expect(look(1_000, 1_200, 'healthy')).toBe(false);
  expect(tally.counts).toMatchObject({ inconclusive: 1, healthy: 0 });
  expect(look(2_000, 2_050, 'healthy')).toBe(false);
  expect(look(2_000, 2_100, 'healthy')).toBe(true);
  expect(tally.counts).toMatchObject({ inconclusive: 0, healthy: 1 });
  expect(look(2_000, 2_200, 'unhealthy')).toBe(true);
  expect(look(3_000, 3_100, 'healthy')).toBe(false);
  expect(tally.counts).toEqual({ healthy: 0, quiet: 0, unhealthy: 1, inconclusive: 0 });
});
