import { expect, test } from 'vitest';
import { OUTCOMES, outcomeOfCall } from '../../../src/domain/rollout/outcomes.js';
import { newPackageState } from '../../../src/domain/rollout/state.js';
import { V1 } from '../../support/fleet.js';

const NOW = Date.parse('2026-01-02T03:04:05Z');

test('what came of a call for a ring is a refusal where the package itself refuses it', () => {
  const s = newPackageState(V1, null, NOW);
  s.registered = true;
  expect(outcomeOfCall(s, 0, NOW)).toBe('ring 0');
  const since = new Date(NOW).toISOString();
  s.brakes = [{ brakeId: 'b', scope: 'package', mode: 'finish-cells', by: 'alice', reason: 'x', since }];
  expect(outcomeOfCall(s, 0, NOW)).toBe('ring 0: refused, braked');
  s.brakes = [];
  s.end = { state: 'aborted', supersededBy: null };
  expect(outcomeOfCall(s, 0, NOW)).toBe('ring 0: refused, ended');
  // Before the cluster has answered, nobody knows.
  s.registered = false;
  expect(outcomeOfCall(s, 0, NOW)).toBe('ring 0');
});

test('what came of acts is told from one another', () => {
  const who = { by: 'alice', reason: 'x' };
  expect(OUTCOMES.abort({ ...who, rollback: true })).toContain('go back');
  expect(OUTCOMES.abort(who)).not.toContain('go back');
  expect(OUTCOMES.recordCheck({ by: 'qa', ring: 0, name: 'e2e', outcome: 'failed' })).toBe(
    'check e2e of ring 0: failed',
  );
  expect(OUTCOMES.retryRing({ by: 'alice', ring: 2, cells: ['a', 'b'] })).toContain('2 cells');
  expect(OUTCOMES.retryRing({ by: 'alice', ring: 2 })).toContain('what did not converge');
});
