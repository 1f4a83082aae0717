import { describe, expect, it, test } from 'vitest';
import type { DeployWindow } from '../../../src/contract/calendar.js';
import { windowsOf } from '../../../src/domain/calendar/windows.js';

const ms = (instant: string): number => Date.parse(instant);
const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString().slice(0, 16));
const window = (more: Partial<DeployWindow> = {}): DeployWindow => ({
  days: ['mon', 'tue', 'wed', 'thu'],
  from: '07:00',
  to: '18:00',
  timezone: 'Europe/Berlin',
  ...more,
});
const allWeek: DeployWindow['days'] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

/** From an instant on: whether it is open, and the next instants at which that changes. */
function course(windows: DeployWindow[], from: string, changes: number): (string | boolean | null)[] {
  const view = windowsOf(windows);
  const seen: (string | boolean | null)[] = [view.isOpen(ms(from))];
  for (let at = ms(from), left = changes; left > 0; left -= 1) {
    const next = view.changesAfter(at);
    seen.push(iso(next));
    if (next === null) break;
    at = next;
  }
  return seen;
}

describe('deploy windows', () => {
  test.each<[string, DeployWindow[], string, (string | boolean | null)[]]>([
    ['are open from their first minute', [window()], '2026-12-01T06:00:00Z', [true, '2026-12-01T17:00']],
    ['and not before', [window()], '2026-12-01T05:59:59Z', [false, '2026-12-01T06:00']],
    ['are closed from their last instant on', [window()], '2026-12-01T17:00:00Z', [false, '2026-12-02T06:00']],
    ['and not before', [window()], '2026-12-01T16:59:59Z', [true, '2026-12-01T17:00']],
    ['wrap the week', [window()], '2026-12-03T18:00:00Z', [false, '2026-12-07T06:00', '2026-12-07T17:00']],
    [
      'across midnight belong to the day on which they begin',
      [window({ days: ['fri'], from: '22:00', to: '04:00', timezone: 'UTC' })],
      '2026-12-04T12:00:00Z',
      [false, '2026-12-04T22:00', '2026-12-05T04:00', '2026-12-11T22:00'],
    ],
    [
      'across midnight are open after it',
      [window({ days: ['fri'], from: '22:00', to: '04:00', timezone: 'UTC' })],
      '2026-12-05T03:00:00Z',
      [true, '2026-12-05T04:00'],
    ],
    [
      'across midnight are closed in the small hours of the day itself',
      [window({ days: ['fri'], from: '22:00', to: '04:00', timezone: 'UTC' })],
      '2026-12-04T03:00:00Z',
      [false, '2026-12-04T22:00'],
    ],
    [
      'across midnight wrap the week',
      [window({ days: ['sun'], from: '23:00', to: '01:00', timezone: 'UTC' })],
      '2026-12-06T23:30:00Z',
      [true, '2026-12-07T01:00', '2026-12-13T23:00'],
    ],
    [
      'end with the day at 24:00',
      [window({ days: ['tue'], from: '12:00', to: '24:00', timezone: 'UTC' })],
      '2026-12-01T12:00:00Z',
      [true, '2026-12-02T00:00', '2026-12-08T12:00'],
    ],
    [
      'end with the day at 00:00, too',
      [window({ days: ['tue'], from: '12:00', to: '00:00', timezone: 'UTC' })],
      '2026-12-01T12:00:00Z',
      [true, '2026-12-02T00:00', '2026-12-08T12:00'],
    ],
    [
      'of whole days one after the other are one',
      [window({ days: ['tue', 'wed'], from: '00:00', to: '24:00', timezone: 'UTC' })],
      '2026-12-01T12:00:00Z',
      [true, '2026-12-03T00:00', '2026-12-08T00:00'],
    ],
    [
      'of every hour of the week never close',
      [window({ days: allWeek, from: '00:00', to: '24:00' })],
      '2026-12-01T12:00:00Z',
      [true, null],
    ],
    [
      'that overlap, in two zones, are one',
      [
        window({ days: ['tue'], from: '08:00', to: '12:00', timezone: 'Europe/Berlin' }),
        window({ days: ['tue'], from: '09:00', to: '12:00', timezone: 'Europe/London' }),
      ],
      '2026-12-01T00:00:00Z',
      [false, '2026-12-01T07:00', '2026-12-01T12:00', '2026-12-08T07:00'],
    ],
    [
      'go by the clock of their zone, also at its half hours',
      [window({ days: ['tue'], from: '09:00', to: '10:00', timezone: 'Asia/Kolkata' })],
      '2026-12-01T00:00:00Z',
      [false, '2026-12-01T03:30', '2026-12-01T04:30'],
    ],
    [
      'go by the day of their zone',
      [window({ days: ['wed'], from: '00:00', to: '06:00', timezone: 'Pacific/Auckland' })],
      '2026-12-01T00:00:00Z',
      [false, '2026-12-01T11:00', '2026-12-01T17:00', '2026-12-08T11:00'],
    ],
  ])('%s', (_, windows, from, expected) => {
    expect(course(windows, from, expected.length - 1)).toEqual(expected);
  });
});

