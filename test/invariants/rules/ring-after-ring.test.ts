import { describe, expect, test } from 'vitest';
import { act, at, cell, graduated, job, judged, type Log, ring, rollback, status, topology, V1, V2 } from '../logs.js';
import { ringAfterRing } from './ring-after-ring.js';

const both = [job({ cell: 'a1', at: 0 }), job({ cell: 'a2', at: 1 })];
/** Both cells of ring 2 are there at 2 s, so it has baked at 12 s. */
const next = (seconds: number, more = {}) => job({ cell: 'b1', at: seconds, ...more });
const first = (seconds: number) => [`configure-b1-${seconds}`];

const PASS = '0f8a2c1e-1111-4222-8333-94a5b6c7d8e9';
const OTHER = '1f8a2c1e-1111-4222-8333-94a5b6c7d8e9';
const keyOf = (cell: string, pass: string) => `ccc/test/${pass}/${cell}/configure/${V1}/1`;
/** `a1` has gone from ring 2 to ring 3. */
const moved = topology({}, { 2: { cells: [cell('a2')] }, 3: { cells: [cell('b1'), cell('a1')] } });
const quarantined = ['a1', 'a2'].map((id) => act('quarantineCell', 1, { cell: id }, { version: null }));
/** A later pass of the package has entered ring 2 since: when the first one did is not seen any more. */
const enteredAgain = { [V1]: status({ rings: [ring(2, { total: 2, converged: 0, startedAt: at(40) })] }) };
const TOO_LATE = 'expiresAt: found then, expected an instant in the future';
const quarantinedUntil = (seconds: number) =>
  act('quarantineCell', 0, { cell: 'a2', expiresAt: at(seconds) }, { version: null });
const pinnedA2 = topology(
  {},
  { 2: { cells: [cell('a1'), cell('a2', { pinned: { reason: 'test' } })], policy: { failureBudget: '50%' } } },
);
const noneThere = { total: 2, converged: 0, pending: 1 };
const failedOn = (id: string) => ({ cell: id, state: 'failed', reason: 'not verified' });
const toldAt = (seconds: number) => ({ at: at(seconds), ring: 2, cell: 'a1', state: 'failed', reason: 'not verified' });
const shared = (policy: object) => topology({}, { 2: { cells: [cell('a1'), cell('a2')], policy } });

