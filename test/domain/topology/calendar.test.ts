import { describe, expect, it, test } from 'vitest';
import { calendarOf, parseTopology } from '../../../src/domain/topology/index.js';
import { accepted, cell, written } from './topologies.js';

const aWindow = { days: ['mon'], from: '07:00', to: '18:00', timezone: 'Europe/Berlin' };
const aFreeze = { from: '2026-12-23T00:00:00Z', to: '2027-01-02T00:00:00Z', reason: 'holidays' };
const windows = (more: Record<string, unknown>) => written({ policy: { deployWindows: [{ ...aWindow, ...more }] } });
const freezes = (more: Record<string, unknown>) => written({ policy: { freezes: [{ ...aFreeze, ...more }] } });

const TIME = 'a time of day such as "07:00"';
const UNTIL = 'a time of day such as "18:00"';
const ZONE = 'an IANA time zone, e.g. Europe/Berlin';
const INSTANT = 'an RFC 3339 instant with its offset, e.g. 2026-12-23T00:00:00Z';

describe('windows and freezes', () => {
  test.each<[string, unknown, string, string, string | RegExp]>([
    ['windows that are no list', written({ policy: { deployWindows: {} } }), 'deployWindows', '{}', 'a list'],
    [
      'a window that is text',
      written({ policy: { deployWindows: ['mon'] } }),
      'deployWindows[0]',
      '"mon"',
      'an object',
    ],
    ['a day in full', windows({ days: ['monday'] }), 'deployWindows[0].days[0]', '"monday"', /one of mon, tue/],
    ['no day', windows({ days: [] }), 'deployWindows[0].days', '[]', 'at least one day'],
    ['a day as text', windows({ days: 'mon' }), 'deployWindows[0].days', '"mon"', 'a list'],
    ['a day twice', windows({ days: ['mon', 'tue', 'mon'] }), 'deployWindows[0].days[2]', '"mon"', 'each day once'],
    ['an hour of one digit', windows({ from: '7:00' }), 'deployWindows[0].from', '"7:00"', TIME],
    ['an hour that is none', windows({ from: '25:00' }), 'deployWindows[0].from', '"25:00"', TIME],
    ['a minute that is none', windows({ to: '18:60' }), 'deployWindows[0].to', '"18:60"', UNTIL],
    ['seconds', windows({ to: '18:00:00' }), 'deployWindows[0].to', '"18:00:00"', UNTIL],
    ['an hour as a number', windows({ from: 7 }), 'deployWindows[0].from', '7', TIME],
    ['a day that begins at its end', windows({ from: '24:00' }), 'deployWindows[0].from', '"24:00"', TIME],
    ['a window without an end', windows({ to: undefined }), 'deployWindows[0].to', 'missing', UNTIL],
    ['a window that never opens', windows({ to: '07:00' }), 'deployWindows[0].to', '"07:00"', /another time of day/],
    [
      'a zone that is none',
      windows({ timezone: 'Europe/Gotham' }),
      'deployWindows[0].timezone',
      '"Europe/Gotham"',
      ZONE,
    ],
    ['an offset as zone', windows({ timezone: '+01:00' }), 'deployWindows[0].timezone', '"+01:00"', ZONE],
    ['no zone', windows({ timezone: undefined }), 'deployWindows[0].timezone', 'missing', ZONE],
    ['an empty zone', windows({ timezone: '' }), 'deployWindows[0].timezone', '""', ZONE],
    ['a reason for a window', windows({ reason: 'x' }), 'deployWindows[0].reason', '"x"', /a known field/],
    [
      'too many windows',
      written({ policy: { deployWindows: Array.from({ length: 21 }, () => aWindow) } }),
      'deployWindows',
      '[{"days":',
      'at most 20 windows',
    ],
    ['a freeze without offset', freezes({ from: '2026-12-23T00:00:00' }), 'freezes[0].from', /2026/.source, INSTANT],
    ['a freeze from a day', freezes({ from: '2026-12-23' }), 'freezes[0].from', '"2026-12-23"', INSTANT],
    ['a day that is none', freezes({ to: '2027-02-30T00:00:00Z' }), 'freezes[0].to', '"2027-02-30T00:00:00Z"', INSTANT],
    [
      'a freeze that ends first',
      freezes({ to: '2026-12-22T00:00:00Z' }),
      'freezes[0].to',
      '2026-12-22',
      'an instant after `from`',
    ],
    [
      'a freeze that ends as it begins',
      freezes({ to: aFreeze.from }),
      'freezes[0].to',
      '2026-12-23',
      'an instant after `from`',
    ],
    ['a freeze of years', freezes({ to: '2062-01-02T00:00:00Z' }), 'freezes[0].to', '2062', /at most 366 days/],
    ['a reason that says nothing', freezes({ reason: ' ' }), 'freezes[0].reason', '" "', /a reason/],
    [
      'too many freezes',
      written({ policy: { freezes: Array.from({ length: 51 }, () => aFreeze) } }),
      'freezes',
      '[{"from":',
      'at most 50 freezes',
    ],
  ])('%s: the place, what is there, and what is expected are named', (_, topology, place, value, expected) => {
    const parsed = parseTopology(topology);
    const problems = parsed.ok ? [] : parsed.problems;
    expect(problems.map(({ path }) => path)).toEqual([`policy.${place}`]);
    expect(problems[0]?.value).toContain(value);
    expect(problems[0]?.expected).toMatch(expected);
  });

  it('are wrong in a ring and in a lane, too', () => {
    const bad = { deployWindows: [{ ...aWindow, to: '07:00' }], freezes: [{ ...aFreeze, to: aFreeze.from }] };
    const parsed = parseTopology(written({ lanes: { fast: bad }, rings: [{ ring: 0, policy: bad }] }));
    expect(parsed.ok ? [] : parsed.problems.map(({ path }) => path)).toEqual([
      'lanes.fast.deployWindows[0].to',
      'lanes.fast.freezes[0].to',
      'rings[0].policy.deployWindows[0].to',
      'rings[0].policy.freezes[0].to',
    ]);
  });

  it('of the longest length are taken', () => {
    expect(parseTopology(freezes({ to: '2027-12-24T00:00:00Z' }))).toMatchObject({ ok: true, notInForce: [] });
  });

  const now = Date.parse('2026-12-01T00:00:00Z');

  it('a calendar is the ring’s or else everybody’s, freezes that are over left out, and is nothing without either', () => {
    const topology = accepted(
      written({
        policy: { freezes: [aFreeze] },
        rings: [
          { ring: 2, cells: [cell('a')] },
          { ring: 3, policy: { freezes: [], deployWindows: [aWindow] }, cells: [cell('b')] },
          { ring: 4, policy: { freezes: [] }, cells: [cell('c')] },
        ],
      }),
    );
    expect(calendarOf(topology, 2, null, now)).toEqual({ windows: [], freezes: [aFreeze] });
    expect(calendarOf(topology, 3, null, now)).toEqual({ windows: [aWindow], freezes: [] });
    expect(calendarOf(topology, 4, null, now)).toBeNull();
    expect(calendarOf(topology, 2, null, Date.parse(aFreeze.to))).toBeNull();
  });

  describe('of a lane hold beside the ring’s', () => {
    const other = { ...aFreeze, reason: 'another' };
    const night = { ...aWindow, from: '22:00', to: '04:00' };
    const inLane = (policy: object, lane: object) => {
      const rings = [{ ring: 2, policy, cells: [cell('a')] }];
      return calendarOf(accepted(written({ lanes: { urgent: lane }, rings })), 2, 'urgent', now);
    };

    it.each([
      ['freezes that the lane does not have', { freezes: [aFreeze] }, { freezes: [] }, [aFreeze]],
      ['freezes that the ring does not have', { freezes: [] }, { freezes: [other] }, [other]],
      ['freezes of both', { freezes: [aFreeze] }, { freezes: [other] }, [aFreeze, other]],
    ])('%s', (_what, ring, lane, freezes) => {
      expect(inLane(ring, lane)).toEqual({ windows: [], freezes });
    });

    it.each([
      [
        'windows that the lane does not have',
        { deployWindows: [aWindow] },
        { deployWindows: [] },
        [aWindow],
        undefined,
      ],
      ['windows that the ring does not have', {}, { deployWindows: [night] }, [night], undefined],
      ['windows of both', { deployWindows: [aWindow] }, { deployWindows: [night] }, [aWindow], [night]],
    ])('%s', (_what, ring, lane, windows, alsoWithin) => {
      expect(inLane(ring, lane)).toEqual({ windows, alsoWithin, freezes: [] });
    });
  });
});
