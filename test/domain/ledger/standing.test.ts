import { describe, expect, test } from 'vitest';
import type { RolloutEnded } from '../../../src/contract/internal.js';
import type { LedgerEntry } from '../../../src/contract/ledger.js';
import { restore } from '../../../src/domain/cluster/restore.js';
import { noteRollback } from '../../../src/domain/cluster/rollbacks.js';
import { newClusterState } from '../../../src/domain/cluster/state.js';
import { putInForce } from '../../../src/domain/cluster/topology.js';
import { decisionOfReturn, decisionOfUnheardEnd } from '../../../src/domain/ledger/decisions.js';
import { entryOfAct } from '../../../src/domain/ledger/entry.js';
import { hasOrders, standingOf, summaryOf } from '../../../src/domain/ledger/standing.js';
import { fleet, V0, V1, V2, V3 } from '../../support/fleet.js';

const NOW = Date.parse('2026-03-10T00:00:00Z');
const LATER = '2026-03-11T00:00:00.000Z';
const EARLIER = '2026-03-09T00:00:00.000Z';

let made = 0;
const entry = (act: string, more: Partial<LedgerEntry> = {}): LedgerEntry => {
  made += 1;
  const at = new Date(Date.parse('2026-03-01T00:00:00Z') + made * 1000).toISOString();
  return { id: `run/${made}`, at, kind: 'act', cluster: 'c', act, by: 'alice', reason: 'because', ...more };
};
const engage = (brakeId: string, more: Record<string, unknown> = {}, about: Partial<LedgerEntry> = {}) =>
  entry('engageBrake', { facts: { brakeId, scope: 'outer', mode: 'finish-cells', ...more }, ...about });
const standing = (...entries: LedgerEntry[]) => standingOf(entries, NOW);
const ids = (brakes: { brakeId: string }[]) => brakes.map((b) => b.brakeId);

test('a package that was taken back is graduated no more, also where its rollout had converged before', () => {
  const state = newClusterState();
  const asked = { version: V1, run: 'r', by: 'alice', reason: 'x', url: null, ring: null, block: true, dryRun: false };
  noteRollback(state, asked, NOW);
  const about = { version: V1, facts: {} };
  const before = [
    entry('opened', about),
    entry('graduated', about),
    entry('ended', { ...about, outcome: 'converged' }),
  ];
  expect(standing(...before).graduated).toHaveLength(1);
  const after = standing(...before, entry('ended', decisionOfReturn(V1, state)));
  expect(after).toMatchObject({ graduated: [], ended: [{ version: V1, state: 'rolled-back' }] });
});

test('a package that ended while there was no cluster to hear it has ended, by its own word', () => {
  const about = { version: V1, facts: {} };
  const ended = (more: Partial<RolloutEnded>) =>
    decisionOfUnheardEnd(
      { version: V1, state: 'aborted', supersededBy: null, run: 'r', ...more },
      { chartVersion: '8.10.5' },
    );
  const after = standing(entry('opened', about), entry('graduated', about), entry('ended', ended({}) ?? {}));
  const how = { state: 'aborted', run: 'r', chartVersion: '8.10.5', runsWith: null, supersededBy: null };
  expect(after).toMatchObject({ graduated: [], ended: [{ version: V1, ...how }] });
  expect(ended({ state: 'superseded', supersededBy: V2 })?.facts).toMatchObject({ supersededBy: V2 });
  expect(ended({ forget: true })).toBeNull();
});

