import { describe, expect, it } from 'vitest';
import type { RequestRing, RingAnswer } from '../../../src/contract/internal.js';
import { type ClusterState, newClusterState, newRingRecord, type Turn } from '../../../src/domain/cluster/state.js';
import { decideTurns, type TurnAction } from '../../../src/domain/cluster/turns.js';
import { viewOfCluster } from '../../../src/domain/cluster/view.js';
import { parseTopology, type Topology } from '../../../src/domain/topology/index.js';
import { fleet, V1, V2, V3 } from '../../support/fleet.js';

const NOW = Date.parse('2026-01-02T03:04:05Z');

function topology(): Topology {
  const parsed = parseTopology(fleet({ 2: 2, 5: 2 }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.topology;
}

function cluster(blocked: { version: string; fixedIn?: string }): ClusterState {
  const state = newClusterState();
  for (const ring of [0, 1, 2, 5]) state.rings[ring] = newRingRecord(`ring-${ring}`);
  const said = { by: 'alice', reason: 'INC-4711', since: '2026-01-02T03:04:05Z' };
  return Object.assign(state, { perimeter: 1, unmet: [], blocked: [{ ...blocked, ...said }] });
}

function request(version: string, ring: RequestRing['ring'], purpose: RequestRing['purpose'] = 'deploy') {
  const asked = { requestId: `${version}/1`, version, chartVersion: null, ring, purpose, lane: null, approved: [] };
  return { ...asked, sinceMs: NOW, sender: `package-rollout/${version}`, at: null, told: '', held: null };
}

function holds(state: ClusterState, version: string, ring: number, more: Partial<Turn> = {}): void {
  const turn = { request: { ...request(version, ring), at: ring }, grantedAtMs: NOW, pass: 'pass', before: null };
  const still = { state: 'rolling' as const, asked: false, rollbackSinceMs: null, starterGone: false };
  state.turns[ring] = { ...turn, ...still, ...more };
}

const decide = (state: ClusterState): TurnAction[] => decideTurns(state, topology(), NOW);
const answers = (actions: TurnAction[]): RingAnswer[] => actions.flatMap((a) => (a.do === 'answer' ? [a.answer] : []));

describe('a blocked package', () => {
  it('waits before an outer ring and says for what; it stands in nobody’s way, nor in the queue that people see', () => {
    const state = cluster({ version: V1, fixedIn: V3 });
    state.queue.push(request(V1, { after: null }), request(V3, { after: null }));
    const [held, granted] = answers(decide(state));
    expect(held).toMatchObject({ kind: 'held', waiting: { kind: 'brake', blocked: V1 } });
    expect(granted).toMatchObject({ kind: 'granted', ring: 2 });
    expect(viewOfCluster(state, NOW).queue).toEqual([]);
  });

  it('is refused at once inside the perimeter, with what to type', () => {
    const state = cluster({ version: V1 });
    state.queue.push(request(V2, 0), request(V1, 0, 'migrate'));
    const refused = answers(decide(state));
    expect(refused).toMatchObject([
      { kind: 'refused', code: 'blocked', next: [`cellctl unblock ${V1} --reason "…"`] },
      { kind: 'refused', code: 'blocked' },
    ]);
  });

  it('is taken back all the same', () => {
    const state = cluster({ version: V1 });
    state.queue.push(request(V1, 2, 'rollback'));
    expect(answers(decide(state))).toMatchObject([{ kind: 'granted', ring: 2 }]);
  });

  it('takes no ring from a halted one', () => {
    const state = cluster({ version: V2 });
    holds(state, V1, 2, { state: 'halted' });
    state.queue.push(request(V3, { after: null }));
    expect(decide(state).map((a) => a.do)).toEqual(['answer']);
  });

  it.each(['rolling', 'baking', 'braked'] as const)(
    'that holds a ring gives way to the one that it is fixed in, while it is %s',
    (at) => {
      const state = cluster({ version: V1, fixedIn: V3 });
      holds(state, V1, 2, { state: at });
      state.queue.push(request(V3, { after: null }));
      expect(decide(state)).toContainEqual(expect.objectContaining({ do: 'make-room', ring: 2, how: 'supersede' }));
    },
  );
});