describe('a ring may begin', () => {
  test.each<[string, Log]>([
    ['once the one before has converged and baked', { jobs: [...both, next(12)] }],
    ['where there is no outer ring before it', { jobs: [job({ cell: 'a1', at: 0 })] }],
    [
      'while the one before bakes, where a person ended that wait',
      { jobs: [...both, next(5)], acts: [act('override', 4, { wait: 'bake', ring: 2 })] },
    ],
    [
      'without a cell that was skipped',
      { jobs: [job({ cell: 'a1', at: 0 }), next(12)], acts: [act('skipCell', 1, { cell: 'a2' })] },
    ],
    [
      'without a cell whose quarantine held when the ring was entered, and was over when it was answered',
      {
        jobs: [job({ cell: 'a1', at: 1 }), next(12)],
        acts: [{ ...quarantinedUntil(3), error: TOO_LATE }],
        cluster: { acts: [{ at: at(0), act: 'quarantineCell', by: 'alice', outcome: 'out of automation' }] },
      },
    ],
    [
      'without as many cells as the budget bears',
      {
        jobs: [job({ cell: 'a1', at: 0 }), job({ cell: 'a2', at: 0, state: 'failed' }), next(11)],
        topology: shared({ failureBudget: '50%' }),
      },
    ],
    [
      'without the only cell of before, where one that joined is there and the budget bears it',
      {
        jobs: [job({ cell: 'a2', at: 0 }), next(11)],
        topology: topology({}, { 2: { cells: [cell('a1')], policy: { failureBudget: '50%' } } }),
        acts: [act('applyTopology', -9, { topology: shared({ failureBudget: '50%' }) }, { version: null })],
      },
    ],
    [
      'in a soft ring, a cell of which is on the package, not well, and cannot be taken back',
      {
        jobs: [job({ cell: 'a1', at: 0 }), next(5)],
        topology: shared({ onFailure: 'soft' }),
        statuses: {
          [V1]: status({ rings: [ring(2, { ...noneThere, exceptions: [failedOn('a1')] })], failures: [toldAt(4)] }),
        },
      },
    ],
    [
      'without a pinned cell',
      {
        jobs: [job({ cell: 'a1', at: 0 }), next(11)],
        topology: topology({}, { 2: { cells: [cell('a1'), cell('a2', { pinned: { reason: 'test' } })] } }),
      },
    ],
    [
      'after a ring without cells that counts for nothing',
      { jobs: [next(1)], topology: topology({}, { 2: { cells: [cell('a1', { observe: true })] } }) },
    ],
    [
      'where a cell of the one before ran the package already, by its next job',
      { jobs: [job({ cell: 'a1', at: 0 }), next(11), rollback({ cell: 'a2', at: 60, from: V1 })] },
    ],
    [
      'where the coordinator counts a cell without any job as converged',
      {
        jobs: [job({ cell: 'a1', at: 0 }), next(11)],
        statuses: { [V1]: status({ rings: [ring(2, { total: 2, converged: 2 })] }) },
      },
    ],
    [
      'although a newer package has come to the one before since',
      { jobs: [...both, job({ cell: 'a1', at: 13, version: V2, from: V1, takes: 20 }), next(20)] },
    ],
    [
      'although a cell of the one before went back, once that had baked',
      { jobs: [...both, rollback({ cell: 'a1', at: 12.5 }), next(13)] },
    ],
    [
      'after what failed in a soft ring',
      {
        jobs: [job({ cell: 'a1', at: 0, state: 'failed' }), job({ cell: 'a2', at: 0 }), next(11)],
        topology: shared({ onFailure: 'soft' }),
      },
    ],
    [
      'after what failed in a soft ring before the others had their try',
      { jobs: [job({ cell: 'a1', at: 0, state: 'failed' }), next(11)], topology: shared({ onFailure: 'soft' }) },
    ],
    [
      'after a cell that could not go back in a soft ring, where that ends its pass as well',
      {
        jobs: [job({ cell: 'a1', at: 0 }), rollback({ cell: 'a1', at: 2, state: 'failed' }), next(11)],
        topology: shared({ onFailure: 'soft' }),
      },
    ],
    [
      'after a cell that was taken back in a soft ring, where that ends its pass as well',
      {
        jobs: [job({ cell: 'a1', at: 0 }), rollback({ cell: 'a1', at: 2 }), next(11)],
        topology: shared({ onFailure: 'soft' }),
      },
    ],
    [
      'after a cell of a soft ring that was too ill for any order, and is named',
      {
        jobs: [job({ cell: 'a1', at: 0 }), next(11)],
        topology: shared({ onFailure: 'soft' }),
        statuses: {
          [V1]: status({ rings: [ring(2, { exceptions: [{ cell: 'a2', state: 'failed', reason: 'not ready' }] })] }),
        },
      },
    ],
    [
      'after a soft ring of which every cell is quarantined',
      { jobs: [next(11)], acts: quarantined, topology: shared({ onFailure: 'soft' }) },
    ],
    [
      'after the bake of its lane',
      {
        jobs: [...both, next(4)],
        acts: [act('graduate', 0, { lane: 'urgent' })],
        topology: topology({ lanes: { urgent: { bakeTime: '1s' } } }),
      },
    ],
    [
      'without a cell whose quarantine ended after the pass had entered its ring, before the first job there',
      { jobs: [job({ cell: 'a1', at: 5 }), next(16)], acts: [quarantinedUntil(4)], statuses: enteredAgain },
    ],
    [
      'on a cell that moves from the ring before, while nobody has said yet that it has moved',
      {
        jobs: [job({ cell: 'a1', at: 5.2 }), job({ cell: 'a2', at: 8 })],
        acts: [act('applyTopology', 5, { topology: moved }, { version: null })],
      },
    ],
    [
      'on a cell that had just left the ring of the pass that ordered it',
      {
        jobs: [job({ cell: 'a1', at: 6, key: keyOf('a1', PASS) }), job({ cell: 'a2', at: 6, key: keyOf('a2', PASS) })],
        acts: [act('applyTopology', 5, { topology: moved }, { version: null })],
      },
    ],
    [
      'after the bake of a topology that came later',
      {
        jobs: [...both, next(4)],
        acts: [act('applyTopology', 0, { topology: shared({ bakeTime: '1s' }) }, { version: null })],
      },
    ],
  ])('%s', (_what, evidence) => {
    expect(judged(ringAfterRing, evidence)).toEqual([]);
  });
});

test.each<[string, number, string]>([
  ['long before, although the pass had it when it was in its ring', 9, PASS],
  ['just before, by another pass', 6, OTHER],
])('a ring that began too soon is found on a cell that had come to it %s', (_what, at, pass) => {
  const jobs = [job({ cell: 'a1', at, key: keyOf('a1', pass) }), job({ cell: 'a2', at: 6, key: keyOf('a2', PASS) })];
  const acts = [act('applyTopology', 5, { topology: moved }, { version: null })];
  expect(judged(ringAfterRing, { jobs, acts })).toEqual([`configure-a1-${at}`]);
});

