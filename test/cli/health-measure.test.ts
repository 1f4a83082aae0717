import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ObserveDependencies } from '../../activities/observe.js';
import type { AmpJob, AmpTenant } from '../../activities/ports.js';
import { prometheusOverHttp } from '../../activities/prometheus-http.js';
import { measureCells } from '../../src/cli/health/measure.js';
import { FakePrometheus } from '../activities/fake-prometheus.js';
import { policyOf } from '../domain/health/observations.js';
import { V1 } from '../support/fleet.js';

const MINUTE = 60_000;
const PATIENCE = { totalMs: 0, firstPauseMs: 1, maxPauseMs: 1 };

let server: FakePrometheus;
beforeAll(async () => {
  server = await FakePrometheus.start();
  server.behind = () => [{ at: (ms) => 0.0001 + 0.00001 * Math.sin(ms / 77_777) }];
});
afterAll(() => server.http.stop());

/** A deployment that ended ten minutes ago and took five, as an AMP tells it whose clock differs from ours. */
function outside(aheadMs: number): ObserveDependencies {
  const byAmp = (minutesAgo: number) => new Date(Date.now() + aheadMs - minutesAgo * MINUTE).toISOString();
  const job = (): AmpJob => ({
    ...{ id: 'job-1', kind: 'configure', version: V1, fromVersion: null, state: 'succeeded', error: null },
    ...{ createdAt: byAmp(15), startedAt: byAmp(15), finishedAt: byAmp(10), logUrl: null, key: null },
    asOfMs: Date.now() + aheadMs,
  });
  const facts = { version: V1, chartVersion: null, migratedVersion: null };
  const tenant: AmpTenant = {
    ...{ cellId: 'cell-1', ring: null, state: 'ready', activeJob: null },
    facts: { ...facts, previousVersion: null, previousChartVersion: null },
  };
  const unasked = () => Promise.reject(new Error('not asked'));
  return {
    amp: {
      ...{ submitJob: unasked, getJob: unasked, cancelJob: unasked },
      listJobs: async () => [job()],
      getTenant: async () => tenant,
    },
    cells: {
      readiness: async () => ({ state: 'ready', detail: '' }),
      metadata: async () => ({ state: 'known', version: V1, revision: V1.split('-')[1]?.split('.')[0] ?? '' }),
    },
    prometheus: prometheusOverHttp({ url: server.http.url }),
    patience: PATIENCE,
    prometheusPatience: PATIENCE,
  };
}

async function measured(aheadMs: number) {
  const cell = { id: 'cell-1', tenant: 't-1', url: 'http://cell-1.example' };
  const order = { cells: [{ cell, observed: false }], policy: policyOf(), recentMs: 60 * MINUTE };
  const [found] = await measureCells(outside(aheadMs), order);
  if (!found) throw new Error('not measured');
  const endMs = Date.now() - 10 * MINUTE;
  const { deployedAtMs, after } = found.observation;
  const early = (after.errors ?? []).filter(([at]) => at < endMs - 1_000);
  return {
    laterMinutes: Math.round((deployedAtMs ?? 0) / MINUTE - endMs / MINUTE) + 0,
    early,
    samples: after.errors?.length ?? 0,
  };
}

describe('a cell that was deployed to is judged by nothing that was measured before its deployment ended', () => {
  it.each([
    ['agrees with ours', 0, 0],
    ['is behind ours, which is made up for', -4, 0],
    ['is so far behind that the deployment seems long ago', -70, 0],
    ['is ahead of ours, which leaves out what may be good', 4, 4],
  ])('where the clock of AMP %s', async (_, aheadMinutes, laterMinutes) => {
    const found = await measured(aheadMinutes * MINUTE);
    expect(found).toMatchObject({ laterMinutes, early: [] });
    expect(found.samples).toBeGreaterThan(0);
  });
});
