import { describe, expect, it } from 'vitest';
import type { CalendarWord } from '../../../src/contract/calendar.js';
import type { RequestRing, RingAnswer } from '../../../src/contract/internal.js';
import { engage } from '../../../src/domain/brake.js';
import { endTurn, enterTurn, handOver, loseStarter } from '../../../src/domain/cluster/holders.js';
import { enqueue, notePackageBrakes, ownPasses } from '../../../src/domain/cluster/reconcile.js';
import { type ClusterState, newClusterState, newRingRecord, type Turn } from '../../../src/domain/cluster/state.js';
import { decideTurns, nextOust, type TurnAction } from '../../../src/domain/cluster/turns.js';
import { parseTopology, type Topology } from '../../../src/domain/topology/index.js';
import { fleet, type Policy, V0, V1, V2, V3 } from '../../support/fleet.js';

const NOW = Date.parse('2026-01-02T03:04:05Z');

function topologyOf(policies: Record<number, Policy> = {}): Topology {
  const parsed = parseTopology(fleet({ 2: 2, 5: 2 }, policies));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.topology;
}

function cluster(): ClusterState {
  const state = newClusterState();
  for (const ring of [0, 1, 2, 5]) state.rings[ring] = newRingRecord(`ring-${ring}`);
  state.perimeter = 1;
  state.unmet = [];
  return state;
}

let named = 0;
function asks(
  state: ClusterState,
  version: string,
  ring: RequestRing['ring'],
  more: Partial<RequestRing> = {},
): string {
  named += 1;
  const requestId = more.requestId ?? `${version.slice(6, 18)}/${named}`;
  state.queue.push({
    requestId,
    version,
    chartVersion: null,
    ring,
    purpose: 'deploy',
    lane: null,
    approved: [],
    sinceMs: NOW,
    ...more,
    sender: `package-rollout/${version}`,
    at: null,
    told: '',
    held: null,
  } as ClusterState['queue'][number]);
  return requestId;
}

const answers = (actions: TurnAction[]): RingAnswer[] => actions.flatMap((a) => (a.do === 'answer' ? [a.answer] : []));
const kinds = (actions: TurnAction[]): string[] =>
  actions.map((a) => {
    if (a.do === 'make-room') return `make room: ${a.how}`;
    if (a.do === 'oust') return `oust from ${a.ring}`;
    return `${a.request.version.slice(6, 18)} ${a.do === 'drop' ? 'dropped' : a.answer.kind}`;
  });
const decide = (state: ClusterState, topology = topologyOf()) => decideTurns(state, topology, NOW);

function holds(state: ClusterState, version: string, ring: number, more: Partial<Turn> = {}): void {
  asks(state, version, ring);
  const request = state.queue.pop() as ClusterState['queue'][number];
  state.turns[ring] = {
    request: { ...request, at: ring },
    grantedAtMs: NOW,
    pass: 'pass',
    state: 'rolling',
    before: null,
    asked: false,
    rollbackSinceMs: null,
    starterGone: false,
    ...more,
  };
  if (state.rings[ring]) state.rings[ring].desired = version;
}

const [A, B, C] = [V1, V2, V3].map((v) => v.slice(6, 18));

