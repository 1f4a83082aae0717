import { describe, expect, it, test } from 'vitest';
import type { CellObservation } from '../../../src/contract/health.js';
import { isCounting, judgeCell, NotReadyLooks } from '../../../src/domain/health/index.js';
import { cellOf, DEPLOYED, OLD, policyOf } from './observations.js';

const policy = policyOf({ signals: {} });
const answered = (readiness: CellObservation['readiness'], more: Partial<CellObservation> = {}) =>
  cellOf({}, { readiness, ...more });
const verdictOf = (observation: CellObservation) => judgeCell(observation, policy).verdict;

describe('a cell that is not ready', () => {
  test.each([
    [1, 'inconclusive'],
    [2, 'inconclusive'],
    [3, 'unhealthy'],
    [4, 'unhealthy'],
    [undefined, 'unhealthy'],
    [Number.NaN, 'unhealthy'],
  ] as const)('in %s of its last answers is %s', (looks, verdict) => {
    const more = looks === undefined ? {} : { notReadyAnswers: looks };
    expect(verdictOf(answered('not-ready', more))).toBe(verdict);
  });

  it('says how often it has said so', () => {
    const { sentence } = judgeCell(answered('not-ready', { notReadyAnswers: 1 }), policy);
    expect(sentence).toBe('cell-1 is inconclusive: cell-1 says that it is not ready (1 of 3 answers)');
    expect(judgeCell(answered('not-ready'), policy).sentence).toMatch(/says that it is not ready$/);
  });
});

describe('who looks again and again', () => {
  const looksAt = (...seen: CellObservation[]) => {
    const looks = new NotReadyLooks();
    return seen.map((observation) => verdictOf(looks.counted(observation)));
  };
  const no = answered('not-ready');

  it('convicts at the third answer in a row', () => {
    expect(looksAt(no, no, no)).toEqual(['inconclusive', 'inconclusive', 'unhealthy']);
  });

  it('convicts one that comes and goes by three of its last five answers, and calls it healthy only while it is ready', () => {
    const yes = answered('ready');
    expect(looksAt(no, yes, no, yes, no)).toEqual(['inconclusive', 'healthy', 'inconclusive', 'healthy', 'unhealthy']);
    expect(looksAt(no, yes, yes, yes, no, yes, yes, no)).not.toContain('unhealthy');
  });

  it('counts looks that follow close upon one another as one', () => {
    const looks = new NotReadyLooks(10_000);
    const at = (ms: number) => looks.counted(answered('not-ready', { nowMs: DEPLOYED + ms })).notReadyAnswers;
    expect([0, 1_000, 9_999, 10_000, 15_000, 20_000].map(at)).toEqual([1, 1, 1, 2, 2, 3]);
  });

  it('knows of which cell the next answers will tell', () => {
    const looks = new NotReadyLooks();
    const counting = (observation: CellObservation) => isCounting(looks.counted(observation));
    expect([no, no, no, answered('ready'), answered('silent')].map(counting)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
    expect(isCounting(no)).toBe(false);
  });

  it('takes silence for no answer: it neither counts nor begins anew', () => {
    const silent = answered('silent');
    expect(looksAt(no, silent, no, silent, silent, no)).toEqual([...Array(5).fill('inconclusive'), 'unhealthy']);
  });

  it('counts nothing while a job is under way, or another package runs', () => {
    const seen = [null, OLD, null].map((running) => ({ ...no, running }));
    expect(looksAt(...seen, no, no, no).slice(3)).toEqual(['inconclusive', 'inconclusive', 'unhealthy']);
  });

  it('counts each cell by itself, and each deployment', () => {
    const other = { ...no, cell: 'cell-2' };
    expect(looksAt(no, other, no, other)).not.toContain('unhealthy');
    expect(looksAt(no, no, { ...no, deployedAtMs: DEPLOYED + 1 })).not.toContain('unhealthy');
  });
});
