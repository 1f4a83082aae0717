import { describe, expect, it } from 'vitest';
import type { AskRollback } from '../../../src/contract/returning.js';
import { alertOfLeft } from '../../../src/domain/alerts/rollback.js';
import { noteFix } from '../../../src/domain/cluster/blocks.js';
import { noteSystemic } from '../../../src/domain/cluster/holders.js';
import { judgeRegistration, recordGraduation } from '../../../src/domain/cluster/packages.js';
import {
  endRollback,
  forgetGone,
  judgeRollback,
  keepLeft,
  noteReturned,
  noteRollback,
  returnWait,
  ringsToReturn,
  viewOfRollbacks,
} from '../../../src/domain/cluster/rollbacks.js';
import {
  type ClusterState,
  newClusterState,
  newRingRecord,
  type QueuedRequest,
} from '../../../src/domain/cluster/state.js';
import { viewOfCluster } from '../../../src/domain/cluster/view.js';
import { problemOf } from '../../docs/cellctl.js';
import { argumentsOf } from '../../docs/shell.js';
import { V0, V1, V2, V3 } from '../../support/fleet.js';

const NOW = Date.parse('2026-01-02T03:04:05Z');

function cluster(): ClusterState {
  const state = newClusterState();
  for (const ring of [0, 2, 3]) state.rings[ring] = newRingRecord(`ring-${ring}`);
  return Object.assign(state, { perimeter: 1, unmet: [] });
}

const ask = (more: Partial<AskRollback> = {}): AskRollback => ({
  version: V1,
  run: 'run-1',
  by: 'alice',
  reason: 'INC-4711',
  url: null,
  ring: null,
  block: true,
  dryRun: false,
  ...more,
});

const registers = (version: string) => {
  const message = { version, run: 'r', startedAtMs: NOW, chartVersion: null, reopen: false, graduatedAt: null };
  return message;
};

describe('the status of the cluster', () => {
  it('names what is being taken back, then what stayed', () => {
    const state = cluster();
    expect(viewOfRollbacks(state)).toEqual({});
    noteRollback(state, ask(), NOW);
    const since = new Date(NOW).toISOString();
    expect(viewOfRollbacks(state)).toEqual({
      rollbacks: [{ version: V1, by: 'alice', reason: 'INC-4711', since }],
    });
    const cells = [{ cell: 'a', reason: 'needs downtime' }];
    endRollback(state, { version: V1, run: 'run-1', left: { total: 2, named: cells, needDowntime: ['a'] } }, NOW);
    expect(viewOfRollbacks(state)).toEqual({
      leftBehind: [{ version: V1, since, total: 2, cells, needsDowntime: ['a'] }],
    });
    expect(viewOfCluster(state, NOW)).toMatchObject(viewOfRollbacks(state));
  });
});

describe('a package that is taken back', () => {
  it('no longer counts as graduated, and a new run of its rollout ends at once', () => {
    const state = cluster();
    recordGraduation(state, {
      requestId: 'g',
      version: V1,
      chartVersion: null,
      lane: null,
      by: 'b',
      at: '2026-01-01T00:00:00Z',
    });
    noteRollback(state, ask(), NOW);
    expect(state.graduated).toEqual([]);
    expect(judgeRegistration(state, registers(V1))).toMatchObject({ endedAs: 'rolled-back', endedRun: null });
  });

  it('leaves its open rollout to end by itself', () => {
    const state = cluster();
    judgeRegistration(state, registers(V1));
    noteRollback(state, ask(), NOW);
    expect([state.ended[V1], state.rollouts[V1] !== undefined]).toEqual([undefined, true]);
  });

  it('goes forward nowhere while that lasts; only its last run says that it is over', () => {
    const state = cluster();
    const request = { version: V1 } as QueuedRequest;
    expect(returnWait(state, request, 2)).toBeNull();
    noteRollback(state, ask({ block: false }), NOW);
    expect(returnWait(state, request, 2)).toMatchObject({ kind: 'brake', ring: 2, blocked: V1 });
    endRollback(state, { version: V1, run: 'an earlier one' }, NOW);
    expect(returnWait(state, request, 2)).not.toBeNull();
    endRollback(state, { version: V1, run: 'run-1' }, NOW);
    expect(returnWait(state, request, 2)).toBeNull();
  });

  it('is forgotten where its rollback is gone without a word, and not where that has asked again since', () => {
    const state = cluster();
    noteRollback(state, ask(), NOW);
    noteRollback(state, ask({ version: V2, run: 'run-2' }), NOW);
    const asked = { ...state.rollbacks };
    noteRollback(state, ask({ version: V2, run: 'run-3' }), NOW);
    expect(forgetGone(state, asked, new Set([`package-rollback/${V1}`]))).toEqual([]);
    expect(forgetGone(state, asked, new Set())).toEqual([V1]);
    expect(Object.keys(state.rollbacks)).toEqual([V2]);
    expect(judgeRollback(state, ask({ version: V3 }))).toBeNull();
  });

  it('is looked for in rings that run it, are to run it, or are being deployed', () => {
    const state = cluster();
    Object.assign(state.rings[0] ?? {}, { observed: { [V1]: 1 } });
    Object.assign(state.rings[3] ?? {}, { desired: V1 });
    expect(ringsToReturn(state, V1)).toEqual([0, 3]);
    expect(ringsToReturn(state, V2)).toEqual([]);
  });
});