describe('who gets a ring', () => {
  it('nobody, before there is a topology', () => {
    const state = cluster();
    asks(state, V1, 0);
    expect(decideTurns(state, null, NOW)).toEqual([]);
    expect(state.queue).toHaveLength(1);
  });

  it('one rollout at a time, first come first served', () => {
    const state = cluster();
    asks(state, V1, { after: null });
    asks(state, V2, { after: null });
    expect(kinds(decide(state))).toEqual([`${A} granted`, `${B} held`]);
    expect(state.turns[2]?.request.version).toBe(V1);
    expect(state.rings[2]?.desired).toBe(V1);
    expect(state.queue).toMatchObject([{ version: V2, at: 2, held: { kind: 'ring-turn' } }]);
  });

  it('the outer ring after the one named, numbers need not be contiguous; after the last there is none', () => {
    const state = cluster();
    for (const after of [null, 2, 5]) asks(state, V1, { after });
    expect(answers(decide(state)).map((a) => ('ring' in a ? a.ring : a.kind))).toEqual([2, 5, 'none']);
  });

  it.each([[null], [[2]]])('nobody, before it is known who is in the ring (%o)', (unmet) => {
    const state = Object.assign(cluster(), { unmet });
    asks(state, V1, 2, { purpose: 'rollback' });
    asks(state, V1, { after: 2 });
    expect(kinds(decide(state))).toEqual([`${A} held`, unmet === null ? `${A} held` : `${A} granted`]);
  });

  it('the same wait is said once', () => {
    const state = cluster();
    holds(state, V1, 2);
    asks(state, V2, { after: null });
    expect(kinds(decide(state))).toEqual([`${B} held`]);
    expect(kinds(decide(state))).toEqual([]);
  });

  it('no outer ring to a package whose lane has left the topology: it waits for its lane', () => {
    const state = cluster();
    asks(state, V1, { after: null }, { lane: 'urgent' });
    const detail = expect.stringContaining('urgent');
    expect(answers(decide(state))).toMatchObject([{ kind: 'held', waiting: { kind: 'topology', detail } }]);
    expect([state.turns, state.queue.length]).toEqual([{}, 1]);
  });

  it('a package that goes back, whatever became of its lane', () => {
    const state = cluster();
    asks(state, V1, 2, { lane: 'urgent', purpose: 'rollback' });
    expect(kinds(decide(state))).toEqual([`${A} granted`]);
  });

  it('whoever can be decided, past a request that cannot: that one leaves the queue and is named', () => {
    const state = cluster();
    const odd = asks(state, V1, { after: null }, { sinceMs: 1e300 });
    asks(state, V2, { after: null });
    const actions = decide(state);
    expect(actions[0]).toMatchObject({ do: 'drop', problem: { path: 'requestId', value: odd } });
    expect(answers(actions)).toMatchObject([{ kind: 'granted', ring: 2 }]);
    expect([state.queue, state.turns[2]?.request.version]).toEqual([[], V2]);
  });

  it.each([
    [99, 'deploy', '0, 1'],
    [2, 'deploy', '0, 1'],
    [2, 'migrate', '0, 1'],
    [99, 'rollback', '0, 1'],
  ] as const)('ring %i asked for by number to %s is rejected', (ring, purpose, expected) => {
    const state = cluster();
    asks(state, V1, ring, { purpose });
    expect(answers(decide(state))).toMatchObject([
      { kind: 'rejected', path: 'ring', value: String(ring), expected: expect.stringContaining(expected) },
    ]);
    expect(state.queue).toEqual([]);
  });

  it('a rollback may have any ring, and goes before everything that waits', () => {
    const state = cluster();
    asks(state, V2, { after: null });
    asks(state, V1, 2, { purpose: 'rollback' });
    expect(kinds(decide(state))).toEqual([`${A} granted`, `${B} held`]);
    expect(state.rings[2]?.desired).toBeNull();
  });

  it('a rollback takes the ring from a pass that holds it, and asks once', () => {
    const state = cluster();
    holds(state, V2, 2);
    asks(state, V1, 2, { purpose: 'rollback' });
    expect(kinds(decide(state))).toEqual([`${A} held`, 'make room: yield']);
    expect(kinds(decide(state))).toEqual([]);
  });

  it('a rollback waits for no brake, no approval, and no first look', () => {
    const state = cluster();
    state.brakes = engage([], { brakeId: 'b', scope: 'cluster', mode: 'cancel-cells', by: 'a', reason: 'r' }, NOW);
    state.cold = { by: 'a', isReleased: false };
    asks(state, V1, 2, { purpose: 'rollback' });
    expect(kinds(decide(state, topologyOf({ 2: { approval: 'required' } })))).toEqual([`${A} granted`]);
  });
});

describe('a ring that has, or is getting, a newer package', () => {
  it.each([
    ['it is to run one', (s: ClusterState) => Object.assign(s.rings[0] as object, { desired: V2 })],
    ['one holds it', (s: ClusterState) => holds(s, V2, 0)],
  ])('refuses an older one: %s', (_, given) => {
    const state = cluster();
    given(state);
    asks(state, V1, 0);
    expect(answers(decide(state))).toMatchObject([{ kind: 'refused', code: 'older_package', supersededBy: V2 }]);
    expect(state.queue).toEqual([]);
  });

  it('refuses its PDM as newer_running', () => {
    const state = cluster();
    Object.assign(state.rings[0] as object, { desired: V2 });
    asks(state, V1, 0, { purpose: 'migrate' });
    expect(answers(decide(state))).toMatchObject([{ kind: 'refused', code: 'newer_running' }]);
  });

  it('refuses an older graduated one in an outer ring too', () => {
    const state = cluster();
    Object.assign(state.rings[2] as object, { desired: V2 });
    asks(state, V1, { after: null });
    expect(answers(decide(state))).toMatchObject([{ kind: 'refused', code: 'older_package' }]);
  });

  it('takes the same package again', () => {
    const state = cluster();
    Object.assign(state.rings[0] as object, { desired: V1 });
    asks(state, V1, 0);
    expect(kinds(decide(state))).toEqual([`${A} granted`]);
  });

  it('in a soft ring replaces the older one that waits', () => {
    const state = cluster();
    holds(state, V1, 0);
    asks(state, V2, 0);
    asks(state, V3, 0);
    const said = kinds(decide(state));
    said.push(...kinds(decide(state)));
    expect(said).toContain('make room: hurry');
    expect(said).toContain(`${B} replaced`);
    expect(state.queue.map((q) => q.version.slice(6, 18))).toEqual([C]);
  });
});

