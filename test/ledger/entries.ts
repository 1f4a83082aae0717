import type { LedgerEntry } from '../../src/contract/ledger.js';

let made = 0;

/** An entry that no other test of this process has; `at` in seconds. */
export const entry = (at: number, more: Partial<LedgerEntry> = {}): LedgerEntry => {
  made += 1;
  const instant = new Date(Date.parse('2026-03-01T00:00:00.123Z') + at * 1000).toISOString();
  return { id: `run/${made}`, at: instant, kind: 'act', cluster: 'c', act: 'engageBrake', by: 'alice', ...more };
};
