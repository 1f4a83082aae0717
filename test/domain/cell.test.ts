import { describe, expect, it } from 'vitest';
import type { JobFacts, TenantFacts } from '../../src/contract/activities.js';
import type { CellPurpose } from '../../src/contract/internal.js';
import type { RingPolicy } from '../../src/contract/policy.js';
import { cancellable, isElsewhere, judgeSeen, targetBefore, timesOf } from '../../src/domain/cell.js';
import { V0, V1, V2 } from '../support/fleet.js';
import { policyOf } from './policies.js';

describe('a job under way', () => {
  it.each<[CellPurpose, Partial<RingPolicy>, boolean]>([
    ['deploy', {}, true],
    ['deploy', { postDeployMigrations: 'with-deploy' }, false],
    ['deploy', { scope: 'full' }, false],
    ['migrate', {}, false],
    ['rollback', {}, false],
  ])('of purpose %s under %j may be cancelled: %s', (purpose, policy, expected) => {
    expect(cancellable(purpose, policyOf(policy))).toBe(expected);
  });
});

describe('what AMP says of a tenant', () => {
  const facts = (version: string | null, chartVersion: string | null = '8.10.1'): TenantFacts => ({
    version,
    chartVersion,
    migratedVersion: null,
    previousVersion: null,
    previousChartVersion: null,
  });
  const longer = V1.replace('6a387d336a7', '6a387d336a7bbbb');

  it.each<[string, TenantFacts | null, string | null, string]>([
    ['nothing', null, null, 'unknown'],
    ['no version', facts(null), null, 'unknown'],
    ['the package, whatever its chart, where none is named', facts(V1, 'any'), null, 'target'],
    ['the package with its chart', facts(V1), '8.10.1', 'target'],
    ['the package with another chart', facts(V1), '8.10.2', 'other'],
    ['the package, its sha written longer', facts(longer), null, 'target'],
    ['an older package', facts(V0), null, 'other'],
    ['a newer package', facts(V2), null, 'newer'],
    ['a monthly release, which no order holds', facts('17.10.0'), null, 'other'],
  ])('%s', (_, seen, chartVersion, expected) => {
    expect(judgeSeen(seen, { version: V1, chartVersion })).toBe(expected);
  });
});

describe('where a cell goes back to', () => {
  const job = (fromVersion: string | null, fromChartVersion: string | null = null): JobFacts => ({
    id: 'j',
    fromVersion,
    fromChartVersion,
    startedAt: null,
    finishedAt: null,
    error: null,
    logUrl: null,
  });
  const tenant = (previousVersion: string | null, previousChartVersion: string | null = '8.9.0'): TenantFacts => ({
    version: V1,
    chartVersion: '8.10.1',
    migratedVersion: null,
    previousVersion,
    previousChartVersion,
  });
  const target = { version: V1, chartVersion: '8.10.1' };

  it.each<[string, JobFacts, TenantFacts | null, { version: string; chartVersion: string | null } | null]>([
    ['what its job began on, with the chart of then', job(V0, '8.8.8'), null, { version: V0, chartVersion: '8.8.8' }],
    ['with the chart that the tenant remembers', job(V0), tenant(V0), { version: V0, chartVersion: '8.9.0' }],
    ['nowhere, where that is unknown', job(null), tenant(V0), null],
    ['not to the package itself, after a retry', job(V1, '8.10.1'), tenant(V0), { version: V0, chartVersion: '8.9.0' }],
    ['nowhere, where only the package is remembered', job(V1), tenant(V1), null],
    ['nowhere, where nothing is remembered', job(V1), tenant(null), null],
    [
      'to its own chart before, where only that is new',
      job(V1, '8.9.9'),
      tenant(V0),
      { version: V1, chartVersion: '8.9.9' },
    ],
  ])('%s', (_, of, facts, expected) => {
    expect(targetBefore(of, facts, target)).toEqual(expected);
  });
});

describe('a cell that is to go back', () => {
  it.each<[string, string, boolean]>([
    ['runs the package still', V1, false],
    ['runs it, its sha written longer', V1.replace('6a387d336a7', '6a387d336a7bbbb'), false],
    ['has gone back by half', V0, false],
    ['was brought to a newer package', V2, true],
    ['was brought to a monthly release', '17.10.0', true],
  ])('that %s', (_, runs, expected) => {
    expect(isElsewhere(runs, V1, V0)).toBe(expected);
  });
});

describe('when a job began and ended', () => {
  const [began, ended] = ['2026-11-21T12:00:00Z', '2026-11-21T12:05:00Z'];
  const [beganMs, endedMs, nowMs] = [Date.parse(began), Date.parse(ended), Date.parse('2026-11-21T12:30:00Z')];
  const QUARTER_MS = 15 * 60_000;
  const job = (more: Partial<JobFacts>): JobFacts => ({
    ...{ id: 'job-1', fromVersion: V0, fromChartVersion: null, error: null, logUrl: null },
    ...{ startedAt: began, finishedAt: ended, ...more },
  });

  it.each<[string, Partial<JobFacts>, { begunAtMs: number; endedAtMs: number }]>([
    ['is what AMP says', {}, { begunAtMs: beganMs, endedAtMs: endedMs }],
    [
      'is the end by our clock, where AMP’s is behind',
      { finishedMs: endedMs + QUARTER_MS },
      { begunAtMs: beganMs, endedAtMs: endedMs + QUARTER_MS },
    ],
    ['is what AMP says, where its clock is ahead', { finishedMs: endedMs }, { begunAtMs: beganMs, endedAtMs: endedMs }],
    ['is now, where no end is known', { finishedAt: null }, { begunAtMs: beganMs, endedAtMs: nowMs }],
    [
      'is the end by our clock, where AMP has none',
      { finishedAt: null, finishedMs: endedMs },
      { begunAtMs: beganMs, endedAtMs: endedMs },
    ],
    [
      'is the end, where it never began',
      { startedAt: null, finishedMs: endedMs + QUARTER_MS },
      { begunAtMs: endedMs + QUARTER_MS, endedAtMs: endedMs + QUARTER_MS },
    ],
  ])('%s', (_, more, times) => {
    expect(timesOf(job(more), nowMs)).toEqual(times);
  });
});