describe('brakes that stand by the ledger', () => {
  test.each<[string, LedgerEntry[], string[]]>([
    ['one that was engaged', [engage('a')], ['a']],
    ['one that was released', [engage('a'), entry('releaseBrake', { facts: { brakeId: 'a' } })], []],
    [
      'one engaged again after its release',
      [engage('a'), entry('releaseBrake', { facts: { brakeId: 'a' } }), engage('a')],
      ['a'],
    ],
    [
      'of two, the one not released',
      [engage('a'), engage('b'), entry('releaseBrake', { facts: { brakeId: 'a' } })],
      ['b'],
    ],
    ['one that expired, by its entry', [engage('a'), entry('brakeExpired', { facts: { brakeId: 'a' } })], []],
    ['one that expired while nobody looked', [engage('a', { expiresAt: EARLIER })], []],
    ['one that expires later', [engage('a', { expiresAt: LATER })], ['a']],
    ['a package’s own', [engage('a', { scope: 'package' }, { version: V1 })], []],
    ['the coordinator’s own', [engage('starter-gone-ring-2', {}, { by: 'coordinator' })], ['starter-gone-ring-2']],
    ['the one of an earlier cold start', [engage('cold-start', {}, { by: 'coordinator' })], []],
    ['a release that names none', [engage('a'), entry('releaseBrake')], ['a']],
  ])('%s', (_, entries, expected) => {
    expect(ids(standing(...entries).brakes)).toEqual(expected);
  });

  test('say the same as the brake did', () => {
    const brake = { brakeId: 'a', scope: { ring: 3 }, mode: 'cancel-cells', since: EARLIER, expiresAt: LATER };
    const message = { by: 'bob', reason: 'INC-1', url: 'https://example.com/1', ...brake };
    const told = { ...entry('engageBrake'), ...entryOfAct('engageBrake', message, 'on') };
    expect(standing(told).brakes).toEqual([message]);
  });
});

describe('brakes of packages that stand by the ledger', () => {
  const of = (version: string, brakeId: string, more = {}) =>
    engage(brakeId, { scope: 'package', ...more }, { version });
  const released = (version: string, brakeId: string) => entry('releaseBrake', { version, facts: { brakeId } });
  const held = (...entries: LedgerEntry[]) =>
    (standing(...entries).packageBrakes ?? []).map(({ version, brakes }) => [version, ids(brakes)]);

  test.each<[string, LedgerEntry[], [string, string[]][]]>([
    [
      'each package has its own',
      [of(V2, 'a'), of(V1, 'a')],
      [
        [V1, ['a']],
        [V2, ['a']],
      ],
    ],
    ['released in one, it holds in the other', [of(V1, 'a'), of(V2, 'a'), released(V1, 'a')], [[V2, ['a']]]],
    ['a brake of the cluster by the same name is another one', [engage('a'), released(V1, 'a')], []],
    ['one that has expired', [of(V1, 'a', { expiresAt: EARLIER })], []],
    ['of a package that has ended', [of(V1, 'a'), entry('ended', { version: V1, outcome: 'aborted' })], []],
    ['engaged in a package that was opened again', [entry('ended', { version: V1 }), of(V1, 'a')], [[V1, ['a']]]],
  ])('%s', (_, entries, expected) => {
    expect(held(...entries)).toEqual(expected);
  });

  test('are orders of people, and are told', () => {
    const found = standing(of(V1, 'a'));
    expect(hasOrders(found)).toBe(true);
    expect(summaryOf(found)).toContain('0 brakes, 1 brakes of packages');
  });

  test('are kept for a rollout that begins anew, not for one that has told its own or has ended', () => {
    const state = newClusterState();
    const brakes = [of(V1, 'a'), of(V2, 'b'), of(V3, 'c')];
    const told = { run: 'r', startedAtMs: 0, chartVersion: null, lane: null, graduatedAt: null };
    state.rollouts[V1] = { ...told, braked: { epoch: 'r', seq: 1, brakes: [] } };
    state.ended[V2] = { state: 'aborted', supersededBy: null, chartVersion: null, at: '', run: 'r' };
    restore(state, standing(...brakes));
    expect(Object.keys(state.lostBrakes ?? {})).toEqual([V3]);
  });
});