describe('of several newer packages that wait for a soft ring', () => {
  it('the newest is named, whatever else of a newer one waits before it', () => {
    const state = cluster();
    holds(state, V0, 0);
    asks(state, V1, 0);
    asks(state, V3, 0, { purpose: 'migrate' });
    asks(state, V2, 0);
    decide(state);
    expect(answers(decide(state))).toMatchObject([{ kind: 'replaced', by: V2 }]);
    asks(state, V1, 0);
    asks(state, V3, 0);
    decide(state);
    expect(answers(decide(state))).toContainEqual(expect.objectContaining({ kind: 'replaced', by: V3 }));
    expect(state.queue.map((q) => `${q.purpose} ${q.version}`)).toEqual([`migrate ${V3}`, `deploy ${V3}`]);
  });

  it('one that is sent away itself replaces nobody', () => {
    const state = cluster();
    holds(state, V0, 0);
    asks(state, V1, 0, { approved: [0] });
    asks(state, V2, 0);
    expect(kinds(decide(state))).toEqual([`${A} held`, 'make room: hurry', `${B} held`]);
    const required = topologyOf({ 0: { approval: 'required' } });
    expect(kinds(decide(state, required))).toEqual([`${B} refused`]);
    expect(state.queue.map((q) => q.version)).toEqual([V1]);
  });
});

describe('making room', () => {
  it('a soft ring makes room for the newest at once', () => {
    const state = cluster();
    holds(state, V1, 0);
    asks(state, V2, 0);
    expect(kinds(decide(state))).toContain('make room: hurry');
  });

  it('a ring that blocks does not, while its pass runs', () => {
    const state = cluster();
    holds(state, V1, 0);
    asks(state, V2, 0);
    expect(kinds(decide(state, topologyOf({ 0: { onFailure: 'block' } })))).toEqual([`${B} held`]);
  });

  it.each([
    ['halted', 2, 'make room: supersede'],
    ['rolling', 2, null],
    ['baking', 2, null],
    ['grace', 2, null],
    ['migrating', 2, null],
    ['braked', 2, null],
    ['rolling-back', 2, null],
  ] as const)('an outer ring whose pass is %s makes room for a newer package: %s %s', (stands, ring, expected) => {
    const state = cluster();
    holds(state, V1, ring, { state: stands });
    asks(state, V2, { after: null });
    expect(kinds(decide(state))).toEqual([`${B} held`, ...(expected ? [expected] : [])]);
  });

  it('is asked again by its pass’s arrival, or the loss of whoever was told: nobody else would end it', () => {
    const soft = cluster();
    holds(soft, V1, 0, { pass: null, state: 'waiting' });
    asks(soft, V2, 0);
    expect(kinds(decide(soft))).toEqual([`${B} held`, 'make room: hurry']);
    enterTurn(soft.turns[0] as Turn, 'pass');
    expect(kinds(decide(soft))).toEqual(['make room: hurry']);
    enterTurn(soft.turns[0] as Turn, 'pass');
    expect(kinds(decide(soft))).toEqual([]);

    const halted = cluster();
    holds(halted, V1, 2, { state: 'halted' });
    asks(halted, V2, { after: null });
    expect(kinds(decide(halted))).toEqual([`${B} held`, 'make room: supersede']);
    loseStarter(halted.turns[2] as Turn);
    expect(kinds(decide(halted))).toEqual(['make room: yield']);
    handOver(halted, { version: V1, run: 'anew' });
    expect(kinds(decide(halted))).toEqual(['make room: supersede']);
    expect(kinds(decide(halted))).toEqual([]);
  });

  it('never for an older package, nor for a PDM', () => {
    const state = cluster();
    holds(state, V2, 0, { state: 'halted' });
    asks(state, V3, 0, { purpose: 'migrate' });
    expect(kinds(decide(state))).toEqual([`${C} held`]);
  });
});

