import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { BrakesHold } from '../../src/contract/internal.js';
import type { BrakeScope, BrakeStatus } from '../../src/contract/status.js';
import {
  brakeToRelease,
  covers,
  engage,
  hasExpired,
  holding,
  isOlderList,
  MAX_BRAKES,
  type NewBrake,
  nextExpiry,
  noteHold,
  release,
  scopeText,
  whyNoRoom,
} from '../../src/domain/brake.js';

const NOW = Date.parse('2026-01-02T03:04:05Z');
const brake = (more: Partial<NewBrake> = {}): NewBrake => ({
  brakeId: 'one',
  scope: 'cluster',
  mode: 'finish-cells',
  by: 'alice',
  reason: 'incident',
  ...more,
});
const ids = (brakes: BrakeStatus[]) => brakes.map((b) => b.brakeId);

test.each([
  ['the first list of all', { epoch: 'a', seq: 0 }, null, false],
  ['a newer list', { epoch: 'a', seq: 8 }, { epoch: 'a', seq: 7 }, false],
  ['the same list again', { epoch: 'a', seq: 7 }, { epoch: 'a', seq: 7 }, false],
  ['a list that was overtaken', { epoch: 'a', seq: 6 }, { epoch: 'a', seq: 7 }, true],
  ['the list of a workflow that began anew', { epoch: 'b', seq: 1 }, { epoch: 'a', seq: 7 }, false],
])('%s: whether it is older than what is known', (_what, said, known, older) => {
  expect(isOlderList(said, known)).toBe(older);
});

describe('the answer of a pass to a list of brakes', () => {
  const answer = (seq: number, more: Partial<BrakesHold> = {}): BrakesHold => ({
    ring: 2,
    requestId: 'r-1',
    pass: 'run-1',
    version: '17.9.1',
    purpose: 'deploy',
    epoch: 'a',
    seq,
    inFlight: [`cell-${seq}`],
    ...more,
  });
  it.each([
    ['a newer one takes its place', [answer(7), answer(8)], answer(8)],
    ['one that a newer one overtook covers nothing', [answer(8), answer(7)], answer(8)],
    ['the same again is the last word', [answer(8), answer(8, { inFlight: [] })], answer(8, { inFlight: [] })],
    ['another pass speaks for itself', [answer(8), answer(7, { pass: 'run-2' })], answer(7, { pass: 'run-2' })],
    ['a list of somebody else counts anew', [answer(8), answer(1, { epoch: 'b' })], answer(1, { epoch: 'b' })],
  ])('%s', (_what, answers, kept) => {
    const holds = new Map<number, BrakesHold>();
    for (const hold of answers) noteHold(holds, hold);
    expect([...holds]).toEqual([[2, kept]]);
  });
});

