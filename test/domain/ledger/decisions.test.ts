import { describe, expect, test } from 'vitest';
import type { RingReport } from '../../../src/contract/internal.js';
import type { RolloutRing } from '../../../src/contract/status.js';
import { beginTurn, noteSystemic } from '../../../src/domain/cluster/holders.js';
import { noteReturned, noteRollback } from '../../../src/domain/cluster/rollbacks.js';
import { type ClusterState, newClusterState, newRingRecord, type Turn } from '../../../src/domain/cluster/state.js';
import {
  beforeReport,
  type Decision,
  decisionOfLoss,
  decisionOfRollbackEnd,
  decisionsOfReport,
} from '../../../src/domain/ledger/decisions.js';
import { V1, V2 } from '../../support/fleet.js';

const NOW = Date.parse('2026-03-10T00:00:00Z');
const MINUTE = 60_000;

/** A ring that was granted to a package ten minutes ago. */
function granted(purpose: 'deploy' | 'rollback' = 'deploy'): { state: ClusterState; turn: Turn } {
  const state = newClusterState();
  state.perimeter = 1;
  state.rings[2] = newRingRecord('two');
  const request = { requestId: 'run/1', version: V1, purpose, sender: 'package', ring: 2 } as Turn['request'];
  beginTurn(state, 2, request, 'pass', NOW - 10 * MINUTE);
  return { state, turn: state.turns[2] as Turn };
}

const evidence = (sentence: string) => ({ sentence }) as never;
const measured = { verdict: 'unhealthy', scope: 'systemic', sentence: 'errors rose', evidence: [evidence('4 % fail')] };

function report(view: Partial<RolloutRing>, more: Partial<RingReport> = {}): RingReport {
  const shown = {
    ring: 2,
    state: 'rolling',
    exceptions: [],
    converged: 0,
    inFlight: 0,
    total: 3,
    rolledBack: 0,
    ...view,
  };
  return {
    version: V1,
    purpose: 'deploy',
    view: shown,
    systemic: false,
    ended: false,
    result: null,
    ...more,
  } as RingReport;
}

/** What a report means, after what it says was noted. */
function decided({ state, turn }: ReturnType<typeof granted>, said: RingReport): Decision[] {
  const before = beforeReport(state, 2, turn);
  turn.state = said.view.state;
  noteSystemic(state, 2, said, NOW);
  noteReturned(state, 2, said, NOW);
  return decisionsOfReport(before, state, turn, said, NOW);
}

describe('a ring that halts', () => {
  const waitingFor = { detail: 'halted: 2 failed' } as RolloutRing['waitingFor'];

  test('is a failure, with what cells failed by, what was done and how long it took', () => {
    const exceptions = [{ cell: 'a', state: 'rolled-back' as const, reason: '', evidence: [evidence('p95 is 9 s')] }];
    const found = decided(granted(), report({ state: 'halted', waitingFor, exceptions }));
    expect(found).toMatchObject([
      {
        ...{ kind: 'failure', act: 'halted', version: V1, ring: 2, tookMs: 10 * MINUTE },
        ...{ outcome: 'no further cell starts', reason: 'halted: 2 failed', evidence: ['p95 is 9 s'] },
      },
    ]);
  });

  test('by the package’s fault finds the package at fault, by what was measured', () => {
    const health = { ring: measured } as unknown as NonNullable<RolloutRing['health']>;
    const found = decided(granted(), report({ state: 'halted', waitingFor, health }, { systemic: true }));
    expect(found).toMatchObject([
      { kind: 'failure', act: 'halted', evidence: ['4 % fail'] },
      { kind: 'failure', act: 'systemic', version: V1, ring: 2, reason: 'errors rose', evidence: ['4 % fail'] },
    ]);
  });
});

test('a package that a person took back is at fault by that person’s word', () => {
  const ring = granted('rollback');
  const asked = {
    version: V1,
    run: 'r',
    by: 'alice',
    reason: 'INC-1',
    url: null,
    ring: null,
    block: true,
    dryRun: false,
  };
  noteRollback(ring.state, asked, NOW);
  const said = report({ rolledBack: 3 }, { purpose: 'rollback', starter: `package-rollback/${V1}` });
  ring.state.blocked = [{ version: V1, by: 'alice', reason: 'INC-1', since: '', fixedIn: V2 }];
  const facts = { why: 'rolled-back', fixedIn: V2 };
  expect(decided(ring, said)).toMatchObject([
    { kind: 'failure', act: 'systemic', version: V1, ring: 2, reason: 'INC-1', facts },
  ]);
});

