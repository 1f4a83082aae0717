import type { ClusterStatus, PackageRolloutStatus, RolloutRing } from '../../src/contract/status.js';
import { VERSION } from './harness.js';

const at = (time: string): string => `2026-12-23T${time}Z`;

export function ringStatus(more: Partial<RolloutRing> & Pick<RolloutRing, 'ring' | 'name' | 'total'>): RolloutRing {
  return {
    state: 'rolling',
    converged: 0,
    inFlight: 0,
    failed: 0,
    rolledBack: 0,
    quarantined: 0,
    skipped: 0,
    pending: 0,
    startedAt: at('10:10:00'),
    convergedAt: null,
    finishedAt: null,
    exceptions: [],
    exceptionsTotal: 0,
    cellsInFlight: [],
    waitingFor: null,
    ...more,
  };
}

export function rolloutStatus(more: Partial<PackageRolloutStatus> = {}): PackageRolloutStatus {
  return {
    version: VERSION,
    chartVersion: '8.10.202503180906',
    lane: null,
    state: 'rolling-out',
    waitingFor: null,
    graduatedAt: at('10:05:00'),
    brakes: [],
    rings: [],
    failures: [],
    checks: [],
    acts: [],
    rejected: [],
    startedAt: at('10:00:00'),
    finishedAt: null,
    ...more,
  };
}

export const halted = rolloutStatus({
  state: 'halted',
  lane: 'urgent',
  waitingFor: {
    kind: 'operator',
    ring: 3,
    since: at('10:14:00'),
    detail: 'halted: 1 failed, the budget is 0; the last was cell-8: job job-13 failed: migration check failed',
    next: [`cellctl retry --ring 3 ${VERSION}`],
  },
  brakes: [
    { brakeId: 'b1', scope: 'package', mode: 'finish-cells', by: 'ann', reason: 'errors', since: at('10:13:00') },
  ],
  rings: [
    ringStatus({ ring: 0, name: 'qa', total: 1, converged: 1, state: 'converged' }),
    ringStatus({
      ring: 2,
      name: 'first-customers',
      total: 3,
      converged: 3,
      state: 'grace',
      waitingFor: {
        kind: 'grace-period',
        ring: 2,
        since: at('10:12:00'),
        until: at('10:30:00'),
        detail: 'still able to go back; then PDM runs',
        next: [`cellctl override --wait grace-period --ring 2 ${VERSION} --reason "…"`],
      },
    }),
    ringStatus({
      ring: 3,
      name: 'early-adopters',
      total: 9,
      converged: 4,
      inFlight: 2,
      rolledBack: 1,
      pending: 2,
      state: 'halted',
      cellsInFlight: ['cell-9', 'cell-10'],
      exceptions: [{ cell: 'cell-8', state: 'rolled-back', reason: 'job job-13 failed', jobId: 'job-15' }],
      exceptionsTotal: 7,
    }),
    ringStatus({ ring: 10, name: 'nobody', total: 0, empty: true, state: 'converged' }),
  ],
  rejected: [
    { at: at('10:14:30'), message: 'deployRing', by: 'ci', path: 'ring', value: '99', expected: 'a ring: 0, 1' },
  ],
});

export const clusterStatus: ClusterStatus = {
  cluster: 'gitlab-com',
  topologyRevision: 3,
  perimeter: 1,
  rings: [
    {
      ring: 2,
      name: 'first-customers',
      desired: VERSION,
      observed: { [VERSION]: 2, '17.9.202502010900-0a1b2c3d4e5.5e4d3c2b1a0': 1 },
      converged: null,
      total: 3,
      onDesired: 2,
      state: 'rolling',
      convergedAt: null,
      exceptions: [],
      exceptionsTotal: 0,
    },
    {
      ring: 3,
      name: 'everyone',
      desired: null,
      observed: {},
      converged: null,
      total: 9,
      onDesired: 0,
      state: 'idle',
      convergedAt: null,
      exceptions: [],
      exceptionsTotal: 0,
    },
  ],
  brakes: [
    {
      brakeId: 'cold-start',
      scope: 'outer',
      mode: 'finish-cells',
      by: 'coordinator',
      reason: 'began without state',
      since: at('09:00:00'),
      expiresAt: '2026-12-24T08:00:00Z',
    },
  ],
  quarantined: [],
  blocked: [],
  graduated: [{ version: VERSION, graduatedAt: at('10:05:00'), by: 'ci', blocked: false, convergedAt: null }],
  queue: [{ ring: 3, version: VERSION, purpose: 'deploy', since: at('10:14:00'), held: null }],
  drift: { max: 0, byRing: {} },
  autoDeploy: { state: 'running' },
  notInForce: ['coordination.maxDrift'],
  waitingFor: null,
  acts: [],
  rejected: [],
};