describe('packages that stand by the ledger', () => {
  const graduated = (version: string) =>
    entry('graduated', { version, kind: 'decision', by: 'coordinator', facts: { by: 'rt', graduatedAt: EARLIER } });
  const ended = (version: string, outcome: string, more = {}) =>
    entry('ended', { version, outcome, facts: { run: 'r', ...more } });

  test('graduated, with who said so and when', () => {
    const expected = { version: V1, graduatedAt: EARLIER, by: 'rt', blocked: false, convergedAt: null };
    expect(standing(graduated(V1), graduated(V1)).graduated).toEqual([expected]);
  });

  test('graduated and converged', () => {
    const end = ended(V1, 'converged');
    expect(standing(graduated(V1), end).graduated).toMatchObject([{ version: V1, convergedAt: end.at }]);
  });

  test.each(['aborted', 'rolled-back'])('%s: it counts as graduated no longer', (outcome) => {
    const { graduated: left, ended: over } = standing(graduated(V1), ended(V1, outcome));
    expect(left).toEqual([]);
    expect(over).toMatchObject([{ version: V1, state: outcome, run: 'r' }]);
  });

  test('opened again: it has not ended', () => {
    expect(standing(ended(V1, 'aborted'), entry('opened', { version: V1 })).ended).toEqual([]);
  });

  test('superseded, and by what', () => {
    const end = ended(V1, 'superseded', { supersededBy: V2, chartVersion: '8.1.0' });
    expect(standing(end).ended).toMatchObject([{ supersededBy: V2, chartVersion: '8.1.0', runsWith: null }]);
  });

  test('stopped by its own fault, until that is over', () => {
    const stop = entry('systemic', { version: V1, ring: 2 });
    expect(standing(stop).systemic).toEqual({ version: V1, ring: 2, sinceMs: Date.parse(stop.at) });
    expect(standing(stop, entry('systemicOver', { version: V1, ring: 2 })).systemic).toBeNull();
  });

  test('taken back by a person, and fixed in a package that nobody has to be asked for', () => {
    const facts = { why: 'rolled-back', fixedIn: V2 };
    const stop = entry('systemic', { version: V1, ring: 2, facts });
    expect(standing(stop).systemic).toEqual({ version: V1, ring: 2, sinceMs: Date.parse(stop.at), ...facts });
    // Whoever blocked it later knew the fix.
    const fault = entry('systemic', { version: V1, ring: 2 });
    const block = entry('blockVersion', { version: V0, facts: { version: V0, fixedIn: V3 } });
    expect(standing(fault, block).systemic).toMatchObject({ fixedIn: V3 });
    expect(standing(fault, block).systemic).not.toHaveProperty('why');
    expect(standing(fault, ended(V1, 'rolled-back')).systemic).toMatchObject({ why: 'rolled-back' });
    const other = entry('blockVersion', { version: V2, facts: { version: V2, fixedIn: V3 } });
    expect(standing(fault, other, ended(V2, 'rolled-back')).systemic).toEqual(standing(fault).systemic);
  });

  test('blocked, from the package on up to the one with the fix', () => {
    const block = entry('blockVersion', { version: V1, facts: { version: V1, fixedIn: V3 } });
    const found = standing(graduated(V0), graduated(V1), graduated(V2), graduated(V3), block);
    expect(found.graduated.map((g) => g.blocked)).toEqual([false, true, true, false]);
    expect(found.blocked).toEqual([{ version: V1, by: 'alice', reason: 'because', since: block.at, fixedIn: V3 }]);
    expect(standing(block, entry('unblockVersion', { version: V1 })).blocked).toEqual([]);
    // The same package under longer shas.
    const longer = V1.replace('6a387d336a7.c1c3e017782', '6a387d336a7abcdef.c1c3e017782abcdef');
    expect(standing(block, entry('unblockVersion', { version: longer })).blocked).toEqual([]);
  });

  test('what names no package says nothing', () => {
    const nonsense = ['graduated', 'opened', 'ended', 'systemic', 'blockVersion'].map((act) =>
      entry(act, { version: '17.10.0', ring: 2 }),
    );
    expect(standing(...nonsense)).toEqual(standing());
  });
});

