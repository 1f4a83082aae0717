import { describe, expect, test } from 'vitest';
import { ledgerEntry } from '../../../src/contract/ledger-entry.js';
import { bounded, entryOfAct } from '../../../src/domain/ledger/entry.js';
import { V1, V2 } from '../../support/fleet.js';

describe('an act as the ledger has it', () => {
  const who = { by: 'alice', reason: 'INC-1', url: 'https://example.com/1' };

  test.each([
    ['a cell', { cell: 'c-1' }, { cell: 'c-1' }],
    ['a ring', { ring: 0 }, { ring: 0 }],
    ['a version', { version: V1, fixedIn: V2 }, { version: V1, facts: { version: V1, fixedIn: V2 } }],
  ])('is about %s that its message names', (_, more, expected) => {
    expect(entryOfAct('act', { ...who, ...more }, 'done')).toMatchObject({
      kind: 'act',
      ...who,
      outcome: 'done',
      ...expected,
    });
  });

  test('is of its workflow’s package, where its message names none', () => {
    expect(entryOfAct('abort', who, 'recorded', { version: V1 })).toMatchObject({ version: V1 });
  });

  test('of the coordinator is a decision', () => {
    expect(entryOfAct('engageBrake', { by: 'coordinator' }, 'on').kind).toBe('decision');
  });

  test('holds no topology', () => {
    const { facts } = entryOfAct(
      'applyTopology',
      { ...who, topology: {}, gzip: 'x', allowRemoval: true } as never,
      'revision 2',
    );
    expect(facts).toEqual({ allowRemoval: true });
  });
});

describe('the bounds of an entry', () => {
  const long = 'x'.repeat(100_000);

  test('keep it small, whatever people write', () => {
    const evidence = Array.from({ length: 1000 }, () => long);
    const facts = { large: long, cells: Array.from({ length: 10_000 }, (_, i) => `cell-${i}`), small: 1 };
    const most = { by: long, reason: long, url: long, outcome: long, jobId: long, evidence, facts };
    const entry = bounded({ kind: 'act', act: 'a', ...most });
    expect(JSON.stringify(entry).length).toBeLessThan(8_000);
    expect(entry.facts).toEqual({ small: 1, leftOut: ['cells', 'large'] });
    expect(entry.reason).toMatch(/x…$/);
  });

  test('leave nothing that says nothing, and fit the ledger’s own shape', () => {
    const entry = bounded({
      kind: 'act',
      act: 'a',
      by: 'b',
      reason: '',
      outcome: '',
      evidence: [],
      facts: {},
      tookMs: 1.6,
    });
    expect(entry).toEqual({ kind: 'act', act: 'a', by: 'b', tookMs: 2 });
    expect(ledgerEntry().safeParse({ id: 'r/1', at: new Date(0).toISOString(), cluster: '', ...entry }).success).toBe(
      true,
    );
  });
});