// Clocks in Berlin go from 02:00 to 03:00 on 2027-03-28 at 01:00Z, and from 03:00 to 02:00 on 2027-10-31 at 01:00Z.
describe('summer time', () => {
  const sunday = (from: string, to: string) => [window({ days: ['sun'], from, to })];

  test.each<[string, DeployWindow[], string, (string | boolean | null)[]]>([
    [
      'moves a window with the clock',
      [window({ days: ['sat', 'sun'] })],
      '2027-03-27T00:00:00Z',
      [false, '2027-03-27T06:00', '2027-03-27T17:00', '2027-03-28T05:00', '2027-03-28T16:00'],
    ],
    [
      'and back',
      [window({ days: ['sat', 'sun'] })],
      '2027-10-30T00:00:00Z',
      [false, '2027-10-30T05:00', '2027-10-30T16:00', '2027-10-31T06:00', '2027-10-31T17:00'],
    ],
    [
      'leaves a window out that lies in the missing hour',
      sunday('02:00', '03:00'),
      '2027-03-22T00:00:00Z',
      [false, '2027-04-04T00:00', '2027-04-04T01:00'],
    ],
    [
      'opens a window that begins in the missing hour when the clock has passed it',
      sunday('02:30', '05:00'),
      '2027-03-28T00:00:00Z',
      [false, '2027-03-28T01:00', '2027-03-28T03:00'],
    ],
    [
      'closes a window that ends in the missing hour when the clock reaches it',
      sunday('01:00', '02:30'),
      '2027-03-27T23:00:00Z',
      [false, '2027-03-28T00:00', '2027-03-28T01:00', '2027-04-03T23:00'],
    ],
    [
      'shortens a window around the missing hour',
      sunday('01:00', '04:00'),
      '2027-03-27T23:00:00Z',
      [false, '2027-03-28T00:00', '2027-03-28T02:00'],
    ],
    [
      'shortens a window across midnight, too',
      [window({ days: ['sat'], from: '22:00', to: '04:00' })],
      '2027-03-27T20:00:00Z',
      [false, '2027-03-27T21:00', '2027-03-28T02:00'],
    ],
    [
      'lengthens a window around the doubled hour',
      sunday('01:00', '04:00'),
      '2027-10-30T22:00:00Z',
      [false, '2027-10-30T23:00', '2027-10-31T03:00'],
    ],
    [
      'opens a window in the doubled hour for both',
      sunday('02:00', '03:00'),
      '2027-10-30T22:00:00Z',
      [false, '2027-10-31T00:00', '2027-10-31T02:00'],
    ],
    [
      'opens a window that ends in the doubled hour twice, as the clock shows it',
      sunday('01:00', '02:30'),
      '2027-10-30T22:00:00Z',
      [false, '2027-10-30T23:00', '2027-10-31T00:30', '2027-10-31T01:00', '2027-10-31T01:30', '2027-11-07T00:00'],
    ],
    [
      'opens a window that begins in the doubled hour twice, as the clock shows it',
      sunday('02:30', '05:00'),
      '2027-10-30T22:00:00Z',
      [false, '2027-10-31T00:30', '2027-10-31T01:00', '2027-10-31T01:30', '2027-10-31T04:00'],
    ],
    [
      'is as good south of the equator',
      [window({ days: ['sun'], from: '07:00', to: '08:00', timezone: 'Australia/Sydney' })],
      '2027-10-02T00:00:00Z',
      [false, '2027-10-02T20:00', '2027-10-02T21:00'],
    ],
  ])('%s', (_, windows, from, expected) => {
    expect(course(windows, from, expected.length - 1)).toEqual(expected);
  });

  it('is seen by whoever asks in the middle of it', () => {
    const view = windowsOf(sunday('02:15', '02:45'));
    const open = ['00:14', '00:15', '00:44', '00:45', '01:14', '01:15', '01:44', '01:45'].map((time) =>
      view.isOpen(ms(`2027-10-31T${time}:30Z`)),
    );
    expect(open).toEqual([false, true, true, false, false, true, true, false]);
  });
});