test('cells in quarantine stand until they are readmitted, or their time is over', () => {
  const quarantine = (cell: string, expiresAt?: string) =>
    entry('quarantineCell', { cell, facts: { cell, expiresAt } });
  const found = standing(
    quarantine('a'),
    quarantine('b'),
    quarantine('c', EARLIER),
    quarantine('d', LATER),
    entry('readmitCell', { cell: 'b' }),
    quarantine('e'),
    entry('quarantineExpired', { cell: 'e' }),
  );
  expect(found.quarantined).toMatchObject([
    { cell: 'a', by: 'alice', reason: 'because' },
    { cell: 'd', expiresAt: LATER },
  ]);
});

test('what stands is told in words, and orders of people are told from what happened by itself', () => {
  const found = standing(engage('a'), entry('graduated', { version: V1 }));
  expect(summaryOf(found)).toBe('1 brakes, 0 blocked packages, 0 quarantined cells, 1 graduated packages');
  expect(hasOrders(found)).toBe(true);
  expect(hasOrders(standing(entry('graduated', { version: V1 })))).toBe(false);
});

describe('a cluster that began without memory', () => {
  const graduated = (version: string) => entry('graduated', { version });

  test('takes up what stands', () => {
    const state = newClusterState();
    restore(
      state,
      standing(
        engage('a'),
        graduated(V1),
        entry('ended', { version: V0, outcome: 'aborted' }),
        entry('systemic', { version: V1, ring: 2, facts: { why: 'rolled-back', fixedIn: V2 } }),
      ),
    );
    expect(ids(state.brakes)).toEqual(['a']);
    expect(state.graduated.map((g) => g.version)).toEqual([V1]);
    expect(state.ended[V0]).toMatchObject({ state: 'aborted' });
    expect(state.systemic).toMatchObject({ version: V1, ring: 2, why: 'rolled-back', fixedIn: V2 });
  });

  test('remembers a package that stopped in a ring which has left since in the next one that there is', () => {
    const state = newClusterState();
    putInForce(state, fleet({ 2: 1, 5: 1 }) as never, [], NOW);
    restore(state, standing(entry('systemic', { version: V1, ring: 3 })));
    expect(state.systemic).toMatchObject({ version: V1, ring: 5 });
  });

  test('takes up blocks, and quarantines of cells that the topology still has', () => {
    const state = newClusterState();
    putInForce(state, fleet({ 2: 2 }) as never, [], NOW);
    const quarantine = (cell: string, more = {}) => entry('quarantineCell', { cell, facts: { cell, ...more } });
    const block = entry('blockVersion', { version: V1, facts: { version: V1 } });
    const byTopology = quarantine('c2-2', { inTopology: true });
    restore(state, standing(quarantine('c2-1', { expiresAt: LATER }), quarantine('gone'), byTopology, block));
    expect(Object.keys(state.quarantined)).toEqual(['c2-1']);
    expect(state.quarantined['c2-1']).toMatchObject({ by: 'alice', reason: 'because', expiresAt: LATER });
    expect(state.blocked).toMatchObject([{ version: V1, by: 'alice' }]);
    restore(state, standing(block, quarantine('c2-1')));
    expect(state.blocked).toHaveLength(1);
    expect(state.quarantined['c2-1']?.expiresAt).toBe(LATER);
  });

  test('keeps what it has heard meanwhile', () => {
    const newer = {
      brakeId: 'a',
      scope: 'cluster',
      mode: 'cancel-cells',
      by: 'bob',
      reason: 'now',
      since: LATER,
    } as const;
    const again = { version: V1, graduatedAt: LATER, by: 'bob', blocked: false, convergedAt: null };
    const open = { run: 'r2', startedAtMs: NOW, chartVersion: null, lane: null, graduatedAt: null };
    const state = { ...newClusterState(), brakes: [newer], graduated: [again], rollouts: { [V0]: open } };
    restore(state, standing(engage('a'), graduated(V1), entry('ended', { version: V0, outcome: 'aborted' })));
    expect(state.brakes).toEqual([newer]);
    expect(state.graduated).toEqual([again]);
    expect(state.ended).toEqual({});
  });
});
