import { describe, expect, it } from 'vitest';
import type { RolloutRing } from '../../../src/contract/status.js';
import { takeUp } from '../../../src/domain/rollout/earlier.js';
import { newPackageState, newTrack, type PackageState, ring0Verdict } from '../../../src/domain/rollout/state.js';
import { viewOfRollout } from '../../../src/domain/rollout/view.js';
import { V1, V2 } from '../../support/fleet.js';

const START = Date.parse('2026-03-18T12:00:00Z');
const END = START + 3_600_000;
const LATER = END + 86_400_000;
const at = new Date(START + 60_000).toISOString();

const exception = { cell: 'c2-1', state: 'rolled-back', reason: 'job-7 failed', jobId: 'job-7' } as const;

function ring(number: number, state: RolloutRing['state']): RolloutRing {
  const counts = { total: 2, converged: 1, inFlight: 0, failed: 0, rolledBack: 1, quarantined: 0, skipped: 0 };
  return {
    ring: number,
    name: `ring-${number}`,
    state,
    ...counts,
    pending: 0,
    startedAt: at,
    convergedAt: null,
    finishedAt: at,
    exceptions: [exception],
    exceptionsTotal: 1,
    cellsInFlight: [],
    waitingFor: null,
  };
}

/** A package that has ended, with something in everything that people see of it. */
function ended(state: 'aborted' | 'superseded' | 'converged', ring0: 'failed' | 'superseded'): PackageState {
  const result = (outcome: 'failed' | 'superseded' | 'converged') =>
    ({ outcome, code: null, supersededBy: null, reason: 'because' }) as const;
  const qa = { ...newTrack({ ring: 0, soft: true }, 'deploy', 'r', START), view: ring(0, 'mixed') };
  const outer = { ...newTrack({ ring: 2, perimeter: false }, 'deploy', 'r', START), view: ring(2, 'converged') };
  return {
    ...newPackageState(V1, '8.10.3', START),
    lane: 'urgent',
    finishedAtMs: END,
    end: { state, supersededBy: state === 'superseded' ? V2 : null },
    graduation: { requestId: 'g', by: 'rt', at, askedAt: at, accepted: true },
    tracks: {
      0: { ...qa, stage: 'over', result: result(ring0) },
      2: { ...outer, stage: 'over', baked: true, result: result('converged') },
    },
    acts: [{ at, act: 'graduate', by: 'rt', outcome: 'asked the cluster' }],
    checks: [{ ring: 0, name: 'qa', outcome: 'passed', by: 'rt', at }],
    failures: [{ at, ring: 2, cell: 'c2-1', reason: 'job-7 failed' }],
    rejected: [{ at, message: 'graduate', path: 'lane', value: 'x', expected: 'a lane' }],
    needsDowntime: [exception],
  };
}

function takenUp(before: PackageState): PackageState {
  const s = newPackageState(V1, null, LATER);
  takeUp(s, viewOfRollout(before, END), { softRings: [0], perimeter: 1 });
  return s;
}

describe('a new run of a package that has ended', () => {
  it.each(['aborted', 'superseded', 'converged'] as const)('shows of one that is %s what that one left', (state) => {
    const before = ended(state, 'failed');
    const s = takenUp(before);
    const after = { ...s, end: before.end, finishedAtMs: s.endedBeforeMs };
    expect(viewOfRollout(after, LATER)).toEqual(viewOfRollout(before, END));
  });

  it.each(['failed', 'superseded'] as const)('answers of ring 0 what the one before answered: %s', (verdict) => {
    expect(ring0Verdict(takenUp(ended('converged', verdict)))).toBe(verdict);
  });

  it('adds what people do now to what they did', () => {
    const s = newPackageState(V1, null, LATER);
    s.acts = [{ at: new Date(LATER).toISOString(), act: 'deployRing', by: 'rt', outcome: 'ring 0' }];
    takeUp(s, viewOfRollout(ended('converged', 'failed'), END), { softRings: [], perimeter: 1 });
    expect(s.acts.map((a) => a.act)).toEqual(['graduate', 'deployRing']);
  });

  it('is converged while a ring inside the perimeter is looked at again, and has not ended', () => {
    const s = { ...takenUp(ended('converged', 'failed')), registered: true, noMoreRings: true };
    s.tracks[0] = { ...newTrack({ ring: 0 }, 'deploy', 'again', LATER), stage: 'running', view: ring(0, 'rolling') };
    expect(viewOfRollout(s, LATER)).toMatchObject({ state: 'converged', finishedAt: null });
  });
});
