import { expect, test } from 'vitest';
import { act, at, judged, ms, status, V1 } from '../logs.js';
import type { ActRecord, Evidence, SeenAct } from '../types.js';
import { actsAreKept } from './acts-are-kept.js';

const skip = act('skipCell', 10, { cell: 'a1', reason: 'disk full' });
const kept = (more: Partial<SeenAct> = {}): SeenAct => ({
  at: at(10.2),
  act: 'skipCell',
  by: 'alice',
  reason: 'disk full',
  outcome: 'recorded',
  ...more,
});
const seen = (acts: SeenAct[] | null, more = {}) => ({ [V1]: status({ ...(acts ? { acts } : {}), ...more }) });
const onCluster = (record: ActRecord): ActRecord => ({ ...record, version: null });

test.each<[string, Omit<Partial<Evidence>, 'jobs'>]>([
  ['with who, when and why', { acts: [skip], statuses: seen([kept()]) }],
  ['by the cluster', { acts: [onCluster(skip)], cluster: { acts: [kept()] } }],
  [
    'once, though it was asked twice',
    {
      acts: [skip, { ...skip, askedAt: skip.askedAt + 9e3, answeredAt: skip.askedAt + 1e4 }],
      statuses: seen([kept()]),
    },
  ],
  ['nowhere, where it was refused', { acts: [{ ...skip, error: 'cell: found a1, expected b1' }], statuses: seen([]) }],
  [
    'as refused, where an abort met a rollout that had just ended',
    {
      acts: [act('abort', 10)],
      statuses: seen([], { finishedAt: at(9), rejected: [{ at: at(10), message: 'abort' }] }),
    },
  ],
  ['by a run before this one', { acts: [skip], statuses: seen([], { startedAt: at(20) }) }],
  [
    'by a run before this one, although it was answered later',
    {
      acts: [act('graduate', 5, {}, { error: 'it has ended' }), { ...skip, answeredAt: ms(30) }],
      statuses: seen([], { startedAt: at(20) }),
    },
  ],
  [
    'beyond what a status holds',
    { acts: [skip], statuses: seen(Array.from({ length: 200 }, () => kept({ act: 'override', at: at(99) }))) },
  ],
  ['where nobody has the status', { acts: [skip] }],
  [
    'nowhere, where a rollback is under way already',
    {
      acts: [act('rollback', 10, { reason: 'again' }, { answer: false })],
      rollbacks: { [V1]: [kept({ act: 'rollback' })] },
    },
  ],
])('an act is kept %s', (_what, evidence) => {
  expect(judged(actsAreKept, { jobs: [], ...evidence })).toEqual([]);
});

test.each<[string, SeenAct[]]>([
  ['not at all', []],
  ['as another act', [kept({ act: 'override' })]],
  ['as somebody else’s', [kept({ by: 'bob' })]],
  ['without its reason', [kept({ reason: 'none' })]],
  ['with a time before it', [kept({ at: at(9) })]],
  ['with a time after its answer', [kept({ at: at(11) })]],
  ['without what came of it', [kept({ outcome: '' })]],
])('an act that is kept %s is found', (_what, acts) => {
  expect(judged(actsAreKept, { jobs: [], acts: [skip], statuses: seen(acts) })).toHaveLength(1);
});

test('an act that starts a run is to be kept by it', () => {
  const graduation = act('graduate', 10);
  const statuses = seen([], { startedAt: at(10.1) });
  expect(judged(actsAreKept, { jobs: [], acts: [graduation], statuses })).toHaveLength(1);
});