describe('a rollback takes the ring', () => {
  const MINUTE = 60_000;
  const later = (state: ClusterState, ms: number) => decideTurns(state, topologyOf(), NOW + ms);

  it.each(['rolling', 'baking', 'grace', 'migrating', 'halted', 'braked'] as const)(
    'from a pass that is %s: it is asked to stop, and terminated after a minute',
    (stands) => {
      const state = cluster();
      holds(state, V2, 2, { state: stands });
      asks(state, V1, 2, { purpose: 'rollback' });
      expect(kinds(decide(state))).toEqual([`${A} held`, 'make room: yield']);
      expect(nextOust(state, NOW, MINUTE)).toBe(NOW + MINUTE);
      expect(kinds(later(state, MINUTE - 1))).toEqual([]);
      expect(later(state, MINUTE)).toEqual([{ do: 'oust', ring: 2, turn: state.turns[2], by: V1 }]);
      expect(nextOust(state, NOW + MINUTE, MINUTE)).toBeNull();
    },
  );

  it('again and again, until the ring is free: the first time may not have reached Temporal', () => {
    const state = cluster();
    holds(state, V2, 2);
    asks(state, V1, 2, { purpose: 'rollback' });
    decide(state);
    for (const ms of [MINUTE, MINUTE + 1]) expect(kinds(later(state, ms))).toEqual(['oust from 2']);
    delete state.turns[2];
    expect(kinds(later(state, MINUTE + 2))).toEqual([`${A} granted`]);
  });

  it('also from one that was there before the cluster, and does not say whose it is in a minute’s time', () => {
    const state = Object.assign(cluster(), { unmet: [2] });
    asks(state, V1, 2, { purpose: 'rollback', sinceMs: NOW - 9 * MINUTE });
    asks(state, V2, { after: null });
    expect(kinds(decide(state))).toEqual([`${A} held`, `${B} held`]);
    expect(nextOust(state, NOW, MINUTE)).toBe(NOW + MINUTE);
    expect(kinds(later(state, MINUTE - 1))).toEqual([]);
    expect(later(state, MINUTE)).toEqual([{ do: 'oust', ring: 2, turn: null, by: V1 }]);
    state.unmet = [];
    expect(kinds(later(state, MINUTE + 1))).toContain(`${A} granted`);
  });

  it('also from one that was told to make room for a newer package and has not', () => {
    const state = cluster();
    holds(state, V2, 2, { state: 'halted', asked: true });
    asks(state, V1, 2, { purpose: 'rollback' });
    expect(kinds(decide(state))).toEqual([`${A} held`, 'make room: yield']);
  });

  it('never from another rollback, nor for a package that goes forward', () => {
    const state = cluster();
    holds(state, V2, 2);
    if (state.turns[2]) state.turns[2].request.purpose = 'rollback';
    holds(state, V1, 5, { state: 'halted' });
    asks(state, V1, 2, { purpose: 'rollback' });
    asks(state, V2, { after: 2 });
    decide(state);
    expect(kinds(later(state, 10 * MINUTE))).toEqual([]);
    expect(nextOust(state, NOW, MINUTE)).toBeNull();
  });

  it('a cluster that carries turns of an older version over asks them, too', () => {
    const state = cluster();
    holds(state, V2, 2);
    delete (state.turns[2] as Partial<Turn>).rollbackSinceMs;
    asks(state, V1, 2, { purpose: 'rollback' });
    expect(kinds(decide(state))).toContain('make room: yield');
  });
});

describe('brakes and approvals', () => {
  const braked = (state: ClusterState, scope: 'cluster' | 'outer' | { ring: number }) => {
    state.brakes = engage(
      [],
      { brakeId: 'b', scope, mode: 'finish-ring', by: 'alice', reason: 'r', expiresAt: '2026-01-02T04:00:00Z' },
      NOW,
    );
  };

  it('inside the perimeter they refuse at once, with until and what would end it', () => {
    const state = cluster();
    braked(state, 'cluster');
    asks(state, V1, 0);
    expect(answers(decide(state))).toMatchObject([
      {
        kind: 'refused',
        code: 'braked',
        until: '2026-01-02T04:00:00.000Z',
        next: [expect.stringContaining('brake off')],
      },
    ]);
    const other = cluster();
    asks(other, V1, 0);
    expect(answers(decide(other, topologyOf({ 0: { approval: 'required' } })))).toMatchObject([
      { kind: 'refused', code: 'approval', next: [expect.stringContaining('approve')] },
    ]);
  });

  it('beyond it they hold', () => {
    const state = cluster();
    braked(state, { ring: 2 });
    asks(state, V1, { after: null });
    expect(answers(decide(state))).toMatchObject([
      { kind: 'held', waiting: { kind: 'brake', until: expect.any(String) } },
    ]);
    const other = cluster();
    asks(other, V1, { after: null });
    expect(answers(decide(other, topologyOf({ 2: { approval: 'required' } })))).toMatchObject([
      { kind: 'held', waiting: { kind: 'approval' } },
    ]);
  });

  it('one that covers other rings, or has expired, holds nothing', () => {
    const state = cluster();
    braked(state, { ring: 5 });
    asks(state, V1, { after: null });
    expect(kinds(decide(state))).toEqual([`${A} granted`]);
    const late = cluster();
    braked(late, 'cluster');
    asks(late, V1, { after: null });
    expect(kinds(decideTurns(late, topologyOf(), Date.parse('2026-01-02T04:00:00Z')))).toEqual([`${A} granted`]);
  });

  it('an approval for this ring is one for no other', () => {
    const topology = topologyOf({ 2: { approval: 'required' } });
    const state = cluster();
    asks(state, V1, { after: null }, { approved: [5] });
    expect(kinds(decide(state, topology))).toEqual([`${A} held`]);
    const approved = cluster();
    asks(approved, V1, { after: null }, { approved: [2] });
    expect(kinds(decide(approved, topology))).toEqual([`${A} granted`]);
  });

  it('an approval from before a stop for the package counts for the policy, and not for that stop', () => {
    const topology = topologyOf({ 2: { approval: 'required' } });
    const at = (approvedAtMs?: Record<number, number>) => {
      const state = cluster();
      state.systemic = { version: V1, ring: 3, sinceMs: NOW };
      asks(state, V2, { after: null }, { approved: [2], ...(approvedAtMs ? { approvedAtMs } : {}) });
      return answers(decide(state, topology))[0];
    };
    const held = { kind: 'held', waiting: { kind: 'approval', detail: expect.stringContaining(V1) } };
    expect(at({ 2: NOW - 1 })).toMatchObject(held);
    expect(at()).toMatchObject(held);
    expect(at({ 3: NOW + 1 })).toMatchObject(held);
    expect(at({ 2: NOW + 1 })).toMatchObject({ kind: 'granted' });
  });

  it('nothing goes forward before the first look at the cells is over', () => {
    const state = cluster();
    state.cold = { by: 'a', isReleased: true };
    asks(state, V1, { after: null });
    expect(answers(decide(state))).toMatchObject([{ kind: 'held', waiting: { kind: 'topology' } }]);
  });
});