describe('a ring that began too soon is found', () => {
  test.each<[string, number, Log]>([
    ['after a ring of which every cell is quarantined', 30, { jobs: [next(30)], acts: quarantined }],
    ['while the one before bakes', 11.9, { jobs: [...both, next(11.9)] }],
    ['while a cell of the one before has no job yet', 30, { jobs: [job({ cell: 'a1', at: 0 }), next(30)] }],
    [
      'while a cell of the one before is still deployed to',
      30,
      { jobs: [job({ cell: 'a1', at: 0 }), job({ cell: 'a2', at: 1, takes: 60 }), next(30)] },
    ],
    [
      'after a failure that the budget does not bear',
      30,
      { jobs: [job({ cell: 'a1', at: 0 }), job({ cell: 'a2', at: 0, state: 'failed' }), next(30)] },
    ],
    ['after a cell of the one before went back', 30, { jobs: [...both, rollback({ cell: 'a1', at: 5 }), next(30)] }],
    [
      'before the bake began anew with a cell that was mended',
      30,
      { jobs: [...both, rollback({ cell: 'a1', at: 5 }), job({ cell: 'a1', at: 25 }), next(30)] },
    ],
    [
      'with an override of another ring',
      5,
      { jobs: [...both, next(5)], acts: [act('override', 4, { wait: 'bake', ring: 3 })] },
    ],
    [
      'with an override that came later',
      5,
      { jobs: [...both, next(5)], acts: [act('override', 6, { wait: 'bake', ring: 2 })] },
    ],
    [
      'with an override that was refused',
      5,
      {
        jobs: [...both, next(5)],
        acts: [act('override', 4, { wait: 'bake', ring: 2 }, { error: 'ring: found 2, expected a ring' })],
      },
    ],
    [
      'with nothing but budget: not one cell is there',
      30,
      {
        jobs: [job({ cell: 'a1', at: 0, state: 'failed' }), job({ cell: 'a2', at: 0, state: 'failed' }), next(30)],
        topology: shared({ failureBudget: 2 }),
      },
    ],
    [
      'after a share that is rounded down',
      30,
      {
        jobs: [job({ cell: 'a1', at: 0 }), job({ cell: 'a2', at: 0, state: 'failed' }), next(30)],
        topology: shared({ failureBudget: '49%' }),
      },
    ],
    [
      'where the coordinator names the cell that is missing',
      30,
      {
        jobs: [job({ cell: 'a1', at: 0 }), next(30)],
        statuses: {
          [V1]: status({ rings: [ring(2, { exceptions: [{ cell: 'a2', state: 'unreachable', reason: 'silent' }] })] }),
        },
      },
    ],
    [
      'without a cell whose quarantine had ended long before',
      30,
      { jobs: [job({ cell: 'a1', at: 15 }), next(30)], acts: [quarantinedUntil(4)], statuses: enteredAgain },
    ],
    [
      'without a cell whose quarantine came too late for anybody to hear it',
      12,
      { jobs: [job({ cell: 'a1', at: 1 }), next(12)], acts: [{ ...quarantinedUntil(3), error: TOO_LATE }] },
    ],
    [
      'where a cell that left the ring is said to have run the package always',
      1,
      {
        jobs: [job({ cell: 'a1', at: 0 }), next(1)],
        topology: shared({ failureBudget: '50%' }),
        acts: [act('applyTopology', -9, { topology: pinnedA2 }, { version: null })],
        statuses: { [V1]: status({ rings: [ring(2)] }) },
      },
    ],
    [
      'in a soft ring of which the first cell is not done yet',
      0.5,
      {
        jobs: [job({ cell: 'a1', at: 0, state: 'failed' }), next(0.5)],
        topology: shared({ onFailure: 'soft' }),
      },
    ],
    [
      'in a soft ring, a cell of which was told of as not well on the package only afterwards',
      5,
      {
        jobs: [job({ cell: 'a1', at: 0 }), next(5)],
        topology: shared({ onFailure: 'soft' }),
        statuses: {
          [V1]: status({ rings: [ring(2, { ...noneThere, exceptions: [failedOn('a1')] })], failures: [toldAt(9)] }),
        },
      },
    ],
    [
      'without a cell that was quarantined before, while a second quarantine was refused',
      12,
      {
        jobs: [job({ cell: 'a1', at: 1 }), next(12)],
        acts: [{ ...quarantinedUntil(3), error: TOO_LATE }],
        cluster: { acts: [{ at: at(-60), act: 'quarantineCell', by: 'alice', outcome: 'out of automation' }] },
      },
    ],
    [
      'in a soft ring that never tried a cell',
      30,
      { jobs: [job({ cell: 'a1', at: 0 }), next(30)], topology: shared({ onFailure: 'soft' }) },
    ],
  ])('%s', (_what, seconds, evidence) => {
    expect(judged(ringAfterRing, evidence)).toEqual(first(seconds));
  });

  test('once more after the package was opened again', () => {
    const jobs = [...both, next(12), rollback({ cell: 'b1', at: 20 }), rollback({ cell: 'a1', at: 22 }), next(41)];
    const acts = [graduated(), act('abort', 19, { rollback: true }), act('restart', 40)];
    expect(judged(ringAfterRing, { jobs, acts })).toEqual(first(41));
  });
});