/** No window of the test, and no change of clocks, lies between two quarters of an hour. */
const STEP_MS = 15 * 60_000;

it('every change that is told is one, and none lies between two of them', () => {
  const windows = [
    window(),
    window({ days: ['fri'], from: '20:00', to: '02:30' }),
    window({ days: ['sat'], from: '10:00', to: '12:00', timezone: 'America/New_York' }),
  ];
  const view = windowsOf(windows);
  for (const start of ['2027-03-20T00:00:00Z', '2027-10-25T00:00:00Z']) {
    const end = ms(start) + 14 * 86_400_000;
    const changes: number[] = [];
    for (let at = view.changesAfter(ms(start)); at !== null && at < end; at = view.changesAfter(at)) changes.push(at);
    const seen: number[] = [];
    for (let at = ms(start); at < end; at += STEP_MS) {
      if (view.isOpen(at) !== view.isOpen(at + STEP_MS)) seen.push(at + STEP_MS);
    }
    expect(changes).toEqual(seen.filter((at) => at < end));
  }
});

describe('windows of which one of each list must be open', () => {
  const office = [window({ timezone: 'UTC' })];
  const evening = [window({ days: allWeek, from: '16:00', to: '22:00', timezone: 'UTC' })];
  const night = [window({ days: allWeek, from: '20:00', to: '04:00', timezone: 'UTC' })];

  it('are open where both are, and say when that changes', () => {
    const both = windowsOf(office, evening);
    const at = (time: string) => [both.isOpen(ms(time)), iso(both.changesAfter(ms(time)))];
    expect(at('2026-12-01T12:00:00Z')).toEqual([false, '2026-12-01T16:00']);
    expect(at('2026-12-01T16:00:00Z')).toEqual([true, '2026-12-01T18:00']);
    expect(at('2026-12-01T18:00:00Z')).toEqual([false, '2026-12-02T16:00']);
    expect(at('2026-12-03T18:00:00Z')).toEqual([false, '2026-12-07T16:00']);
  });

  it('never open where they never are at once', () => {
    const never = windowsOf(office, night);
    expect([never.isOpen(ms('2026-12-01T12:00:00Z')), never.changesAfter(ms('2026-12-01T12:00:00Z'))]).toEqual([
      false,
      null,
    ]);
  });

  it('are those of the one list that has any', () => {
    for (const one of [windowsOf(office, []), windowsOf([], office), windowsOf(office, undefined)]) {
      expect(one.isOpen(ms('2026-12-01T12:00:00Z'))).toBe(true);
      expect(iso(one.changesAfter(ms('2026-12-01T12:00:00Z')))).toBe('2026-12-01T18:00');
    }
    expect(windowsOf([], []).isOpen(ms('2026-12-05T03:00:00Z'))).toBe(true);
  });
});
