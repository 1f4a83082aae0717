import type { PackageRolloutStatus, RolloutRing, RolloutState } from '../../contract/status.js';

/**
 * How well health would have decided where nobody obeyed it: each pass of a package over a ring in shadow is one case. A
 * package counts as bad there where cells of the ring failed or went back, a check or PDM failed, or people took it back or
 * stopped it; as good where it converged. What is still under way counts for nothing.
 */
export interface ShadowReport {
  cases: ShadowCase[];
  /** Packages that were good and would have been stopped, out of all good ones. */
  goodStopped: { of: number; count: number };
  /** Packages that were bad and would not have been stopped, out of all bad ones. */
  badMissed: { of: number; count: number };
}

export interface ShadowCase {
  version: string;
  ring: number;
  was: 'good' | 'bad';
  /** The verdict that would have been obeyed; null: it would have gone on. */
  wouldHave: string | null;
}

export function shadowReport(rollouts: readonly PackageRolloutStatus[]): ShadowReport {
  const cases = rollouts.flatMap((rollout) => rollout.rings.flatMap((ring) => caseOf(rollout, ring) ?? []));
  const good = cases.filter(({ was }) => was === 'good');
  const bad = cases.filter(({ was }) => was === 'bad');
  return {
    cases,
    goodStopped: { of: good.length, count: good.filter((c) => c.wouldHave !== null).length },
    badMissed: { of: bad.length, count: bad.filter((c) => c.wouldHave === null).length },
  };
}

const TAKEN_BACK: ReadonlySet<RolloutState> = new Set(['aborted', 'rolled-back']);

function caseOf({ version, state }: PackageRolloutStatus, ring: RolloutRing): ShadowCase | null {
  if (ring.health?.mode !== 'shadow') return null;
  const failed = ring.failed + ring.rolledBack > 0 || ring.outcome === 'failed' || ring.outcome === 'halted';
  const was = failed || TAKEN_BACK.has(state) ? 'bad' : ring.convergedAt !== null ? 'good' : null;
  return was && { version, ring: ring.ring, was, wouldHave: ring.health.wouldHave ?? null };
}
