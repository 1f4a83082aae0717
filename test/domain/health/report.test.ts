import { describe, expect, it } from 'vitest';
import type { PackageRolloutStatus, RolloutRing } from '../../../src/contract/status.js';
import { shadowReport } from '../../../src/domain/health/report.js';

const CELLS = { healthy: 3, quiet: 0, unhealthy: 0, inconclusive: 0 };
const ring = (more: Partial<RolloutRing> = {}) =>
  ({ ring: 2, failed: 0, rolledBack: 0, convergedAt: '2026-01-02T03:04:05Z', ...more }) as RolloutRing;
const shadow = (wouldHave?: string) => ({
  health: { mode: 'shadow' as const, cells: CELLS, ...(wouldHave ? { wouldHave } : {}) },
});
const rollout = (version: string, rings: RolloutRing[], state = 'converged') =>
  ({ version, state, rings }) as PackageRolloutStatus;

describe('the report of health in shadow', () => {
  it('counts good packages that would have been stopped, and bad ones that would not', () => {
    const { cases, goodStopped, badMissed } = shadowReport([
      rollout('good', [ring(shadow())]),
      rollout('good, stopped', [ring(shadow('errors burns'))]),
      rollout('bad, seen', [ring({ ...shadow('errors burns'), failed: 1 })]),
      rollout('bad, missed', [ring({ ...shadow(), rolledBack: 1 })]),
      rollout('taken back by people', [ring(shadow())], 'rolled-back'),
    ]);
    expect(cases.map(({ was }) => was)).toEqual(['good', 'good', 'bad', 'bad', 'bad']);
    expect(goodStopped).toEqual({ of: 2, count: 1 });
    expect(badMissed).toEqual({ of: 3, count: 2 });
  });

  it.each([
    ['obeys its health', ring({ health: { mode: 'enforce', cells: CELLS } })],
    ['has no signals', ring()],
    ['is still under way', ring({ ...shadow(), convergedAt: null })],
  ])('leaves out a ring that %s', (_, one) => {
    expect(shadowReport([rollout('v', [one], 'rolling-out')]).cases).toEqual([]);
  });

  it('has a case for each ring', () => {
    expect(shadowReport([rollout('v', [ring(shadow()), ring({ ...shadow(), ring: 3 })])]).cases).toHaveLength(2);
  });
});
