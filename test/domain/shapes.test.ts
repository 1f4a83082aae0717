import { describe, expect, it, test } from 'vitest';
import { isMeantFor, LONGEST_MS, misfit } from '../../src/domain/shapes.js';
import { packCells } from '../../src/domain/snapshot.js';
import { absolutePolicy, DEFAULT_POLICY } from '../../src/domain/topology/index.js';
import { V1 } from '../support/fleet.js';

const request = {
  requestId: 'r/1',
  version: V1,
  chartVersion: null,
  ring: { after: null },
  purpose: 'deploy',
  lane: null,
  approved: [3],
  sinceMs: Date.parse('2026-01-02T03:04:05Z'),
};
const registered = {
  endedAs: null,
  supersededBy: null,
  endedRun: null,
  conflict: null,
  chartVersion: null,
  graduationTimeoutMs: LONGEST_MS,
  graduatedAt: null,
  softRings: [0],
  alsoOn: [],
  holds: [{ ring: 2, name: 'two', soft: false, perimeter: false, requestId: 'r/1', purpose: 'deploy', pass: 'p' }],
  perimeter: 1,
};
const brake = {
  brakeId: 'b',
  scope: { ring: 2 },
  mode: 'finish-cells',
  since: '2026-01-02T03:04:05Z',
  by: 'alice',
  reason: 'because',
};
const entry = {
  cluster: 'test',
  name: 'ring-2',
  policy: absolutePolicy(DEFAULT_POLICY, 3),
  soft: false,
  perimeter: false,
  health: null,
  gated: false,
  cellsGz: packCells([{ id: 'c', tenant: 't', url: 'https://c.example' }]),
  leftOut: [{ cell: 'd', state: 'skipped', reason: 'pinned' }],
  brakes: [brake],
  brakesNumber: { epoch: 'run', seq: 1 },
  refused: null,
};
const waiting = { kind: 'approval', since: '2026-01-02T03:04:05Z', detail: 'a yes', next: ['cellctl approve'] };
const held = { requestId: 'r/1', kind: 'held', ring: 2, name: 'two', soft: false, waiting };
const setBrakes = { from: 'cluster', epoch: 'run', seq: 1, brakes: [brake] };

const office = { days: ['mon'], from: '07:00', to: '18:00', timezone: 'Europe/Berlin' };
const calendar = { windows: [office], alsoWithin: [office], freezes: [] };

const FITTING: [string, object][] = [
  ['requestRing', request],
  ['registered', registered],
  ['ringEntry', entry],
  ['ringEntry', { ...entry, calendar }],
  ['ringAnswer', held],
  ['ringAnswer', { requestId: 'r/1', kind: 'none' }],
  ['setBrakes', setBrakes],
];

/** A message that fits but for one field, and that field. */
const ODD: [string, object, string][] = [
  ['requestRing', { ...request, sinceMs: 1e300 }, 'sinceMs'],
  ['requestRing', { ...request, sinceMs: Number.NaN }, 'sinceMs'],
  ['requestRing', { ...request, approved: ['three'] }, 'approved'],
  ['requestRing', { ...request, version: '17.10.0' }, 'version'],
  ['registered', { ...registered, graduationTimeoutMs: -1 }, 'graduationTimeoutMs'],
  ['registered', { ...registered, graduationTimeoutMs: LONGEST_MS + 1 }, 'graduationTimeoutMs'],
  ['registered', { ...registered, softRings: [null] }, 'softRings'],
  ['registered', { ...registered, holds: [{ ring: 2 }] }, 'holds'],
  ['ringEntry', { ...entry, cellsGz: 'nonsense' }, 'cellsGz'],
  ['ringEntry', { ...entry, cellsGz: packCells([{ id: 'c' } as never]) }, 'cellsGz'],
  ['ringEntry', { ...entry, policy: { ...entry.policy, bakeTimeMs: '1h' } }, 'policy'],
  ['ringEntry', { ...entry, leftOut: [null] }, 'leftOut'],
  ['ringEntry', { ...entry, calendar: { ...calendar, alsoWithin: [{ from: 'noon' }] } }, 'calendar'],
  ['ringAnswer', { ...held, kind: 'granted' }, 'perimeter'],
  ['ringAnswer', { ...held, waiting: { ...waiting, next: null } }, 'waiting'],
  ['setBrakes', { ...setBrakes, brakes: [{ ...brake, scope: undefined }] }, 'brakes'],
  ['setBrakes', { ...setBrakes, epoch: undefined }, 'epoch'],
  ['setBrakes', { ...setBrakes, brakes: [{ ...brake, expiresAt: 'soon' }] }, 'brakes'],
];

describe('one of our own messages', () => {
  test.each(FITTING)('%s fits as it is sent', (name, payload) => expect(misfit(name, payload)).toBeNull());

  test.each(ODD)('%s with an odd value (%#) is none of ours', (name, payload, path) => {
    expect(misfit(name, payload)).toMatchObject({ path, expected: expect.stringContaining(name) });
  });

  it('is not judged where nobody sends such a one', () => expect(misfit('noise', 7)).toBeNull());
});

describe('a message to a pass', () => {
  it.each([
    ['that names its request', { by: 'alice', requestId: 'r/1' }, true],
    ['that names no request', { by: 'alice' }, true],
    ['without a payload, as an older version sends it', undefined, true],
    ['that names another pass’s request', { by: 'alice', requestId: 'other/1' }, false],
  ])('%s', (_, message, expected) => expect(isMeantFor('r/1', message)).toBe(expected));
});
