import { describe, expect, it, test } from 'vitest';
import type { CalendarWord, Freeze, Waiver } from '../../../src/contract/calendar.js';
import {
  closingOf,
  isCalendarWait,
  waitForOpening,
  waiverOf,
  wordWithoutWindows,
} from '../../../src/domain/calendar/gate.js';
import { windowsOf } from '../../../src/domain/calendar/windows.js';
import {
  ALWAYS_OPEN,
  endOfWork,
  HORIZON_MS,
  nextOpenings,
  openingsAmong,
  openingsOf,
  wordOf,
} from '../../../src/domain/calendar/word.js';

const ms = (instant: string): number => Date.parse(`${instant}Z`);
const freeze = (from: string, to: string, reason?: string): Freeze => ({
  from: `${from}Z`,
  to: `${to}Z`,
  ...(reason ? { reason } : {}),
});
const office = windowsOf([{ days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '09:00', to: '17:00', timezone: 'UTC' }]);
const holidays = freeze('2026-12-23T00:00:00', '2027-01-02T00:00:00', 'holidays');
const V = '17.10.202503180906-6a387d336a7.c1c3e017782';

describe('what a calendar says', () => {
  test.each<[string, Parameters<typeof wordOf>, CalendarWord]>([
    [
      'of no freeze: open until there is one',
      [ALWAYS_OPEN, [holidays], ms('2026-12-20T00:00:00')],
      { untilMs: ms('2026-12-23T00:00:00'), freeze: null, window: null, opensMs: null },
    ],
    [
      'of one far away: open, and to be asked again',
      [ALWAYS_OPEN, [holidays], ms('2026-10-01T00:00:00')],
      { untilMs: ms('2026-10-01T00:00:00') + HORIZON_MS, freeze: null, window: null, opensMs: null },
    ],
    [
      'from the first instant of a freeze: frozen, with its reason',
      [ALWAYS_OPEN, [holidays], ms('2026-12-23T00:00:00')],
      {
        untilMs: ms('2027-01-02T00:00:00'),
        freeze: { untilMs: ms('2027-01-02T00:00:00'), reason: 'holidays' },
        window: null,
        opensMs: ms('2027-01-02T00:00:00'),
      },
    ],
    [
      'at its last instant: open',
      [ALWAYS_OPEN, [holidays], ms('2027-01-02T00:00:00')],
      { untilMs: ms('2027-01-02T00:00:00') + HORIZON_MS, freeze: null, window: null, opensMs: null },
    ],
    [
      'of a freeze that ends outside the windows: it opens with the next window',
      [office, [holidays], ms('2027-01-01T12:00:00')],
      {
        untilMs: ms('2027-01-01T17:00:00'),
        freeze: { untilMs: ms('2027-01-02T00:00:00'), reason: 'holidays' },
        window: null,
        opensMs: ms('2027-01-04T09:00:00'),
      },
    ],
    [
      'of a window that opens in a freeze: it opens when both do',
      [office, [freeze('2026-12-01T08:00:00', '2026-12-01T11:00:00')], ms('2026-12-01T07:00:00')],
      {
        untilMs: ms('2026-12-01T08:00:00'),
        freeze: null,
        window: { untilMs: ms('2026-12-01T09:00:00') },
        opensMs: ms('2026-12-01T11:00:00'),
      },
    ],
    [
      'of two freezes that overlap: the longer one is named',
      [
        ALWAYS_OPEN,
        [
          freeze('2026-12-01T00:00:00', '2026-12-02T00:00:00', 'short'),
          freeze('2026-12-01T00:00:00', '2026-12-03T00:00:00', 'long'),
        ],
        ms('2026-12-01T12:00:00'),
      ],
      {
        untilMs: ms('2026-12-03T00:00:00'),
        freeze: { untilMs: ms('2026-12-03T00:00:00'), reason: 'long' },
        window: null,
        opensMs: ms('2026-12-03T00:00:00'),
      },
    ],
    [
      'of freezes one after the other: it opens after the last',
      [
        ALWAYS_OPEN,
        [
          freeze('2026-12-02T00:00:00', '2026-12-03T00:00:00', 'second'),
          freeze('2026-12-01T00:00:00', '2026-12-02T00:00:00', 'first'),
          freeze('2026-12-02T12:00:00', '2026-12-05T00:00:00', 'third'),
        ],
        ms('2026-12-01T12:00:00'),
      ],
      {
        untilMs: ms('2026-12-02T00:00:00'),
        freeze: { untilMs: ms('2026-12-02T00:00:00'), reason: 'first' },
        window: null,
        opensMs: ms('2026-12-05T00:00:00'),
      },
    ],
  ])('%s', (_, [windows, freezes, now], expected) => {
    expect(wordOf(windows, freezes, now)).toEqual(expected);
  });

  it('of fifty freezes one after the other: it opens after the last of them', () => {
    const days = Array.from({ length: 50 }, (_, i) => {
      const day = new Date(ms('2026-12-01T17:00:00') + i * 86_400_000).toISOString().slice(0, 19);
      const next = new Date(ms('2026-12-02T17:00:00') + i * 86_400_000).toISOString().slice(0, 19);
      return freeze(day, next);
    });
    expect(wordOf(office, days, ms('2026-12-01T18:00:00')).opensMs).toBe(ms('2027-01-21T09:00:00'));
  });

  it('needs nobody to be asked where there are no windows', () => {
    const now = ms('2026-12-24T00:00:00');
    expect(wordWithoutWindows({ windows: [], freezes: [holidays] }, now)?.freeze?.reason).toBe('holidays');
    const windows = [{ days: ['mon' as const], from: '09:00', to: '17:00', timezone: 'UTC' }];
    expect(wordWithoutWindows({ windows, freezes: [holidays] }, now)).toBeNull();
  });
});

