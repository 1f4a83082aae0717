import { describe, expect, it } from 'vitest';
import { FailedError } from '../../src/client/index.js';
import { FAILURE } from '../../src/contract/failures.js';
import type { History, LedgerEntry, LedgerReport } from '../../src/contract/ledger.js';
import { run, VERSION } from './harness.js';

const entry = (more: Partial<LedgerEntry>): LedgerEntry => ({
  id: 'run/1',
  at: '2026-12-23T10:00:00.000Z',
  kind: 'act',
  cluster: 'prod',
  act: 'engageBrake',
  by: 'ann',
  ...more,
});

const failed = entry({
  kind: 'failure',
  act: 'cellFailed',
  by: 'coordinator',
  version: VERSION,
  ring: 3,
  cell: 'cell-8',
  outcome: 'rolled-back',
  reason: 'its job failed',
  evidence: ['errors: 5 %'],
  jobId: 'job-1',
  tookMs: 65_000,
});

/** A ledger that answers this, and what it was asked. */
function ledger(answer: unknown) {
  const asked: unknown[] = [];
  const read = async (query: unknown) => {
    asked.push(query);
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { cells: { ledger: () => ({ history: read, report: read }) }, asked };
}

describe('cellctl history', () => {
  it('shows who did what when, about what, what came of it and why', async () => {
    const long = entry({ act: 'applyTopology', outcome: 'x'.repeat(200), reason: 'new cells' });
    const history: History = {
      entries: [failed, long, entry({ reason: 'INC-1', url: 'https://example.com/1' })],
      more: true,
    };
    const { cells } = ledger(history);
    const { exit, stdout } = await run(['history'], cells);
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^WHEN +WHAT +WHO +ABOUT +OUTCOME +WHY/);
    expect(stdout).toMatch(
      /10:00:00Z +cellFailed +coordinator +\S+ ring 3 cell-8 +rolled-back +its job failed; errors: 5 %; job job-1; after 1m 5s/,
    );
    expect(stdout).toMatch(/engageBrake +ann +INC-1; https:\/\/example.com\/1/);
    expect(stdout).toMatch(/applyTopology +ann +x{49}… +new cells/);
    expect(stdout).toContain('there is more: --limit 100');
  });

  it('tells a pass that goes back, or runs PDM, from a deployment', async () => {
    const passes = ['deploy', 'rollback', 'migrate'].map((purpose) => ({
      ...failed,
      act: 'granted',
      facts: { purpose },
    }));
    const { stdout } = await run(['history'], ledger({ entries: passes, more: false }).cells);
    expect(stdout.match(/granted( \(\w+\))?/g)).toEqual(['granted', 'granted (rollback)', 'granted (migrate)']);
  });

  it('asks for what its options say', async () => {
    const { cells, asked } = ledger({ entries: [], more: false });
    const options = [
      '--cell',
      'cell-8',
      '--package',
      VERSION,
      '--ring',
      '3',
      '--failures',
      '--since',
      '2d',
      '--limit',
      '5',
    ];
    const { exit, stdout } = await run(['history', ...options], cells);
    const since = '2026-12-21T10:15:00.000Z';
    expect(asked).toEqual([{ cell: 'cell-8', version: VERSION, ring: 3, failures: true, since, limit: 5 }]);
    expect([exit, stdout]).toEqual([0, 'the ledger has nothing of that\n']);
  });

  it('asks for no more than an answer may have', async () => {
    const { cells, asked } = ledger({ entries: [], more: false });
    await run(['history', '--limit', '99999', '--since', '2026-12-01T00:00:00+01:00'], cells);
    expect(asked).toEqual([{ limit: 1000, since: '2026-11-30T23:00:00.000Z' }]);
  });

  it('prints one document with --json', async () => {
    const history: History = { entries: [failed], more: false };
    const { stdout } = await run(['history', '--json'], ledger(history).cells);
    expect(JSON.parse(stdout)).toEqual(history);
  });

  it.each([
    ['--since', 'yesterday'],
    ['--since', '0s'],
    ['--cell', 'Cell 8'],
    ['--package', '17.10.0'],
    ['--limit', '0'],
  ])('ends with status 2 for %s %s', async (...args) => {
    expect((await run(['history', ...args])).exit).toBe(2);
  });

  it.each([
    [FAILURE.ledgerUnserved, 'no worker has the ledger open', 'npm run worker'],
    [FAILURE.ledgerUnavailable, 'the database does not answer', 'check LEDGER_URL'],
  ])('ends with status 1 and what to do for %s', async (type, message, next) => {
    const { exit, stderr } = await run(['history'], ledger(new FailedError(type, message)).cells);
    expect(exit).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr).toContain(next);
  });
});

describe('cellctl report', () => {
  const none = { count: 0, medianMs: null, p90Ms: null, longestMs: null };
  const empty: LedgerReport = {
    since: '2026-12-16T10:15:00.000Z',
    until: '2026-12-23T10:15:00.000Z',
    days: 7,
    deployments: { packages: 0, rings: 0, cells: 0, perDay: 0, byDay: {} },
    leadTime: {},
    changeFailureRate: { passes: 0, failed: 0, share: null },
    timeToRestore: { ...none, open: 0 },
    failures: {},
    drift: {},
  };

  it('shows the four numbers, and each ring with its drift', async () => {
    const minute = 60_000;
    const report: LedgerReport = {
      ...empty,
      deployments: { packages: 6, rings: 12, cells: 72, perDay: 1.714, byDay: {} },
      leadTime: { 2: { count: 6, medianMs: 90 * minute, p90Ms: 150 * minute, longestMs: 200 * minute } },
      changeFailureRate: { passes: 14, failed: 2, share: 0.143 },
      timeToRestore: { count: 2, medianMs: 5 * minute, p90Ms: 9 * minute, longestMs: 9 * minute, open: 1 },
      failures: { 'rolled-back': 2, failed: 1 },
      drift: { 2: { '2026-12-21': 0, '2026-12-22': 2, '2026-12-23': 1 } },
    };
    const { cells, asked } = ledger(report);
    const { exit, stdout } = await run(['report', '--since', '7d'], cells);
    expect(exit).toBe(0);
    expect(asked).toEqual([{ since: empty.since, until: empty.until }]);
    expect(stdout).toContain('deployments          1.714 a day: 6 packages, 12 rings, 72 cells');
    expect(stdout).toContain('change failure rate  14.3 %: 2 of 14 passes');
    expect(stdout).toContain('cells that failed    2 rolled-back, 1 failed');
    expect(stdout).toContain('time to restore      median 5m, p90 9m, longest 9m (2); 1 not restored');
    expect(stdout).toMatch(/RING +LEAD TIME +BEHIND +MOST +BY DAY/);
    expect(stdout).toMatch(/2 +median 1h 30m, p90 2h 30m, longest 3h 20m \(6\) +1 +2 +▁█▅/);
  });

  it('says so where nothing has happened', async () => {
    const { stdout } = await run(['report'], ledger(empty).cells);
    expect(stdout).toContain('change failure rate  no pass over an outer ring');
    expect(stdout).toContain('no outer ring has converged');
  });
});