describe('what the cluster itself asks for', () => {
  const own = (state: ClusterState) => {
    const who = { by: 'alice', askedFor: true };
    const what = { requestId: 'reconcile/run/1', ring: 2, version: V1, chartVersion: null, cells: ['c2-1'] };
    enqueue(state, { ...what, ...who }, NOW);
  };

  it('is granted where nobody holds the ring, approval or not', () => {
    const state = cluster();
    own(state);
    expect(kinds(decide(state, topologyOf({ 2: { approval: 'required' } })))).toEqual(['202503180906 granted']);
    expect(state.turns[2]?.request).toMatchObject({ sender: 'cell-cluster', cells: ['c2-1'] });
  });

  it('waits behind a package that waits for the ring, but for none that waits for a person', () => {
    const state = cluster();
    own(state);
    asks(state, V2, { after: 1 });
    expect(kinds(decide(state))).toEqual(['202503190906 granted', '202503180906 refused']);
    const later = cluster();
    own(later);
    asks(later, V2, { after: 1 });
    expect(kinds(decide(later, topologyOf({ 2: { approval: 'required' } })))).toEqual([
      '202503190906 held',
      '202503180906 granted',
    ]);
  });

  it('waits for a freeze to end, and for a window to open', () => {
    const freeze = { from: '2026-01-01T00:00:00Z', to: '2026-01-02T04:00:00Z', reason: 'holidays' };
    const window = { days: ['mon'], from: '09:00', to: '10:00', timezone: 'UTC' };
    const until = NOW + 7_200_000;
    const shut = { untilMs: until, freeze: null, window: { untilMs: until }, opensMs: until };
    const inTurn = (policy: Policy, words: (CalendarWord | null)[]) => {
      const state = cluster();
      own(state);
      return words.map((word, hour) => {
        state.calendars = word ? { '0/2/': word } : {};
        const [answer] = answers(decideTurns(state, topologyOf({ 2: policy }), NOW + hour * 3_600_000));
        return answer?.kind === 'held' ? answer.waiting.kind : answer?.kind;
      });
    };
    const open = { ...shut, window: null, opensMs: null };
    expect(inTurn({ freezes: [freeze] }, [null, null])).toEqual(['freeze', 'granted']);
    expect(inTurn({ deployWindows: [window] }, [shut, open])).toEqual(['deploy-window', 'granted']);
  });

  it('waits under a brake, and makes nobody make room', () => {
    const state = cluster();
    state.brakes = engage([], { brakeId: 'b', scope: 'outer', mode: 'finish-cells', by: 'x', reason: 'y' }, NOW);
    own(state);
    expect(decide(state)).toMatchObject([{ answer: { kind: 'held', waiting: { kind: 'brake' } } }]);
    const held = cluster();
    holds(held, V0, 2, { state: 'halted' });
    own(held);
    expect(kinds(decide(held))).toEqual(['202503180906 held']);
  });

  it('waits under a brake of the package itself; an older list of its brakes changes nothing', () => {
    const state = cluster();
    const open = { run: 'r', startedAtMs: 0, chartVersion: null, lane: null, graduatedAt: null };
    state.rollouts[V1] = open;
    const brakes = engage([], { brakeId: 'b', scope: 'package', mode: 'finish-cells', by: 'x', reason: 'y' }, NOW);
    notePackageBrakes(state, { version: V1, epoch: 'e', seq: 2, brakes });
    notePackageBrakes(state, { version: V1, epoch: 'e', seq: 1, brakes: [] });
    own(state);
    expect(decide(state)).toMatchObject([{ answer: { kind: 'held', waiting: { kind: 'brake' } } }]);
    notePackageBrakes(state, { version: V1, epoch: 'e', seq: 3, brakes: [] });
    expect(kinds(decide(state))).toEqual(['202503180906 granted']);
    expect(ownPasses(state, V1)).toEqual([]);
    Object.assign(state.turns[2] ?? {}, { pass: 'p' });
    expect(ownPasses(state, V1)).toMatchObject([{ ring: 2, pass: 'p' }]);
  });

  it('is refused where the ring is to run a newer package', () => {
    const state = cluster();
    (state.rings[2] as { desired: string | null }).desired = V2;
    own(state);
    expect(kinds(decide(state))).toEqual(['202503180906 refused']);
    expect(state.queue).toEqual([]);
  });

  it('makes room for every package, a running pass, too', () => {
    const state = cluster();
    own(state);
    decide(state);
    Object.assign(state.turns[2] as Turn, { pass: 'pass', state: 'rolling' });
    asks(state, V2, { after: 1 });
    expect(kinds(decide(state))).toEqual(['202503190906 held', 'make room: yield']);
  });

  it('is no orphan of a rollout of the same package that begins anew', () => {
    const state = cluster();
    own(state);
    decide(state);
    Object.assign(state.turns[2] as Turn, { pass: 'pass' });
    expect(handOver(state, { version: V1, run: 'new' })).toEqual({ passes: [], free: [] });
  });
});