describe('whether a package may go forward', () => {
  const now = ms('2026-12-24T12:00:00');
  const opensMs = ms('2027-01-04T09:00:00');
  const frozen: CalendarWord = {
    untilMs: ms('2027-01-02T00:00:00'),
    freeze: { untilMs: ms('2027-01-02T00:00:00'), reason: 'holidays' },
    window: null,
    opensMs,
  };
  const both: CalendarWord = { ...frozen, window: { untilMs: opensMs } };
  const closed: CalendarWord = { ...both, freeze: null };
  const open: CalendarWord = { ...frozen, freeze: null, opensMs: null };
  const waives = (wait: Waiver['wait'], untilMs: number | null = opensMs): Waiver[] => [{ wait, untilMs }];

  test.each<[string, CalendarWord | null, Waiver[], unknown]>([
    ['is unknown before anybody has asked', null, [], 'unknown'],
    ['is unknown when the word has run out', { ...open, untilMs: now }, [], 'unknown'],
    ['is unknown then whatever was waived', { ...frozen, untilMs: now }, waives('freeze'), 'unknown'],
    ['in the open', open, [], null],
    ['in a freeze not', frozen, [], { kind: 'freeze', detail: 'frozen: holidays', opensMs }],
    ['outside the windows not', closed, [], { kind: 'deploy-window', detail: 'outside its deploy windows', opensMs }],
    ['in a freeze that a person waived', frozen, waives('freeze'), null],
    ['in one that was waived for good', frozen, waives('freeze', null), null],
    [
      'not when the waiver is over',
      frozen,
      waives('freeze', now),
      { kind: 'freeze', detail: 'frozen: holidays', opensMs },
    ],
    ['not when another wait was waived', frozen, waives('deploy-window'), expect.objectContaining({ kind: 'freeze' })],
    ['of both waits the freeze comes first', both, [], expect.objectContaining({ kind: 'freeze' })],
    ['then the window', both, waives('freeze'), expect.objectContaining({ kind: 'deploy-window' })],
    ['not the freeze for the window', both, waives('deploy-window'), expect.objectContaining({ kind: 'freeze' })],
    ['when both were waived', both, [...waives('freeze'), ...waives('deploy-window')], null],
  ])('%s', (_, word, waivers, expected) => {
    expect(closingOf(word, waivers, now)).toEqual(expected);
  });

  it('is told with kind, reason, the next opening and the command that ends the wait', () => {
    const about = { ring: 2, version: V, sinceMs: now };
    const closing = closingOf(frozen, [], now);
    expect(closing && waitForOpening(closing, about)).toEqual({
      kind: 'freeze',
      ring: 2,
      since: '2026-12-24T12:00:00.000Z',
      until: '2027-01-04T09:00:00.000Z',
      detail: 'frozen: holidays',
      next: [`cellctl override --wait freeze --ring 2 ${V} --reason "…"`],
    });
    const never = { kind: 'deploy-window' as const, detail: 'outside its deploy windows', opensMs: null };
    const wait = waitForOpening(never, about);
    expect(wait.detail).toBe('outside its deploy windows; no opening is known');
    expect(wait).not.toHaveProperty('until');
    expect(waitForOpening('unknown', about)).toMatchObject({ kind: 'deploy-window', next: [] });
  });

  it('an override is worth the wait that it names, to its end', () => {
    expect(waiverOf('freeze', '2027-01-04T09:00:00.000Z')).toEqual({ wait: 'freeze', untilMs: opensMs });
    expect(waiverOf('freeze', undefined)).toEqual({ wait: 'freeze', untilMs: null });
    expect(
      ['freeze', 'deploy-window', 'approval', null, undefined].map((kind) => isCalendarWait(kind as never)),
    ).toEqual([true, true, false, false, false]);
  });
});