describe('cells that a rollback left on the package', () => {
  const left = {
    total: 2,
    named: [
      { cell: 'c2-1', reason: 'rollback needs downtime' },
      { cell: 'c2-2', reason: 'its job failed' },
    ],
    needDowntime: ['c2-1'],
  };
  const ended = () => {
    const state = cluster();
    noteRollback(state, ask(), NOW);
    Object.assign(state.rings[2] ?? {}, { observed: { [V1]: 2 } });
    endRollback(state, { version: V1, run: 'run-1', left }, NOW);
    return state;
  };

  it('are told of until none is seen on it any more, or it is taken back once more', async () => {
    const state = ended();
    const [[version, found] = ['', null]] = keepLeft(state);
    const alert = found && alertOfLeft('prod', version, found, NOW);
    expect(alert).toMatchObject({ name: 'RollbackLeftCells', severity: 's2', version: V1 });
    for (const line of alert?.next ?? []) expect(await problemOf(argumentsOf('cellctl', line) ?? []), line).toBeNull();
    Object.assign(state.rings[2] ?? {}, { observed: { [V0]: 2 } });
    expect(keepLeft(state)).toEqual([]);
    const again = ended();
    noteRollback(again, ask({ run: 'run-2' }), NOW);
    expect(keepLeft(again)).toEqual([]);
  });

  it('are not forgotten before what they run was looked at', () => {
    const state = ended();
    Object.assign(state.rings[2] ?? {}, { observed: { unknown: 2 } });
    state.toLook = [2];
    expect(keepLeft(state)).toHaveLength(1);
  });

  it('are none where each went back', () => {
    const state = cluster();
    noteRollback(state, ask(), NOW);
    endRollback(state, { version: V1, run: 'run-1', left: { total: 0, named: [], needDowntime: [] } }, NOW);
    expect(state.leftByRollbacks).toBeUndefined();
  });
});

describe('a rollback is refused', () => {
  it.each([
    ['while a newer package is taken back, since cells are just coming to this one', V2, { version: V1 }, 'version'],
    ['of a ring that there is not', null, { ring: 9 }, 'ring'],
    ['of another package of the same time', null, { version: V1.replace('6a387d336a7', 'fffffffffff') }, 'version'],
  ])('%s', (_what, open, more, path) => {
    const state = cluster();
    state.rings[2] = { ...newRingRecord('ring-2'), desired: V1 };
    if (open) noteRollback(state, ask({ version: open }), NOW);
    expect(judgeRollback(state, ask(more))).toMatchObject({ path });
  });

  it('not while an older one is, nor again for the same package', () => {
    const state = cluster();
    noteRollback(state, ask({ version: V0 }), NOW);
    noteRollback(state, ask(), NOW);
    expect(judgeRollback(state, ask())).toBeNull();
    expect(judgeRollback(state, ask({ version: V2 }))).toBeNull();
  });
});

describe('after it', () => {
  const report = { version: V1, purpose: 'rollback' as const, starter: `package-rollback/${V1}` };
  const back = (rolledBack: number) => ({ ...report, view: { rolledBack } as never });

  it('the outermost ring that cells went back in is remembered, until one has baked there', () => {
    const state = cluster();
    for (const ring of [3, 2, 0]) noteReturned(state, ring, back(2), NOW);
    expect(state.systemic).toEqual({ version: V1, ring: 3, sinceMs: NOW, why: 'rolled-back' });
    noteSystemic(state, 2, { version: V2, systemic: false, baked: true }, NOW);
    expect(state.systemic).not.toBeNull();
    noteSystemic(state, 3, { version: V2, systemic: false, baked: true }, NOW);
    expect(state.systemic).toBeNull();
  });

  it.each([
    ['inside the perimeter', 0, back(1)],
    ['where no cell went back', 2, back(0)],
    ['where an abort took it back', 2, { ...back(1), starter: `package-rollout/${V1}` }],
  ])('nothing is remembered %s', (_what, ring, of) => {
    const state = cluster();
    noteReturned(state, ring, of, NOW);
    expect(state.systemic).toBeNull();
  });

  it('the fix that a block names, before or after, is known', () => {
    const said = { by: 'alice', reason: 'bad', since: '2026-01-02T03:04:05Z' };
    const before = cluster();
    before.blocked = [{ version: V1, fixedIn: V3, ...said }];
    noteReturned(before, 2, back(1), NOW);
    expect(before.systemic?.fixedIn).toBe(V3);
    const after = cluster();
    noteReturned(after, 2, back(1), NOW);
    noteFix(after, { version: V2, fixedIn: V3, ...said });
    expect(after.systemic?.fixedIn).toBeUndefined();
    noteFix(after, { version: V1, fixedIn: V3, ...said });
    expect(after.systemic?.fixedIn).toBe(V3);
  });
});
