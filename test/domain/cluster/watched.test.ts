import { describe, expect, it } from 'vitest';
import type { RingHealth } from '../../../src/contract/activities.js';
import { type ClusterState, newClusterState, newRingRecord } from '../../../src/domain/cluster/state.js';
import { putInForce } from '../../../src/domain/cluster/topology.js';
import { isWatched, noteWatched, watchedAs } from '../../../src/domain/cluster/watched.js';
import { parseTopology } from '../../../src/domain/topology/index.js';
import { fleet, type Policy, V0, V1, V2 } from '../../support/fleet.js';

const NOW = Date.parse('2026-01-02T03:04:05Z');
const WELL: RingHealth = { healthy: true, sentence: 'ring 2 is healthy' };
const ILL: RingHealth = { healthy: false, sentence: 'ring 2 is unhealthy (c2-1): errors' };

function topology(policy: Policy = { mode: 'observe' }) {
  const parsed = parseTopology(fleet({ 2: 3, 3: 1 }, { 0: { mode: 'observe' }, 2: policy }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.topology;
}

function cluster(observed: Record<string, number>, graduated: string[] = [V0, V1]): ClusterState {
  const state = newClusterState();
  state.rings = {
    0: { ...newRingRecord('qa'), desired: V0, observed: { [V0]: 1 } },
    2: { ...newRingRecord('r2'), total: 3, desired: V0, observed },
  };
  const at = { by: 'release-tools', graduatedAt: '2026-01-01T00:00:00Z', convergedAt: null, blocked: false };
  state.graduated = graduated.map((version) => ({ version, ...at }));
  return state;
}

const watched = (state: ClusterState, health = WELL, ring = 2) => watchedAs(state, topology(), ring, health, NOW);

describe('a ring that is only observed', () => {
  it('is one that the coordinator would deploy, and says observe', () => {
    expect([0, 1, 2, 3].map((ring) => isWatched(topology(), ring))).toEqual([true, false, true, false]);
    expect(isWatched(topology(), 9)).toBe(false);
  });

  it('would get the newest package that may go there, on the cells that do not run it or a newer one', () => {
    expect(watched(cluster({ [V0]: 1, [V1]: 1, [V2]: 1 }))).toEqual({
      at: '2026-01-02T03:04:05.000Z',
      version: V1,
      would: 1,
      healthy: true,
      sentence: `only observed: would deploy ${V1} to 1 of 3 cells; ring 2 is healthy`,
    });
    expect(watched(cluster({ [V0]: 1, unknown: 2 })).would).toBe(3);
  });

  it('would get it on no cell that people took out', () => {
    const state = cluster({ [V0]: 3 });
    state.quarantined['c2-1'] = { by: 'alice', reason: 'disk' } as never;
    expect(watched(state)).toMatchObject({
      would: 2,
      sentence: expect.stringContaining(`would deploy ${V1} to 2 of 3 cells (1 left alone)`),
    });
    const of = topology();
    const [, pinned, held] = of.rings.find(({ ring }) => ring === 2)?.cells ?? [];
    if (pinned) pinned.pinned = { reason: 'a test', until: '2026-01-03T00:00:00Z' };
    const seen = (observed: Record<string, number>, now = NOW) =>
      watchedAs({ ...state, rings: cluster(observed).rings }, of, 2, WELL, now);
    // Which of them run what is not known here.
    expect(seen({ [V0]: 2, [V1]: 1 })).toMatchObject({
      would: 1,
      sentence: expect.stringContaining('at most 1 of 3 cells (2 left alone)'),
    });
    expect(seen({ [V0]: 3 }, NOW + 2 * 86_400_000).would).toBe(2);
    if (held) held.quarantined = { reason: 'dns' };
    expect(seen({ [V0]: 3 })).toMatchObject({
      would: 0,
      sentence: expect.stringContaining('all 3 cells are left alone'),
    });
    expect(seen({ [V1]: 3 }).sentence).toContain(`all 3 cells run ${V1}, or newer`);
  });

  it('takes a package for the same where its shas are written longer', () => {
    const longer = V1.replace('6a387d336a7.', '6a387d336a7abcd.');
    expect(watched(cluster({ [longer]: 3 })).would).toBe(0);
  });

  it('says what would stop it', () => {
    expect(watched(cluster({ [V1]: 3 }), ILL)).toMatchObject({
      would: 0,
      healthy: false,
      sentence: `only observed: nothing to deploy: all 3 cells run ${V1}, or newer; would stop for this: ${ILL.sentence}`,
    });
  });

  it('would get no blocked package, and inside the perimeter only what it was told to run', () => {
    const state = cluster({ [V0]: 3 });
    state.blocked = [{ version: V1, by: 'alice', reason: 'bad', since: '2026-01-01T00:00:00Z' } as never];
    expect(watched(state)).toMatchObject({ version: V0, would: 0 });
    expect(watched(cluster({ [V0]: 3 }), WELL, 0)).toMatchObject({ version: V0, would: 0 });
    const nothing = { ...cluster({}, []), rings: { 2: newRingRecord('r2') } };
    expect(watched(nothing)).toMatchObject({
      version: null,
      would: 0,
      sentence: expect.stringContaining('no package would go there'),
    });
  });

  it('is a decision only where something is another than before', () => {
    const state = cluster({ [V0]: 3 });
    const decisions = [
      noteWatched(state, 2, watched(state)),
      noteWatched(state, 2, { ...watched(state), at: '2026-01-03T00:00:00Z' }),
      noteWatched(state, 2, watched(state, ILL)),
    ];
    expect(decisions.map((d) => d && [d.act, d.ring, d.version, d.facts])).toEqual([
      ['observed', 2, V1, { would: 3, healthy: true }],
      null,
      ['observed', 2, V1, { would: 3, healthy: false }],
    ]);
    expect(noteWatched(state, 7, watched(state))).toBeNull();
  });

  it('is watched no more once the topology lets the ring act', () => {
    const state = cluster({ [V0]: 3 });
    noteWatched(state, 2, watched(state));
    putInForce(state, topology(), [], NOW);
    expect(state.rings[2]?.watched).toBeDefined();
    putInForce(state, topology({}), [], NOW);
    expect(state.rings[2]?.watched).toBeUndefined();
  });
});