describe('the next openings', () => {
  const of = (windows: typeof office, freezes: Freeze[], now: string) =>
    nextOpenings(openingsOf(windows, freezes), ms(now)).map(({ fromMs, toMs }) =>
      [fromMs, toMs].map((at) => (at === null ? null : new Date(at).toISOString().slice(5, 16))),
    );

  it('begin with the present one, and go on past the horizon', () => {
    const found = of(office, [], '2026-12-03T12:00:00');
    expect(found.slice(0, 3)).toEqual([
      ['12-03T12:00', '12-03T17:00'],
      ['12-04T09:00', '12-04T17:00'],
      ['12-07T09:00', '12-07T17:00'],
    ]);
    expect(found).toHaveLength(14);
    expect(found.at(-1)).toEqual(['12-22T09:00', '12-22T17:00']);
  });

  it('leave out freezes, and have no end where nothing closes', () => {
    expect(of(office, [holidays], '2026-12-22T12:00:00').slice(0, 2)).toEqual([
      ['12-22T12:00', '12-22T17:00'],
      ['01-04T09:00', '01-04T17:00'],
    ]);
    expect(of(ALWAYS_OPEN, [holidays], '2026-12-22T12:00:00')).toEqual([
      ['12-22T12:00', '12-23T00:00'],
      ['01-02T00:00', null],
    ]);
  });
});

describe('the end of work', () => {
  const HOUR = 3_600_000;
  const at = (hours: number) => ({ fromMs: hours * HOUR, toMs: (hours + 2) * HOUR });
  const end = (from: number, work: number, piece: number) =>
    (endOfWork(openingsAmong([at(0), at(10), at(20)]), from * HOUR, work * HOUR, piece * HOUR) ?? Number.NaN) / HOUR;

  it.each([
    ['within one opening', 0, 2, 0, 2],
    ['that begins before one opens', 3, 1, 0, 11],
    ['over two openings', 0, 3, 0, 11],
    ['of which a piece that was begun comes to its end', 1, 2, 1, 3],
    ['over two, with a piece that ends after the first', 0, 4, 1, 11],
    ['that is none, at the next opening', 5, 0, 0, 10],
    ['that fits into none that is known', 0, 7, 0, Number.NaN],
  ])('%s', (_what, from, work, piece, hours) => {
    expect(end(from, work, piece)).toBe(hours);
  });
});