describe('the queue of an outer ring', () => {
  const supersede = (word: string) => {
    const parsed = parseTopology(fleet({ 2: 2, 5: 2 }, {}, { coordination: { supersede: word }, lanes: LANES }));
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    return parsed.topology;
  };
  const LANES = { urgent: { bakeTime: '1m' }, cautious: { maxParallel: 1 } };

  it('a newer package takes the place of one that waits, and never of one that runs', () => {
    const state = cluster();
    holds(state, V1, 2);
    asks(state, V2, { after: null });
    expect(kinds(decide(state))).toEqual([`${B} held`]);
    asks(state, V3, { after: null });
    decide(state);
    const actions = decide(state);
    expect(kinds(actions)).toEqual([`${B} refused`]);
    expect(answers(actions)[0]).toMatchObject({ code: 'older_package', supersededBy: V3 });
    expect(state.turns[2]?.request.version).toBe(V1);
    expect(state.queue.map((q) => q.version)).toEqual([V3]);
  });

  it('supersede: never keeps them all, older ones first', () => {
    const state = cluster();
    const never = supersede('never');
    holds(state, V1, 2, { state: 'halted' });
    asks(state, V3, { after: null });
    asks(state, V2, { after: null });
    expect(kinds(decide(state, never))).toEqual([`${B} held`, `${C} held`]);
    delete state.turns[2];
    expect(kinds(decide(state, never))).toEqual([`${B} granted`, `${C} held`]);
  });

  it('what is urgent goes first, and gives its place to nothing that is not', () => {
    const state = cluster();
    const topology = supersede('waiting');
    holds(state, V0, 2);
    asks(state, V1, { after: null }, { lane: 'urgent' });
    asks(state, V2, { after: null }, { lane: 'cautious' });
    decide(state, topology);
    expect(kinds(decide(state, topology))).toEqual([]);
    delete state.turns[2];
    expect(kinds(decide(state, topology))).toEqual([`${A} granted`, `${B} held`]);
  });

  it('preempt takes the ring from a package that runs, which then is superseded; others wait', () => {
    const state = cluster();
    holds(state, V1, 2);
    asks(state, V2, { after: null });
    expect(kinds(decide(state))).toEqual([`${B} held`]);
    asks(state, V3, { after: null }, { preempt: true });
    expect(kinds(decide(state))).toEqual([`${C} held`, 'make room: supersede']);
  });

  it('preempt ends a package that has two rings: each is entered once its own pass has given way', () => {
    const state = cluster();
    holds(state, V1, 2, { state: 'grace' });
    holds(state, V1, 5);
    asks(state, V3, { after: null }, { lane: 'urgent', preempt: true });
    const topology = supersede('waiting');
    const [, told, ...others] = decide(state, topology);
    expect(told).toMatchObject({ do: 'make-room', ring: 2, by: V3, how: 'supersede' });
    // The rollout is told, and stops its passes in all its rings.
    expect([told?.do === 'make-room' && told.turn.request.sender, others]).toEqual([`package-rollout/${V1}`, []]);
    endTurn(state, 2, 'looked');
    expect(kinds(decide(state, topology))).toEqual([`${C} granted`]);
    expect([state.turns[2]?.request.version, state.turns[5]?.request.version]).toEqual([V3, V1]);
    asks(state, V3, { after: 2 }, { lane: 'urgent', preempt: true });
    expect(kinds(decide(state, topology))).toEqual([`${C} held`, 'make room: supersede']);
    expect(kinds(decide(state, topology))).toEqual([]);
    endTurn(state, 5, 'looked');
    expect(kinds(decide(state, topology))).toEqual([`${C} granted`]);
    expect(state.turns[5]?.request.version).toBe(V3);
  });

  it('preempt takes nothing that it could not use: where a person or a brake holds it, what runs goes on', () => {
    const state = cluster();
    const approving = topologyOf({ 2: { approval: 'required' } });
    holds(state, V1, 2);
    asks(state, V2, { after: null }, { preempt: true });
    expect(kinds(decide(state, approving))).toEqual([`${B} held`]);
    expect(kinds(decide(state))).toEqual(['make room: supersede']);
  });

  describe('a package that is halted further out, and here waits for that alone', () => {
    const everywhere = topologyOf({ 2: { migrateWhen: 'everywhere' } });
    const comes = (here: Partial<Turn>, beyond: Partial<Turn>, topology = everywhere, state = cluster()) => {
      holds(state, V1, 2, here);
      holds(state, V1, 5, beyond);
      asks(state, V2, { after: null });
      return kinds(decide(state, topology));
    };
    const GRACE = { state: 'grace', waits: 'grace-period' } as const;
    const HALTED = { state: 'halted', waits: 'operator' } as const;
    const TAKEN = [`${B} held`, 'make room: supersede'];
    const KEPT = [`${B} held`];
    const withFailed = (exception: 'failed' | 'migration-failed') => {
      const state = cluster();
      const exceptions = [{ cell: 'a', state: exception, reason: 'x' }];
      Object.assign(state.rings[5] ?? {}, { exceptions, exceptionsTotal: 1 });
      return state;
    };

    it('gives way where its PDM waits for its bake in every ring', () => {
      expect(comes(GRACE, HALTED)).toEqual(TAKEN);
    });

    it('gives way where its PDM failed there, and holds it here', () => {
      const held = { state: 'migrating', waits: 'operator' } as const;
      expect(comes(held, HALTED, topologyOf(), withFailed('migration-failed'))).toEqual(TAKEN);
      expect(comes(held, HALTED, topologyOf(), withFailed('failed'))).toEqual(KEPT);
    });

    it('keeps its ring where it goes on here, or there', () => {
      expect(comes(GRACE, HALTED, topologyOf())).toEqual(KEPT);
      expect(comes({ state: 'baking', waits: 'bake' }, HALTED)).toEqual(KEPT);
      expect(comes(GRACE, { state: 'rolling', waits: null })).toEqual(KEPT);
    });

    it('gives way to nothing that needs a yes past its stop', () => {
      const state = cluster();
      state.systemic = { version: V1, ring: 5, sinceMs: NOW };
      expect(comes(GRACE, HALTED, everywhere, state)).toEqual(KEPT);
    });
  });

  it('nothing is superseded whose rollout is gone: its pass yields once it is braked', () => {
    const state = cluster();
    holds(state, V1, 2, { starterGone: true });
    asks(state, V2, { after: null }, { preempt: true });
    expect(kinds(decide(state))).toEqual([`${B} held`]);
    Object.assign(state.turns[2] ?? {}, { state: 'braked' });
    expect(kinds(decide(state)).at(-1)).toBe('make room: yield');
  });

  describe('where one waits for a person', () => {
    const approving = topologyOf({ 2: { approval: 'required' } });
    /** What becomes of V2 once V3 has come: what is decided then, and who is left. */
    const withNewer = (
      older: Partial<RequestRing>,
      newer: Partial<RequestRing>,
      topology = approving,
      state = cluster(),
    ) => {
      asks(state, V2, { after: null }, older);
      decide(state, topology);
      asks(state, V3, { after: null }, newer);
      decide(state, topology);
      return [kinds(decide(state, topology)), state.queue.map((q) => q.version)];
    };
    const held = () => {
      const state = cluster();
      holds(state, V1, 2);
      return state;
    };
    const stopped = (more: object = {}) => {
      const state = cluster();
      state.systemic = { version: V1, ring: 3, sinceMs: NOW, ...more };
      return state;
    };
    const SUPERSEDED = [[`${B} refused`], [V3]];
    const KEPT = [[], [V2, V3]];

    it('one that waits for a yes gives its place to a newer one, so that approvals do not pile up', () => {
      expect(withNewer({}, {})).toEqual(SUPERSEDED);
      expect(withNewer({}, { approved: [2] }, approving, held())).toEqual(SUPERSEDED);
    });

    it('one that has its yes keeps its place before one that has none', () => {
      expect(withNewer({ approved: [2] }, {}, approving, held())).toEqual(KEPT);
    });

    it('one that waits for a yes past a stop gives its place to a newer one, whatever yes that needs', () => {
      for (const topology of [topologyOf(), approving]) {
        expect(withNewer({}, {}, topology, stopped())).toEqual(SUPERSEDED);
        expect(withNewer({}, {}, topology, stopped({ fixedIn: V3 }))[1]).not.toContain(V2);
      }
    });

    it('one that waits for the policy’s yes keeps its place before one that needs one past a stop', () => {
      const state = stopped();
      Object.assign(state.systemic ?? {}, { version: V2 });
      expect(withNewer({}, {}, approving, state)).toEqual(KEPT);
    });

    it('one that is blocked, or has lost its lane, takes nobody’s place', () => {
      const blocked = cluster();
      const block = { by: 'alice', reason: 'INC-4711', since: '2026-01-02T03:04:05Z' };
      blocked.blocked = [{ version: V3, ...block }];
      expect(withNewer({}, {}, approving, blocked)).toEqual(KEPT);
      expect(withNewer({}, { lane: 'gone' })).toEqual(KEPT);
    });

    it('what is urgent keeps its place before what is not', () => {
      const parsed = parseTopology(fleet({ 2: 2, 5: 2 }, { 2: { approval: 'required' } }, { lanes: LANES }));
      if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
      expect(withNewer({ lane: 'urgent' }, {}, parsed.topology)).toEqual(KEPT);
      expect(withNewer({ lane: 'urgent' }, { lane: 'urgent' }, parsed.topology)).toEqual(SUPERSEDED);
    });

    it('a yes holds nobody up in a ring that is only observed: a newer one takes the place', () => {
      const observing = topologyOf({ 2: { approval: 'required', mode: 'observe' } });
      expect(withNewer({ approved: [2] }, {}, observing, held())).toEqual(SUPERSEDED);
    });
  });

  it('preempt takes no ring inside the perimeter, and none from a rollback', () => {
    const state = cluster();
    holds(state, V1, 1);
    asks(state, V2, 1, { preempt: true });
    expect(kinds(decide(state))).toEqual([`${B} held`]);
    holds(state, V1, 2);
    Object.assign(state.turns[2]?.request ?? {}, { purpose: 'rollback' });
    asks(state, V3, { after: null }, { preempt: true });
    expect(kinds(decide(state))).toEqual([`${C} held`]);
  });
});

