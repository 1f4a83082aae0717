import { expect, it } from 'vitest';
import { Rounds } from '../../activities/rounds.js';
import type { Verdict } from '../../src/contract/health.js';

const note = (verdict: Verdict, atMs: number, sentence: string = verdict) =>
  ({ verdict, scope: 'none', atMs, sentence, evidence: [] }) as const;
const said = (rounds: Rounds, verdict: Verdict, atMs: number, of: number, sentence?: string) =>
  rounds.note({ ...note(verdict, atMs, sentence), evidence: [] }, of);

it('a ring that one look takes is as that look says', () => {
  const rounds = new Rounds();
  expect(rounds.isWhole).toBe(false);
  for (const word of ['inconclusive', 'healthy', 'unhealthy'] as const) {
    expect(said(rounds, word, 1, 1)).toMatchObject({ verdict: word, atMs: 1 });
    expect(rounds.isWhole).toBe(true);
  }
});

it('a larger one is as bad as the worst look of the last round, until that part is looked at again', () => {
  const rounds = new Rounds();
  expect(said(rounds, 'healthy', 1, 3)).toMatchObject({ verdict: 'healthy' });
  expect(said(rounds, 'inconclusive', 2, 3, 'c-7 is silent')).toMatchObject({ verdict: 'inconclusive', atMs: 2 });
  expect(rounds.isWhole).toBe(false);
  expect(said(rounds, 'healthy', 3, 3)).toMatchObject({ verdict: 'inconclusive', sentence: 'c-7 is silent', atMs: 3 });
  expect(rounds.isWhole).toBe(true);
  expect(said(rounds, 'healthy', 4, 3)).toMatchObject({ verdict: 'inconclusive' });
  expect(said(rounds, 'healthy', 5, 3)).toMatchObject({ verdict: 'healthy', atMs: 5 });
});

it('with other turns a round begins anew', () => {
  const rounds = new Rounds();
  said(rounds, 'healthy', 1, 2);
  said(rounds, 'inconclusive', 2, 2);
  expect(said(rounds, 'healthy', 3, 3)).toMatchObject({ verdict: 'healthy' });
  expect(rounds.isWhole).toBe(false);
});

it('names who is in doubt only where one look sees them all', () => {
  const doubt = { ...note('inconclusive', 1), evidence: [], unknown: ['c-1'] };
  expect(new Rounds().note(doubt, 1)).toMatchObject({ unknown: ['c-1'] });
  expect(new Rounds().note(doubt, 2)).not.toHaveProperty('unknown');
});
