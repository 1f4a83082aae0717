import { describe, expect, it } from 'vitest';
import type { OverridableWait } from '../../../src/contract/messages.js';
import type { RingResult, RingState, WaitingFor } from '../../../src/contract/status.js';
import { newPackageState, newTrack, type PackageState, type Track } from '../../../src/domain/rollout/state.js';
import { noteApproval, whyNoWait } from '../../../src/domain/rollout/waits.js';
import { V1 } from '../../support/fleet.js';

const waits = (kind: WaitingFor['kind']): WaitingFor => ({ kind, since: '', detail: `because of ${kind}`, next: [] });

/** A package that is in ring 2: its pass is in this state, and waits for this. */
function inRing(state: RingState, kind: WaitingFor['kind'] | null, more: Partial<Track> = {}): PackageState {
  const view = { state, waitingFor: kind && waits(kind) } as Track['view'];
  return { ...fresh(), tracks: { 2: { ...newTrack({ ring: 2 }, 'deploy', 'r', 0), stage: 'running', view, ...more } } };
}
const fresh = (more: Partial<PackageState> = {}): PackageState => ({ ...newPackageState(V1, null, 0), ...more });
const asksFor = (ring: number, kind: WaitingFor['kind']): PackageState =>
  fresh({ next: { requestId: 'n', after: null, sinceMs: 0, held: { ring, waiting: waits(kind) } } });
const check = (outcome: 'passed' | 'failed') => ({ ring: 2, name: 'qa', outcome, by: 'rt', at: '' });

describe('a wait that can be overridden', () => {
  it.each<[OverridableWait, string, PackageState]>([
    ['bake', 'runs', inRing('baking', 'bake')],
    ['bake', 'waits for an answer of its cells', inRing('baking', 'health')],
    ['bake', 'has a cell that goes back', inRing('rolling-back', 'bake')],
    ['grace-period', 'runs', inRing('grace', 'grace-period')],
    ['grace-period', 'is over but for AMP, which is in trouble', inRing('grace', 'operator')],
    ['health', 'is what it waits for', inRing('baking', 'health')],
    ['check', 'has failed', { ...inRing('halted', 'operator'), checks: [check('failed')] }],
    ['approval', 'is what its next ring waits for', asksFor(2, 'approval')],
    ['approval', 'is what a ring of the perimeter waits for', inRing('waiting', null, { held: waits('approval') })],
    ['approval', 'was given already', { ...inRing('rolling', null), approved: [2] }],
    [
      'approval',
      'is why its caller was refused',
      inRing('waiting', null, { stage: 'over', settled: { code: 'approval' } as RingResult }),
    ],
  ])('%s: it %s', (wait, _, state) => {
    expect(whyNoWait(state, 2, wait)).toBeNull();
  });
});

it('an approval that is said again counts from then, for its ring', () => {
  const state = inRing('rolling', null);
  noteApproval(state, 2, 10);
  noteApproval(state, 3, 11);
  noteApproval(state, 2, 12);
  expect(state).toMatchObject({ approved: [2, 3], approvedAtMs: { 2: 12, 3: 11 } });
});

describe('a wait that is not there', () => {
  it.each<[OverridableWait, string, PackageState, string]>([
    ['health', 'it rolls', inRing('rolling', null), 'there is none now'],
    ['bake', 'it rolls', inRing('rolling', null), 'there is none now'],
    ['bake', 'its bake is over', inRing('grace', 'grace-period'), 'grace-period, because of grace-period'],
    ['bake', 'it has halted', inRing('halted', 'operator'), 'operator, because of operator'],
    ['grace-period', 'it bakes', inRing('baking', 'bake'), 'bake, because of bake'],
    ['check', 'its check has passed', { ...inRing('baking', 'bake'), checks: [check('passed')] }, 'bake'],
    ['approval', 'it rolls', inRing('rolling', null), 'there is none now'],
    ['approval', 'another ring waits for it', asksFor(3, 'approval'), 'there is none now'],
    ['approval', 'a brake holds its ring', asksFor(2, 'brake'), 'brake, because of brake'],
    ['health', 'its pass is over', inRing('baking', 'health', { stage: 'over' }), 'there is none now'],
  ])('%s, where %s, is refused with what is', (wait, _, state, there) => {
    expect(whyNoWait(state, 2, wait)).toContain(`a wait that the package is in, in ring 2: ${there}`);
  });
});