describe('a package that has graduated with a lane', () => {
  const withLanes = () => {
    const lanes = {
      cautious: { approval: 'required', freezes: [{ from: '2026-01-01T00:00:00Z', to: '2026-01-09T00:00:00Z' }] },
    };
    const parsed = parseTopology(fleet({ 2: 2 }, {}, { lanes }));
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    return parsed.topology;
  };

  it('goes by no lane inside the perimeter: neither what it adds nor that it is gone holds it there', () => {
    for (const lane of ['cautious', 'gone']) {
      const state = cluster();
      asks(state, V1, 0, { lane });
      asks(state, V1, 1, { lane, purpose: 'migrate' });
      expect(kinds(decide(state, withLanes()))).toEqual([`${A} granted`, `${A} granted`]);
      asks(state, V1, { after: null }, { lane });
      expect(kinds(decide(state, withLanes()))).toEqual([`${A} held`]);
    }
  });
});

describe('a pause for drift', () => {
  const paused = (state: ClusterState) => {
    state.drift.paused = { sinceMs: NOW, rings: [5] };
    return state;
  };

  it('refuses what is new inside the perimeter, with what to type next, and nothing beyond it', () => {
    const state = paused(cluster());
    asks(state, V1, 0);
    asks(state, V0, { after: null });
    const actions = decide(state);
    expect(kinds(actions)).toEqual([`${A} refused`, `${V0.slice(5, 17)} granted`.replace(/^\d+/, V0.slice(6, 18))]);
    expect(answers(actions)[0]).toMatchObject({ code: 'drift' });
    expect(JSON.stringify(answers(actions)[0])).toContain('--fixes');
  });

  it('lets a fix in, and everything on a person’s word', () => {
    const state = paused(cluster());
    asks(state, V1, 0, { fixes: 'INC-1' });
    expect(kinds(decide(state))).toEqual([`${A} granted`]);
    const other = paused(cluster());
    other.drift.override = { by: 'alice', reason: 'seen', sinceMs: NOW };
    asks(other, V1, 0);
    expect(kinds(decide(other))).toEqual([`${A} granted`]);
  });

  it('refuses nothing that is in the ring already', () => {
    const state = paused(cluster());
    Object.assign(state.rings[0] ?? {}, { observed: { [V1]: 1 } });
    asks(state, V1, 0);
    expect(kinds(decide(state))).toEqual([`${A} granted`]);
  });

  it('does not stop PDM of what is there', () => {
    const state = paused(cluster());
    asks(state, V1, 1, { purpose: 'migrate' });
    expect(kinds(decide(state))).toEqual([`${A} granted`]);
  });
});
