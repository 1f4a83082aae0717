import { describe, expect, test } from 'vitest';
import {
  act,
  at,
  type Fields,
  job,
  judged,
  keyOfPass,
  type Log,
  pdm,
  ring,
  rollback,
  status,
  V1,
  V2,
} from '../logs.js';
import type { ActRecord } from '../types.js';
import { brakesHold } from './brakes-hold.js';

/** Asked at 10 s, answered at 10.5 s. */
const brake = (payload: Fields = {}, inFlight: string[] = [], version: string | null = null): ActRecord =>
  act('engageBrake', 10, payload, { version, answer: { brakeId: 'b', inFlight } });
const released = (seconds: number, payload: Fields = { brakeId: 'b' }, more: Partial<ActRecord> = {}) =>
  act('releaseBrake', seconds, payload, { version: null, ...more });

describe('under a brake', () => {
  test.each<[string, Log]>([
    ['a job before its answer', { jobs: [job({ cell: 'a1', at: 10.4 })], acts: [brake()] }],
    ['a rollback', { jobs: [rollback({ cell: 'a1', at: 12 })], acts: [brake()] }],
    ['somebody else’s job', { jobs: [job({ cell: 'a1', at: 12, key: 'by-hand' })], acts: [brake()] }],
    ['the job of a cell that it named', { jobs: [job({ cell: 'a1', at: 12 })], acts: [brake({}, ['a1'])] }],
    ['a job after its release was asked for', { jobs: [job({ cell: 'a1', at: 20 })], acts: [brake(), released(19.9)] }],
    [
      'a job after a release of the only brake there is',
      { jobs: [job({ cell: 'a1', at: 20 })], acts: [brake(), released(19.9, {})] },
    ],
    ['a job after it expired', { jobs: [job({ cell: 'a1', at: 20 })], acts: [brake({ expiresAt: at(20) })] }],
    [
      'a job where another of its id has taken its place, elsewhere',
      {
        jobs: [job({ cell: 'a1', at: 20 })],
        acts: [
          brake({ brakeId: 'b' }),
          { ...brake({ brakeId: 'b', scope: { ring: 3 } }), askedAt: Date.parse(at(15)) },
        ],
      },
    ],
    [
      'a job inside the perimeter, of outer rings',
      { jobs: [job({ cell: 'qa', at: 12 })], acts: [brake({ scope: 'outer' })] },
    ],
    ['a job of another ring', { jobs: [job({ cell: 'a1', at: 12 })], acts: [brake({ scope: { ring: 3 } })] }],
    ['a job of another package', { jobs: [job({ cell: 'a1', at: 12 })], acts: [brake({}, [], V2)] }],
    [
      'a job in a ring already entered, which may finish',
      { jobs: [job({ cell: 'a1', at: 9 }), job({ cell: 'a2', at: 12 })], acts: [brake({ mode: 'finish-ring' })] },
    ],
    [
      'a job in a ring that was entered, by the coordinator’s word',
      {
        jobs: [job({ cell: 'a2', at: 12 })],
        acts: [brake({ mode: 'finish-ring' })],
        statuses: { [V1]: status({ rings: [ring(2, { startedAt: at(10) })] }) },
      },
    ],
    [
      'a job of a pass that had begun, although a later one has entered the ring since',
      {
        jobs: [job({ cell: 'a2', at: 12, key: keyOfPass(9, 'a2') })],
        acts: [brake({ mode: 'finish-ring' })],
        statuses: { [V1]: status({ rings: [ring(2, { startedAt: at(60) })] }) },
      },
    ],
    [
      'a job although a brake was never confirmed',
      {
        jobs: [job({ cell: 'a1', at: 22 })],
        acts: [{ ...brake(), error: 'brake b is on, but ring 2 did not answer' }],
      },
    ],
  ])('%s is fine', (_what, evidence) => {
    expect(judged(brakesHold, evidence)).toEqual([]);
  });

  test.each<[string, string, Log]>([
    ['a deployment', 'configure-a1-12', { jobs: [job({ cell: 'a1', at: 12 })], acts: [brake()] }],
    ['PDM', 'post_deploy_migrations-a1-12', { jobs: [pdm({ cell: 'a1', at: 12 })], acts: [brake()] }],
    ['a job inside the perimeter', 'configure-qa-12', { jobs: [job({ cell: 'qa', at: 12 })], acts: [brake()] }],
    [
      'a job in its ring',
      'configure-a1-12',
      { jobs: [job({ cell: 'a1', at: 12 })], acts: [brake({ scope: { ring: 2 } })] },
    ],
    ['a job of its package', 'configure-a1-12', { jobs: [job({ cell: 'a1', at: 12 })], acts: [brake({}, [], V1)] }],
    [
      'a job on a cell that was not named',
      'configure-a2-12',
      { jobs: [job({ cell: 'a2', at: 12 })], acts: [brake({}, ['a1'])] },
    ],
    [
      'a second job on a cell that was named',
      'post_deploy_migrations-a1-14',
      { jobs: [job({ cell: 'a1', at: 12 }), pdm({ cell: 'a1', at: 14 })], acts: [brake({}, ['a1'])] },
    ],
    [
      'PDM on a cell whose deployment was in flight',
      'post_deploy_migrations-a1-12',
      { jobs: [job({ cell: 'a1', at: 9.9 }), pdm({ cell: 'a1', at: 12 })], acts: [brake({}, ['a1'])] },
    ],
    [
      'a job before it expired',
      'configure-a1-19',
      { jobs: [job({ cell: 'a1', at: 19 })], acts: [brake({ expiresAt: at(20) })] },
    ],
    [
      'a job after a release that was refused',
      'configure-a1-20',
      {
        jobs: [job({ cell: 'a1', at: 20 })],
        acts: [brake(), released(15, {}, { error: 'brakeId: found nothing, expected a brakeId' })],
      },
    ],
    [
      'a job after the release of another brake',
      'configure-a1-20',
      { jobs: [job({ cell: 'a1', at: 20 })], acts: [brake(), released(15, { brakeId: 'c' })] },
    ],
    [
      'a job after a package’s own brake of that id was released',
      'configure-a1-20',
      { jobs: [job({ cell: 'a1', at: 20 })], acts: [brake(), released(15, { brakeId: 'b' }, { version: V1 })] },
    ],
    [
      'a job in a ring not yet entered',
      'configure-b1-12',
      { jobs: [job({ cell: 'a1', at: 9 }), job({ cell: 'b1', at: 12 })], acts: [brake({ mode: 'finish-ring' })] },
    ],
    [
      'a job of a pass that began under it',
      'configure-a2-14',
      {
        jobs: [job({ cell: 'a2', at: 14, key: keyOfPass(13, 'a2') })],
        acts: [brake({ mode: 'finish-ring' })],
      },
    ],
    [
      'a job in a ring that another package had entered',
      'configure-a2-12',
      {
        jobs: [job({ cell: 'a1', at: 9 }), job({ cell: 'a2', at: 12, version: V2 })],
        acts: [brake({ mode: 'finish-ring' })],
      },
    ],
  ])('%s is found', (_what, id, evidence) => {
    expect(judged(brakesHold, evidence)).toEqual([id]);
  });
});