describe('what came of a pass', () => {
  const over = { ended: true, result: { outcome: 'converged', reason: '' } } as Partial<RingReport>;

  test('that took a package back is not that it converged', () => {
    const found = decided(
      granted('rollback'),
      report({ state: 'mixed', rolledBack: 2, failed: 0 }, { ...over, purpose: 'rollback' }),
    );
    expect(found).toMatchObject([
      { act: 'finished', outcome: 'rolled-back', facts: { purpose: 'rollback', rolledBack: 2, stayed: 0 } },
    ]);
    expect(decided(granted(), report({ state: 'converged' }, over))).toMatchObject([{ outcome: 'converged' }]);
    const failed = {
      ...over,
      purpose: 'rollback',
      result: { outcome: 'failed', reason: '1 could not go back' },
    } as const;
    expect(decided(granted('rollback'), report({}, failed as Partial<RingReport>))).toMatchObject([
      { outcome: 'failed' },
    ]);
  });

  test('that converged names the cells that did not, or none where it cannot name all', () => {
    const exceptions = [{ cell: 'b', state: 'failed' as const, reason: '' }];
    const convergedWith = (exceptionsTotal: number) => {
      const ring = granted();
      const before = beforeReport(ring.state, 2, ring.turn);
      Object.assign(ring.state.rings[2] ?? {}, { convergedAt: new Date(NOW).toISOString() });
      return decisionsOfReport(before, ring.state, ring.turn, report({ exceptions, exceptionsTotal }), NOW)[0]?.facts;
    };
    expect(convergedWith(1)).toMatchObject({ exceptions: ['b'] });
    expect(convergedWith(101)?.exceptions).toBeUndefined();
  });

  test('over some cells names those that are well again', () => {
    const ring = granted();
    ring.turn.request.cells = ['a', 'b', 'c'];
    const exceptions = [{ cell: 'b', state: 'rolled-back' as const, reason: '' }];
    expect(decided(ring, report({ exceptions }, over))).toMatchObject([
      { facts: { reconciles: 3, mended: ['a', 'c'] } },
    ]);
    const halted = { ...over, result: { outcome: 'halted', reason: '' } } as Partial<RingReport>;
    expect(decided(ring, report({ exceptions }, halted))[0]?.facts).not.toHaveProperty('mended');
  });
});

test('a pass that was lost is a failure of its package', () => {
  expect(decisionOfLoss(2, granted().turn, NOW)).toMatchObject({
    ...{ kind: 'failure', act: 'passLost', version: V1, ring: 2, tookMs: 10 * MINUTE },
    facts: { sender: 'package', purpose: 'deploy' },
  });
});

describe('what came of taking a package back', () => {
  const left = { total: 0, named: [], needDowntime: [] };
  const status = (more: object) =>
    ({ version: V1, state: 'rolled-back', reason: 'INC-1', startedAt: new Date(NOW).toISOString(), ...more }) as never;
  const rings = [{ rolledBack: 3 }, { rolledBack: 2 }];

  test('says how many cells went back, and how long that took', () => {
    expect(decisionOfRollbackEnd(status({ rings }), left, null, NOW + MINUTE)).toEqual({
      act: 'rollbackEnded',
      version: V1,
      outcome: 'rolled-back: 5 cells went back, 0 stayed',
      reason: 'INC-1',
      tookMs: MINUTE,
      facts: { rolledBack: 5, stayed: 0, needDowntime: [], left: [] },
    });
  });

  test('names cells that stayed, and who gave it up', () => {
    const stayed = { total: 1, named: [{ cell: 'c2-1', reason: 'PDM' }], needDowntime: ['c2-1'] };
    const givenUp = { by: 'bob', reason: 'enough' };
    const found = decisionOfRollbackEnd(status({ rings, ring: 2, state: 'aborted' }), stayed, givenUp, NOW);
    expect(found).toMatchObject({ ring: 2, reason: 'given up by bob: enough' });
    expect(found.facts).toMatchObject({ stayed: 1, left: ['c2-1'], needDowntime: ['c2-1'] });
  });
});