describe('brakes', () => {
  it('are as many as a pass can be told; one in the place of another takes no more room', () => {
    const few = Array.from({ length: MAX_BRAKES - 1 }, (_, i) => `b-${i}`);
    const almost = few.reduce((all, brakeId) => engage(all, brake({ brakeId }), NOW), [] as BrakeStatus[]);
    expect(whyNoRoom(almost, 'last')).toBeNull();
    expect(whyNoRoom(almost, undefined)).toBeNull();
    const full = engage(almost, brake({ brakeId: 'last' }), NOW);
    for (const brakeId of ['one-more', undefined]) expect(whyNoRoom(full, brakeId)).toMatch(/at most 50.*b-0/);
    expect(whyNoRoom(full, 'b-7')).toBeNull();
    expect(whyNoRoom(release(full, 'b-7'), 'one-more')).toBeNull();
  });

  it('keep who, why, since when, and until when in UTC', () => {
    expect(engage([], brake({ expiresAt: '2026-01-02T05:00:00+01:00', url: 'https://incident.example' }), NOW)).toEqual(
      [
        {
          brakeId: 'one',
          scope: 'cluster',
          mode: 'finish-cells',
          by: 'alice',
          reason: 'incident',
          since: '2026-01-02T03:04:05.000Z',
          expiresAt: '2026-01-02T04:00:00.000Z',
          url: 'https://incident.example',
        },
      ],
    );
  });

  it('an id again takes the place of the earlier one, its expiry included', () => {
    const first = engage(engage([], brake({ expiresAt: '2026-02-01T00:00:00Z' }), NOW), brake({ brakeId: 'two' }), NOW);
    const again = engage(first, brake({ reason: 'worse' }), NOW + 1);
    expect(ids(again)).toEqual(['two', 'one']);
    expect(again[1]).toMatchObject({ reason: 'worse' });
    expect(again[1]).not.toHaveProperty('expiresAt');
    expect(ids(first)).toEqual(['one', 'two']);
  });

  it.each<[BrakeScope, number, boolean]>([
    ['cluster', 0, true],
    ['cluster', 7, true],
    ['package', 0, true],
    ['outer', 0, false],
    ['outer', 1, false],
    ['outer', 2, true],
    [{ ring: 2 }, 2, true],
    [{ ring: 2 }, 3, false],
    [{ ring: 0 }, 0, true],
  ])('scope %j covers ring %i with perimeter 1: %s', (scope, ring, expected) => {
    expect(covers(scope, ring, 1)).toBe(expected);
    expect(scopeText(scope)).toMatch(/ring|package/);
  });

  it('one that has expired holds no more, to the millisecond', () => {
    const [short] = engage([], brake({ expiresAt: new Date(NOW + 10).toISOString() }), NOW) as [BrakeStatus];
    expect(hasExpired(short, NOW + 9)).toBe(false);
    expect(hasExpired(short, NOW + 10)).toBe(true);
    expect(holding([short], NOW + 9)).toEqual([short]);
    expect(holding([short], NOW + 10)).toEqual([]);
    expect(holding(engage([], brake(), NOW), Number.MAX_SAFE_INTEGER)).toHaveLength(1);
  });

  it('the next expiry is the earliest, or none', () => {
    const at = (ms: number, brakeId: string) => brake({ brakeId, expiresAt: new Date(NOW + ms).toISOString() });
    expect(nextExpiry(engage([], brake(), NOW))).toBeNull();
    const all = [at(50, 'a'), at(20, 'b'), brake({ brakeId: 'c' })].reduce<BrakeStatus[]>(
      (s, b) => engage(s, b, NOW),
      [],
    );
    expect(nextExpiry(all)).toBe(NOW + 20);
  });

  it.each<[string[], string | undefined, string | RegExp]>([
    [['one'], undefined, 'one'],
    [['one'], 'one', 'one'],
    [['one', 'two'], 'two', 'two'],
    [[], undefined, /none is/],
    [[], 'one', /none is/],
    [['one', 'two'], undefined, /several brakes are on: one, two/],
    [['one', 'two'], 'three', /is on: one, two/],
  ])('of %j a release of %s means %s', (on, asked, expected) => {
    const brakes = on.reduce<BrakeStatus[]>((s, brakeId) => engage(s, brake({ brakeId }), NOW), []);
    const found = brakeToRelease(brakes, asked);
    if (typeof expected === 'string') expect(found).toMatchObject({ brake: { brakeId: expected } });
    else expect(found).toMatchObject({ expected: expect.stringMatching(expected) });
  });

  it('whatever is engaged and released, exactly what was not released holds', () => {
    const step = fc.record({ on: fc.boolean(), id: fc.constantFrom('a', 'b', 'c') });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        let brakes: BrakeStatus[] = [];
        const expected = new Set<string>();
        for (const { on, id } of steps) {
          brakes = on ? engage(brakes, brake({ brakeId: id }), NOW) : release(brakes, id);
          if (on) expected.add(id);
          else expected.delete(id);
        }
        expect(new Set(ids(holding(brakes, NOW)))).toEqual(expected);
        expect(brakes).toHaveLength(expected.size);
      }),
    );
  });
});
